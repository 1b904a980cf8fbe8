"""Truth values that depend on the input: steps, carried as 0 and 1."""

from __future__ import annotations

import numpy as np

from genbab.reader.arithmetic import add, apply, combine, multiply, shift, subtract
from genbab.reader.builder import Builder
from genbab.reader.lower.table import lowering
from genbab.reader.values import Op, Refused, Value, Var, needed


def _truth(value: Value) -> Value:
    return Var(value.node, value.shape, True) if isinstance(value, Var) else value


def _not(b: Builder, x: Value) -> Value:
    return combine(b, [(np.ones(()), 1.0), (_number(x), -1.0)])


def _number(x: Value) -> Value:
    """A truth value as 0 and 1."""
    return Var(x.node, x.shape) if isinstance(x, Var) else x.astype(np.float64)


@lowering("GreaterOrEqual", "LessOrEqual", "Greater", "Less")
def _compare(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    x, y = needed(inputs, 0), needed(inputs, 1)
    if op.kind in ("GreaterOrEqual", "Less"):
        at_least = apply(b, "step", subtract(b, x, y))  # x >= y
    else:
        at_least = apply(b, "step", subtract(b, y, x))  # y >= x
    return _truth(at_least if op.kind.endswith("Equal") else _not(b, at_least))


@lowering("Not")
def _negation(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    return _truth(_not(b, needed(inputs, 0)))


@lowering("And")
def _and(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    return _truth(multiply(b, _number(needed(inputs, 0)), _number(needed(inputs, 1))))


@lowering("Or")
def _or(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    x, y = _not(b, needed(inputs, 0)), _not(b, needed(inputs, 1))
    return _truth(_not(b, multiply(b, x, y)))


@lowering("Where")
def _where(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    """no + condition · (yes - no)."""
    condition, yes, no = (needed(inputs, i) for i in range(3))
    return add(b, no, multiply(b, _number(condition), subtract(b, yes, no)))


@lowering("Sign")
def _sign(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    return apply(b, "sign", needed(inputs, 0))


@lowering("Ceil")
def _ceil(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    return combine(b, [(apply(b, "floor", combine(b, [(needed(inputs, 0), -1.0)])), -1.0)])


@lowering("ThresholdedRelu")
def _thresholded_relu(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    """x where x > alpha, else 0."""
    x, alpha = needed(inputs, 0), op.number("alpha", 1.0)
    above = _not(b, apply(b, "step", shift(b, combine(b, [(x, -1.0)]), alpha)))
    return multiply(b, x, above)


@lowering("Cast", "CastLike")
def _cast(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    """The number itself, between float32 and float64, and for truth values made numbers."""
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
    if kind in (np.float32, np.float64) or (x.boolean and kind.kind in "iu"):
        return Var(x.node, x.shape)
    raise Refused(f"a conversion to {kind}, which rounds")
