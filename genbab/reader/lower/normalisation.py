"""Normalisation layers: mean, squares of the centred entries, square root, reciprocal, product."""

from __future__ import annotations

import numpy as np

from genbab.reader.arithmetic import add, multiply, raised, scale, shift, subtract
from genbab.reader.builder import Builder
from genbab.reader.lower.reductions import reduce_mean
from genbab.reader.lower.table import lowering
from genbab.reader.values import Array, Op, Refused, Value, Var, constant, given, needed, positive_axis


def _per_channel(value: Value | None, what: str, rank: int) -> Array:
    array = constant(value, what)
    if array is None:
        raise ValueError(f"{what} is missing")
    return array.astype(np.float64).reshape(-1, *[1] * (rank - 2))


def _variable(inputs: list[Value | None]) -> Var:
    x = needed(inputs, 0)
    if not isinstance(x, Var):
        raise Refused("normalisation of a constant")
    return x


@lowering("BatchNormalization")
def _batch_norm(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    x = _variable(inputs)
    if op.integer("training_mode", 0):
        raise Refused("training mode")
    names = ("its scale", "its bias", "its mean", "its variance")
    gain, bias, mean, variance = (
        _per_channel(given(inputs, i + 1), n, len(x.shape)) for i, n in enumerate(names)
    )
    factor = gain / np.sqrt(variance + op.number("epsilon", 1e-5))
    return add(b, scale(b, x, factor), bias - mean * factor)


def _normalised(b: Builder, x: Var, axes: list[int], epsilon: float, centre: bool = True) -> Value:
    """(x - mean) / sqrt(variance + epsilon) over the axes; without `centre` the root mean square is divided
    out.
    """
    centred = subtract(b, x, reduce_mean(b, x, axes)) if centre else x
    squares = multiply(b, centred, centred)
    assert isinstance(squares, Var)
    spread = shift(b, reduce_mean(b, squares, axes), epsilon)
    return multiply(b, centred, raised(b, spread, -0.5))


@lowering("LayerNormalization", "RMSNormalization")
def _layer_norm(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    x = _variable(inputs)
    first = positive_axis(op.integer("axis", -1), len(x.shape))
    centre = op.kind == "LayerNormalization"
    y = _normalised(b, x, list(range(first, len(x.shape))), op.number("epsilon", 1e-5), centre)
    gain, bias = given(inputs, 1), given(inputs, 2)
    y = y if gain is None else multiply(b, y, gain)
    return y if bias is None else add(b, y, bias)


@lowering("InstanceNormalization")
def _instance_norm(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    x = _variable(inputs)
    gain, bias = (
        _per_channel(given(inputs, i), n, len(x.shape)) for i, n in ((1, "its scale"), (2, "its bias"))
    )
    y = _normalised(b, x, list(range(2, len(x.shape))), op.number("epsilon", 1e-5))
    return add(b, multiply(b, y, gain), bias)


@lowering("GroupNormalization")
def _group_norm(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    x = _variable(inputs)
    groups = op.integer("num_groups", 1)
    if op.opset < 21:
        raise Refused("the form of opset 18, which ONNX withdrew")
    gain, bias = (
        _per_channel(given(inputs, i), n, len(x.shape)) for i, n in ((1, "its scale"), (2, "its bias"))
    )
    split = x.reshaped((x.shape[0], groups, x.size // (x.shape[0] * groups)))
    y = _normalised(b, split, [2], op.number("epsilon", 1e-5))
    assert isinstance(y, Var)
    return add(b, multiply(b, y.reshaped(x.shape), gain), bias)
