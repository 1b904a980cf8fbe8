"""Where to split an interval of a neuron: at the point of a table of the function that reads it, at a kink,
or in the middle.
"""

from __future__ import annotations

import torch
from torch import Tensor

from genbab.kernels import DEFAULT, Kernels
from genbab.lut.fallback import kink_or_middle, middle
from genbab.lut.generate import table_on
from genbab.nonlinear import Bivariate, Gate, Nonlinearity, default_slopes, interval, prepare

_HEIGHTS = 32


def split_points(
    fn: Nonlinearity,
    l: Tensor,  # noqa: E741
    u: Tensor,
    weight: Tensor,
    kernels: Kernels = DEFAULT,
) -> Tensor:
    """Points strictly inside [l, u] (..., N), float64, wherever a number lies strictly inside.

    weight (..., N, 2) >= 0: how much the gap of the (lower, upper) line matters. Infinite, empty and
    degenerate intervals give a finite point. The first call for a function may make its table, which is read
    by `kernels`.
    """
    l, u = l.double(), u.double()  # noqa: E741
    table = table_on(fn, l.device)
    return kink_or_middle(fn, l, u) if table is None else table.points(l, u, weight, kernels)


def split_points_k(fn: Nonlinearity, l: Tensor, u: Tensor, weight: Tensor, k: int) -> Tensor:  # noqa: E741
    """k - 1 ascending points (..., N, k - 1) inside [l, u] for a split into k parts.

    Every point splits the part on which most of the weighted area between the lines is left. Where there are
    too few numbers inside, points repeat.
    """
    ends = torch.stack([l.double(), u.double()], -1)
    for _ in range(k - 1):
        low, high = ends[..., :-1], ends[..., 1:]
        each = weight[..., None, :].expand(*low.shape, 2)
        left = torch.where(high > low, _area(fn, low, high, each), -torch.inf)
        part = left.argmax(-1, keepdim=True)
        chosen = split_points(fn, low.gather(-1, part), high.gather(-1, part), weight[..., None, :])
        ends = torch.cat([ends, chosen], -1).sort(-1).values
    return ends[..., 1:-1]


def wider_argument(fn: Bivariate, x: tuple[Tensor, Tensor], y: tuple[Tensor, Tensor]) -> Tensor:
    """Whether y rather than x is to be split (in its middle) in x*y, or in x*g(y): the gap is width times
    width, so the one that is wider in relation to how far the other factor can stretch it.
    """
    first, second = x, y
    if isinstance(fn, Gate):
        second = interval(fn.g, *y)
    wide = [(high - low) / torch.maximum(low.abs(), high.abs()) for low, high in (first, second)]
    sizes = [torch.nan_to_num(w, nan=0.0, posinf=torch.inf) for w in wide]
    return sizes[1] > sizes[0]


def _area(fn: Nonlinearity, l: Tensor, u: Tensor, weight: Tensor) -> Tensor:  # noqa: E741
    """The weighted area between the function and its default lines on [l, u]; 0 where it is not finite."""
    ready, centre = prepare(fn, l, u), middle(l, u)
    share = (torch.arange(_HEIGHTS, dtype=torch.float64, device=l.device) + 0.5) / _HEIGHTS
    mean = fn.value(torch.lerp(l[..., None], u[..., None], share)).mean(-1)
    total = torch.zeros_like(l)
    for slope, upper in zip(default_slopes(fn, l, u), (False, True), strict=True):
        height = ready.intercept(slope, upper, rigorous=False)[0] + slope * centre
        gap = height - mean if upper else mean - height
        total = total + weight[..., int(upper)] * gap.clamp_min(0.0)
    return torch.nan_to_num((u - l) * total, nan=0.0, posinf=0.0, neginf=0.0)
