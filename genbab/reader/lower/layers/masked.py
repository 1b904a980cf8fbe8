"""Operators on tensors some of whose entries are minus infinity, as masks of attention make them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from genbab.reader.lower.layers.pooling import max_pool
from genbab.reader.lower.layers.softmax import EMPTY, softmax
from genbab.reader.lower.numbers.reductions import maxima, reduced_axes
from genbab.reader.lower.table import LOWERINGS
from genbab.reader.tensors import elements
from genbab.reader.tensors.arithmetic import add, apply, divide, scale, subtract
from genbab.reader.tensors.builder import Builder
from genbab.reader.tensors.values import Array, Masked, Op, Refused, Value, Var

PASSING = frozenset({"Cast", "CastLike", "Dropout"})
"""Operators after which entries are what they were."""


def makes_mask(op: Op, inputs: Sequence[Value | Masked | None]) -> bool:
    """Whether an input has entries of minus infinity, or gets some by the addition of a constant."""
    if any(isinstance(v, Masked) for v in inputs):
        return True
    constants = [v for v in inputs if isinstance(v, np.ndarray)]
    return op.kind == "Add" and len(constants) == 1 and bool(np.isneginf(constants[0]).any())


def lower_masked(b: Builder, op: Op, inputs: Sequence[Value | Masked | None]) -> list[Value | Masked]:
    """The output of an operator that has a meaning for entries of minus infinity; others are refused."""
    x = inputs[0]
    if op.kind in PASSING:
        return _unchanged(b, op, inputs)
    if any(isinstance(v, Masked) and np.isnan(v.fill) for v in inputs):
        raise Refused(EMPTY)
    if op.kind == "Add" and len(inputs) == 2:
        return [_sum(b, inputs, 1.0)]
    if op.kind == "Sub" and isinstance(x, Masked):
        return [_sum(b, inputs, -1.0)]
    if op.kind in ("Mul", "Div") and len(inputs) == 2:
        return [_scaled(b, op, inputs)]
    if not isinstance(x, Masked):
        raise Refused("an input with entries of minus infinity")
    if op.kind in ("Softmax", "LogSoftmax"):
        return [softmax(b, op, x.value, x.hidden)]
    if op.kind == "Exp":
        return [b.gather(apply(b, "exp", x.value), _visible(x))]
    return [_largest(b, op, x, inputs[1:])]


def _largest(b: Builder, op: Op, x: Masked, further: Sequence[Value | Masked | None]) -> Value | Masked:
    """The largest entries over axes, or of windows."""
    if op.kind == "ReduceMax":
        axes, keep = reduced_axes(op, [x.value, *(v for v in further if not isinstance(v, Masked))])
        return maxima(b, x.value, axes, keep, x.hidden)
    if op.kind == "MaxPool":
        return max_pool(b, op, x.value, x.hidden)
    raise Refused("entries of minus infinity, which this operator has no rule for")


def _unchanged(b: Builder, op: Op, inputs: Sequence[Value | Masked | None]) -> list[Value | Masked]:
    """The finite entries in another type of floating-point numbers, or as they are."""
    x = inputs[0]
    made = LOWERINGS[op.kind](b, op, [v.value if isinstance(v, Masked) else v for v in inputs])
    first, *rest = made if isinstance(made, list) else [made]
    if not isinstance(x, Masked):
        return [first, *rest]
    if not isinstance(first, Var) or first.element not in elements.DIGITS:
        raise Refused("entries of minus infinity, which no integer or truth value can be")
    return [replace(x, value=first), *rest]


def _visible(x: Masked) -> Array:
    return np.where(x.hidden, -1, np.arange(x.size).reshape(x.shape))


def _split(value: Value | Masked | None, shape: tuple[int, ...]) -> tuple[Value, Array]:
    """(finite entries, which ones are minus infinity, broadcast to the shape)."""
    if isinstance(value, Masked):
        return value.value, np.broadcast_to(value.hidden, shape)
    if value is None:
        raise ValueError("an input is missing")
    if isinstance(value, Var):
        return value, np.zeros(shape, dtype=bool)
    hidden = np.isneginf(value)
    return np.where(hidden, 0.0, value), np.broadcast_to(hidden, shape)


def _sum(b: Builder, inputs: Sequence[Value | Masked | None], sign: float) -> Value | Masked:
    """x + y or x - y."""
    shape = np.broadcast_shapes(*(v.shape for v in inputs if v is not None))
    (x, hidden_x), (y, hidden_y) = (_split(v, shape) for v in inputs)
    if sign < 0 and hidden_y.any():
        raise Refused("subtracting entries of minus infinity")
    total = add(b, x, y) if sign > 0 else subtract(b, x, y)
    assert isinstance(total, Var)
    return Masked(total, hidden_x | hidden_y)


def _scaled(b: Builder, op: Op, inputs: Sequence[Value | Masked | None]) -> Masked:
    """A product with, or a quotient by, positive constants."""
    x, factor = inputs if isinstance(inputs[0], Masked) else (inputs[1], inputs[0])
    first = isinstance(inputs[0], Masked) or op.kind == "Mul"
    if not isinstance(x, Masked) or not isinstance(factor, np.ndarray) or not first or not (factor > 0).all():
        raise Refused("entries of minus infinity, multiplied by what is not a positive constant")
    number = factor.astype(np.float64)
    made = scale(b, x.value, number) if op.kind == "Mul" else divide(b, x.value, number)
    assert isinstance(made, Var)
    return Masked(made, np.broadcast_to(x.hidden, made.shape))
