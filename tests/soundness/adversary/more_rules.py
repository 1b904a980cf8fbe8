"""Rules of further operators: pools, convolutions along one axis, reductions, pieces that are moved."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from .interpreter import RULES, Array, Call, mapped


def _along(c: Call, two: Callable[[Any, Any], Any]) -> Array:
    """A reduction of pairs along the last axis, kept."""
    x = c.args[0]
    assert c.axes(x.ndim) == (x.ndim - 1,) and c.get("keepdims", 1)
    parts = [x[..., k : k + 1] for k in range(x.shape[-1])]
    return reduce(lambda a, b: mapped(two, a, b), parts)


def _larger(c: Call) -> Callable[[Any, Any], Any]:
    return lambda a, b: b if c.field.less(a, b) else a


def _smaller(c: Call) -> Callable[[Any, Any], Any]:
    return lambda a, b: a if c.field.less(a, b) else b


def _sum(c: Call, of: Callable[[Array], Array]) -> Array:
    return of(c.args[0]).sum(axis=c.axes(c.args[0].ndim), keepdims=True)


def _function(c: Call, kind: str, x: Array) -> Array:
    return mapped(c.field.functions[kind], x)


def _log_sum(c: Call) -> Array:
    return _function(c, "Log", _sum(c, lambda x: _function(c, "Exp", x)))


def _log_softmax(c: Call) -> Array:
    x = c.args[0]
    return x - _function(c, "Log", _function(c, "Exp", x).sum(axis=c.get("axis", -1), keepdims=True))


def _windows(c: Call, x: Array, kernel: int) -> list[Array]:
    """What every place of a window sees, after padding with zeros, for a stride."""
    before, after = c.get("pads", [0, 0])
    stride = c.get("strides", [1])[0]
    zero = mapped(lambda _: c.number(0.0), x[..., :1])
    padded = np.concatenate([zero] * before + [x] + [zero] * after, axis=-1)
    count = (padded.shape[-1] - kernel) // stride + 1
    return [padded[..., k : k + (count - 1) * stride + 1 : stride] for k in range(kernel)]


def _convolution(c: Call) -> Array:
    """Of any kernel along one axis; others as in the interpreter."""
    x, weight = c.args[:2]
    if x.ndim != 3:
        return _size_one(c)
    parts = [weight[:, :, k] @ seen for k, seen in enumerate(_windows(c, x, weight.shape[2]))]
    total = reduce(lambda a, b: a + b, parts)
    return total + c.args[2].reshape(-1, 1) if len(c.args) > 2 else total


def _pool(c: Call, mean: bool) -> Array:
    kernel = c.attributes["kernel_shape"][0]
    seen = _windows(c, c.args[0], kernel)
    if mean:
        return reduce(lambda a, b: a + b, seen) / c.number(float(kernel))
    return reduce(lambda a, b: mapped(_larger(c), a, b), seen)


def _pad(c: Call) -> Array:
    x, pads = c.args[0], [int(p) for p in c.args[1]]
    value = c.args[2].reshape(-1)[0] if len(c.args) > 2 else c.number(0.0)
    before, after = pads[: x.ndim], pads[x.ndim :]
    return np.pad(x, list(zip(before, after, strict=True)), constant_values=value)


def _prelu(c: Call) -> Array:
    zero = c.number(0.0)
    return mapped(lambda x, a: x * a if c.field.less(x, zero) else x, c.args[0], c.args[1])


def _instance_norm(c: Call) -> Array:
    x, scale, bias = c.args
    count = c.number(float(x.shape[-1]))
    centred = x - x.sum(axis=-1, keepdims=True) / count
    var = (centred * centred).sum(axis=-1, keepdims=True) / count
    root = mapped(lambda v: c.field.functions["Sqrt"](v + c.number(c.attributes["epsilon"])), var)
    return centred / root * scale.reshape(1, -1, 1) + bias.reshape(1, -1, 1)


_size_one = RULES["Conv"]

RULES |= {
    "ReduceMax": lambda c: _along(c, _larger(c)),
    "ReduceMin": lambda c: _along(c, _smaller(c)),
    "ReduceProd": lambda c: _along(c, lambda a, b: a * b),
    "ReduceL1": lambda c: _sum(c, lambda x: _function(c, "Abs", x)),
    "ReduceSumSquare": lambda c: _sum(c, lambda x: x * x),
    "ReduceL2": lambda c: _function(c, "Sqrt", _sum(c, lambda x: x * x)),
    "ReduceLogSumExp": _log_sum,
    "LogSoftmax": _log_softmax,
    "Conv": _convolution,
    "MaxPool": lambda c: _pool(c, False),
    "AveragePool": lambda c: _pool(c, True),
    "Pad": _pad,
    "PRelu": _prelu,
    "InstanceNormalization": _instance_norm,
    "CumSum": lambda c: np.cumsum(c.args[0], axis=int(c.args[1])),
    "Tile": lambda c: np.tile(c.args[0], [int(r) for r in c.args[1]]),
    "Expand": lambda c: np.array(np.broadcast_to(c.args[0], np.broadcast_shapes(c.args[0].shape, c.args[1]))),
    "Unsqueeze": lambda c: np.expand_dims(c.args[0], tuple(int(a) for a in c.args[1])),
    "ScatterElements": lambda c: _scattered(c),
}


def _scattered(c: Call) -> Array:
    found = c.args[0].copy()
    np.put_along_axis(found, c.args[1], c.args[2], axis=c.get("axis", 0))
    return found
