"""What is known of a function on a box before any slope is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from genbab.nonlinear.facts.record import Jump, Nonlinearity

Point = tuple[Tensor, Tensor]
"""(place, value or one-sided limit there)"""


def go_on() -> None:
    """Nothing ends the work."""


@dataclass(frozen=True)
class Box:
    """fn on [l, u], ends (..., N) each.

    `l`, `u` are safe: finite, in the domain, wherever `undefined` is set or not.

    `points`: kinks and jumps inside the box with value (or limit); where one is not inside, an end of the box
    instead. `undefined`: elements about which nothing can be said (infinite or NaN ends, or outside the
    domain); None if none. `ask` is called between pieces of long work and may raise to end it.
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
    outer: tuple[Tensor, Tensor] | None = None
    bulge: Tensor | None = None
    ask: Callable[[], None] = field(default=go_on, compare=False)

    @property
    def ends(self) -> tuple[Point, Point]:
        """(l, f(l)) and (u, f(u))."""
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
    if fn.period:
        return _periodic_jump(fn, jump, box, fl)
    l, u = box  # noqa: E741
    low, high, left, right = jump
    points = []
    first, final = torch.full_like(l, low), torch.full_like(l, high)
    for limit, holds in ((left, (l < final) & (first <= u)), (right, (l <= final) & (first <= u))):
        for place in (first,) if low == high else (first.maximum(l), final.minimum(u)):
            points.append((torch.where(holds, place, l), torch.where(holds, limit, fl)))
    return points


def _periodic_jump(fn: Nonlinearity, jump: Jump, box: tuple[Tensor, Tensor], fl: Tensor) -> list[Point]:
    """The same of the first and the last translate.

    Of the first one right of l the left limit, of the first one right of or at l the right limit. Where
    translates are not floating-point numbers, the box is a few units in the last place larger for this
    purpose.
    """
    l, u = box  # noqa: E741
    place, _, left, right = jump
    if not (math.log2(fn.period).is_integer() and (2.0 * place / fn.period).is_integer()):
        margin = 8.0 * torch.finfo(l.dtype).eps * (torch.maximum(l.abs(), u.abs()) + fn.period)
        l, u = l - margin, u + margin  # noqa: E741
    after, at = torch.floor((l - place) / fn.period) + 1.0, torch.ceil((l - place) / fn.period)
    final = torch.floor((u - place) / fn.period)
    # the differences are rounded, so each may be one too far
    after = after - l.lt(place + (after - 1.0) * fn.period).to(l.dtype)
    at = at - l.le(place + (at - 1.0) * fn.period).to(l.dtype)
    final = final - u.lt(place + final * fn.period).to(l.dtype)
    points = []
    for limit, turns, reaches in (
        (left, after, l.lt),
        (left, final, l.lt),
        (right, at, l.le),
        (right, final, l.le),
    ):
        p = place + turns * fn.period
        holds = reaches(p) & (p <= u)
        within = p.maximum(box[0]).minimum(box[1])
        points.append((torch.where(holds, within, box[0]), torch.where(holds, limit + turns * fn.rise, fl)))
    return points


def _outside(fn: Nonlinearity, l: Tensor, u: Tensor) -> Tensor:  # noqa: E741
    low, high = fn.domain
    bad = ~(torch.isfinite(l) & torch.isfinite(u))
    if low > -math.inf:
        bad |= l < low
    if high < math.inf:
        bad |= u > high
    return bad if fn.absent is None else bad | fn.absent(l, u)


def make_box(
    fn: Nonlinearity,
    l: Tensor,  # noqa: E741
    u: Tensor,
    ask: Callable[[], None] = go_on,
) -> Box:
    """fn evaluated at the ends and breaks of [l, u]."""
    l, u = l + 0.0, u + 0.0  # noqa: E741 - a negative zero is a zero, also under a root
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
    outer = None
    if undefined is not None and fn.enclose is not None:
        outer = fn.enclose(given[0].double(), given[1].double())
    return Box(fn, l, u, fl, fu, tuple(points), undefined, *given, outer, _bulge(fn, l, u), ask)


def _bulge(fn: Nonlinearity, l: Tensor, u: Tensor) -> Tensor | None:  # noqa: E741
    """The largest bulge of a segment that the box meets."""
    if not fn.bulges:
        return None
    most = torch.zeros_like(l)
    for i, bulge in enumerate(fn.bulges):
        if bulge:
            low, high = fn.segment(i)
            most = torch.where((l <= high) & (u >= low), most.clamp_min(bulge), most)
    return most
