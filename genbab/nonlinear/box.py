"""What is known of a function on a box before any slope is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from genbab.nonlinear.record import Jump, Nonlinearity

Point = tuple[Tensor, Tensor]
"""(place, value or one-sided limit there)"""


@dataclass(frozen=True)
class Box:
    """fn on [l, u]. `l`, `u` are safe: finite, in the domain, wherever `undefined` is set or not; (..., N)
    each.

    `points`: kinks and jumps inside the box with value (or limit); where one is not inside, an end of the box
    instead. `undefined`: elements about which nothing can be said (infinite or NaN ends, or outside the
    domain); None if none.
    """

    fn: Nonlinearity
    l: Tensor  # noqa: E741
    u: Tensor
    fl: Tensor
    fu: Tensor
    points: tuple[Point, ...]
    undefined: Tensor | None
    given_l: Tensor
    given_u: Tensor

    @property
    def ends(self) -> tuple[Point, Point]:
        return (self.l, self.fl), (self.u, self.fu)


def _break_inside(
    fn: Nonlinearity, place: float, box: tuple[Tensor, Tensor], last: bool
) -> tuple[Tensor, Tensor]:
    """First (or last) translate of a break right of l and left of or at u, and how many periods it moved."""
    l, u = box  # noqa: E741
    if not fn.period:
        return torch.full_like(l, place), torch.zeros_like(l)
    turns = torch.floor((u - place) / fn.period) if last else torch.floor((l - place) / fn.period) + 1.0
    return place + turns * fn.period, turns


def _kink(fn: Nonlinearity, place: float, l: Tensor, u: Tensor) -> list[Point]:  # noqa: E741
    places = [
        _break_inside(fn, place, (l, u), last)[0] for last in ((False, True) if fn.period else (False,))
    ]
    inside = [torch.minimum(torch.maximum(p, l), u) for p in places]
    return [(p, fn.value(p)) for p in inside]


def _jump(fn: Nonlinearity, jump: Jump, box: tuple[Tensor, Tensor], fl: Tensor) -> list[Point]:
    """Left limit where the box reaches left of the jump, right limit where it may hold the jump."""
    l, u = box  # noqa: E741
    low, high, left, right = jump
    points = []
    for last in (False, True) if fn.period else (False,):
        p, turns = _break_inside(fn, low, box, last)
        rise = turns * fn.rise if fn.rise else 0.0
        first, final = (p, p) if low == high else (torch.full_like(l, low), torch.full_like(l, high))
        for limit, holds in ((left, (l < final) & (first <= u)), (right, (l <= final) & (first <= u))):
            for place in (first,) if low == high else (first.maximum(l), final.minimum(u)):
                points.append((torch.where(holds, place, l), torch.where(holds, limit + rise, fl)))
    return points


def _outside(fn: Nonlinearity, l: Tensor, u: Tensor) -> Tensor:  # noqa: E741
    low, high = fn.domain
    bad = ~(torch.isfinite(l) & torch.isfinite(u))
    if low > -math.inf:
        bad |= l < low
    if high < math.inf:
        bad |= u > high
    return bad


def make_box(fn: Nonlinearity, l: Tensor, u: Tensor) -> Box:  # noqa: E741
    """Evaluate fn at the ends and breaks of [l, u]."""
    given = l, u
    bad = _outside(fn, l, u)
    undefined = bad if bool(bad.any()) else None
    if undefined is not None:
        inside = min(max(1.0, fn.domain[0]), fn.domain[1])
        l, u = l.masked_fill(bad, inside), u.masked_fill(bad, inside)  # noqa: E741
    fl, fu = fn.value(l), fn.value(u)
    points: list[Point] = []
    jumping = {place for low, high, _, _ in fn.jumps for place in (low, high)}
    for jump in fn.jumps:
        points += _jump(fn, jump, (l, u), fl)
    for place in fn.kinks:
        if place not in jumping:
            points += _kink(fn, place, l, u)
    return Box(fn, l, u, fl, fu, tuple(points), undefined, *given)
