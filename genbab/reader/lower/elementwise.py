"""Elementwise operators of numbers."""

from __future__ import annotations

import math

import numpy as np

from genbab.reader.arithmetic import (
    add,
    apply,
    clip,
    combine,
    divide,
    maximum,
    minimum,
    multiply,
    raised,
    scale,
    shift,
    subtract,
)
from genbab.reader.builder import Builder
from genbab.reader.lower.table import lowering
from genbab.reader.values import Op, Refused, Value, Var, constant, given, needed, scalar, uniform

PLAIN = {
    "Relu": "relu",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Sin": "sin",
    "Cos": "cos",
    "Exp": "exp",
    "Log": "log",
    "Sqrt": "sqrt",
    "Reciprocal": "reciprocal",
    "Abs": "abs",
    "Softplus": "softplus",
    "Erf": "erf",
    "Floor": "floor",
}
"""ONNX operators that are one function of the library, without parameters."""


@lowering(*PLAIN)
def _plain(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    return apply(b, PLAIN[op.kind], needed(inputs, 0))


@lowering("Add")
def _add(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    return add(b, needed(inputs, 0), needed(inputs, 1))


@lowering("Sub")
def _sub(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    return subtract(b, needed(inputs, 0), needed(inputs, 1))


@lowering("Mul")
def _mul(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    return multiply(b, needed(inputs, 0), needed(inputs, 1))


@lowering("Div")
def _div(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    return divide(b, needed(inputs, 0), needed(inputs, 1))


@lowering("Neg")
def _neg(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    return scale(b, needed(inputs, 0), -1.0)


@lowering("Sum", "Mean")
def _sum(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    share = 1.0 / len(inputs) if op.kind == "Mean" else 1.0
    return combine(b, [(needed(inputs, i), share) for i in range(len(inputs))])


@lowering("Max", "Min")
def _extreme(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    choose = maximum if op.kind == "Max" else minimum
    values = [needed(inputs, i) for i in range(len(inputs))]
    while len(values) > 1:  # a balanced tree
        pairs = [choose(b, x, y) for x, y in zip(values[0::2], values[1::2], strict=False)]
        values = pairs + values[len(values) - len(values) % 2 :]
    return values[0]


@lowering("Pow")
def _pow(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    base, exponent = needed(inputs, 0), needed(inputs, 1)
    if not isinstance(exponent, Var):
        same = uniform(exponent.astype(np.float64))
        if same is None:
            raise Refused("exponents that differ from entry to entry")
        shape = np.broadcast_shapes(base.shape, exponent.shape)
        return b.expand(raised(b, base, same), shape)
    if isinstance(base, Var):
        return apply(b, "exp", multiply(b, apply(b, "log", base), exponent))
    if base.dtype.kind != "f" or not (base > 0).all():
        raise Refused("a power of a base that is an integer or not positive, and whose exponent varies")
    return apply(b, "exp", scale(b, exponent, np.log(base.astype(np.float64))))


@lowering("Clip")
def _clip(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    low, high = given(inputs, 1), given(inputs, 2)
    x = needed(inputs, 0)
    least = scalar(low, "its lower limit", op.number("min", -math.inf))
    most = scalar(high, "its upper limit", op.number("max", math.inf))
    big = 3.4e38  # the limits that old exporters write for "none"
    return clip(b, x, -math.inf if least <= -big else least, math.inf if most >= big else most)


@lowering("LeakyRelu")
def _leaky_relu(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    return apply(b, "leaky_relu", needed(inputs, 0), op.number("alpha", 0.01))


@lowering("PRelu")
def _prelu(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    x, slope = needed(inputs, 0), constant(needed(inputs, 1), "its slope")
    assert slope is not None
    same = uniform(slope.astype(np.float64))
    if same is not None:
        return apply(b, "leaky_relu", x, same)
    slopes = slope.astype(np.float64)
    return add(b, scale(b, x, slopes), scale(b, apply(b, "relu", x), 1.0 - slopes))


@lowering("Elu")
def _elu(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    return apply(b, "elu", needed(inputs, 0), op.number("alpha", 1.0))


@lowering("Selu")
def _selu(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    alpha, gamma = op.number("alpha", 1.6732632423543772), op.number("gamma", 1.0507009873554805)
    return scale(b, apply(b, "elu", needed(inputs, 0), alpha), gamma)


@lowering("Celu")
def _celu(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    alpha = op.number("alpha", 1.0)
    return scale(b, apply(b, "elu", scale(b, needed(inputs, 0), 1.0 / alpha), 1.0), alpha)


@lowering("Gelu")
def _gelu(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    return apply(b, "gelu_tanh" if op.text("approximate", "none") == "tanh" else "gelu", needed(inputs, 0))


@lowering("Swish")
def _swish(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    alpha = op.number("alpha", 1.0)
    return scale(b, apply(b, "silu", scale(b, needed(inputs, 0), alpha)), 1.0 / alpha)


@lowering("HardSigmoid", "HardSwish")
def _hard(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    x = needed(inputs, 0)
    swish = op.kind == "HardSwish"
    slope = 1.0 / 6.0 if swish else op.number("alpha", 0.2)
    gate = clip(b, shift(b, scale(b, x, slope), 0.5 if swish else op.number("beta", 0.5)), 0.0, 1.0)
    return multiply(b, x, gate) if swish else gate


@lowering("Softsign")
def _softsign(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    x = needed(inputs, 0)
    return divide(b, x, shift(b, apply(b, "abs", x), 1.0))


@lowering("Mish")
def _mish(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    x = needed(inputs, 0)
    return multiply(b, x, apply(b, "tanh", apply(b, "softplus", x)))
