"""Planes below any linear form of a fixed point: one backward step, through infinitely many turns at once.

y = P y + Q f(y) + u, so for any multipliers ν and lines k·y + t of f, on the sides that the signs of Q'ν say,

    c·y  =  c·y + ν·(P y + Q f(y) + u - y)  >=  ν·u + Σ (Q'ν)·t + r·y,    r = c - ν + P'ν + (Q'ν)·k.

Any ν is sound: what is left of y, r, is bounded by the interval of y. Where ν solves r = 0, which is an
equation of the same kind, a contraction in the dual norm, nothing is left, and the best lines give the
optimum of the linear program over (y, f(y), u) (weak and strong duality; Boyd and Vandenberghe, Convex
Optimization, chapter 5). It is found by turns of its own. Slopes are searched: ∂bound/∂k = (Q'ν)·(y - x*), y
the solution along the lines, x* where they touch.

Shapes: B domains, S rows of the specification, N entries; one row of entries, so R = 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from genbab.nonlinear.groups.fixed_point import FixedPoint, FixedPointBox, Pair
from genbab.nonlinear.groups.kind import GroupKind, GroupPlanes

CERTAIN, SEARCHED = 1e-9, 1e-3
"""How much of r may be left, as a part of c, when bounds count and when slopes are searched."""

TURNS = 400
"""Turns of the dual iteration at most."""


@dataclass(frozen=True, eq=False)
class FixedPointPlanes:
    """Planes for rows c (B, S, N): form: ν; at: the slopes k; dual: Q'ν; all (B, S, N). See `GroupPlanes`."""

    box: FixedPointBox
    form: Tensor
    constants: Tensor
    masses: Tensor | None
    upper: Tensor
    at: Tensor
    dual: Tensor
    intercept: Tensor
    touch: Tensor
    _along: list[Tensor] = field(default_factory=list)

    def along(self, v: Tensor) -> Tensor:
        """y (B, S, N) that solves y = P y + Q (k·y + t) + v."""
        linear, matrix = self.box.fn.weights(v)
        y = v
        for _ in range(min(TURNS, self.box.fn.turns(SEARCHED))):
            before = y
            y = (self.at * y + self.intercept) @ matrix.mT + v
            y = y if linear is None else y + before @ linear.mT
            if not bool(((y - before).abs() > SEARCHED * (1 + y.abs())).any()):
                break
        self._along[:] = [v, y]
        return y

    def moved(self, at: Tensor, v: Tensor, rate: float, direction: Callable[[Tensor], Tensor]) -> Tensor:
        """Slopes after a step uphill, of a natural size for their side."""
        known = bool(self._along) and self._along[0] is v
        y = self._along[1] if known else self.along(v)
        gradient = (self.dual * (y - self.touch)).nan_to_num(0.0, 0.0, 0.0)
        side = self.upper[:, :, 0].to(at.dtype)
        low, high = (s.expand_as(side) for s in self.box.lines.spans)
        span = torch.lerp(low, high, side)
        return torch.addcmul(at, direction(gradient), span, value=rate)


def planes(box: FixedPointBox, a: Tensor, at: Tensor | None, rigorous: bool) -> FixedPointPlanes:
    """The planes for rows a (B, S, N) with slopes `at` (B, S or 1, N) on either side, or default ones."""
    nu, dual, slope, left = _solved(box, a, at, CERTAIN if rigorous else SEARCHED)
    upper = (dual < 0).to(a.dtype)
    intercept, touch = box.lines.intercept(slope, upper, rigorous)
    low, high = box.y
    rest = torch.where(left >= 0, left * low, left * high)
    constants = torch.where(box.known, dual * intercept + rest, -torch.inf).sum(-1, keepdim=True)
    masses = None
    if rigorous:
        masses = _masses(box, a, nu, dual, slope)
        masses = masses + (dual.abs() * intercept.abs() + left.abs() * box.size).sum(-1, keepdim=True)
        masses = masses.nan_to_num(torch.inf, torch.inf)
        constants = constants - torch.finfo(a.dtype).tiny ** 0.5 * (1 + box.size + box.image).sum(
            -1, keepdim=True
        )
    form = torch.where(box.known, nu, 0.0)
    return FixedPointPlanes(
        box, form, constants.nan_to_num(-torch.inf, torch.inf, -torch.inf), masses, upper[:, :, None] > 0,
        slope, dual, intercept, touch,
    )  # fmt: skip


def _solved(
    box: FixedPointBox, c: Tensor, at: Tensor | None, part: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(ν, Q'ν, the slopes of its sides, r), (B, S, N) each, r small."""
    linear, matrix = box.fn.weights(c)
    (lower, upper), (falls, rises) = box.lines.defaults, box.lines.spans
    if at is not None:  # where only one slope is undominated, that one
        lower, upper = torch.where(falls > 0, at, lower), torch.where(rises > 0, at, upper)
    size = part * c.abs().amax(-1, keepdim=True)
    nu = c
    turns = min(TURNS, box.fn.turns(part))
    for turn in range(turns + 1):
        dual = nu @ matrix
        slope = torch.where(dual < 0, upper, lower)
        left = c - nu + dual * slope
        left = left if linear is None else left + nu @ linear
        if turn == turns or not bool((left.abs() > size).any()):
            break
        nu = nu + left
    return nu, dual, slope, left


def _masses(box: FixedPointBox, c: Tensor, nu: Tensor, dual: Tensor, slope: Tensor) -> Tensor:
    """Σ of what is added up in Q'ν, times |f(y)|, and in r, times |y|, and of |ν u|: (B, S, 1)."""
    linear, matrix = box.fn.weights(c)
    sizes = (nu.abs() @ matrix.abs()) * box.image
    rest = c.abs() + nu.abs() + (dual * slope).abs()
    rest = rest if linear is None else rest + nu.abs() @ linear.abs()
    reach = torch.where(box.known, torch.maximum(box.l.abs(), box.u.abs()), 0.0)
    return (sizes + rest * box.size + nu.abs() * reach).sum(-1, keepdim=True)


def roundings(length: int) -> int:
    """How many units of rounding error, relative to the masses, planes of rows of this length have."""
    return 8 * (64 + length)


def lost(
    box: FixedPointBox, a: Tensor, at: Tensor, v: Tensor, known: GroupPlanes | None
) -> tuple[Tensor, ...]:
    """(0 for u; for the fixed point's own numbers, |Q'ν| times the gap between f and its line at y)."""
    taken = known if isinstance(known, FixedPointPlanes) else planes(box, a, at, False)
    y = torch.minimum(torch.maximum(taken.along(v), box.y[0]), box.y[1])
    gap = (box.fn.entries.value(y) - taken.at * y - taken.intercept).abs()
    return torch.zeros_like(gap), torch.where(taken.dual == 0, 0.0, taken.dual.abs() * gap)


def _box(fn: FixedPoint, boxes: list[Pair]) -> FixedPointBox:
    return FixedPointBox(fn, *boxes[0], *boxes[1:])


KIND = GroupKind(FixedPoint, _box, planes, roundings, lost, own=True)
"""What bounds need of fixed points."""
