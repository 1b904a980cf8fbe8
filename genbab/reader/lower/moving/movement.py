"""Operators that only move numbers.

Each is one numpy function, run on the values of constants or on entry numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from genbab.reader.lower.table import Move, lowering, moves
from genbab.reader.tensors.arrange import arrange
from genbab.reader.tensors.builder import Builder
from genbab.reader.tensors.values import (
    Array,
    Masked,
    Op,
    Refused,
    Value,
    Var,
    constant,
    given,
    needed,
    positive_axis,
    room,
    scalar,
)


def move(b: Builder, op: Op, rule: Move, inputs: Sequence[Value | Masked | None]) -> list[Value | Masked]:
    """The outputs of a moving operator.

    On variables it is run on numbers that name their entries (0: a zero).
    """
    positions = range(len(inputs)) if rule.data is None else rule.data
    sources = [p for p in positions if p < len(inputs) and inputs[p] is not None]
    for p, value in enumerate(inputs):
        if isinstance(value, Var | Masked) and p not in sources:
            raise Refused(f"its input {p} depends on the network's input")

    def moved(parts: list[Any]) -> list[Any]:
        given: list[Any] = list(inputs)
        for p, part in zip(sources, parts, strict=True):
            given[p] = part
        out = rule.function(op, given)
        return out if isinstance(out, list) else [out]

    return arrange(b, [value for p in sources if (value := inputs[p]) is not None], moved)


@moves("Identity")
def _same(op: Op, a: list[Any]) -> Array:
    return np.asarray(a[0])


@lowering("Dropout", how="affine: numbers are moved; its mask is a constant")
def _dropout(b: Builder, op: Op, inputs: list[Value | None]) -> list[Value]:
    """The same numbers, and a mask of ones: in training mode only if nothing is dropped."""
    training = constant(given(inputs, 2), "its mode")
    if training is not None and bool(training.any()) and scalar(given(inputs, 1), "its ratio", 0.5) != 0.0:
        raise Refused("training mode, whose output is random")
    x = needed(inputs, 0)
    return [x, np.ones(x.shape, dtype=np.bool_)]


@moves("Reshape")
def _reshape(op: Op, a: list[Any]) -> Array:
    wanted = [int(n) for n in (a[1].ravel() if len(a) > 1 else op.integers("shape") or [])]
    if not op.integer("allowzero", 0):
        wanted = [a[0].shape[i] if n == 0 else n for i, n in enumerate(wanted)]
    return np.asarray(a[0].reshape(wanted))


@moves("Flatten")
def _flatten(op: Op, a: list[Any]) -> Array:
    axis = op.integer("axis", 1)
    axis = axis + a[0].ndim if axis < 0 else axis
    return np.asarray(a[0].reshape(int(np.prod(a[0].shape[:axis])), -1))


def _axes(op: Op, a: list[Any]) -> list[int] | None:
    """The attribute `axes` of older opsets, or input 1."""
    if len(a) > 1 and a[1] is not None:
        return [int(n) for n in a[1].ravel()]
    return op.integers("axes")


@moves("Squeeze")
def _squeeze(op: Op, a: list[Any]) -> Array:
    axes = _axes(op, a)
    return np.asarray(np.squeeze(a[0], None if axes is None else tuple(axes)))


@moves("Unsqueeze")
def _unsqueeze(op: Op, a: list[Any]) -> Array:
    return np.asarray(np.expand_dims(a[0], tuple(_axes(op, a) or [])))


@moves("Transpose")
def _transpose(op: Op, a: list[Any]) -> Array:
    return np.asarray(np.transpose(a[0], op.integers("perm")))


@moves("Expand")
def _expand(op: Op, a: list[Any]) -> Array:
    shape = np.broadcast_shapes(a[0].shape, tuple(int(n) for n in a[1]))
    room(shape)
    return np.asarray(np.broadcast_to(a[0], shape))


@moves("Tile")
def _tile(op: Op, a: list[Any]) -> Array:
    times = tuple(int(n) for n in a[1])
    room((a[0].size, *times))
    return np.asarray(np.tile(a[0], times))


@moves("Slice")
def _slice(op: Op, a: list[Any]) -> Array:
    if op.opset < 10:
        starts, ends, axes = op.integers("starts") or [], op.integers("ends") or [], op.integers("axes")
        steps = None
    else:
        lists = [None if i >= len(a) or a[i] is None else [int(n) for n in a[i].ravel()] for i in range(1, 5)]
        starts, ends, axes, steps = lists[0] or [], lists[1] or [], lists[2], lists[3]
    cut = [slice(None)] * a[0].ndim
    for i, (start, end) in enumerate(zip(starts, ends, strict=True)):
        axis = positive_axis(axes[i] if axes is not None else i, a[0].ndim)
        cut[axis] = _slice_of(start, end, steps[i] if steps is not None else 1, a[0].shape[axis])
    return np.asarray(a[0][tuple(cut)])


def _slice_of(start: int, end: int, step: int, size: int) -> slice:
    """The Python slice that means what ONNX means: an end before the first entry stays there."""
    start = start + size if start < 0 else start
    end = end + size if end < 0 else end
    if step > 0:
        return slice(max(start, 0), max(end, 0), step)
    return slice(min(max(start, 0), size - 1), None if end < 0 else end, step)


@moves("Concat", data=None)
def _concat(op: Op, a: list[Any]) -> Array:
    room((sum(part.size for part in a),))
    return np.asarray(np.concatenate(a, axis=op.integer("axis", 1)))


@moves("Split")
def _split(op: Op, a: list[Any]) -> list[Array]:
    axis = positive_axis(op.integer("axis", 0), a[0].ndim)
    sizes = [int(n) for n in a[1].ravel()] if len(a) > 1 and a[1] is not None else op.integers("split")
    if sizes is None:
        parts = op.integer("num_outputs", len(op.node.output))
        if not 0 < parts <= a[0].shape[axis]:
            raise ValueError(f"{parts} parts of an axis of {a[0].shape[axis]}")
        step = -(-a[0].shape[axis] // parts)
        sizes = [step] * (parts - 1) + [a[0].shape[axis] - step * (parts - 1)]
    if sum(sizes) != a[0].shape[axis]:
        raise ValueError(f"parts of {sizes} do not add up to axis {axis} of shape {a[0].shape}")
    return list(np.split(a[0], np.cumsum(sizes)[:-1], axis=axis))


@moves("Where", data=(1, 2))
def _where(op: Op, a: list[Any]) -> Array:
    return np.asarray(np.where(a[0].astype(bool), a[1], a[2]))


@moves("Trilu")
def _trilu(op: Op, a: list[Any]) -> Array:
    k = int(a[1].item()) if len(a) > 1 and a[1] is not None else 0
    return np.asarray(np.triu(a[0], k) if op.integer("upper", 1) else np.tril(a[0], k))
