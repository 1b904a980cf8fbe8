"""Operators of several steps: normalisation and softmax."""

from __future__ import annotations

import numpy as np

from .call import Call, Rule, aligned
from .elementary import function
from .layers import front, mean, reduction, shared
from .pointwise import constant
from .styles import Array
from .sums import dot, total


def _spread(c: Call, terms: Array) -> tuple[Array, Array, Array]:
    """The mean (P, ...), the differences from it (K, P, ...), and the variance (P, ...)."""
    middle = mean(c, terms)
    less = c.m.sub(terms, middle[None])
    if "moments" in c.m.style.beyond:
        squares = shared(c, dot(c.m, terms, terms), constant(len(terms)))
        return middle, less, c.m.multiply_add(-middle, middle, squares)
    return middle, less, shared(c, dot(c.m, less, less), constant(len(terms)))


def _normalised(c: Call, terms: Array, scale: Array, bias: Array | None) -> Array:
    """Terms (K, P, ...) less their mean over their deviation, times scale, plus bias."""
    middle, less, variance = _spread(c, terms)
    root = c.m.sqrt(c.m.add(*aligned(variance, c.number("epsilon", 1e-5))))[None]
    if c.kind == "LayerNormalization":
        if "folded" in c.m.style.beyond:
            less, root = _folded(c, terms, middle[None], np.ones_like(root), root), np.ones_like(root)
        return _scaled(c, less, root, scale, bias)
    if c.m.variant(2):
        return _folded(c, terms, middle[None], scale, root, bias)
    return _scaled(c, less, root, scale, bias)


def _scaled(c: Call, less: Array, root: Array, scale: Array, bias: Array | None) -> Array:
    """less / root · scale + bias, root by division or its reciprocal, and in either order."""
    m, variant = c.m, c.m.variant(4)
    if variant == 1:
        first, second = m.div(less, root), scale
    elif variant == 3:
        first, second = less, m.div(scale, root)
    else:
        inverse = m.div(np.ones_like(root), root)
        pair = (m.mul(less, inverse), scale), (less, m.mul(inverse, scale))
        first, second = pair[0] if variant == 0 else pair[1]
    return m.mul(first, second) if bias is None else m.multiply_add(first, second, bias)


def _folded(c: Call, x: Array, middle: Array, scale: Array, root: Array, bias: Array | None = None) -> Array:
    """x · s + (bias - middle · s), with s = scale / root or scale times its reciprocal."""
    m = c.m
    slope = m.mul(scale, m.div(np.ones_like(root), root)) if m.variant(2) else m.div(scale, root)
    shift = m.mul(-middle, slope) if bias is None else m.multiply_add(-middle, slope, bias)
    return m.multiply_add(x, slope, shift)


def _layer_norm(c: Call) -> Array:
    x = c.arg(0)
    axis = c.axis(-1)
    axes = list(range(axis, x.ndim))
    lengths = x.shape[axis:]

    def fronted(place: int) -> Array:
        given = aligned(c.arg(place), x)[0]
        given = np.broadcast_to(given, (*given.shape[:axis], *lengths))
        return front(given, axes)

    bias = fronted(2) if c.has(2) else None
    done = _normalised(c, front(x, axes), fronted(1), bias)
    return np.moveaxis(done.reshape(*lengths, *x.shape[:axis]), range(len(axes)), axes)


def _rms_norm(c: Call) -> Array:
    x = c.arg(0)
    axis = c.axis(-1)
    axes = list(range(axis, x.ndim))
    terms = front(x, axes)
    square = shared(c, dot(c.m, terms, terms), constant(len(terms)))
    root = c.m.sqrt(c.m.add(*aligned(square, c.number("epsilon", 1e-5))))
    scale = aligned(c.arg(1), x)[0]
    return _scaled(c, x, np.expand_dims(root, tuple(axes)), scale, None)


def _batch_norm(c: Call) -> Array:
    c.refuse(training_mode=0)
    x = c.arg(0)
    scale, bias, middle, variance = (c.arg(k).reshape(1, 1, -1, *(1,) * (x.ndim - 3)) for k in range(1, 5))
    root = c.m.sqrt(c.m.add(*aligned(variance, c.number("epsilon", 1e-5))))
    if c.m.variant(2):
        return _folded(c, x, middle, scale, root, bias)
    return _scaled(c, c.m.sub(x, middle), root, scale, bias)


def _instance_norm(c: Call) -> Array:
    x = c.arg(0)
    axes = list(range(3, x.ndim))
    done = _normalised(c, front(x, axes), c.arg(1)[None, :, None], c.arg(2)[None, :, None])
    return np.moveaxis(done.reshape(*x.shape[3:], *x.shape[:3]), range(len(axes)), axes)


def _softmax(c: Call) -> Array:
    """Powers of the differences from the largest, over their sum or times its reciprocal."""
    x, axis = c.arg(0), c.axis(-1)
    powers = function(c.m, "Exp", c.m.sub(x, x.max(axis=axis, keepdims=True)))
    whole = np.expand_dims(total(c.m, front(powers, [axis])), axis)
    if c.m.variant(2) == 0:
        return c.m.div(powers, whole)
    return c.m.mul(powers, c.m.div(np.ones_like(whole), whole))


def _log_softmax(c: Call) -> Array:
    x, axis = c.arg(0), c.axis(-1)
    most = x.max(axis=axis, keepdims=True)
    less = c.m.sub(x, most)
    whole = np.expand_dims(total(c.m, front(function(c.m, "Exp", less), [axis])), axis)
    log = function(c.m, "Log", whole)
    return c.m.sub(less, log) if c.m.variant(2) == 0 else c.m.sub(x, c.m.add(most, log))


def _log_sum_exp(c: Call, terms: Array) -> Array:
    most = terms.max(axis=0)
    powers = function(c.m, "Exp", c.m.sub(terms, most[None]).swapaxes(0, 1)).swapaxes(0, 1)
    return c.m.add(function(c.m, "Log", total(c.m, powers)), most)


NORMS: dict[str, Rule] = {
    "LayerNormalization": _layer_norm,
    "RMSNormalization": _rms_norm,
    "BatchNormalization": _batch_norm,
    "InstanceNormalization": _instance_norm,
    "Softmax": _softmax,
    "LogSoftmax": _log_softmax,
    "ReduceLogSumExp": reduction(_log_sum_exp),
}
