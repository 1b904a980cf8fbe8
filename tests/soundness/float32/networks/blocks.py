"""Layers of random networks that act on a tensor (1, size)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from onnx import TensorProto

from .net import Net

Block = Callable[[Net], None]


def piecewise(net: Net) -> None:
    """A dense layer, and a function of straight pieces."""
    net.dense()
    kind = net.draw("Relu", "Relu", "LeakyRelu", "PRelu", "Abs", "Max", "Min", "Clip", "Elu", "Neg")
    if kind in ("Relu", "Abs", "Neg"):
        net.to(net.op(kind, net.name))
    elif kind in ("LeakyRelu", "Elu"):
        net.to(net.op(kind, net.name, alpha=net.random.uniform(0.01, 1.5)))
    elif kind == "PRelu":
        net.to(net.op(kind, net.name, net.numbers(net.size, scale=0.5)))
    elif kind == "Clip":
        net.to(net.op(kind, net.name, net.constant(-0.5), net.constant(net.random.uniform(0.0, 2.0))))
    else:
        source, size = net.name, net.size
        net.to(net.op(kind, source, net.affine(size)))


def function(*kinds: str) -> Block:
    """A dense layer, and one of these functions."""

    def block(net: Net) -> None:
        net.dense()
        net.to(net.op(net.draw(*kinds), net.name))

    return block


def gelu(net: Net) -> None:
    """A dense layer and gelu: the operator, or as exporters write it, by Erf or by Tanh."""
    net.dense()
    x, spelling = net.name, net.draw("none", "tanh", "erf", "erf", "by tanh", "by tanh", "quick")
    if spelling in ("none", "tanh"):
        net.to(net.op("Gelu", x, approximate=spelling))
    elif spelling == "erf":
        scaled = net.op("Div", x, net.constant(np.sqrt(2.0))) if net.chance(0.5) else net.mul(x, np.sqrt(0.5))
        outer = net.add(net.op("Erf", scaled), 1.0)
        net.to(
            net.mul(net.op("Mul", x, outer), 0.5)
            if net.chance(0.5)
            else net.op("Mul", net.mul(x, 0.5), outer)
        )
    elif spelling == "by tanh":
        power = net.op("Pow", x, net.constant(3.0))
        cube = power if net.chance(0.5) else net.op("Mul", x, net.op("Mul", x, x))
        inner = net.mul(net.op("Add", x, net.mul(cube, 0.044715)), np.sqrt(2.0 / np.pi))
        net.to(net.op("Mul", net.mul(x, 0.5), net.add(net.op("Tanh", inner), 1.0)))
    else:
        net.to(net.op("Mul", x, net.op("Sigmoid", net.mul(x, 1.702))))


def waves(net: Net) -> None:
    """A dense layer, and sines of several frequencies."""
    net.dense()
    scaled = net.mul(net.name, net.draw(1.0, np.pi, 30.0, 0.1))
    net.to(net.op(net.draw("Sin", "Cos"), scaled))


def softmax(net: Net) -> None:
    """A dense layer and a softmax, or its logarithm."""
    net.dense()
    net.to(net.op(net.draw("Softmax", "Softmax", "LogSoftmax"), net.name, axis=net.draw(1, -1)))


def product(net: Net) -> None:
    """Products of layers: gates, squares, SwiGLU, quotients."""
    size, kind = net.width(), net.draw("x*y", "gate", "swiglu", "square", "quotient")
    a, b = net.affine(size), net.affine(size)
    if kind == "gate":
        b = net.op(net.draw("Sigmoid", "Tanh"), b)
    elif kind == "swiglu":
        a = net.op("Mul", a, net.op("Sigmoid", a))
    elif kind == "square":
        b = a
    if kind == "quotient":
        net.to(net.op("Div", a, net.add(net.op("Mul", b, b), net.draw(1.0, 0.1))), size)
    else:
        net.to(net.op("Mul", a, b), size)


def norm(net: Net) -> None:
    """A dense layer, and a norm: the operator, written out, of the mean square, or by running numbers."""
    net.dense(max(2, net.width()))
    epsilon = net.draw(1e-5, 1e-5, 1e-3, 1e-12)
    net.draw(_layer_norm, _layer_norm, _written, _rms, _batch, _length)(net, epsilon)


def _scaled(net: Net, name: str) -> None:
    scale = net.constant(net.random.uniform(0.5, 1.5, net.size))
    net.to(net.op("Add", net.op("Mul", name, scale), net.numbers(net.size, scale=0.3)))


def _layer_norm(net: Net, epsilon: float) -> None:
    scale = net.constant(net.random.uniform(0.5, 1.5, net.size))
    shift = [net.numbers(net.size, scale=0.3)] if net.chance(0.7) else []
    net.to(net.op("LayerNormalization", net.name, scale, *shift, axis=-1, epsilon=epsilon))


def _written(net: Net, epsilon: float) -> None:
    mean = net.op("ReduceMean", net.name, net.integers(-1), keepdims=1)
    less = net.op("Sub", net.name, mean)
    square = net.op("Pow", less, net.constant(2.0)) if net.chance(0.5) else net.op("Mul", less, less)
    variance = net.op("ReduceMean", square, net.integers(-1), keepdims=1)
    root = net.op("Sqrt", net.add(variance, epsilon))
    divided = (
        net.op("Div", less, root) if net.chance(0.5) else net.op("Mul", less, net.op("Reciprocal", root))
    )
    _scaled(net, divided)


def _rms(net: Net, epsilon: float) -> None:
    if net.chance(0.5):
        mean = net.op("ReduceMean", net.op("Mul", net.name, net.name), net.integers(-1), keepdims=1)
    else:
        mean = net.mul(net.op("ReduceSumSquare", net.name, net.integers(1), keepdims=1), 1.0 / net.size)
    root = net.op("Sqrt", net.add(mean, epsilon))
    _scaled(net, net.op("Div", net.name, root))


def _batch(net: Net, epsilon: float) -> None:
    around = net.random.normal(size=net.size) * net.draw(0.1, 1.0, 100.0)
    spread = net.log_uniform(1e-4, 1e2) * net.random.uniform(0.5, 2.0, net.size)
    values = (net.random.uniform(0.5, 1.5, net.size), net.random.normal(size=net.size), around, spread)
    net.to(net.op("BatchNormalization", net.name, *map(net.constant, values), epsilon=epsilon))


def _length(net: Net, epsilon: float) -> None:
    length = net.op("ReduceL2", net.name, net.integers(1), keepdims=1)
    net.to(net.op("Div", net.name, net.op("Max", length, net.constant(max(epsilon, 1e-3)))))


def cancelling(net: Net) -> None:
    """A dense layer, and differences of numbers that are nearly equal."""
    net.dense()
    x, f = net.name, net.draw("Tanh", "Sigmoid", "Sin", "Erf", "Softplus")
    kind = net.draw("shifted", "shifted", "large", "squares", "residual")
    if kind == "shifted":
        less = net.op("Sub", net.op(f, net.add(x, net.log_uniform(1e-4, 0.3))), net.op(f, x))
        net.to(net.mul(less, net.log_uniform(1.0, 1e4)))
    elif kind == "large":
        large = net.random.normal(size=net.size) * net.log_uniform(1e1, 1e6)
        net.to(net.op("Sub", net.add(x, large), net.constant(large)))
    elif kind == "squares":
        y = net.add(x, net.log_uniform(1e-4, 0.3))
        net.to(net.op("Sub", net.op("Mul", y, y), net.op("Mul", x, x)))
    else:
        net.to(net.op("Add", x, net.mul(net.op(f, net.affine(net.size)), net.draw(10.0, 1.0, 100.0))))


def threshold(net: Net) -> None:
    """A dense layer, and a choice by comparison, or a staircase."""
    net.dense()
    x, y = net.name, net.affine(net.size)
    kind = net.draw("Where", "Where", "Cast", "Floor", "Round", "Sign", "float16")
    if kind in ("Where", "Cast"):
        limit = net.numbers(net.size, scale=0.3) if net.chance(0.7) else y
        above = net.op(net.draw("Greater", "Less"), x, limit)
        chosen = (
            net.op("Where", above, y, x) if kind == "Where" else net.op("Cast", above, to=TensorProto.FLOAT)
        )
        net.to(chosen if kind == "Where" else net.op("Mul", chosen, y))
    elif kind == "float16":
        half = net.op("Cast", net.op("Tanh", x), to=net.draw(TensorProto.FLOAT16, TensorProto.DOUBLE))
        net.to(net.op("Cast", half, to=TensorProto.FLOAT))
    else:
        net.to(net.op(kind, net.mul(x, net.draw(1.0, 4.0))))


def power(net: Net) -> None:
    """A dense layer, and a power, root, logarithm or exponential where it is defined."""
    net.dense()
    kind = net.draw("Exp", "Log", "Sqrt", "Reciprocal", "Pow", "Pow", "expm1", "softmin")
    positive = net.add(net.op("Abs", net.name), net.draw(1.0, 0.1, 1e-3))
    bounded = net.mul(net.op("Tanh", net.name), net.draw(1.0, 3.0, 10.0))
    if kind in ("Log", "Sqrt", "Reciprocal"):
        net.to(net.op(kind, positive))
    elif kind == "Pow":
        exponent = net.draw(2.0, 3.0, 4.0, 0.5, 1.5, -1.0, -0.5)
        whole = exponent in (2.0, 3.0, 4.0)
        net.to(net.op(kind, bounded if whole else positive, net.constant(exponent)))
    elif kind == "Exp":
        net.to(net.op(kind, bounded))
    elif kind == "expm1":
        net.to(net.add(net.op("Exp", net.mul(bounded, 0.01)), -1.0))
    else:
        net.to(net.op("Neg", net.op("Log", net.add(net.op("Exp", net.op("Neg", bounded)), 1.0))))


def tiny(net: Net) -> None:
    """A dense layer, then numbers about the least normal one, which are made larger again."""
    net.dense()
    x = net.op("Tanh", net.name)
    if net.chance(0.5):
        x = net.op("Exp", net.add(net.mul(x, net.draw(1.0, 8.0)), net.draw(-88.0, -95.0, -60.0)))
    else:
        x = net.mul(net.mul(x, 1e-20), net.draw(1e-18, 1e-20, 1e-23))
    if net.chance(0.5):
        x = net.op("MatMul", x, net.numbers(net.size, net.size))
    x = net.mul(x, net.draw(1e20, 1e15))
    net.to(net.mul(x, net.draw(1e18, 1e22)))


def moved(net: Net) -> None:
    """The numbers cut, picked, turned, padded, repeated, or averaged."""
    if net.size < 2:
        net.dense(4)
    x, n = net.name, net.size
    kind = net.draw(
        "Split", "Slice", "Gather", "Transpose", "Pad", "Expand", "Squeeze", "ReduceMax", "ReduceSum"
    )
    if kind == "Split":
        parts = net.several(kind, 2, x, net.integers(1, n - 1), axis=1)
        net.to(net.op("Concat", *parts[::-1], axis=1))
    elif kind == "Slice":
        net.to(net.op(kind, x, net.integers(1), net.integers(n), net.integers(1)), n - 1)
    elif kind == "Gather":
        chosen = net.random.integers(0, n, size=net.width())
        net.to(net.op(kind, x, net.integers(*chosen), axis=1), len(chosen))
    elif kind == "Transpose":
        turned = net.op(kind, net.op("Concat", x, net.op("Abs", x), axis=0), perm=[1, 0])
        net.to(net.op("Flatten", turned, axis=0), 2 * n)
    elif kind == "Pad":
        net.to(net.op(kind, x, net.integers(0, 1, 0, 0), net.constant(net.draw(0.0, 0.5))), n + 1)
    elif kind == "Expand":
        wide = net.op(kind, net.op("Unsqueeze", x, net.integers(2)), net.integers(1, n, 2))
        net.to(net.op("Flatten", wide), 2 * n)
    elif kind == "Squeeze":
        net.to(net.op("Unsqueeze", net.op(kind, net.op("Identity", x), net.integers(0)), net.integers(0)))
    else:
        single = net.op(kind, x, net.integers(1), keepdims=1)
        net.to(net.op("Concat", x, single, axis=1), n + 1)
