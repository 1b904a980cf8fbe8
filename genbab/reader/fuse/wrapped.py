"""Expressions as known or composed functions with affine wrapping: what a fused node is made of."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from genbab.errors import UsageError
from genbab.nonlinear import Nonlinearity
from genbab.nonlinear.composed.cells import CompositionLimits
from genbab.nonlinear.composed.composed import compose, symbolic
from genbab.nonlinear.expressions.expression import Expression, X, apply, combine, multiply
from genbab.nonlinear.expressions.steps import Apply, Argument, Multiply
from genbab.nonlinear.facts.real import real
from genbab.nonlinear.identities.known import rewritten
from genbab.nonlinear.identities.polynomial import opened, outermost

GROUPS = 64
"""So many different functions may stand side by side in one fused node."""

FUNCTIONS = 48
"""Expressions with more nonlinear steps are not composed."""

REACH = 8.0
"""A composed function must be certain up to here on both sides, where it is defined at all: elsewhere its
lines are constants, and the parts taken one by one may be tighter.
"""


STAIRS = 1e5
"""The same for functions with endless jumps, such as rounding: a staircase is followed as a whole or not at
all.
"""


@dataclass(frozen=True)
class WrappedFunction:
    """shift + slope·x + factor·fn(inside·x + offset); fn is None where the function is affine."""

    fn: Nonlinearity | None
    factor: float = 1.0
    inside: float = 1.0
    offset: float = 0.0
    slope: float = 0.0
    shift: float = 0.0


Ask = Callable[[], None]
"""Called now and then; may raise to end the work."""


def wrapped_functions(expressions: Sequence[Expression], ask: Ask) -> list[WrappedFunction]:
    """One piece per expression; UsageError where one cannot be certified, or for too many functions."""
    known = [rewritten(expression) for expression in expressions]
    found = [_simple(expression) for expression in known]
    rest = [n for n, piece in enumerate(found) if piece is None]
    if rest:
        for n, piece in zip(rest, _composed([known[n] for n in rest], ask), strict=True):
            found[n] = piece
    made = [piece for piece in found if piece is not None]
    if len({piece.fn for piece in made}) > GROUPS:
        raise UsageError("too many different functions of one variable")
    return made


def symbolic_functions(expressions: Sequence[Expression], ask: Ask) -> list[WrappedFunction]:
    """As `wrapped_functions`, as written and without facts: to be differentiated, never to be bounded.

    Nothing is rewritten: what is only near in value has another derivative.
    """
    if len({e.digest for e in expressions}) == 1 and expressions[0].affine is None:
        return [WrappedFunction(symbolic(expressions[0]))] * len(expressions)
    cores = [_core(expression) if expression.affine is None else None for expression in expressions]
    if len({core[0].digest for core in cores if core is not None}) > GROUPS:
        raise UsageError("too many different functions of one variable")
    made = []
    for expression, core in zip(expressions, cores, strict=True):
        if core is None:
            assert expression.affine is not None
            made.append(WrappedFunction(None, slope=expression.affine[0], shift=expression.affine[1]))
            continue
        moved, wrapping = _reparametrised(*core)
        made.append(_wrapped(WrappedFunction(symbolic(moved)), wrapping))
    return made


def _simple(expression: Expression) -> WrappedFunction | None:
    """The piece, when the expression is affine but for one function of an affine argument."""
    if expression.affine is not None:
        return WrappedFunction(None, slope=expression.affine[0], shift=expression.affine[1])
    parts, shift = opened(expression)
    slope, piece = real(0.0), None
    for part, factor in parts:
        if part.affine is not None:
            slope = slope + real(factor) * part.affine[0]
            continue
        found = outermost(part)
        inner = found[1].affine if found is not None else None
        if found is None or inner is None or piece is not None:
            return None
        piece = WrappedFunction(found[0], factor, *inner)
    assert piece is not None
    return WrappedFunction(piece.fn, piece.factor, piece.inside, piece.offset, slope, shift)


def _composed(expressions: Sequence[Expression], ask: Ask) -> list[WrappedFunction]:
    if len({e.digest for e in expressions}) == 1:
        return [WrappedFunction(certified(expressions[0], ask))] * len(expressions)
    cores = [_core(e) for e in expressions]
    moved = [_reparametrised(*core) for core in cores]
    if len({piece[0].digest for piece in moved}) >= len({e.digest for e, _ in cores}):
        moved = cores
    if len({e.digest for e, _ in moved}) > GROUPS:
        raise UsageError("too many different functions of one variable")
    made = []
    for core, wrapping in moved:
        simple = _simple(core)
        piece = WrappedFunction(certified(core, ask)) if simple is None else simple
        made.append(_wrapped(piece, wrapping))
    return made


def _core(expression: Expression) -> tuple[Expression, WrappedFunction]:
    """(e, wrapping) with the constant and the factor of the first term outside."""
    parts, shift = opened(expression)
    factor = parts[0][1]
    return combine([(part, real(w) / factor) for part, w in parts]), WrappedFunction(
        None, factor, shift=shift
    )


def _reparametrised(expression: Expression, wrapping: WrappedFunction) -> tuple[Expression, WrappedFunction]:
    """The expression over t = a·x + b, the first affine argument of a function in it."""
    first = next((inner for inner in _arguments(expression) if inner != (1.0, 0.0)), None)
    if first is None or (1.0, 0.0) in _arguments(expression):
        return expression, wrapping
    core, outer = _core(_over(expression, *first))
    return core, WrappedFunction(None, wrapping.factor * outer.factor, *first, 0.0, wrapping.shift)


def _arguments(expression: Expression) -> list[tuple[float, float]]:
    """The affine arguments of functions."""
    places = [step.a for step in expression.steps if isinstance(step, Apply)]
    found = [Expression(expression.steps[: place + 1]).affine for place in places]
    return [inner for inner in found if inner is not None]


def _over(expression: Expression, a: float, b: float) -> Expression:
    """The expression as one in t = a·x + b; an argument that is t becomes t exactly."""
    parts: list[Expression] = []
    for n, step in enumerate(expression.steps):
        if isinstance(step, Argument):
            parts.append(combine([(X, 1.0 / real(a))], -real(b) / a))
        elif isinstance(step, Apply):
            parts.append(apply(step.fn, parts[step.a]))
        elif isinstance(step, Multiply):
            parts.append(multiply(parts[step.a], parts[step.b]))
        elif Expression(expression.steps[: n + 1]).affine == (a, b):
            parts.append(X)
        else:
            parts.append(combine([(parts[source], w) for source, w in step.terms], step.shift))
    return parts[-1]


def _wrapped(piece: WrappedFunction, by: WrappedFunction) -> WrappedFunction:
    """by.factor · piece(by.inside·x + by.offset) + by.shift."""
    factor, inside, slope = real(by.factor), real(piece.inside), real(piece.slope)
    return WrappedFunction(
        piece.fn,
        factor * piece.factor,
        inside * by.inside,
        inside * by.offset + piece.offset,
        factor * slope * by.inside,
        factor * (slope * by.offset + piece.shift) + by.shift,
    )


def certified(expression: Expression, ask: Ask) -> Nonlinearity:
    """The composed function; UsageError where it is not certain on enough of the line."""
    stairs = any(isinstance(s, Apply) and s.fn.period and s.fn.jumps for s in expression.steps)
    made = _certified(expression, CompositionLimits(STAIRS if stairs else REACH, ask))
    if isinstance(made, str):
        raise UsageError(made)
    return made


@functools.lru_cache(maxsize=1024)
def _certified(expression: Expression, effort: CompositionLimits) -> Nonlinearity | str:
    """The composed function, or why there is none."""
    if expression.functions > FUNCTIONS:
        return f"'{expression}' has too many steps"
    try:
        record = compose(expression, effort)
    except UsageError as error:
        return str(error)
    low, high = record.domain
    beyond = torch.linspace(-effort.least, effort.least, 241, dtype=torch.float64)
    beyond = beyond[(beyond < low) | (beyond > high)]
    if beyond.numel() and bool(torch.isfinite(expression.value(beyond)).any()):
        return f"'{expression}' is certain on [{low:g}, {high:g}] only"
    return record


def finite(piece: WrappedFunction) -> bool:
    """Whether all numbers of the wrapping are finite."""
    numbers = (piece.factor, piece.inside, piece.offset, piece.slope, piece.shift)
    return all(math.isfinite(number) and math.isfinite(real(number).error) for number in numbers)
