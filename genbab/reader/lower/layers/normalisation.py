"""Normalisation layers: mean, squares of the centred entries, square root, reciprocal, product."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genbab.reader.lower.layers.pooling import powers, root, window_sums
from genbab.reader.lower.numbers.reductions import reduce_mean, reduce_sum
from genbab.reader.lower.table import lowering
from genbab.reader.tensors.arithmetic import (
    add,
    apply,
    divide,
    multiply,
    raised,
    scale,
    shift,
    subtract,
)
from genbab.reader.tensors.builder import Builder
from genbab.reader.tensors.exact import Ball, added, ball, inexact, negative, over, times
from genbab.reader.tensors.exact import root as square_root
from genbab.reader.tensors.values import (
    Array,
    Inexact,
    Op,
    Refused,
    Value,
    Var,
    constant,
    given,
    needed,
    positive_axis,
    room,
)


def _per_channel(value: Value | None, what: str, rank: int) -> Array:
    array = constant(value, what)
    if array is None:
        raise ValueError(f"{what} is missing")
    return array.astype(np.float64).reshape(-1, *[1] * (rank - 2))


def _channels(value: Value | Inexact | None, what: str, rank: int) -> Ball:
    """One number per channel, with the errors of those that are not known exactly."""
    if not isinstance(value, Inexact):
        return ball(_per_channel(value, what, rank))
    shape = (-1, *[1] * (rank - 2))
    return value.value.reshape(shape), value.error.reshape(shape)


def _entries(value: Value | Inexact | None, what: str, shape: tuple[int, ...]) -> Ball:
    """One number per entry of this shape, with the errors of those that are not known exactly."""
    if not isinstance(value, Inexact):
        array = constant(value, what)
        if array is None:
            raise ValueError(f"{what} is missing")
        return ball(array.astype(np.float64).reshape(shape))
    return value.value.reshape(shape), value.error.reshape(shape)


def _variable(inputs: list[Value | None]) -> Var:
    x = needed(inputs, 0)
    if not isinstance(x, Var):
        raise Refused("normalisation of a constant")
    return x


@lowering("BatchNormalization", how="affine; in training mode as the norm of each channel")
def _batch_norm(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    """Before opset 9 there may be statistics of every entry of an image (spatial = 0), not of channels."""
    x = _variable(inputs)
    if op.integer("training_mode", 0):
        return _training_norm(b, op, x, inputs)
    names = ("its scale", "its bias", "its mean", "its variance")
    by_entry = op.opset < 9 and not op.integer("spatial", 1)
    gain, bias, mean, variance = (
        _entries(given(inputs, i + 1), n, x.shape[1:])
        if by_entry
        else _channels(given(inputs, i + 1), n, len(x.shape))
        for i, n in enumerate(names)
    )
    epsilon = ball(np.array(op.number("epsilon", 1e-5)))
    factor = over(gain, square_root(added(variance, epsilon)))
    offset = added(bias, negative(times(mean, factor)))
    return add(b, scale(b, x, inexact(factor)), inexact(offset))


def _training_norm(b: Builder, op: Op, x: Var, inputs: list[Value | None]) -> Value:
    """Each channel normalised by its own mean and variance.

    The moved mean and variance, its further outputs, are not read: onnxruntime may write them into those
    that they were moved from, so that each run gives others.
    """
    axes = [i for i in range(len(x.shape)) if i != 1]
    gain, bias = (
        _channels(given(inputs, i), n, len(x.shape)) for i, n in ((1, "its scale"), (2, "its bias"))
    )
    made = _normalised(b, x, axes, op.number("epsilon", 1e-5))
    return add(b, scale(b, made.value, inexact(gain)), inexact(bias))


@dataclass(frozen=True, eq=False)
class Normalised:
    """(x - mean) / sqrt(variance + epsilon), the mean, and the reciprocal of that root."""

    value: Value
    mean: Value
    inverse: Value


def _normalised(b: Builder, x: Var, axes: list[int], epsilon: float, centre: bool = True) -> Normalised:
    """x normalised over the axes; without `centre` the root mean square is divided out."""
    mean = reduce_mean(b, x, axes)
    centred = subtract(b, x, mean) if centre else x
    squares = multiply(b, centred, centred)
    if not isinstance(squares, Var):  # nothing is left of a single entry
        return Normalised(np.zeros(x.shape), mean, raised(b, np.full(mean.shape, epsilon), -0.5))
    inverse = raised(b, shift(b, reduce_mean(b, squares, axes), epsilon), -0.5)
    return Normalised(multiply(b, centred, inverse), mean, inverse)


NORM = "one node: entries over the root of their mean square"


@lowering("LayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization", how=NORM)
def _layer_norm(b: Builder, op: Op, inputs: list[Value | None]) -> list[Value]:
    x = _variable(inputs)
    first = positive_axis(op.integer("axis", -1), len(x.shape))
    centre = op.kind == "LayerNormalization"
    made = _normalised(b, x, list(range(first, len(x.shape))), op.number("epsilon", 1e-5), centre)
    gain, bias = given(inputs, 1), given(inputs, 2)
    y = made.value if gain is None else multiply(b, made.value, gain)
    y = y if bias is None else add(b, y, bias)
    return [y, made.mean, made.inverse] if centre else [y, made.inverse]


@lowering("InstanceNormalization", how=NORM)
def _instance_norm(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    x = _variable(inputs)
    gain, bias = (
        _channels(given(inputs, i), n, len(x.shape)) for i, n in ((1, "its scale"), (2, "its bias"))
    )
    y = _normalised(b, x, list(range(2, len(x.shape))), op.number("epsilon", 1e-5)).value
    return add(b, scale(b, y, inexact(gain)), inexact(bias))


@lowering("GroupNormalization", how=NORM)
def _group_norm(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    """Scale and bias are one number per group before opset 21, one per channel from then on."""
    x = _variable(inputs)
    groups, rank = op.integer("num_groups", 1), len(x.shape)
    gain, bias = (_channels(given(inputs, i), n, rank) for i, n in ((1, "its scale"), (2, "its bias")))
    if op.opset < 21:
        every = x.shape[1] // groups
        gain, bias = ((np.repeat(v, every, axis=0), np.repeat(e, every, axis=0)) for v, e in (gain, bias))
    split = x.reshaped((x.shape[0], groups, x.size // (x.shape[0] * groups)))
    y = _normalised(b, split, [2], op.number("epsilon", 1e-5)).value
    whole = y.reshaped(x.shape) if isinstance(y, Var) else y.reshape(x.shape)
    return add(b, scale(b, whole, inexact(gain)), inexact(bias))


@lowering("MeanVarianceNormalization", how="mean, mean of squares, power -1/2, product")
def _mean_variance_norm(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    """(x - mean) / (sqrt(variance) + 1e-9), as ONNX defines it."""
    x = _variable(inputs)
    axes = [positive_axis(a, len(x.shape)) for a in op.integers("axes") or (0, 2, 3)]
    centred = subtract(b, x, reduce_mean(b, x, axes))
    squares = multiply(b, centred, centred)
    assert isinstance(squares, Var)
    spread = apply(b, "sqrt", reduce_mean(b, squares, axes))
    return divide(b, centred, shift(b, spread, 1e-9))


@lowering("LpNormalization", how="root of a sum of powers, reciprocal, product")
def _lp_norm(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    x, p = _variable(inputs), op.integer("p", 2)
    axis = positive_axis(op.integer("axis", -1), len(x.shape))
    total = reduce_sum(b, powers(b, x, p), [axis])
    return multiply(b, x, root(b, total, p, -1.0))


@lowering("LRN", how="sum of squares, power, product")
def _local_response(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    """x · (bias + alpha / size · sum of the squares of neighbouring channels) ** -beta."""
    x, size = _variable(inputs), op.integer("size", 1)
    channels = x.shape[1]
    room((x.size, size), "the table of its neighbours")
    near = np.arange(channels)[:, None] + np.arange(size)[None, :] - (size - 1) // 2
    places = np.moveaxis(np.arange(x.size).reshape(x.shape), 1, 0)
    padded = np.concatenate([places, np.full((1, *places.shape[1:]), -1)])
    entries = padded[np.where((near < 0) | (near >= channels), channels, near)]  # (channels, size, ...)
    entries = np.moveaxis(np.moveaxis(entries, 1, -1), 0, 1).reshape(x.size, size)
    total = window_sums(b, powers(b, x, 2), entries, x.shape)
    share = over(ball(np.array(op.number("alpha", 1e-4))), ball(np.array(size)))
    mean = scale(b, total, inexact(share))
    return multiply(b, x, raised(b, shift(b, mean, op.number("bias", 1.0)), -op.number("beta", 0.75)))
