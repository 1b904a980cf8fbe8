"""Pooling: averages are affine, maxima a balanced tree of max(a, b) = a + relu(b - a), norms sums."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from genbab.network import Adjoint, Compose, Conv, Identity
from genbab.network.uncertainty import Uncertainty
from genbab.reader.lower.layers.windows import Windows, windows
from genbab.reader.lower.moving.joining import concatenated
from genbab.reader.lower.numbers.argmax import winners
from genbab.reader.lower.numbers.maxima import tree_max
from genbab.reader.lower.numbers.reductions import maxima, reduce_mean, reduce_sum
from genbab.reader.lower.table import lowering
from genbab.reader.tensors import elements
from genbab.reader.tensors.arithmetic import apply, divide, raised, scale
from genbab.reader.tensors.builder import Builder, index_map
from genbab.reader.tensors.exact import of_reciprocal
from genbab.reader.tensors.values import (
    Array,
    Op,
    Refused,
    Value,
    Var,
    constant,
    count,
    given,
    known_integers,
    needed,
    room,
)


def _image(inputs: list[Value | None]) -> Var:
    x = needed(inputs, 0)
    if not isinstance(x, Var):
        raise Refused("pooling of a constant")
    return x


def _kernel(op: Op) -> tuple[int, ...]:
    kernel = op.integers("kernel_shape")
    if kernel is None:
        raise ValueError("kernel_shape is missing")
    return tuple(kernel)


@lowering("MaxPool", how="balanced tree of max(a, b) = a + relu(b - a); places as ArgMax has them")
def _max_pool(b: Builder, op: Op, inputs: list[Value | None]) -> list[Value]:
    x = _image(inputs)
    made = max_pool(b, op, x, None)
    wanted = len(op.node.output) > 1 and bool(op.node.output[1])
    return [made, _pooled_places(b, op, x)] if wanted else [made]


def _pooled_places(b: Builder, op: Op, x: Var) -> Value:
    """The number of the largest entry of each window in the whole tensor, the first of equal ones."""
    w = windows(op, x.shape[2:], _kernel(op))
    entries = w.entries(count(x.shape[:2]))
    number = np.arange(x.size).reshape(x.shape)
    if op.integer("storage_order", 0):
        columns = np.arange(count(w.size)).reshape(w.size[::-1]).transpose()
        number = np.arange(count(x.shape[:2])).reshape(-1, 1) * count(w.size) + columns.reshape(-1)
    sizes = (entries >= 0).sum(axis=1)
    parts: list[Value] = []
    order: list[Array] = []
    for size in np.unique(sizes):
        group = np.flatnonzero(sizes == size)
        rows = entries[group][entries[group] >= 0].reshape(len(group), size)
        parts.append(_numbered(b, winners(b, x, rows), number.reshape(-1)[rows]))
        order.append(group)
    back = np.argsort(np.concatenate(order)).reshape(*x.shape[:2], *w.number)
    made = b.variable(b.gather(concatenated(b, parts, 0), back))
    b.integral.add(made.node)
    b.known[made.node] = 0.0, x.size - 1.0
    return replace(made, element=elements.INT64)


def _numbered(b: Builder, won: Value, numbers: Array) -> Value:
    """(rows,): the number of the entry that wins."""
    weighted = b.variable(scale(b, won, numbers.astype(np.float64)))
    return reduce_sum(b, weighted, [1], keep=False)


@lowering("MaxUnpool", how="affine: numbers are moved")
def _unpooled(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    """Zeros with the entries in constant places of the image that pooling took them from."""
    x, places = _image(inputs), constant(needed(inputs, 1), "its places")
    assert places is not None
    kernel, rank = _kernel(op), len(x.shape) - 2
    pads, strides = op.integers("pads") or [0] * (2 * rank), op.integers("strides") or [1] * rank
    size = [(x.shape[2 + i] - 1) * strides[i] - pads[i] - pads[rank + i] + kernel[i] for i in range(rank)]
    shape = (*x.shape[:2], *size)
    if given(inputs, 2) is not None:
        shape = tuple(known_integers(given(inputs, 2), "the shape of its output"))
    room(shape)
    at = places.reshape(-1).astype(np.int64)
    if len(np.unique(at)) < at.size or at.min(initial=0) < 0 or at.max(initial=0) >= count(shape):
        raise Refused("places that are equal, or beyond the output")
    index = np.full(count(shape), -1)
    index[at] = np.arange(at.size)
    return b.gather(x, index.reshape(shape))


def max_pool(b: Builder, op: Op, x: Var, hidden: Array | None) -> Var:
    """The largest entry of each window; entries where `hidden` is true are minus infinity, like padding."""
    w = windows(op, x.shape[2:], _kernel(op))
    entries = w.entries(count(x.shape[:2]))
    if hidden is not None:
        entries = np.where(hidden.reshape(-1)[entries], -1, entries)
    if (entries < 0).all(axis=1).any():
        raise Refused("a window that lies in the padding altogether")
    real = entries.max(axis=1, keepdims=True)  # an entry of the window stands in for its padding
    return tree_max(b, x, np.where(entries < 0, real, entries), (*x.shape[:2], *w.number))


@lowering("AveragePool", how="affine")
def _average_pool(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    x = _image(inputs)
    w = windows(op, x.shape[2:], _kernel(op))
    channels = count(x.shape[:2])
    shape = (*x.shape[:2], *w.number)
    padded = bool(op.integer("count_include_pad", 0))
    plain = w.symmetric and (padded or not any(w.before)) and not op.integer("ceil_mode", 0)
    if plain and 1 <= len(w.kernel) <= 3:
        weight = torch.full((channels, 1, *w.kernel), 1.0 / count(w.kernel), dtype=torch.float64)
        sizes = (channels, *w.size), (channels, *w.number)
        conv = Conv(weight, *sizes, w.strides, w.before, w.dilations, channels)
        return b.affine(shape, [(x.node, conv)], None, Uncertainty(of_reciprocal(count(w.kernel))))
    sums = window_sums(b, x, w.entries(channels), shape)
    return divide(b, sums, np.tile(_counted(w, padded), channels).reshape(shape))


@lowering("LpPool", how="root of a sum of powers")
def _lp_pool(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    x = _image(inputs)
    w = windows(op, x.shape[2:], _kernel(op))
    p = op.integer("p", 2)
    entries = w.entries(count(x.shape[:2]))
    total = window_sums(b, powers(b, x, p), entries, (*x.shape[:2], *w.number))
    return root(b, total, p)


@lowering("Col2Im", how="affine")
def _columns_to_image(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    """Each entry of the image is the sum of the entries of the windows that lie on it."""
    x = _image(inputs)
    size = known_integers(given(inputs, 1), "the shape of its image")
    kernel = known_integers(given(inputs, 2), "the shape of its blocks")
    w = windows(op, tuple(size), tuple(kernel))
    channels = x.shape[0] * (x.shape[1] // count(kernel))
    entries = w.entries(channels).reshape(channels, -1, count(kernel))
    owner = np.swapaxes(entries, 1, 2)
    made = Adjoint(index_map(owner, channels * count(size)))
    return b.affine((x.shape[0], channels // x.shape[0], *size), [(x.node, made)])


@lowering("GlobalAveragePool", how="affine")
def _global_average(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    x = _image(inputs)
    return reduce_mean(b, x, _spatial(x))


@lowering("GlobalMaxPool", how="balanced tree of max(a, b) = a + relu(b - a)")
def _global_maximum(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    x = _image(inputs)
    made = maxima(b, x, _spatial(x), keep=True)
    assert isinstance(made, Var)
    return made


@lowering("GlobalLpPool", how="root of a sum of powers")
def _global_norm(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    x, p = _image(inputs), op.integer("p", 2)
    return root(b, reduce_sum(b, powers(b, x, p), _spatial(x)), p)


def _spatial(x: Var) -> list[int]:
    return list(range(2, len(x.shape)))


def window_sums(b: Builder, x: Var, entries: Array, shape: tuple[int, ...]) -> Var:
    """A tensor of this shape: entry g is the sum of x.ravel()[entries[g, k]] over k (-1: nothing)."""
    owner = index_map(np.repeat(np.arange(len(entries)), entries.shape[1]), len(entries))
    return b.affine(shape, [(x.node, Compose((index_map(entries, x.size), Adjoint(owner))))])


def powers(b: Builder, x: Var, p: int) -> Var:
    """|x| ** p for p from 1."""
    if p < 1:
        raise Refused(f"a norm of order {p}")
    made = raised(b, x if p % 2 == 0 else apply(b, "abs", x), p)
    assert isinstance(made, Var)
    return made


def root(b: Builder, x: Var, p: int, sign: float = 1.0) -> Value:
    """x ** (sign / p), for x >= 0. Where 1 / p is rounded, x^δ near 1 is accounted for with |ln x| < 745."""
    made = raised(b, x, sign / p)
    if not of_reciprocal(p) or not isinstance(made, Var):
        return made
    rooted = b.affine(made.shape, [(made.node, Identity(made.size))], None, Uncertainty(2 + 745 // p))
    b.near.add(rooted.node)
    return rooted


def _counted(w: Windows, padded: bool) -> Array:
    """Per window, how many entries the average is taken over.

    Those in the image, or in the image with its padding.
    """
    total = np.ones((1,))
    for axis, at in enumerate(w.positions()):
        low = -w.before[axis] if padded else 0
        high = w.size[axis] + (w.after[axis] if padded else 0)
        inside = ((at >= low) & (at < high)).sum(axis=1)
        total = (total[:, None] * inside[None, :]).reshape(-1)
    return total
