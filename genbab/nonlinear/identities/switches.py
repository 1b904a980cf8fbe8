"""Expressions that steps of x switch on and off, as one plain expression per stretch of the line.

Comparisons and choices (Where, And, masks, B-splines by Cox and de Boor's recursion) multiply with steps; on
a stretch between two thresholds every step is 0 or 1, and most of what was written falls away. What a stretch
does not need may be undefined elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from genbab.errors import UsageError
from genbab.nonlinear.expressions.expression import (
    Expression,
    X,
    apply,
    combine,
    constant,
    multiply,
    substitute,
)
from genbab.nonlinear.expressions.steps import Apply, Argument, Combine, Multiply
from genbab.nonlinear.facts.real import exact, real
from genbab.nonlinear.facts.record import Nonlinearity
from genbab.nonlinear.facts.registry import make
from genbab.nonlinear.identities.polynomial import expanded, opened, outermost
from genbab.nonlinear.identities.restricted import End, guarded, poles, punctured

MOST = 24
"""Expressions with more thresholds stay as they are written."""

HUGE = 1e3
"""Numbers from here on would drown others in a sum from which they cancel."""

STEPS = {"step": "positive", "positive": "step"}
"""f(u) = 1 - g(-u)."""


@dataclass(frozen=True)
class _Event:
    """A step that changes to a value at a place: on reaching it (closed), or beyond it.

    `since` is 1 from then on, 0 before.
    """

    place: Fraction
    step: int
    value: float
    closed: bool
    since: Expression


@dataclass(frozen=True)
class _Stretch:
    """A piece between two events (None: the ends of the line)."""

    piece: Expression
    first: _Event | None
    last: _Event | None

    def image(self, affine: tuple[float, float]) -> tuple[tuple[End, End], tuple[bool, bool]]:
        """((low, high), whether each is reached): where a·x + b lies on the stretch, a != 0."""
        a, b = affine
        ends: list[tuple[End, bool]] = []
        for event, side in ((self.first, -1.0), (self.last, 1.0)):
            if event is None:
                ends.append((side * math.copysign(math.inf, a), True))
            else:
                ends.append((Fraction(a) * event.place + Fraction(b), event.closed == (side < 0)))
        (low, from_low), (high, to_high) = ends if a > 0.0 else reversed(ends)
        return (low, high), (from_low, to_high)


def complement(step: Expression) -> Expression | None:
    """1 - step(u) or 1 - positive(u) as one function of u; None for anything else."""
    found = outermost(step)
    if found is None or found[0].name not in STEPS:
        return None
    return apply(make(STEPS[found[0].name]), combine([(found[1], -1.0)]))


def of_step(fn: Nonlinearity, u: Expression) -> Expression | None:
    """A step of a + b·(another step): that step, what is missing from it to 1, or a constant."""
    parts, shift = opened(u)
    found = outermost(parts[0][0]) if len(parts) == 1 else None
    if found is None or found[0].name not in STEPS:
        return None
    total = real(shift) + parts[0][1]
    if not exact(shift, total):
        return None
    before, after = (number >= 0.0 if fn.name == "step" else number > 0.0 for number in (shift, total))
    if before == after:
        return constant(float(after))
    return parts[0][0] if after else complement(parts[0][0])


def switched(expression: Expression) -> Expression:
    """The same function as Σ part · (1 on its stretch, 0 elsewhere), if its steps allow.

    They must be of affine arguments or of their absolute values.

    Thresholds stay the zeros of the steps as written, at which no number is rounded.
    """
    if not thresholds_known(expression):
        return expression
    events = sorted(events_of(expression), key=lambda e: (e.place, not e.closed))
    if not 0 < len({event.place for event in events}) <= MOST:
        return expression
    try:
        stretches = _stretches(expression, events)
        falls = len(stretches) == 2 and stretches[1].piece.affine == (0.0, 0.0)
        return combine([(_on(stretch, events[0].place, falls), 1.0) for stretch in stretches])
    except UsageError:
        return expression


def thresholds_known(expression: Expression) -> bool:
    """Whether all numbers that a threshold depends on are known exactly."""
    last = max((s.a for s in expression.steps if isinstance(s, Apply) and s.fn.name in STEPS), default=-1)
    sums = [step for step in expression.steps[: last + 1] if isinstance(step, Combine)]
    return all(exact(step.shift, *(w for _, w in step.terms)) for step in sums)


def events_of(expression: Expression) -> Iterator[_Event]:
    """The places at which steps change their value; none for steps of anything but affine or |affine|."""
    for n, step in enumerate(expression.steps):
        if not isinstance(step, Apply) or step.fn.name not in STEPS:
            continue
        inner = Expression(expression.steps[: step.a + 1])
        if inner.affine is None:
            yield from _of_size(n, step.fn, inner)
        elif inner.affine[0] != 0.0:
            place = -Fraction(inner.affine[1]) / Fraction(inner.affine[0])
            rising = inner.affine[0] > 0.0
            itself = apply(step.fn, inner)
            since = itself if rising else complement(itself)
            assert since is not None
            yield _Event(place, n, float(rising), (step.fn.name == "step") == rising, since)


def _of_size(n: int, fn: Nonlinearity, inner: Expression) -> Iterator[_Event]:
    """The two events of a step of c + d·|a·x + b| whose places are numbers."""
    parts, shift = opened(inner)
    found = outermost(parts[0][0]) if len(parts) == 1 else None
    affine = found[1].affine if found is not None and found[0].name == "abs" else None
    if affine is None or affine[0] == 0.0 or not shift * parts[0][1] < 0.0:
        return
    reach = -Fraction(shift) / Fraction(parts[0][1])
    places = sorted((side * reach - Fraction(affine[1])) / Fraction(affine[0]) for side in (-1, 1))
    if any(Fraction(float(place)) != place for place in places):
        return
    for place, value in zip(places, (parts[0][1] < 0.0, parts[0][1] > 0.0), strict=True):
        closed = (fn.name == "step") == value
        since = apply(make("step" if closed else "positive"), combine([(X, 1.0)], -float(place)))
        yield _Event(place, n, float(value), closed, since)


def _stretches(expression: Expression, events: Sequence[_Event]) -> list[_Stretch]:
    """From left to right; neighbours differ."""
    state: dict[int, float] = {}
    for event in reversed(events):
        state[event.step] = 1.0 - event.value
    found = [_Stretch(with_steps(expression, state), None, None)]
    groups: dict[tuple[Fraction, bool], list[_Event]] = {}
    for event in events:
        groups.setdefault((event.place, event.closed), []).append(event)
    for group in groups.values():
        state.update({event.step: event.value for event in group})
        here, last = with_steps(expression, state), found[-1]
        if here != last.piece:
            found[-1] = _Stretch(last.piece, last.first, group[0])
            found.append(_Stretch(here, group[0], None))
    return [merged for i in range(len(found)) for merged in _around(found, i)]


def _around(found: Sequence[_Stretch], i: int) -> Sequence[_Stretch]:
    """A stretch, or what becomes of it where a function is cut at a pole only: one stretch for both sides."""
    if i + 2 < len(found) and (whole := _joined(*found[i : i + 3])) is not None:
        return (whole,)
    if i >= 2 and _joined(*found[i - 2 : i + 1]) is not None:
        return ()
    return (found[i],)


def _joined(left: _Stretch, point: _Stretch, right: _Stretch) -> _Stretch | None:
    """c·fn(u) on both sides of a pole of fn."""
    parts, shift = opened(left.piece)
    found = outermost(parts[0][0]) if len(parts) == 1 and not shift else None
    affine = None if found is None else found[1].affine
    if left.piece != right.piece or found is None or affine is None or not affine[0] or not exact(*affine):
        return None
    (low, high), _ = point.image(affine)
    if low != high or low not in poles(found[0]):
        return None
    whole = apply(punctured(found[0], float(low)), found[1])
    return _Stretch(combine([(whole, parts[0][1])]), left.first, right.last)


def _on(stretch: _Stretch, centre: Fraction, alone: bool) -> Expression:
    """The piece on its stretch, 0 elsewhere, as no sum of steps if it is alone or a huge number."""
    start = centre if stretch.first is None else stretch.first.place
    piece, ended = _defined(_centred(stretch.piece, float(start)), stretch)
    inside = _indicator(stretch, exact=alone or (piece.affine is not None and abs(piece.affine[1]) >= HUGE))
    return piece if inside is None or ended else multiply(piece, inside)


def _indicator(stretch: _Stretch, exact: bool) -> Expression | None:
    """1 on the stretch, 0 elsewhere, None for the whole line; where `exact`, no sum of steps."""
    since = None if stretch.first is None else stretch.first.since
    switch = None if stretch.last is None else stretch.last.since
    if switch is None:
        return since
    if not exact:
        return combine([(constant(1.0) if since is None else since, 1.0), (switch, -1.0)])
    until = complement(switch)
    assert until is not None
    return until if since is None else multiply(since, until)


def _centred(piece: Expression, centre: float) -> Expression:
    """A piece that is a polynomial written with products, in powers of x - centre; any other as it is."""
    if piece.functions < 2:
        return piece
    around = expanded(substitute(piece, combine([(X, 1.0)], centre)))
    if around is None or set(around.atoms) != {X.digest}:
        return piece
    shifted = combine([(X, 1.0)], -centre)
    return substitute(around.expression(), shifted)


def _defined(piece: Expression, stretch: _Stretch) -> tuple[Expression, bool]:
    """(the same on the stretch, whether it is 0 elsewhere).

    With functions that are defined elsewhere too where that can be had.
    """
    parts: list[Expression] = []
    ended = False
    for step in piece.steps:
        if isinstance(step, Argument):
            parts.append(X)
        elif isinstance(step, Multiply):
            parts.append(multiply(parts[step.a], parts[step.b]))
        elif isinstance(step, Apply):
            u = parts[step.a]
            if u.affine is None or u.affine[0] == 0.0 or not exact(*u.affine):
                parts.append(apply(step.fn, u))
            else:
                made, ended = guarded(step.fn, u, *stretch.image(u.affine))
                parts.append(made)
        else:
            parts.append(combine([(parts[source], w) for source, w in step.terms], step.shift))
    alone = len(opened(piece)[0]) == 1 and not opened(piece)[1] and piece.functions == 1
    return parts[-1], ended and alone


def with_steps(expression: Expression, state: Mapping[int, float]) -> Expression:
    """The expression with some of its steps fixed; UsageError for a function of a constant."""
    parts: list[Expression] = []
    for n, step in enumerate(expression.steps):
        if n in state:
            parts.append(constant(state[n]))
        elif isinstance(step, Argument):
            parts.append(X)
        elif isinstance(step, Multiply):
            parts.append(multiply(parts[step.a], parts[step.b]))
        elif isinstance(step, Apply):
            parts.append(_of_constant(step.fn, parts[step.a]) or apply(step.fn, parts[step.a]))
        else:
            parts.append(combine([(parts[source], w) for source, w in step.terms], step.shift))
    return parts[-1]


def _of_constant(fn: Nonlinearity, u: Expression) -> Expression | None:
    """A step's value where u does not depend on x, else None; UsageError for another function of such a u."""
    if u.affine is None or u.affine[0] != 0.0:
        return None
    if fn.name not in STEPS or not exact(u.affine[1]):
        raise UsageError("a function of a constant is no function of x")
    return constant(float(u.affine[1] >= 0.0 if fn.name == "step" else u.affine[1] > 0.0))
