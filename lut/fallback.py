"""Where to split without a table: at a kink, else in the middle."""

from __future__ import annotations

import torch
from torch import Tensor

from genbab.lut.facts import TabledFunction


def middle(l: Tensor, u: Tensor) -> Tensor:  # noqa: E741
    """The middle of [l, u]; of a half-line a finite point inside, of the whole line 0. Never NaN."""
    point = 0.5 * l + 0.5 * u
    point = torch.where(torch.isinf(u), l + l.abs().clamp_min(1.0), point)
    point = torch.where(torch.isinf(l), u - u.abs().clamp_min(1.0), point)
    return torch.where(torch.isfinite(point), point, 0.0)


def kink_or_middle(fn: TabledFunction, l: Tensor, u: Tensor) -> Tensor:  # noqa: E741
    """The kink nearest to the middle of [l, u] where one lies strictly inside, else the middle."""
    centre = middle(l, u)
    point, distance = centre, torch.full_like(centre, torch.inf)
    for kink in fn.kinks:
        at = torch.full_like(centre, kink)
        if fn.period:
            at = at + torch.round((centre - kink) / fn.period) * fn.period
        nearer = (l < at) & (at < u) & ((at - centre).abs() < distance)
        point = torch.where(nearer, at, point)
        distance = torch.where(nearer, (at - centre).abs(), distance)
    return point
