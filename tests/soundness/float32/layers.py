"""Operators that add up: matrix products, convolutions, pools, reductions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from .call import Call, NotEmulated, Rule, aligned, places
from .pointwise import constant
from .styles import Array
from .sums import dot, total

Reduction = Callable[[Call, Array], Array]
"""What makes one number of each column of terms (K, P, ...)."""


def matrix_product(c: Call, a: Array, b: Array, start: Array | None = None) -> Array:
    """The product of matrices (P, ..., M, K) and (P, ..., K, N); `start` is one of the terms of its sums."""
    a, b = aligned(a, b)
    left = np.moveaxis(a, -1, 0)[..., None]
    right = np.moveaxis(b, -2, 0)[..., None, :]
    return dot(c.m, left, right, start)


def product_of(c: Call, a: Array, b: Array, start: Array | None = None) -> Array:
    """What MatMul gives, vectors among the arguments included."""
    row, column = a.ndim == 2, b.ndim == 2
    a = a[:, None, :] if row else a
    b = b[..., None] if column else b
    if start is not None and (row or column):
        raise NotEmulated("a sum of a vector's product")
    found = matrix_product(c, a, b, start)
    found = found[..., 0, :] if row else found
    return found[..., 0] if column else found


def with_bias(c: Call, left: Array, right: Array, bias: Array | None) -> Array:
    """The sum of products with a bias, which is one of the terms or is added at the end."""
    if bias is None or c.m.variant(2) == 0:
        return dot(c.m, left, right, bias)
    return c.m.add(dot(c.m, left, right), bias)


def _matmul(c: Call) -> Array:
    return product_of(c, c.arg(0), c.arg(1))


def _gemm(c: Call) -> Array:
    a, b = c.arg(0), c.arg(1)
    a = a.swapaxes(-1, -2) if c.get("transA", 0) else a
    b = b.swapaxes(-1, -2) if c.get("transB", 0) else b
    alpha, beta = c.number("alpha", 1.0).reshape(1, 1, 1), c.number("beta", 1.0).reshape(1, 1, 1)
    scaled, early = alpha.item() != 1.0, c.m.variant(3)
    if scaled and early == 1:
        a = c.m.mul(alpha, a)
    if scaled and early == 2:
        b = c.m.mul(alpha, b)
    left, right = np.moveaxis(a, -1, 0)[..., None], np.moveaxis(b, -2, 0)[..., None, :]
    bias = aligned(c.arg(2), alpha)[0] if c.has(2) and beta.item() != 0.0 else None
    if bias is not None and beta.item() != 1.0:
        if scaled and early == 0 and c.m.variant(2):
            return c.m.multiply_add(beta, bias, c.m.mul(alpha, dot(c.m, left, right)))
        bias = c.m.mul(beta, bias)
    if scaled and early == 0:
        found = dot(c.m, left, right)
        return c.m.mul(alpha, found) if bias is None else c.m.multiply_add(alpha, found, bias)
    return with_bias(c, left, right, bias)


def _pads(c: Call, sizes: Sequence[int], spans: Sequence[int], strides: Sequence[int]) -> list[int]:
    """What is added before every axis, then what after, for windows that span so much."""
    given, auto = c.get("pads"), c.get("auto_pad", b"NOTSET").decode()
    if auto == "NOTSET":
        return list(given) if given else [0] * (2 * len(sizes))
    if auto == "VALID":
        return [0] * (2 * len(sizes))
    both = [
        max(0, (-(-n // by) - 1) * by + span - n) for n, span, by in zip(sizes, spans, strides, strict=True)
    ]
    less = [n // 2 for n in both]
    more = [n - n // 2 for n in both]
    return less + more if auto == "SAME_UPPER" else more + less


def _windows(c: Call, x: Array, kernel: Sequence[int], fill: float) -> Array:
    """What each window sees: (P, B, C, places..., kernel...) of x (P, B, C, sizes...)."""
    axes = len(kernel)
    strides, dilations = c.get("strides") or [1] * axes, c.get("dilations") or [1] * axes
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    pads = _pads(c, x.shape[3:], spans, strides)
    around = [(0, 0)] * 3 + [(pads[k], pads[k + axes]) for k in range(axes)]
    x = np.pad(x, around, constant_values=fill) if any(pads) else x
    seen = sliding_window_view(x, spans, axis=tuple(range(3, 3 + axes)))
    steps = [slice(None)] * 3 + [slice(None, None, by) for by in (*strides, *dilations)]
    return seen[tuple(steps)]


def _conv(c: Call) -> Array:
    x, weight = c.arg(0), c.arg(1)
    if weight.shape[0] != 1:
        raise NotEmulated("Conv with a kernel that depends on the input")
    axes, groups = x.ndim - 3, c.get("group", 1)
    seen = _windows(c, x, weight.shape[3:], 0.0)
    # terms first: channel, then the places of the kernel
    seen = np.moveaxis(seen, (2, *range(-axes, 0)), range(1 + axes))
    each, made = weight.shape[2], weight.shape[1] // groups
    parts = []
    for g in range(groups):
        left = np.ascontiguousarray(seen[g * each : (g + 1) * each])
        left = left.reshape(-1, *left.shape[1 + axes : 3 + axes], 1, *left.shape[3 + axes :])
        kernels = weight[0, g * made : (g + 1) * made].reshape(made, -1).T
        right = kernels.reshape(kernels.shape[0], 1, 1, made, *(1,) * axes)
        bias = c.arg(2)[:, g * made : (g + 1) * made].reshape(1, 1, made, *(1,) * axes) if c.has(2) else None
        parts.append(with_bias(c, left, right, bias))
    return np.concatenate(parts, axis=2)


def mean(c: Call, terms: Array) -> Array:
    """The mean of terms (K, P, ...): their sum over the count, or times its reciprocal."""
    return shared(c, total(c.m, terms), constant(len(terms)))


def shared(c: Call, summed: Array, number: Array) -> Array:
    """A sum over the number of its terms, or times the reciprocal."""
    summed, number = aligned(summed, number)
    if c.m.variant(2) == 0:
        return c.m.div(summed, number)
    return c.m.mul(summed, c.m.div(np.ones_like(number), number))


def _pooled(c: Call, fill: float) -> Array:
    c.refuse(ceil_mode=0, storage_order=0)
    axes = c.arg(0).ndim - 3
    seen = _windows(c, c.arg(0), c.get("kernel_shape"), fill)
    return seen.reshape(*seen.shape[:-axes], -1)


def _max_pool(c: Call) -> Array:
    found: Array = _pooled(c, -np.inf).max(axis=-1)
    return found


def _average_pool(c: Call) -> Array:
    terms = np.moveaxis(_pooled(c, 0.0), -1, 0)
    if c.get("count_include_pad", 0):
        return mean(c, terms)
    ones = Call(c.m, c.kind, [np.ones((1, 1, 1, *c.arg(0).shape[3:]), np.float32)], c.attributes)
    return shared(c, total(c.m, terms), _pooled(ones, 0.0).sum(axis=-1))


def _global_average_pool(c: Call) -> Array:
    return _reduced(c, mean, list(range(3, c.arg(0).ndim)), True)


def front(x: Array, axes: Sequence[int]) -> Array:
    """The numbers along the axes as the first axis: (K, P, ...)."""
    moved = np.moveaxis(x, axes, range(len(axes)))
    return moved.reshape(-1, *moved.shape[len(axes) :])


def _plain(c: Call, terms: Array) -> Array:
    return total(c.m, terms)


def _squares(c: Call, terms: Array) -> Array:
    return dot(c.m, terms, terms)


def _norm(c: Call, terms: Array) -> Array:
    return c.m.sqrt(_squares(c, terms))


def _largest(c: Call, terms: Array) -> Array:
    del c
    return np.asarray(terms.max(axis=0))


def _least(c: Call, terms: Array) -> Array:
    del c
    return np.asarray(terms.min(axis=0))


def _reduced(c: Call, fn: Reduction, axes: list[int], keep: bool) -> Array:
    done = fn(c, front(c.arg(0), axes))
    return np.expand_dims(done, tuple(axes)) if keep else done


def reduction(fn: Reduction) -> Rule:
    """The rule of an operator that makes one number of all those along its axes."""

    def rule(c: Call) -> Array:
        x, axes = c.arg(0), c.integers(1, "axes")
        if not axes and c.get("noop_with_empty_axes", 0):
            raise NotEmulated(f"{c.kind} with noop_with_empty_axes")
        where = sorted(places(axes or range(x.ndim - 1), x.ndim - 1))
        return _reduced(c, fn, where, bool(c.get("keepdims", 1)))

    return rule


LAYERS: dict[str, Rule] = {
    "MatMul": _matmul,
    "Gemm": _gemm,
    "Conv": _conv,
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
    "GlobalAveragePool": _global_average_pool,
    "ReduceSum": reduction(_plain),
    "ReduceMean": reduction(mean),
    "ReduceSumSquare": reduction(_squares),
    "ReduceL2": reduction(_norm),
    "ReduceMax": reduction(_largest),
    "ReduceMin": reduction(_least),
}
