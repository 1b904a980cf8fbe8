"""Planes below any linear form of a softmax's values.

For coefficients A and any number c, Σ A·p = c + Σ (A - c)·p because the entries of a row add up to 1. With
convex functions L <= p and concave ones U >= p,

    Σ A·p  >=  c + Σ (A - c)⁺·L(x) - Σ (A - c)⁻·U(x),

which is convex in x, so the tangent plane at *any* point lies below it. The point is the parameter that is
searched; c is the best for the values of L and U there (a knapsack: each entry at L or U, one in between).

U is the concave envelope of the sigmoid at s = x_k - log Σ_{j≠k} exp(x_j), which is concave in x. L is
exp(x_k) / Σ_j chord(x_j) (Wei et al., AISTATS 2023) or, where intervals of the differences are known,
1 / (1 + Σ_{j≠k} chord(x_j - x_k)), whichever is larger at the point.
Planes cost O(K) per row, O(K²) with differences.

Shapes: B domains, S rows of the specification, R rows of K entries, N = R·K.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from genbab.nonlinear.groups.kind import GroupKind
from genbab.nonlinear.groups.softmax import FLOOR, Chords, Softmax, SoftmaxBox, by_rows

_CERTAIN = 1e-20
"""Where the other entries' powers add up to less than this part of an entry's own, its upper line is flat."""


@dataclass(frozen=True, eq=False)
class _Point:
    """A tangent point x: d = x - max x of its row, e = exp(d), rest_k = Σ_{j≠k} e_j; all (B, S, R, K)."""

    x: Tensor
    d: Tensor
    e: Tensor
    rest: Tensor


@dataclass(frozen=True, eq=False)
class _Below:
    """Tangents of L in δ = x - point, for each entry k.

    value + steep·(δ_k - Σ falls·δ), or, where `own`, value - steep²·Σ_j slopes_jk(δ_j - δ_k). size (where own
    and rigorous): what rounding errors of Σ chord are relative to.
    """

    value: Tensor
    steep: Tensor
    falls: Tensor
    own: Tensor | None = None
    slopes: Tensor | None = None
    size: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Sides:
    """Which lines the entries of planes took, by rows (B, S, R, K).

    upper: upper ones; own: lower ones `own` to an entry (of differences; None where none are known); critical
    (B, S, R, 1): the entry that follows from the others.
    """

    upper: Tensor
    critical: Tensor
    own: Tensor | None


@dataclass(frozen=True, eq=False)
class Planes:
    """A plane below Σ A·softmax for every row of a specification: form (B, S, N), constants (B, S, R).

    masses (B, S, R): what rounding errors are relative to, those of adding the form to others included; None
    unless rigorous. upper: which entries took their upper line; critical (B, S, R, 1): which follows from the
    others; at: the points.
    """

    form: Tensor
    constants: Tensor
    masses: Tensor | None
    upper: Tensor
    critical: Tensor
    point: _Point
    below: _Below
    above: tuple[Tensor, Tensor]

    @property
    def at(self) -> Tensor:
        """The tangent points, (B, S or 1, N)."""
        return self.point.x.flatten(-2)

    @property
    def sides(self) -> Sides:
        """Which lines the entries took."""
        return Sides(self.upper, self.critical, self.below.own)

    def along(self, v: Tensor) -> Tensor:
        """The entries' lines at arguments v (B, S, N): also the derivative by A of the form at v."""
        point, (steep, value) = self.point, self.above
        delta = by_rows(v, point.x.shape[-1]) - point.x
        weighted = point.e * delta
        high = value + steep * (delta - (weighted.sum(-1, keepdim=True) - weighted) / point.rest)
        y = torch.where(self.upper, high, _along_below(self.below, delta))
        others = y.scatter(-1, self.critical, 0.0).sum(-1, keepdim=True)
        return y.scatter(-1, self.critical, 1.0 - others).flatten(-2)

    def moved(self, at: Tensor, v: Tensor, rate: float, direction: Callable[[Tensor], Tensor]) -> Tensor:
        """The points `at` a part of the way to v (Frank & Wolfe, 1956): never lower at first."""
        return towards(at, v, rate)


def towards(at: Tensor, v: Tensor, rate: float) -> Tensor:
    """The points `at` this part of the way to v."""
    return at + rate * (v - at)


def planes(box: SoftmaxBox, a: Tensor, at: Tensor, *, rigorous: bool) -> Planes:
    """Planes below Σ a·softmax on the box, a (B, S, N), tangent at `at` (B, S or 1, N): any points are sound.

    Rigorous: they hold over the reals once a multiple of eps·masses is taken off (`roundings`).
    """
    a = by_rows(a, box.fn.length)
    point = _point(box, at)
    below = _below(box, point, rigorous)
    above = _above(box, point, rigorous)
    c, critical = _knapsack(a, below.value, above[1])
    w = a - c
    upper = w < 0
    gains, costs = w.clamp_min(0.0) * below.steep, w.clamp_max(0.0) * above[0]
    per = costs / point.rest
    form = costs - point.e * (per.sum(-1, keepdim=True) - per)
    if below.own is None or below.slopes is None:
        form = form + gains - below.falls * gains.sum(-1, keepdim=True)
    else:
        paired = torch.where(below.own, gains * below.steep, 0.0)
        gains = torch.where(below.own, 0.0, gains)
        form = form + gains - below.falls * gains.sum(-1, keepdim=True)
        form = form + below.slopes.sum(-2)[:, None] * paired
        form = form - torch.einsum("brjk,bsrk->bsrj", below.slopes, paired)
    value = torch.where(upper, above[1], below.value)
    constants = c[..., 0] + (w * value).sum(-1) - (form * point.x).sum(-1)
    masses = None
    if rigorous:
        sizes = torch.where(upper, _mass_above(box, point, above), _mass_below(box, point, below))
        masses = c[..., 0].abs() + (w.abs() * (1 + sizes)).sum(-1)
        masses = masses + (form.abs() * torch.maximum(box.ends[0].abs(), box.ends[1].abs())).sum(-1)
        masses = masses + _heavy(box, point).sum(-1) * per.abs().sum(-1)
        masses = masses.nan_to_num(torch.inf, torch.inf)
    return Planes(form.flatten(-2), constants, masses, upper, critical, point, below, above)


def roundings(length: int) -> int:
    """How many units of rounding error, relative to the masses, planes of rows of this length have."""
    return 16 * (64 + length)


def _point(box: SoftmaxBox, at: Tensor) -> _Point:
    x = by_rows(at, box.fn.length).nan_to_num(0.0).clamp(*box.ends)
    top, place = x.max(-1, keepdim=True)
    d = x - top
    e = torch.exp(d)
    # total - e loses nothing but at the largest entry, which is at most 1 of a total of at least 1
    alone = e.scatter(-1, place, 0.0).sum(-1, keepdim=True)
    rest = (e.sum(-1, keepdim=True) - e).scatter(-1, place, alone)
    return _Point(x, d, e, rest.clamp_min(FLOOR[x.dtype]))


def _below(box: SoftmaxBox, point: _Point, rigorous: bool) -> _Below:
    """L at the point and its slopes: the better of the two forms for each entry."""
    floor = FLOOR[point.x.dtype]
    shift, chords = box.chords
    total = chords.at(point.x).sum(-1, keepdim=True).clamp_min(floor)
    power = torch.exp(point.x - shift)
    value = torch.where(power < floor, 0.0, power) / total
    steep = torch.where(box.finite, value, 0.0)
    value = torch.where(box.finite, value, box.range[0])
    falls = chords.slope / total
    if box.own_chords is None:
        return _Below(value, steep, falls)
    usable, pairs = box.own_chords
    others = 1 - torch.eye(box.fn.length, dtype=value.dtype, device=value.device)
    slopes = (pairs.slope * others)[:, 0]
    down = slopes.sum(-2)[:, None]
    fixed = ((pairs.start - pairs.slope * pairs.origin) * others).sum(-2)
    inverse = 1.0 + fixed + torch.einsum("brjk,bsrj->bsrk", slopes, point.d) - down * point.d
    mine = 1.0 / inverse.clamp_min(1.0)
    own = (mine > value) & usable
    size = None
    if rigorous:
        reach = point.d.abs() + _wide(box, point)
        size = 1.0 + ((pairs.start + pairs.slope * pairs.origin.abs()) * others).sum(-2)
        size = size + down * reach + torch.einsum("brjk,bsrj->bsrk", slopes, reach)
    return _Below(torch.where(own, mine, value), torch.where(own, mine, steep), falls, own, slopes, size)


def _along_below(below: _Below, delta: Tensor) -> Tensor:
    low = below.value + below.steep * (delta - (below.falls * delta).sum(-1, keepdim=True))
    if below.own is None or below.slopes is None:
        return low
    mixed = torch.einsum("brjk,bsrj->bsrk", below.slopes, delta) - below.slopes.sum(-2)[:, None] * delta
    return torch.where(below.own, below.value - below.steep.square() * mixed, low)


def _above(box: SoftmaxBox, point: _Point, rigorous: bool) -> tuple[Tensor, Tensor]:
    """(slope k of the sigmoid's envelope at s(point), k·s(point) + its intercept)."""
    e, rest = point.e, point.rest
    logit = point.d - torch.log(rest)
    total = e + rest
    steep = torch.minimum(torch.where(e > rest, e / total * (rest / total), 0.25), box.steepest)
    steep = torch.where(box.finite & (rest > _CERTAIN * e), steep, 0.0)
    c, _ = box.sigmoid.intercept(steep.flatten(-2), True, rigorous=rigorous)
    c = by_rows(c, box.fn.length)
    return steep, torch.where(box.finite, c + steep * logit, box.range[1])


def _wide(box: SoftmaxBox, point: _Point) -> Tensor:
    """How far the box reaches from the point."""
    return torch.maximum(box.ends[1] - point.x, point.x - box.ends[0])


def _heavy(box: SoftmaxBox, point: _Point) -> Tensor:
    return point.e * (1 + point.d.abs()) * _wide(box, point)


def _mass_below(box: SoftmaxBox, point: _Point, below: _Below) -> Tensor:
    wide, (shift, _) = _wide(box, point), box.chords
    size = (
        below.steep * (2 + wide + (below.falls * wide).sum(-1, keepdim=True)) * (1 + (point.x - shift).abs())
    )
    if below.own is None or below.size is None:
        return size
    return torch.where(below.own, below.steep * (2 + below.steep * below.size), size)


def _mass_above(box: SoftmaxBox, point: _Point, above: tuple[Tensor, Tensor]) -> Tensor:
    size = box.fn.length + 64 + point.d.abs() + torch.log(point.rest).abs() + _wide(box, point)
    heavy = _heavy(box, point).sum(-1, keepdim=True) / point.rest
    return above[0] * (size + heavy) + above[1].abs()


def _knapsack(a: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """(c, its entry), (B, S, R, 1): the multiplier of Σ p = 1 in min Σ a·p over low <= p <= high."""
    ordered, order = a.sort(-1)
    room = (high - low).expand_as(a).gather(-1, order).cumsum(-1)
    left = 1.0 - low.sum(-1, keepdim=True)
    place = (room < left).sum(-1, keepdim=True).clamp_max(a.shape[-1] - 1)
    return ordered.gather(-1, place), order.gather(-1, place)


def lost(box: SoftmaxBox, a: Tensor, found: Sides, v: Tensor) -> tuple[Tensor, ...]:
    """Roughly what the relaxation of each number of each argument costs Σ a·softmax at v, >= 0.

    Chords of lower lines, an entry's own upper line; (B, S, size) each. found: what planes for a took.
    """
    x = by_rows(v, box.fn.length).clamp(*box.ends)
    w = by_rows(a, box.fn.length)
    w = w - w.gather(-1, found.critical)
    true = x.softmax(-1)
    gain = torch.where(found.upper, 0.0, w * true)
    shift, chords = box.chords
    own = found.own
    raw = gain if own is None else torch.where(own, 0.0, gain)
    lines = chords.at(x)
    per = (lines - torch.exp(x - shift)) / lines.sum(-1, keepdim=True) * raw.sum(-1, keepdim=True)
    here = _above(box, _point(box, x.flatten(-2)), False)[1]
    over = torch.where(found.upper, -w * (here - true), 0.0)
    parts = [(per + over).flatten(-2)]
    if box.own_chords is not None:
        first, second = box.places
        total = torch.zeros_like(x[..., first])
        for j, k in ((first, second), (second, first)):
            d, one = x[..., j] - x[..., k], box.own_chords[1]
            line = Chords(*(t[..., j, k] for t in (one.start, one.slope, one.origin))).at(d)
            total = total + (gain - raw)[..., k] * true[..., k] * (line - torch.exp(d)).clamp_min(0.0)
        parts.append(total.flatten(-2))
    return tuple(part.clamp_min(0.0) for part in parts)


def _box(fn: Softmax, boxes: list[tuple[Tensor, Tensor]]) -> SoftmaxBox:
    return SoftmaxBox(fn, *boxes[0], boxes[1] if len(boxes) > 1 else None)


def _planes(box: SoftmaxBox, a: Tensor, at: Tensor | None, rigorous: bool) -> Planes:
    return planes(box, a, box.middle if at is None else at, rigorous=rigorous)


def _lost(box: SoftmaxBox, a: Tensor, at: Tensor, v: Tensor, known: Any) -> tuple[Tensor, ...]:
    taken = planes(box, a, at, rigorous=False) if known is None else known
    return lost(box, a, taken.sides, v)


KIND = GroupKind(Softmax, _box, _planes, roundings, _lost)
"""What bounds need of softmax."""
