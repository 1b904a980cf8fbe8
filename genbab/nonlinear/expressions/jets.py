"""Value, slope and bend of an expression over whole cells of the line, rigorously.

Forward differentiation to second order in interval arithmetic. The parts are functions of the library, whose
facts say where value, derivative and second derivative are monotone; so their ranges over an interval are
those of a few points. Beside the ranges goes a bound of the rounding errors of `Expression.value` and
`.derivative` in float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from genbab.errors import UsageError
from genbab.nonlinear.expressions import outward
from genbab.nonlinear.expressions.expression import Expression
from genbab.nonlinear.expressions.outward import Ends, size
from genbab.nonlinear.expressions.steps import Apply, Argument, Combine, Multiply
from genbab.nonlinear.facts.real import real
from genbab.nonlinear.facts.record import Jump, Nonlinearity
from genbab.nonlinear.lines.interval import interval

_EPS = torch.finfo(torch.float64).eps
_TINY = torch.finfo(torch.float64).tiny
_RELATIVE = 1e-12


@dataclass(frozen=True)
class Jet:
    """One step of an expression over cells (C,); all tensors have that shape.

    Where `defined`, `value` encloses the step's values on the cell, limits at jumps included, and `first` its
    one-sided derivatives; where `smooth` too, `second` its second derivative at all inner points, up to the
    ends. `touch`: a kink of a part lies at the end of that part's argument, so there may be one at the end of
    the cell. `broken`: the value may jump. `outside`: defined nowhere on the cell. `error`, `slope_error`:
    bounds of what float64 arithmetic makes wrong in value and derivative.
    """

    value: Ends
    first: Ends
    second: Ends
    error: Tensor
    slope_error: Tensor
    smooth: Tensor
    touch: Tensor
    broken: Tensor
    defined: Tensor
    outside: Tensor


def jet(expression: Expression, l: Tensor, u: Tensor) -> Jet:  # noqa: E741
    """The expression over the cells [l, u] (float64, l <= u, both (C,)).

    Raises UsageError, naming it, for a part without a second derivative.
    """
    known: list[Jet] = []
    for step in expression.steps:
        if isinstance(step, Argument):
            known.append(_variable(l, u))
        elif isinstance(step, Apply):
            known.append(_applied(step.fn, known[step.a]))
        elif isinstance(step, Multiply):
            known.append(_product(known[step.a], known[step.b]))
        else:
            known.append(_combined(step, known, l))
    return known[-1]


def _variable(l: Tensor, u: Tensor) -> Jet:  # noqa: E741
    zero, one = torch.zeros_like(l), torch.ones_like(l)
    no = torch.zeros_like(l, dtype=torch.bool)
    return Jet((l, u), (one, one), (zero, zero), zero, zero, ~no, no, no, ~no, no)


def _combined(step: Combine, known: list[Jet], like: Tensor) -> Jet:
    shift, zero = torch.full_like(like, step.shift), torch.zeros_like(like)
    doubt = zero + real(step.shift).error
    value, first, second = outward.widen((shift, shift), doubt), (zero, zero), (zero, zero)
    error, slope_error = doubt, zero
    mass, slope_mass = shift.abs(), zero
    parts = [known[source] for source, _ in step.terms]
    for part, (_, number) in zip(parts, step.terms, strict=True):
        w, off = float(number), real(number).error
        value = outward.add(value, _times(part.value, w, off))
        first = outward.add(first, _times(part.first, w, off))
        second = outward.add(second, _times(part.second, w, off))
        steep = abs(w) + off
        error = error + steep * part.error + (off * size(part.value) if off else zero)
        slope_error = slope_error + steep * part.slope_error + (off * size(part.first) if off else zero)
        mass = mass + steep * size(part.value)
        slope_mass = slope_mass + steep * size(part.first)
    roundings = (len(parts) + 2) * _EPS
    error = torch.where(_exact(value, error), 0.0, (error + roundings * mass) * (1 + roundings))
    slope_error = torch.where(
        _exact(first, slope_error), 0.0, (slope_error + roundings * slope_mass) * (1 + roundings)
    )
    return Jet(value, first, second, error, slope_error, *_flags(parts, like))


def _times(x: Ends, w: float, off: float) -> Ends:
    """x times a number within `off` of w."""
    scaled = outward.scale(x, w)
    return scaled if not off else outward.widen(scaled, off * size(x) * (1.0 + _EPS) + _TINY)


def _exact(ends: Ends, error: Tensor) -> Tensor:
    """Whether a sum is one number, known without rounding, of parts that are computed without error."""
    return (ends[0] == ends[1]) & (error == 0)


def _flags(parts: list[Jet], like: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    no = torch.zeros_like(like, dtype=torch.bool)
    smooth, touch, broken, defined, outside = ~no, no, no, ~no, no
    for part in parts:
        smooth, defined = smooth & part.smooth, defined & part.defined
        touch, broken, outside = touch | part.touch, broken | part.broken, outside | part.outside
    return smooth, touch, broken, defined, outside


def _product(a: Jet, b: Jet) -> Jet:
    value = outward.multiply(a.value, b.value)
    left, right = outward.multiply(a.first, b.value), outward.multiply(a.value, b.first)
    bent = outward.add(outward.multiply(a.second, b.value), outward.multiply(a.value, b.second))
    second = outward.add(bent, outward.scale(outward.multiply(a.first, b.first), 2.0))
    big_a, big_b, steep_a, steep_b = size(a.value), size(b.value), size(a.first), size(b.first)
    big_a, big_b = big_a + a.error, big_b + b.error
    error = big_a * b.error + big_b * a.error + 2.0 * _EPS * big_a * big_b
    slope_error = steep_a * b.error + steep_b * a.error
    slope_error = slope_error + (big_b + b.error) * a.slope_error + (big_a + a.error) * b.slope_error
    slope_error = slope_error + 4.0 * _EPS * (steep_a * big_b + big_a * steep_b)
    smooth, touch, broken, defined, outside = _flags([a, b], a.error)
    zero = _vanishes(a) | _vanishes(b)
    flags = smooth | zero, touch & ~zero, broken & ~zero, defined, outside
    return Jet(value, outward.add(left, right), second, error, slope_error, *flags)


def _vanishes(a: Jet) -> Tensor:
    """Whether a step is 0 all over the cell: what it is multiplied with does not matter then."""
    flat = (a.value[0] == 0) & (a.value[1] == 0) & (a.first[0] == 0) & (a.first[1] == 0)
    return flat & a.smooth & ~a.broken


def _applied(fn: Nonlinearity, a: Jet) -> Jet:
    if fn.second is None:
        raise UsageError(f"'{fn}' has no second derivative on record, so it cannot be composed")
    low, high = fn.domain
    l, u = a.value[0].clamp(low, high), a.value[1].clamp(low, high)  # noqa: E741
    constant = (a.first[0] == 0) & (a.first[1] == 0) & ~a.broken & a.smooth
    inside = _Interior(fn, l, u)
    second = inside.second()
    first = inside.first(second)
    value = inside.value(first)
    kinked, touch, broken = inside.flags()
    kinked = kinked | inside.grazes(a)
    zero = torch.zeros_like(l)
    bend = outward.multiply(second, outward.square(a.first))
    bent = outward.add(bend, outward.multiply(first, a.second))
    slope = outward.multiply(first, a.first)
    error, slope_error = _errors(fn, a, (value, first, second))

    def still(ends: Ends) -> Ends:
        return torch.where(constant, zero, ends[0]), torch.where(constant, zero, ends[1])

    return Jet(
        value,
        still(slope),
        still(bent),
        error,
        slope_error,
        a.smooth & (~(kinked | broken) | constant),
        a.touch | (touch & ~constant),
        a.broken | (broken & ~(constant & (l == u))),
        a.defined & (a.value[0] >= low) & (a.value[1] <= high),
        a.outside | (a.value[1] < low) | (a.value[0] > high),
    )


def _errors(fn: Nonlinearity, a: Jet, ranges: tuple[Ends, Ends, Ends]) -> tuple[Tensor, Tensor]:
    """Rounding errors of fn(a) and fn'(a)·a'."""
    value, first, second = (size(r) for r in ranges)
    steep, reach = size(a.first), size(a.value)
    own = _own_error(fn, value, first, reach)
    exact = a.error == 0  # even where the function is steep without limit
    error = torch.where(exact, 0.0, first * a.error * (1.0 + 1e-6) + second * a.error**2) + own
    outer = torch.where(exact, 0.0, second * a.error * (1.0 + 1e-6)) + _own_error(fn, first, second, reach)
    slope_error = first * a.slope_error + (steep + a.slope_error) * outer + 2.0 * _EPS * first * steep
    return error.nan_to_num(torch.inf), slope_error.nan_to_num(torch.inf)


def _own_error(fn: Nonlinearity, big: Tensor, steep: Tensor, reach: Tensor) -> Tensor:
    """The error of a function of the library itself, by whichever promise of its record is better here."""
    if fn.noise == 0:
        return torch.zeros_like(big)
    relative = _RELATIVE * big + 4.0 * _EPS * steep * reach
    return torch.minimum(fn.noise * _EPS * (1.0 + big), relative.nan_to_num(torch.inf))


class _Interior:
    """A function of the library on intervals [l, u]."""

    def __init__(self, fn: Nonlinearity, l: Tensor, u: Tensor) -> None:  # noqa: E741
        self.fn, self.l, self.u = fn, l, u
        thin = l >= u
        self.right_of_l = torch.where(thin, l, outward.up(l))
        self.left_of_u = torch.where(thin, u, outward.down(u))
        self.reach = torch.maximum(l.abs(), u.abs())

    def _translates(self, place: float) -> list[tuple[Tensor, Tensor]]:
        """A place, or its translates next to l on both sides, and their error."""
        zero = torch.zeros_like(self.l)
        period = self.fn.period
        if not period:
            return [(zero + place, zero)]
        first = torch.floor((self.l - place) / period).nan_to_num(0.0, 0.0, 0.0)
        exact = period.is_integer() and (2.0 * place).is_integer()
        found = [place + (first + i) * period for i in (0.0, 1.0)]
        return [(p, zero if exact else 8.0 * _EPS * (p.abs() + (first.abs() + 1) * period)) for p in found]

    def _holds(self, place: float) -> Tensor:
        """Whether a place (or a translate of it) may lie strictly inside."""
        found = [(self.l - room < p) & (p < self.u + room) for p, room in self._translates(place)]
        return torch.stack(found).any(0)

    def _at_end(self, place: float) -> Tensor:
        """Whether it lies exactly at an end."""
        return torch.stack([(self.l == p) | (self.u == p) for p, _ in self._translates(place)]).any(0)

    def _range(self, function: object, places: list[float]) -> Ends:
        """Hull of the values at the ends, as seen from inside, and on both sides of the places inside."""
        assert callable(function)
        at_l, at_u = function(self.right_of_l), function(self.left_of_u)
        found = [at_l, at_u]
        for place in places:
            around = torch.tensor([place, place], dtype=torch.float64)
            around = torch.stack([outward.down(around[0]), around[0], outward.up(around[0])])
            holds = self._holds(place)
            found += [torch.where(holds, value, at_l) for value in function(around)]
        return outward.hull(found)

    def second(self) -> Ends:
        found = self._range(self.fn.second, [*self.fn.turns, *self.fn.breaks])
        return outward.widen(found, _RELATIVE * size(found))

    def first(self, second: Ends) -> Ends:
        found = self._range(self.fn.derivative, list(self.fn.breaks))
        if self.fn.noise == 0:
            return found
        crossing = size(second).nan_to_num(0.0, 0.0, 0.0) * torch.where(
            torch.isfinite(self.reach), self.reach, 0.0
        )
        return outward.widen(found, _RELATIVE * size(found) + 4.0 * _EPS * crossing)

    def value(self, first: Ends) -> Ends:
        whole = interval(self.fn, self.l, self.u)
        ends = outward.hull([self.fn.value(self.l), self.fn.value(self.u)])
        if self.fn.noise:
            room = _RELATIVE * size(ends) + 4.0 * _EPS * size(first) * self.reach
            ends = outward.widen(ends, room + _TINY)  # what underflows is not 0
        monotone = ((first[0] >= 0) | (first[1] <= 0)) & ~self.flags()[2]
        monotone &= torch.isfinite(ends[0]) & torch.isfinite(ends[1])
        low, high = outward.meet(whole, ends)
        return torch.where(monotone, low, whole[0]), torch.where(monotone, high, whole[1])

    def flags(self) -> tuple[Tensor, Tensor, Tensor]:
        """(a kink strictly inside, a kink at an end, a jump inside or at an end that belongs to it)."""
        no = torch.zeros_like(self.l, dtype=torch.bool)
        kinked, touch, broken = no, no, no
        jumping = {place for low, high, _, _ in self.fn.jumps for place in (low, high)}
        for place in self.fn.kinks:
            if place not in jumping:
                kinked, touch = kinked | self._holds(place), touch | self._at_end(place)
        for jump in self.fn.jumps:
            broken = broken | self._jumps(jump)
        return kinked, touch, broken

    def grazes(self, a: Jet) -> Tensor:
        """Whether rounding may move the argument across a kink that it comes near to without crossing it."""
        found = torch.zeros_like(self.l, dtype=torch.bool)
        turning = (a.first[0] <= 0) & (a.first[1] >= 0) & (a.error > 0) & (a.first[0] < a.first[1])
        for place in self.fn.kinks:
            for p, room in self._translates(place):
                near = (self.l <= p + a.error + room) & (p - a.error - room <= self.u)
                found = found | (near & turning)
        return found

    def _jumps(self, jump: Jump) -> Tensor:
        """Whether both sides of a jump, or a value that is neither limit, may be met."""
        low, high, left, right = jump
        if low < high:
            return (self.l <= high) & (low <= self.u)
        own = float(self.fn.value(torch.tensor(low, dtype=torch.float64)))
        found = torch.zeros_like(self.l, dtype=torch.bool)
        for p, room in self._translates(low):
            here = (self.l - room <= p) & (p <= self.u + room)
            clean = ((self.l == p) & (own == right)) | ((self.u == p) & (own == left))
            found = found | (here & ~(clean & (room == 0)))
        return found
