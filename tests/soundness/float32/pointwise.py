"""Operators that act on each number, and comparisons."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import numpy as np
from onnx import TensorProto

from .call import Call, NotEmulated, Rule, aligned
from .elementary import function, near, power
from .styles import Array
from .sums import total

ONE, HALF = np.ones(1, np.float32), np.full(1, 0.5, np.float32)


def constant(value: float) -> Array:
    """A float32 number, one point."""
    return np.full(1, value, np.float32)


def _two(operation: str) -> Rule:
    def rule(c: Call) -> Array:
        a, b = aligned(c.arg(0), c.arg(1))
        if a.dtype.kind in "iu":
            return _integers(c, a, b)
        done: Array = getattr(c.m, operation)(a, b)
        return done

    return rule


def _integers(c: Call, a: Array, b: Array) -> Array:
    done = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply}.get(c.kind)
    if done is None:
        raise NotEmulated(f"{c.kind} of integers")
    return np.asarray(done(a, b))


def _function(c: Call) -> Array:
    return function(c.m, c.kind, c.arg(0))


def _steeper(c: Call, x: Array, slope: Array) -> Array:
    return np.where(x < 0, c.m.mul(x, slope), x)


def _leaky(c: Call) -> Array:
    (x, slope) = aligned(c.arg(0), c.number("alpha", 0.01))
    return _steeper(c, x, slope)


def _prelu(c: Call) -> Array:
    return _steeper(c, *aligned(c.arg(0), c.arg(1)))


def _elu(c: Call) -> Array:
    x, alpha, one = aligned(c.arg(0), c.number("alpha", 1.0), ONE)
    below = np.minimum(x, np.float32(0))
    if "Elu" in c.m.style.whole:
        less = near(c.m, f"Elu({alpha.item():g})", alpha.item() * np.expm1(below.astype(np.float64)), below)
    else:
        less = c.m.mul(alpha, c.m.sub(function(c.m, "Exp", below), one))
    return np.where(x < 0, less, x)


def _sigmoid(c: Call) -> Array:
    x = c.arg(0)
    if "Sigmoid" in c.m.style.whole:
        return function(c.m, "Sigmoid", x)
    x, one = aligned(x, ONE)
    return c.m.div(one, c.m.add(one, function(c.m, "Exp", -x)))


def _softplus(c: Call) -> Array:
    x = c.arg(0)
    if "Softplus" in c.m.style.whole:
        return function(c.m, "Softplus", x)
    x, one = aligned(x, ONE)
    inner = function(c.m, "Log", c.m.add(one, function(c.m, "Exp", -np.abs(x))))
    return np.where(x > 0, c.m.add(x, inner), inner)


def _mish(c: Call) -> Array:
    if "Mish" in c.m.style.whole:
        return function(c.m, "Mish", c.arg(0))
    return c.m.mul(c.arg(0), function(c.m, "Tanh", _softplus(c)))


def _gelu(c: Call) -> Array:
    by_tanh = c.get("approximate", b"none") == b"tanh"
    if "Gelu" in c.m.style.whole:
        return function(c.m, "Gelu tanh" if by_tanh else "Gelu", c.arg(0))
    if by_tanh:
        return _gelu_by_tanh(c)
    m, variant = c.m, c.m.variant(5)
    x, half, one, root = aligned(c.arg(0), HALF, ONE, constant(np.sqrt(2.0)))
    scaled = m.div(x, root) if variant in (1, 3) else m.mul(x, constant(np.sqrt(0.5)).reshape(root.shape))
    inner = function(m, "Erf", scaled)
    if variant == 4:
        return m.mul(x, m.multiply_add(half, inner, half))
    outer = m.add(one, inner)
    if variant < 2:
        return m.mul(m.mul(half, x), outer)
    return m.mul(half, m.mul(x, outer)) if variant == 2 else m.mul(x, m.mul(half, outer))


def _gelu_by_tanh(c: Call) -> Array:
    m, variant = c.m, c.m.variant(3)
    x, half, one, cubic, scale = aligned(
        c.arg(0), HALF, ONE, constant(0.044715), constant(np.sqrt(2.0 / np.pi))
    )
    if variant == 0:
        cube = m.mul(x, m.mul(x, x))
        inner = m.mul(scale, m.multiply_add(cubic, cube, x))
    elif variant == 1:
        inner = m.mul(m.mul(scale, x), m.multiply_add(m.mul(cubic, x), x, one))
    else:
        both = constant(0.044715 * np.sqrt(2.0 / np.pi)).reshape(scale.shape)
        inner = m.mul(x, m.multiply_add(both, m.mul(x, x), scale))
    outer = m.add(one, function(m, "Tanh", inner))
    return m.mul(x, m.mul(half, outer)) if variant == 1 else m.mul(m.mul(half, x), outer)


def _single(fn: Callable[[Array], Array], rounded: Rule) -> Rule:
    """One function with an error where the style says so, else what is rounded once."""

    def rule(c: Call) -> Array | list[Array]:
        if c.kind in c.m.style.whole:
            return near(c.m, c.kind, fn(c.arg(0).astype(np.float64)), c.arg(0))
        return rounded(c)

    return rule


def _power(c: Call) -> Array:
    x, exponent = aligned(c.arg(0), c.arg(1).astype(np.float32))
    first = exponent.reshape(-1)[0]
    steps = "Pow" not in c.m.style.whole and c.m.variant(2) == 0 and (exponent == first).all()
    if steps and first in (1, 2, 3, 4):
        return _repeated(c, x, int(first))
    return c.m.sqrt(x) if steps and first == 0.5 else power(c.m, x, exponent)


def _repeated(c: Call, x: Array, count: int) -> Array:
    if count == 4 and c.m.variant(4) == 0:
        square = c.m.mul(x, x)
        return c.m.mul(square, square)
    return reduce(c.m.mul, [x] * count)


def _most(fn: Callable[[Array, Array], Array]) -> Rule:
    def rule(c: Call) -> Array:
        return reduce(fn, aligned(*(c.arg(k) for k in range(len(c.args)))))

    return rule


def _clip(c: Call) -> Array:
    x = c.arg(0)
    if c.has(1):
        x = np.maximum(*aligned(x, c.arg(1)))
    return np.minimum(*aligned(x, c.arg(2))) if c.has(2) else x


def _compared(fn: Callable[[Array, Array], Array]) -> Rule:
    return lambda c: fn(*aligned(c.arg(0), c.arg(1)))


def _where(c: Call) -> Array:
    return np.where(*aligned(c.arg(0), c.arg(1), c.arg(2)))


KINDS = {
    TensorProto.FLOAT: np.float32,
    TensorProto.FLOAT16: np.float16,
    TensorProto.DOUBLE: np.float64,
    TensorProto.BOOL: np.bool_,
    TensorProto.INT64: np.int64,
    TensorProto.INT32: np.int32,
}


def _cast(c: Call) -> Array:
    to = c.get("to")
    if to not in KINDS:
        raise NotEmulated(f"Cast to {TensorProto.DataType.Name(to)}")
    found: Array = c.arg(0).astype(KINDS[to])
    return c.m.result(found)


def _sum(c: Call) -> Array:
    terms = np.broadcast_arrays(*aligned(*(c.arg(k) for k in range(len(c.args)))))
    return total(c.m, np.stack(terms))


def _exactly(fn: Callable[[Array], Array]) -> Rule:
    return lambda c: np.asarray(fn(c.arg(0)))


POINTWISE: dict[str, Rule] = {
    "Add": _two("add"),
    "Sub": _two("sub"),
    "Mul": _two("mul"),
    "Div": _two("div"),
    "Sum": _sum,
    "Neg": _exactly(np.negative),
    "Abs": _exactly(np.abs),
    "Floor": _exactly(np.floor),
    "Ceil": _exactly(np.ceil),
    "Round": _exactly(np.rint),
    "Sign": _exactly(np.sign),
    "Relu": _exactly(lambda x: np.maximum(x, np.float32(0))),
    "LeakyRelu": _leaky,
    "PRelu": _prelu,
    "Elu": _elu,
    "Sigmoid": _sigmoid,
    "Softplus": _softplus,
    "Mish": _mish,
    "Gelu": _gelu,
    **dict.fromkeys(("Tanh", "Exp", "Log", "Erf", "Sin", "Cos"), _function),
    "Sqrt": _single(np.sqrt, lambda c: c.m.sqrt(c.arg(0))),
    "Reciprocal": _single(np.reciprocal, lambda c: c.m.div(*aligned(ONE, c.arg(0)))),
    "Pow": _power,
    "Max": _most(np.maximum),
    "Min": _most(np.minimum),
    "Clip": _clip,
    "Where": _where,
    "Greater": _compared(np.greater),
    "GreaterOrEqual": _compared(np.greater_equal),
    "Less": _compared(np.less),
    "LessOrEqual": _compared(np.less_equal),
    "Equal": _compared(np.equal),
    "And": _compared(np.logical_and),
    "Or": _compared(np.logical_or),
    "Not": _exactly(np.logical_not),
    "Cast": _cast,
}
