"""Truth values that depend on the input: steps, carried as 0 and 1."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from genbab.reader.domains.domains import Selection
from genbab.reader.lower.table import lowering
from genbab.reader.tensors import elements
from genbab.reader.tensors.arithmetic import HUGE, add, apply, combine, multiply, scale, subtract
from genbab.reader.tensors.builder import Builder
from genbab.reader.tensors.casts import ROUNDED, is_integral
from genbab.reader.tensors.functions import function
from genbab.reader.tensors.spans import span
from genbab.reader.tensors.values import Array, Op, Refused, Value, Var, needed


def _truth(b: Builder, value: Value) -> Value:
    if not isinstance(value, Var):
        return value
    b.truths.add(value.node)
    return replace(value, element=elements.BOOL)


def _not(b: Builder, x: Value) -> Value:
    return combine(b, [(np.ones(()), 1.0), (_number(x), -1.0)])


def _number(x: Value) -> Value:
    """A truth value as 0 and 1."""
    return Var(x.node, x.shape) if isinstance(x, Var) else x.astype(np.float64)


def _at_least(b: Builder, x: Value, y: Value) -> Value:
    """1 where x >= y; of whole numbers where x - y >= -1/2, where rounding does no harm."""
    parts = [(x, 1.0), (y, -1.0)]
    return apply(b, "step", combine(b, [*parts, (np.array(0.5), 1.0)] if _whole(b, x, y) else parts))


def _whole(b: Builder, *values: Value) -> bool:
    """Whether all of them are known to be whole numbers."""
    return all(
        v.whole or is_integral(b, v.node) if isinstance(v, Var) else bool((v == np.floor(v)).all())
        for v in values
    )


@lowering("GreaterOrEqual", "LessOrEqual", "Greater", "Less", how="a step of the difference")
def _compare(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    x, y = needed(inputs, 0), needed(inputs, 1)
    at_least = _at_least(b, x, y) if op.kind in ("GreaterOrEqual", "Less") else _at_least(b, y, x)
    return _truth(b, at_least if op.kind.endswith("Equal") else _not(b, at_least))


@lowering("Not", how="1 - a of a truth value")
def _negation(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    return _truth(b, _not(b, needed(inputs, 0)))


@lowering("And", how="a product of truth values")
def _and(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    return _truth(b, multiply(b, _number(needed(inputs, 0)), _number(needed(inputs, 1))))


@lowering("Or", how="a product of negated truth values")
def _or(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    x, y = _not(b, needed(inputs, 0)), _not(b, needed(inputs, 1))
    return _truth(b, _not(b, multiply(b, x, y)))


@lowering("Where", how="no + condition · (yes - no)")
def _where(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    """no + condition · (yes - no); with huge constants condition · yes + (1 - condition) · no."""
    condition, yes, no = (needed(inputs, i) for i in range(3))
    if any(not isinstance(value, Var) and not np.isfinite(value).all() for value in (yes, no)):
        raise Refused(
            "a branch that is not a finite number while the condition depends on the network's input "
            "(a number such as -1e9 is accepted)"
        )
    chosen = _selection(b, condition, yes, no)
    if not _is_huge(yes) and not _is_huge(no):
        made = add(b, no, multiply(b, _number(condition), subtract(b, yes, no)))
    else:
        negated = _truth(b, _not(b, condition))
        made = add(b, multiply(b, _number(condition), yes), multiply(b, _number(negated), no))
    if chosen is not None and isinstance(made, Var):
        b.selections[made.node] = chosen
    return made


def _selection(b: Builder, condition: Value, yes: Value, no: Value) -> Selection | None:
    """What is chosen by what, entry by entry, if a branch may be undefined."""
    doubtful = [isinstance(v, Var) and v.node in b.partial for v in (yes, no)]
    if not any(doubtful):
        return None
    shape = np.broadcast_shapes(condition.shape, yes.shape, no.shape)
    parts = [b.expand(v, shape) if d else None for v, d in zip((yes, no), doubtful, strict=True)]
    first, second = (part.node if isinstance(part, Var) else None for part in parts)
    return Selection(b.variable(b.expand(condition, shape)).node, first, second)


def _is_huge(value: Value) -> bool:
    """Whether a constant would drown other numbers in a sum."""
    return not isinstance(value, Var) and bool((np.abs(value.astype(np.float64)) >= HUGE).any())


@lowering("Equal", how="two steps; of truth values a product; the comparisons themselves of an ArgMax")
def _equal(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    """x >= y and y >= x; not both fail."""
    return equal(b, needed(inputs, 0), needed(inputs, 1))


def equal(b: Builder, x: Value, y: Value) -> Value:
    """Where x and y are the same number, as truth values."""
    if all(value.boolean if isinstance(value, Var) else value.dtype == np.bool_ for value in (x, y)):
        return _truth(b, _not(b, _exclusive(b, x, y)))
    for value, number in ((x, y), (y, x)):
        if isinstance(value, Var) and not isinstance(number, Var):
            known = _is_number(b, value, number)
            if known is not None:
                return _truth(b, known)
    steps = [_at_least(b, *pair) for pair in ((x, y), (y, x))]
    return _truth(b, combine(b, [(steps[0], 1.0), (steps[1], 1.0), (np.ones(()), -1.0)]))


def _is_number(b: Builder, x: Var, number: Array) -> Value | None:
    """Where x is a constant, without further steps: x is the number of a winner, or one of two integers."""
    shape = np.broadcast_shapes(x.shape, number.shape)
    wanted = np.broadcast_to(number, shape)
    if x.node in b.winners:
        won = b.winners[x.node]
        choices = won.shape[-1]
        entry = np.broadcast_to(np.arange(x.size).reshape(x.shape), shape)
        exists = (wanted >= 0) & (wanted < choices) & (wanted == np.floor(wanted))
        place = np.where(exists, wanted, 0).astype(np.int64)
        return b.gather(won, np.where(exists, entry * choices + place, -1))
    if not _whole(b, x):
        return None
    low, high = span(b, x)
    if high - low != 1.0:
        return None
    above = combine(b, [(b.expand(x, shape), 1.0), (np.array(low), -1.0)])  # 1 where x is the larger one
    sign = np.where(wanted == high, 1.0, np.where(wanted == low, -1.0, 0.0))
    return combine(b, [(scale(b, above, sign), 1.0), (np.where(wanted == low, 1.0, 0.0), 1.0)])


@lowering("IsNaN", "IsInf", how="false where the numbers of the type hold it, elsewhere undefined")
def _finite(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    """False, and undefined where the argument is, or is beyond what its type holds as a finite number."""
    x = needed(inputs, 0)
    if not isinstance(x, Var) or x.whole or x.boolean:
        raise Refused("a test of integers")
    low, high = span(b, x)
    most = ROUNDED[x.element][2]
    if low < -most or most < high:
        x = replace(x, node=b.nonlinear(function("within", -most, most), x).node)
    return _truth(b, b.variable(scale(b, x, 0.0)))


@lowering("Xor", how="a + b - 2ab of truth values")
def _xor(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    return _truth(b, _exclusive(b, needed(inputs, 0), needed(inputs, 1)))


def _exclusive(b: Builder, x: Value, y: Value) -> Value:
    """1 where one of two truth values is true: a + b - 2ab."""
    x, y = _number(x), _number(y)
    return combine(b, [(x, 1.0), (y, 1.0), (multiply(b, x, y), -2.0)])
