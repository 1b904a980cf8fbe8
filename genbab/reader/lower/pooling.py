"""Pooling: averages are affine, maxima are a balanced tree of max(a, b) = a + relu(b - a)."""

from __future__ import annotations

import numpy as np
import torch

from genbab.network import Adjoint, Compose, Conv, Diagonal, Index
from genbab.reader.builder import Builder
from genbab.reader.functions import function
from genbab.reader.lower.table import lowering
from genbab.reader.lower.windows import Windows, windows
from genbab.reader.values import Array, Op, Refused, Value, Var, count, needed


def tree_max(b: Builder, x: Var, groups: Array, shape: tuple[int, ...]) -> Var:
    """A tensor of this shape: entry g is the largest x.ravel()[groups[g, k]] over k; every index must be >=
    0.
    """
    columns = groups
    value = x
    while columns.shape[1] > 1:
        half = columns.shape[1] // 2
        left, right, rest = columns[:, :half], columns[:, half : 2 * half], columns[:, 2 * half :]
        pairs = b.affine(
            left.shape,
            [
                (value.node, _index(right, value.size)),
                (value.node, Compose((_index(left, value.size), _minus(left.size)))),
            ],
        )
        gain = b.nonlinear(function("relu"), pairs)
        places = np.concatenate([np.arange(left.size).reshape(left.shape), np.full(rest.shape, -1)], axis=1)
        kept = np.concatenate([left, rest], axis=1)
        value = b.affine(
            kept.shape, [(value.node, _index(kept, value.size)), (gain.node, _index(places, gain.size))]
        )
        columns = np.arange(kept.size).reshape(kept.shape)
    chosen = b.gather(value, columns.reshape(shape))
    assert isinstance(chosen, Var)
    return chosen


def _index(index: Array, size: int) -> Index:
    return Index(torch.from_numpy(np.ascontiguousarray(index.reshape(-1), dtype=np.int64)), size)


def _minus(size: int) -> Diagonal:
    return Diagonal(torch.full((size,), -1.0, dtype=torch.float64))


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


@lowering("MaxPool")
def _max_pool(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    x = _image(inputs)
    w = windows(op, x.shape[2:], _kernel(op))
    entries = w.entries(count(x.shape[:2]))
    if (entries < 0).all(axis=1).any():
        raise Refused("a window that lies in the padding altogether")
    real = entries.max(axis=1, keepdims=True)  # an entry of the window stands in for its padding
    return tree_max(b, x, np.where(entries < 0, real, entries), (*x.shape[:2], *w.number))


@lowering("AveragePool")
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
        return b.affine(shape, [(x.node, Conv(weight, *sizes, w.strides, w.before, w.dilations, channels))])
    entries = w.entries(channels)
    share = 1.0 / np.tile(_counted(w, padded), channels)
    owner = _index(np.repeat(np.arange(len(entries)), entries.shape[1]), len(entries))
    made = Compose((_index(entries, x.size), Adjoint(owner), Diagonal(torch.from_numpy(share))))
    return b.affine(shape, [(x.node, made)])


def _counted(w: Windows, padded: bool) -> Array:
    """Per window, how many entries the average is taken over: those in the image, or in the image with its
    padding.
    """
    total = np.ones((1,))
    for axis, at in enumerate(w.positions()):
        low = -w.before[axis] if padded else 0
        high = w.size[axis] + (w.after[axis] if padded else 0)
        inside = ((at >= low) & (at < high)).sum(axis=1)
        total = (total[:, None] * inside[None, :]).reshape(-1)
    return total
