"""Truth values that depend on the input: steps, carried as 0 and 1."""

from __future__ import annotations

import numpy as np

from genbab.reader.arithmetic import HUGE, add, apply, combine, multiply, subtract
from genbab.reader.builder import Builder
from genbab.reader.lower.table import lowering
from genbab.reader.values import Op, Refused, Value, Var, needed


def _truth(b: Builder, value: Value) -> Value:
    if not isinstance(value, Var):
        return value
    b.truths.add(value.node)
    return Var(value.node, value.shape, True)


def _not(b: Builder, x: Value) -> Value:
    return combine(b, [(np.ones(()), 1.0), (_number(x), -1.0)])


def _number(x: Value) -> Value:
    """A truth value as 0 and 1."""
    return Var(x.node, x.shape) if isinstance(x, Var) else x.astype(np.float64)


@lowering("GreaterOrEqual", "LessOrEqual", "Greater", "Less", how="a step of the difference")
def _compare(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    x, y = needed(inputs, 0), needed(inputs, 1)
    if op.kind in ("GreaterOrEqual", "Less"):
        at_least = apply(b, "step", subtract(b, x, y))  # x >= y
    else:
        at_least = apply(b, "step", subtract(b, y, x))  # y >= x
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
    if not _is_huge(yes) and not _is_huge(no):
        return add(b, no, multiply(b, _number(condition), subtract(b, yes, no)))
    negated = _truth(b, _not(b, condition))
    return add(b, multiply(b, _number(condition), yes), multiply(b, _number(negated), no))


def _is_huge(value: Value) -> bool:
    """Whether a constant would drown other numbers in a sum."""
    return not isinstance(value, Var) and bool((np.abs(value.astype(np.float64)) >= HUGE).any())


@lowering("Equal", how="two steps; of truth values a product")
def _equal(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    """x >= y and y >= x; not both fail."""
    x, y = needed(inputs, 0), needed(inputs, 1)
    if all(value.boolean if isinstance(value, Var) else value.dtype == np.bool_ for value in (x, y)):
        return _truth(b, _not(b, _exclusive(b, x, y)))
    steps = [apply(b, "step", subtract(b, *pair)) for pair in ((x, y), (y, x))]
    return _truth(b, combine(b, [(steps[0], 1.0), (steps[1], 1.0), (np.ones(()), -1.0)]))


@lowering("IsNaN", "IsInf", how="refused")
def _finite(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    raise Refused("a test for numbers that are not finite, on what depends on the network's input")


@lowering("Xor", how="a + b - 2ab of truth values")
def _xor(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    return _truth(b, _exclusive(b, needed(inputs, 0), needed(inputs, 1)))


def _exclusive(b: Builder, x: Value, y: Value) -> Value:
    """1 where one of two truth values is true: a + b - 2ab."""
    x, y = _number(x), _number(y)
    return combine(b, [(x, 1.0), (y, 1.0), (multiply(b, x, y), -2.0)])


@lowering("Cast", "CastLike", how="the same number, between types that hold it")
def _cast(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    """The number itself, between float32 and float64, for truth values made numbers, and for integers."""
    x = needed(inputs, 0)
    if op.kind == "CastLike":
        like = needed(inputs, 1)
        target = (
            np.dtype(np.float32)
            if isinstance(like, Var) and not like.boolean
            else getattr(like, "dtype", None)
        )
        kind = np.dtype(bool) if target is None else np.dtype(target)
    else:
        from onnx import helper

        kind = np.dtype(helper.tensor_dtype_to_np_dtype(op.integer("to", 1)))
    if not isinstance(x, Var):
        return x.astype(kind)
    if kind == np.bool_ and x.boolean:
        return x
    if kind in (np.float32, np.float64):
        return Var(x.node, x.shape)
    if kind.kind in "iu" and (x.boolean or (x.whole and kind.itemsize >= 4)):
        return Var(x.node, x.shape, whole=True)
    raise Refused(f"a conversion to {kind}, which rounds")
