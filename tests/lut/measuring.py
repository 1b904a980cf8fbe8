"""The area between a function and its lines on an interval, from the lines that the bounds use (not from the
search that makes tables).
"""

from __future__ import annotations

import torch
from torch import Tensor

from genbab.nonlinear import Nonlinearity, default_slopes, prepare

_POINTS = 512


def integrals(fn: Nonlinearity, l: Tensor, u: Tensor) -> Tensor:  # noqa: E741
    """The integral of fn over [l, u] (M,), by Gauss-Legendre rules between its breaks."""
    cuts = [l, u]
    for place in fn.breaks:
        turns = torch.ceil((l - place) / fn.period) if fn.period else torch.zeros_like(l)
        most = int((u - l).max() / fn.period) + 2 if fn.period else 1
        for i in range(most):
            cuts.append(torch.minimum(torch.maximum(place + (turns + i) * fn.period, l), u))
    ends = torch.stack(cuts).sort(0).values
    share, weight = _gauss(16)
    low, width = ends[:-1, :, None], (ends[1:] - ends[:-1])[:, :, None]
    parts = max(1, _POINTS // (16 * len(cuts)))
    total = torch.zeros_like(l)
    for i in range(parts):
        x = low + width * (i + share) / parts
        value = torch.where(width > 0, fn.value(x), 0.0)
        total = total + (value * weight * width / parts).sum((0, 2))
    return total


def _gauss(count: int) -> tuple[Tensor, Tensor]:
    import numpy as np

    x, w = np.polynomial.legendre.leggauss(count)
    return torch.from_numpy(0.5 * (x + 1.0)), torch.from_numpy(0.5 * w)


def under(fn: Nonlinearity, l: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:  # noqa: E741
    """The integrals of the default (lower, upper) lines over [l, u]; 0 on intervals without length."""
    slopes, ready = default_slopes(fn, l, u), prepare(fn, l, u)
    found = []
    for slope, upper in zip(slopes, (False, True), strict=True):
        c = ready.intercept(slope, upper)[0]
        found.append(torch.where(u > l, (u - l) * (slope * (0.5 * l + 0.5 * u) + c), 0.0))
    return found[0], found[1]


def left(fn: Nonlinearity, cuts: list[Tensor]) -> Tensor:
    """(3, M): the areas (below, both, above) left between the function and the lines of the parts between
    ascending cuts, the first and last of which are the interval's ends.
    """
    whole = integrals(fn, cuts[0], cuts[-1])
    below, above = whole, -whole
    for l, u in zip(cuts[:-1], cuts[1:], strict=True):  # noqa: E741
        low, high = under(fn, l, u)
        below, above = below - low, above + high
    return torch.stack([below, below + above, above]).clamp_min(0.0)
