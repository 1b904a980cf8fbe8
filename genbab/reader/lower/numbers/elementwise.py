"""Elementwise operators of numbers; those that are one function come from the library's own table."""

from __future__ import annotations

import math

import numpy as np

from genbab.nonlinear.facts.registry import OPERATORS
from genbab.reader.lower.numbers.unusual import by_parts, swish
from genbab.reader.lower.table import lowering
from genbab.reader.tensors.arithmetic import (
    add,
    applied,
    apply,
    clip,
    combine,
    divide,
    maximum,
    minimum,
    multiply,
    raised,
    scale,
    subtract,
)
from genbab.reader.tensors.arrange import arrange
from genbab.reader.tensors.builder import Builder
from genbab.reader.tensors.exact import added, ball, inexact, known, negative, of_reciprocal
from genbab.reader.tensors.values import Array, Op, Refused, Value, Var, given, needed, scalar, uniform

EXPONENTS = 64
"""The most different exponents in one tensor."""


def _library(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    """The library's function that is this operator."""
    name, operator = OPERATORS["", op.kind]
    parameters = [op.number(attribute, default) for attribute, default in operator.attributes]
    x = needed(inputs, 0)
    made = by_parts(b, op.kind, name, x, parameters)
    return apply(b, name, x, *parameters) if made is None else made


for (_domain, _kind), (_name, _) in OPERATORS.items():
    if not _domain:
        lowering(_kind, how=f"one function: {_name}")(_library)


@lowering("Add", how="affine")
def _add(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    return add(b, needed(inputs, 0), needed(inputs, 1))


@lowering("Sub", how="affine")
def _sub(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    return subtract(b, needed(inputs, 0), needed(inputs, 1))


@lowering("Mul", how="products x · y, or affine")
def _mul(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    return multiply(b, needed(inputs, 0), needed(inputs, 1))


@lowering("Div", how="products x · (1/y), or affine")
def _div(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    return divide(b, needed(inputs, 0), needed(inputs, 1))


@lowering("Neg", how="affine")
def _neg(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    return scale(b, needed(inputs, 0), -1.0)


@lowering("Sum", "Mean", how="affine")
def _sum(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    count = len(inputs) if op.kind == "Mean" else 1
    parts = [(needed(inputs, i), 1.0 / count) for i in range(len(inputs))]
    return combine(b, parts, of_reciprocal(count))


@lowering("Max", "Min", how="y + relu(x - y), in a tree; max(x, c) and min(x, c) for c far from 0")
def _extreme(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    choose = maximum if op.kind == "Max" else minimum
    values = [needed(inputs, i) for i in range(len(inputs))]
    while len(values) > 1:  # a balanced tree
        pairs = [choose(b, x, y) for x, y in zip(values[0::2], values[1::2], strict=False)]
        values = pairs + values[len(values) - len(values) % 2 :]
    return values[0]


@lowering("Pow", how="one function: power, or exp(y · log x) for x > 0")
def _pow(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    base, exponent = needed(inputs, 0), needed(inputs, 1)
    if not isinstance(exponent, Var):
        same = uniform(exponent.astype(np.float64))
        shape = np.broadcast_shapes(base.shape, exponent.shape)
        if same is None:
            return _powers(b, b.expand(base, shape), np.broadcast_to(exponent.astype(np.float64), shape))
        return b.expand(raised(b, base, same), shape)
    if isinstance(base, Var):
        return apply(b, "exp", multiply(b, apply(b, "log", base), exponent))
    if "float" not in base.dtype.name or not (base > 0).all():
        raise Refused("a power of a base that is an integer or not positive, and whose exponent varies")
    return apply(b, "exp", scale(b, exponent, inexact(applied("log", ball(base)))))


def _powers(b: Builder, base: Value, exponents: Array) -> Value:
    """Each entry raised to its own exponent: those with the same exponent together."""
    each, group = np.unique(exponents, return_inverse=True)
    if len(each) > EXPONENTS:
        raise Refused(f"more than {EXPONENTS} different exponents")
    places = np.arange(exponents.size)
    members = [places[group.reshape(-1) == g] for g in range(len(each))]
    parts = [raised(b, b.gather(base, at), float(e)) for at, e in zip(members, each, strict=True)]
    order = np.argsort(np.concatenate(members)).reshape(exponents.shape)
    made = arrange(b, parts, lambda values: [np.concatenate(values)[order]])[0]
    assert isinstance(made, Var | np.ndarray)
    return made


@lowering("Clip", how="one function: clip, or relu for one limit")
def _clip(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    low, high = given(inputs, 1), given(inputs, 2)
    x = needed(inputs, 0)
    least = scalar(low, "its lower limit", op.number("min", -math.inf))
    most = scalar(high, "its upper limit", op.number("max", math.inf))
    big = float(np.finfo(np.float32).max)  # what exporters write for "none"
    for limit in (low, high):
        if limit is not None and not isinstance(limit, Var) and limit.dtype == np.float64:
            big = math.inf
    least, most = -math.inf if least <= -big else least, math.inf if most >= big else most
    if -math.inf < least < most < math.inf:
        return apply(b, "clip", x, least, most)
    return clip(b, x, least, most)


@lowering("PRelu", how="one function: leaky_relu, or relu and a line, or a product, per slope")
def _prelu(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    x = b.variable(needed(inputs, 0))
    varying = needed(inputs, 1)
    if isinstance(varying, Var):
        return add(b, apply(b, "relu", x), multiply(b, apply(b, "at_most", x, 0.0), varying))
    slopes = known(needed(inputs, 1), "its slope")
    same = None if slopes[1].any() else uniform(slopes[0])
    if same is not None:
        return apply(b, "leaky_relu", x, same)
    bend = added(ball(np.ones(())), negative(slopes))
    return add(b, scale(b, x, inexact(slopes)), scale(b, apply(b, "relu", x), inexact(bend)))


@lowering("Gelu", how="one function: gelu or gelu_tanh")
def _gelu(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    return apply(b, "gelu_tanh" if op.text("approximate", "none") == "tanh" else "gelu", needed(inputs, 0))


@lowering("Swish", how="one function, scaled: silu")
def _swish(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    return swish(b, needed(inputs, 0), op.number("alpha", 1.0))
