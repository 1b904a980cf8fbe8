"""Elementwise operators of one tensor, as formulas."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from genbab.check.functions.formula import Formula, apply, argument, constant, number, plus, times
from genbab.check.intervals import Array
from genbab.check.model.operators.node import Node, Rule
from genbab.check.model.program import Fixed, Tensor, Wire, real

X = argument()
ONE = number(1.0)
PI = np.nextafter(np.asarray(math.pi), 0.0), np.nextafter(np.asarray(math.pi), 4.0)


def _scalar(value: float) -> Array:
    return np.asarray(value, dtype=np.float64)


def _relu(x: Formula) -> Formula:
    return apply("hinge", x, _scalar(0.0), _scalar(0.0))


def _leaky(x: Formula, slope: float) -> Formula:
    return apply("hinge", x, _scalar(slope), _scalar(slope))


def _clipped(x: Formula, low: float, high: float) -> Formula:
    return apply("clip", x, _scalar(low), _scalar(high))


def _below(x: Formula) -> Formula:
    """The lesser of x and 0."""
    return plus(x, times(number(-1.0), _relu(x)))


def _elu(node: Node) -> Formula:
    """x above 0, a (e^x - 1) below, or e^(x/c) for celu; scaled for selu."""
    alpha = node.real("alpha", 1.67326319217681884765625 if node.op == "Selu" else 1.0)
    low = _below(X)
    if node.op == "Celu":
        low = times(apply("inverse", number(alpha)), low)
    curve = times(number(alpha), plus(apply("exp", low), number(-1.0)))
    whole = plus(_relu(X), curve)
    gain = node.real("gamma", 1.05070102214813232421875)
    return times(number(gain), whole) if node.op == "Selu" else whole


def _gelu(node: Node) -> Formula:
    if node.get("approximate", b"none") == b"tanh":
        cube = plus(X, times(number(0.044715), apply("power", X, _scalar(3.0))))
        root = apply("sqrt", times(number(2.0), apply("inverse", constant(*PI))))
        bend = apply("tanh", times(root, cube))
    else:
        bend = apply("erf", times(apply("inverse", apply("sqrt", number(2.0))), X))
    return times(times(number(0.5), X), plus(ONE, bend))


def _hard(node: Node) -> Formula:
    if node.op == "HardSwish":
        slope, shift = apply("inverse", number(6.0)), 0.5
    else:
        slope, shift = number(node.real("alpha", 0.2)), node.real("beta", 0.5)
    line = _clipped(plus(times(slope, X), number(shift)), 0.0, 1.0)
    return times(X, line) if node.op == "HardSwish" else line


def _clip(node: Node) -> Formula:
    low = node.number(1, "min", -math.inf)
    return _clipped(X, low, node.number(2, "max", math.inf))


def _power(node: Node) -> Formula:
    exponent, x, power = node.number(1, "", math.nan), node.optional(0), node.optional(1)
    shapes = [t.shape for t in (x, power) if t is not None]
    if not abs(exponent) <= 1e3 or np.broadcast_shapes(*shapes) != shapes[0]:
        raise node.fail("the exponent must be one constant of at most 1000, and give no axes")
    return X if exponent == 1 else apply("power", X, _scalar(exponent))


def _hyperbolic(node: Node) -> Formula:
    """Half the sum, or the difference, of e^x and e^-x."""
    back = apply("exp", times(number(-1.0), X))
    return times(number(0.5), plus(apply("exp", X), back if node.op == "Cosh" else times(number(-1.0), back)))


def _acos(node: Node) -> Formula:
    return plus(constant(PI[0] / 2, PI[1] / 2), times(number(-1.0), apply("asin", X)))


def _thresholded(node: Node) -> Formula:
    return times(X, apply("above", plus(X, number(-node.real("alpha", 1.0)))))


def _shrunk(node: Node) -> Formula:
    limit, bias = number(-node.real("lambd", 0.5)), node.real("bias", 0.0)
    if node.real("lambd", 0.5) < 0:
        raise node.fail("lambd below 0: both parts hold at once")
    low = times(plus(X, number(bias)), apply("above", plus(times(number(-1.0), X), limit)))
    return plus(low, times(plus(X, number(-bias)), apply("above", plus(X, limit))))


def _softsign(node: Node) -> Formula:
    return times(X, apply("inverse", plus(ONE, apply("absolute", X))))


def _swish(node: Node) -> Formula:
    return times(X, apply("sigmoid", times(number(node.real("alpha", 1.0)), X)))


SAME = ("Sigmoid", "Tanh", "Exp", "Log", "Sqrt", "Sin", "Cos", "Tan", "Atan", "Erf", "Softplus", "Sign")
PLAIN = {op: op.lower() for op in (*SAME, "Asin", "Asinh", "Acosh", "Atanh", "Floor", "Ceil", "Round")}
FORMULAS: dict[str, Callable[[Node], Formula]] = {
    "Relu": lambda node: _relu(X),
    "LeakyRelu": lambda node: _leaky(X, node.real("alpha", 0.01)),
    **{"Clip": _clip, "Pow": _power, "Gelu": _gelu, "Softsign": _softsign, "Swish": _swish, "Acos": _acos},
    **{"ThresholdedRelu": _thresholded, "Shrink": _shrunk},
    "Mish": lambda node: times(X, apply("tanh", apply("softplus", X))),
    "Reciprocal": lambda node: apply("inverse", X),
    "Abs": lambda node: apply("absolute", X),
    **dict.fromkeys(("Elu", "Selu", "Celu"), _elu),
    **dict.fromkeys(("HardSigmoid", "HardSwish"), _hard),
    **dict.fromkeys(("Sinh", "Cosh"), _hyperbolic),
    **dict.fromkeys(PLAIN, lambda node: apply(PLAIN[node.op], X)),
}


def _elementwise(node: Node) -> Sequence[Tensor]:
    return [node.program.elementwise(FORMULAS[node.op](node), [node.wire()])]


def _prelu(node: Node) -> Sequence[Tensor]:
    x = node.wire()
    slope = node.program.broadcast(node.fixed(1), x.shape)
    assert isinstance(slope, Fixed)
    low, high = real(slope)
    return [node.program.elementwise(apply("hinge", X, low.ravel(), high.ravel()), [x])]


def largest(node: Node, a: Wire, b: Wire, sign: float = 1.0) -> Wire:
    """The greater entries of two tensors, b + relu(a - b); the lesser ones with sign -1."""
    program = node.program
    first, second = (a, b) if sign > 0 else (b, a)
    difference = program.sum(first, second, -1.0)
    part = program.elementwise(_relu(X), [difference])
    return program.sum(b, part, sign)


ELEMENTWISE: dict[str, Rule] = {**dict.fromkeys(FORMULAS, _elementwise), "PRelu": _prelu}
