"""Expressions that steps of x switch on and off, as one plain expression per stretch of the line.

Comparisons and choices (Where, And, masks, B-splines by Cox and de Boor's recursion) multiply with steps; on
a stretch between two thresholds every step is 0 or 1, and most of what was written falls away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from genbab.errors import UsageError
from genbab.nonlinear.expression import (
    Apply,
    Expression,
    Multiply,
    Variable,
    X,
    apply,
    combine,
    constant,
    multiply,
    substitute,
)
from genbab.nonlinear.polynomial import expanded

MOST = 24
"""Expressions with more thresholds stay as they are written."""


@dataclass(frozen=True)
class _Threshold:
    """Steps that switch at one place: `rising` are 1 from there on, `falling` up to there."""

    place: float
    rising: tuple[int, ...]
    falling: tuple[int, ...]


def switched(expression: Expression) -> Expression:
    """The same function as Σ piece · (1 on its stretch, 0 elsewhere), if it has steps of affine arguments.

    Thresholds stay the zeros of the steps as written, at which no number is rounded.
    """
    thresholds = _thresholds(expression)
    if not 0 < len(thresholds) <= MOST:
        return expression
    try:
        return _assembled(expression, thresholds)
    except UsageError:
        return expression


def _thresholds(expression: Expression) -> list[_Threshold]:
    """In ascending order."""
    found: dict[Fraction, tuple[list[int], list[int]]] = {}
    for n, step in enumerate(expression.steps):
        if isinstance(step, Apply) and step.fn.name == "step":
            inner = Expression(expression.steps[: step.a + 1]).affine
            if inner is not None and inner[0] != 0.0:
                place = -Fraction(inner[1]) / Fraction(inner[0])
                found.setdefault(place, ([], []))[0 if inner[0] > 0.0 else 1].append(n)
    return [_Threshold(float(p), tuple(found[p][0]), tuple(found[p][1])) for p in sorted(found)]


def _assembled(expression: Expression, thresholds: Sequence[_Threshold]) -> Expression:
    state = {n: 0.0 for t in thresholds for n in t.rising} | {n: 1.0 for t in thresholds for n in t.falling}
    piece, since, centre = _with(expression, state), constant(1.0), thresholds[0].place
    parts: list[tuple[Expression, float]] = []
    for threshold in thresholds:
        state.update(dict.fromkeys(threshold.rising, 1.0))
        here = _with(expression, state)
        state.update(dict.fromkeys(threshold.falling, 0.0))
        after = _with(expression, state)
        if piece == here == after:
            continue
        if here == after and threshold.rising:
            switch = _upto(expression, threshold.rising[0])
        elif here == piece and threshold.falling:
            switch = combine([(_upto(expression, threshold.falling[0]), -1.0)], 1.0)
        else:
            return expression
        parts.append((multiply(_centred(piece, centre), combine([(since, 1.0), (switch, -1.0)])), 1.0))
        piece, since, centre = after, switch, threshold.place
    parts.append((multiply(_centred(piece, centre), since), 1.0))
    return combine(parts)


def _centred(piece: Expression, centre: float) -> Expression:
    """A piece that is a polynomial written with products, in powers of x - centre; any other as it is."""
    if piece.functions < 2:
        return piece
    around = expanded(substitute(piece, combine([(X, 1.0)], centre)))
    if around is None or set(around.atoms) != {X.digest}:
        return piece
    shifted = combine([(X, 1.0)], -centre)
    return substitute(around.expression(), shifted)


def _upto(expression: Expression, n: int) -> Expression:
    """The step of the program with this number, as an expression of its own."""
    step = expression.steps[n]
    assert isinstance(step, Apply)
    return apply(step.fn, Expression(expression.steps[: step.a + 1]))


def _with(expression: Expression, state: Mapping[int, float]) -> Expression:
    """The expression with some of its steps fixed; UsageError for a function of a constant."""
    parts: list[Expression] = []
    for n, step in enumerate(expression.steps):
        if n in state:
            parts.append(constant(state[n]))
        elif isinstance(step, Variable):
            parts.append(X)
        elif isinstance(step, Multiply):
            parts.append(multiply(parts[step.a], parts[step.b]))
        elif isinstance(step, Apply):
            inner = parts[step.a]
            if inner.affine is not None and inner.affine[0] == 0.0:
                raise UsageError("a function of a constant is no function of x")
            parts.append(apply(step.fn, inner))
        else:
            parts.append(combine([(parts[source], w) for source, w in step.terms], step.shift))
    return parts[-1]
