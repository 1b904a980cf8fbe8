"""Quantised numbers: integers q that stand for (q - zero point) · scale.

Quantising is round(clip(x / scale, low - zero point, high - zero point)) + zero point: the limits are
integers, so they may be applied before rounding, and saturated parts have no jumps.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import helper

from genbab.reader.lower.algebra.linear import matmul
from genbab.reader.lower.layers.convolution import convolve
from genbab.reader.lower.numbers.reductions import maxima, negated
from genbab.reader.lower.table import lowering
from genbab.reader.tensors.arithmetic import add, apply, divide, maximum, minimum, multiply, scale, subtract
from genbab.reader.tensors.builder import Builder
from genbab.reader.tensors.exact import ball, inexact, times
from genbab.reader.tensors.values import Op, Refused, Value, Var, given, needed, positive_axis

QUANTISED = "clip, then round (a staircase)"


def _limits(kind: Any) -> tuple[float, float]:
    """The least and the largest integer of a type."""
    dtype = np.dtype(kind)
    if dtype.kind in "iu":
        return float(np.iinfo(dtype).min), float(np.iinfo(dtype).max)
    small = {"int4": (-8.0, 7.0), "uint4": (0.0, 15.0), "int2": (-2.0, 1.0), "uint2": (0.0, 3.0)}
    if dtype.name not in small:
        raise Refused(f"quantisation to {dtype.name}")
    return small[dtype.name]


def _aligned(op: Op, parameter: Value, shape: tuple[int, ...]) -> Value:
    """A scale or zero point in a shape that broadcasts with x: for all of x, per axis, or per block."""
    if parameter.size == 1:
        return parameter.reshaped(()) if isinstance(parameter, Var) else parameter.reshape(())
    block = op.integer("block_size", 0)
    axis = positive_axis(op.integer("axis", 1), len(shape))
    if block:
        if isinstance(parameter, Var):
            raise Refused("scales per block that depend on the network's input")
        return np.repeat(parameter, block, axis=axis)[tuple(slice(n) for n in shape)]
    along = [parameter.size if i == axis else 1 for i in range(len(shape))]
    return parameter.reshaped(along) if isinstance(parameter, Var) else parameter.reshape(along)


def _number(value: Value) -> Value:
    """Constants in float64, where differences of integers cannot wrap around."""
    return value if isinstance(value, Var) else value.astype(np.float64)


def _type_of(op: Op, zero: Value | None) -> Any:
    """The integer type that a quantising node makes."""
    if op.integer("output_dtype", 0):
        return helper.tensor_dtype_to_np_dtype(op.integer("output_dtype", 0))
    return np.uint8 if zero is None or isinstance(zero, Var) else zero.dtype


def quantised(b: Builder, x: Value, step: Value, zero: Value, limits: tuple[float, float]) -> Value:
    """round(clip(x / step, limits - zero)) + zero, halves rounded to even."""
    low, high = (subtract(b, np.array(limit), zero) for limit in limits)
    kept = minimum(b, maximum(b, divide(b, x, step), low), high)
    made = add(b, apply(b, "round", kept), zero)
    if isinstance(made, Var):
        b.known[made.node] = limits
    return made


@lowering("QuantizeLinear", how=QUANTISED)
def _quantize(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    x, step, zero = needed(inputs, 0), needed(inputs, 1), given(inputs, 2)
    offset = np.zeros(()) if zero is None else _number(_aligned(op, zero, tuple(x.shape)))
    size = _number(_aligned(op, step, tuple(x.shape)))
    return quantised(b, x, size, offset, _limits(_type_of(op, zero)))


@lowering("DequantizeLinear", how="affine")
def _dequantize(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    x, step, zero = needed(inputs, 0), needed(inputs, 1), given(inputs, 2)
    offset = np.zeros(()) if zero is None else _number(_aligned(op, zero, tuple(x.shape)))
    return multiply(b, subtract(b, _number(x), offset), _number(_aligned(op, step, tuple(x.shape))))


@lowering("DynamicQuantizeLinear", how="largest and least entry, reciprocal, product, clip, round")
def _dynamic(b: Builder, op: Op, inputs: list[Value | None]) -> list[Value]:
    """uint8 numbers over [min(x, 0), max(x, 0)], their scale and their zero point."""
    x = needed(inputs, 0)
    if not isinstance(x, Var):
        raise Refused("quantisation of a constant")
    axes = list(range(len(x.shape)))
    top = maxima(b, x, axes, False)
    bottom = maxima(b, negated(b, x), axes, False)
    if not isinstance(top, Var) or not isinstance(bottom, Var):
        raise Refused("entries of minus infinity")
    high, low = apply(b, "relu", top), apply(b, "relu", bottom)  # low: minus the least of x and 0
    width = add(b, high, low)
    share = divide(b, low, width)
    zero = apply(b, "round", scale(b, share, 255.0))
    step = divide(b, width, np.array(255.0))
    assert isinstance(zero, Var)
    b.known[zero.node] = 0.0, 255.0
    return [quantised(b, x, step, zero, (0.0, 255.0)), step, zero]


def _centred(b: Builder, x: Value, zero: Value | None, trailing: int) -> Value:
    """x - zero point, where a zero point per row is followed by this many axes."""
    if zero is None:
        return _number(x)
    offset = zero
    if zero.size == 1:
        offset = zero.reshaped(()) if isinstance(zero, Var) else zero.reshape(())
    elif trailing and len(zero.shape) == 1:
        shape = (zero.shape[0], *[1] * trailing)
        offset = zero.reshaped(shape) if isinstance(zero, Var) else zero.reshape(shape)
    return subtract(b, _number(x), _number(offset))


@lowering("MatMulInteger", how="affine, or products and sums")
def _matmul_integer(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    x = _centred(b, needed(inputs, 0), given(inputs, 2), 1)
    return matmul(b, x, _centred(b, needed(inputs, 1), given(inputs, 3), 0))


@lowering("ConvInteger", how="affine")
def _conv_integer(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    x = _centred(b, needed(inputs, 0), given(inputs, 2), 0)
    kernel = _centred(b, needed(inputs, 1), given(inputs, 3), len(needed(inputs, 1).shape) - 1)
    return convolve(b, op, x, kernel, None)


def _scaled(b: Builder, x: Value, step: Value, zero: Value, trailing: int) -> Value:
    """(x - zero point) · scale."""
    size = _number(step)
    if not isinstance(size, Var):
        size = size.reshape(()) if size.size == 1 else size.reshape(-1, *[1] * trailing)
    return multiply(b, _centred(b, x, zero, trailing), size)


def _requantised(b: Builder, y: Value, step: Value, zero: Value) -> Value:
    if isinstance(zero, Var):
        raise Refused("an output whose zero point depends on the network's input")
    number = _number(zero)
    assert not isinstance(number, Var)
    return quantised(b, y, _number(step), number.reshape(()), _limits(zero.dtype))


@lowering("QLinearMatMul", how=f"affine or products and sums, then {QUANTISED}")
def _qlinear_matmul(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    x, x_step, x_zero, y, y_step, y_zero, step, zero = (needed(inputs, i) for i in range(8))
    if x_step.size > 1 or y_step.size > 1:
        raise Refused("scales per row or column")
    product = matmul(b, _scaled(b, x, x_step, x_zero, 1), _scaled(b, y, y_step, y_zero, 0))
    return _requantised(b, product, step, zero)


@lowering("QLinearConv", how=f"affine, then {QUANTISED}")
def _qlinear_conv(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    x, x_step, x_zero, w, w_step, w_zero, step, zero = (needed(inputs, i) for i in range(8))
    image = _scaled(b, x, x_step, x_zero, 0)
    kernel = _scaled(b, w, w_step, w_zero, len(w.shape) - 1)
    offset = given(inputs, 8)
    made = convolve(b, op, image, kernel, None)
    if offset is not None:
        if isinstance(offset, Var) or isinstance(x_step, Var) or isinstance(w_step, Var):
            raise Refused("a bias or scale that depends on the network's input")
        value, error = times(times(ball(offset), ball(x_step)), ball(w_step))
        channels = (-1, *[1] * (len(w.shape) - 2))
        made = add(b, made, inexact((value.reshape(channels), error.reshape(channels))))
    return _requantised(b, made, step, zero)
