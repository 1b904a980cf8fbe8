"""Operators that only move numbers: each is one numpy function, run on the values of constants or on entry
numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from genbab.network import Index, LinearMap
from genbab.reader.builder import Builder
from genbab.reader.lower.table import Move, moves
from genbab.reader.values import Array, Op, Refused, Value, Var, positive_axis


def move(b: Builder, op: Op, rule: Move, inputs: list[Value | None]) -> list[Value]:
    """The outputs of a moving operator: on variables it is run on numbers that name their entries (0: a
    zero).
    """
    positions = range(len(inputs)) if rule.data is None else rule.data
    sources = [p for p in positions if p < len(inputs) and inputs[p] is not None]
    if not any(isinstance(inputs[p], Var) for p in sources):
        return [np.asarray(a) for a in _listed(rule.function(op, _checked(op, inputs, sources)))]
    start = 1
    codes: list[Any] = list(_checked(op, inputs, sources))
    ranges: list[tuple[Value, int]] = []
    for p in sources:
        value = inputs[p]
        assert value is not None
        codes[p] = np.arange(start, start + value.size, dtype=np.int64).reshape(value.shape)
        ranges.append((value, start))
        start += value.size
    return [_decoded(b, np.asarray(out), ranges) for out in _listed(rule.function(op, codes))]


def _checked(op: Op, inputs: list[Value | None], sources: list[int]) -> list[Any]:
    for p, value in enumerate(inputs):
        if isinstance(value, Var) and p not in sources:
            raise Refused(f"its input {p} depends on the network's input")
    return list(inputs)


def _listed(out: Any) -> list[Any]:
    return out if isinstance(out, list) else [out]


def _decoded(b: Builder, codes: Array, ranges: list[tuple[Value, int]]) -> Value:
    """The tensor whose entries these numbers name."""
    bias = np.zeros(codes.shape)
    picked: list[tuple[Var, Array]] = []
    for value, start in ranges:
        inside = (codes >= start) & (codes < start + value.size)
        if not inside.any():
            continue
        local = np.where(inside, codes - start, -1)
        if isinstance(value, Var):
            picked.append((value, local))
        else:
            bias[inside] = value.reshape(-1)[local[inside]]
    if not picked:
        return bias
    if len(picked) == 1 and not bias.any():
        return b.gather(*picked[0])
    if not np.isfinite(bias).all():
        raise Refused("it puts in a constant that is not a finite number")
    terms: list[tuple[int, LinearMap]] = []
    for var, local in picked:
        index = torch.from_numpy(np.ascontiguousarray(local.reshape(-1), dtype=np.int64))
        terms.append((var.node, Index(index, var.size)))
    made = b.affine(codes.shape, terms, bias)
    return Var(made.node, made.shape, all(var.boolean for var, _ in picked))


@moves("Identity", "Dropout")
def _same(op: Op, a: list[Any]) -> Array:
    if op.kind == "Dropout" and len(a) > 2 and a[2] is not None and bool(np.any(a[2])):
        raise Refused("training mode")
    return np.asarray(a[0])


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
    return np.asarray(np.broadcast_to(a[0], shape))


@moves("Tile")
def _tile(op: Op, a: list[Any]) -> Array:
    return np.asarray(np.tile(a[0], tuple(int(n) for n in a[1])))


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


@moves("Gather")
def _gather(op: Op, a: list[Any]) -> Array:
    axis = positive_axis(op.integer("axis", 0), a[0].ndim)
    return np.asarray(np.take(a[0], a[1].astype(np.int64), axis=axis))


@moves("GatherElements")
def _gather_elements(op: Op, a: list[Any]) -> Array:
    axis = positive_axis(op.integer("axis", 0), a[0].ndim)
    index = np.where(a[1] < 0, a[1] + a[0].shape[axis], a[1]).astype(np.int64)
    grid = list(np.indices(index.shape))
    grid[axis] = index
    return np.asarray(a[0][tuple(grid)])


@moves("GatherND")
def _gather_nd(op: Op, a: list[Any]) -> Array:
    batch = op.integer("batch_dims", 0)
    index = a[1].astype(np.int64)
    lead: Any = np.indices(index.shape[:-1])[:batch] if batch else []
    return np.asarray(a[0][(*lead, *np.moveaxis(index, -1, 0))])


@moves("ScatterND", data=(0, 2))
def _scatter_nd(op: Op, a: list[Any]) -> Array:
    if op.text("reduction", "none") != "none":
        raise Refused("scattering with a reduction")
    out = np.array(a[0])
    out[tuple(np.moveaxis(a[1].astype(np.int64), -1, 0))] = a[2]
    return out


@moves("ScatterElements", data=(0, 2))
def _scatter_elements(op: Op, a: list[Any]) -> Array:
    if op.text("reduction", "none") != "none":
        raise Refused("scattering with a reduction")
    axis = positive_axis(op.integer("axis", 0), a[0].ndim)
    grid = list(np.indices(a[1].shape))
    grid[axis] = np.where(a[1] < 0, a[1] + a[0].shape[axis], a[1]).astype(np.int64)
    out = np.array(a[0])
    out[tuple(grid)] = a[2]
    return out


@moves("Concat", data=None)
def _concat(op: Op, a: list[Any]) -> Array:
    return np.asarray(np.concatenate(a, axis=op.integer("axis", 1)))


@moves("Split")
def _split(op: Op, a: list[Any]) -> list[Array]:
    axis = positive_axis(op.integer("axis", 0), a[0].ndim)
    sizes = [int(n) for n in a[1].ravel()] if len(a) > 1 and a[1] is not None else op.integers("split")
    if sizes is None:
        parts = op.integer("num_outputs", len(op.node.output))
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


@moves("DepthToSpace")
def _depth_to_space(op: Op, a: list[Any]) -> Array:
    n, c, h, w = a[0].shape
    s = op.integer("blocksize", 1)
    if op.text("mode", "DCR") == "DCR":
        return np.asarray(
            a[0].reshape(n, s, s, c // s**2, h, w).transpose(0, 3, 4, 1, 5, 2).reshape(n, -1, h * s, w * s)
        )
    return np.asarray(
        a[0].reshape(n, c // s**2, s, s, h, w).transpose(0, 1, 4, 2, 5, 3).reshape(n, -1, h * s, w * s)
    )


@moves("SpaceToDepth")
def _space_to_depth(op: Op, a: list[Any]) -> Array:
    n, c, h, w = a[0].shape
    s = op.integer("blocksize", 1)
    blocks = a[0].reshape(n, c, h // s, s, w // s, s).transpose(0, 3, 5, 1, 2, 4)
    return np.asarray(blocks.reshape(n, c * s * s, h // s, w // s))
