"""Gather and scatter with constant indices, and what else picks entries by number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import TensorProto, helper

from genbab.network import Adjoint, Identity, LinearMap
from genbab.reader.lower.moving.movement import move
from genbab.reader.lower.moving.scattering import scattered, scattered_along
from genbab.reader.lower.table import Move, lowering, moves
from genbab.reader.tensors import elements
from genbab.reader.tensors.arithmetic import add, maximum, minimum, multiply
from genbab.reader.tensors.arrange import arrange
from genbab.reader.tensors.builder import Builder, index_map
from genbab.reader.tensors.values import (
    Array,
    Masked,
    Op,
    Refused,
    Value,
    Var,
    constant,
    count,
    element,
    needed,
    positive_axis,
    room,
)


@moves("Gather")
def _gather(op: Op, a: list[Any]) -> Array:
    axis = positive_axis(op.integer("axis", 0), a[0].ndim)
    return np.asarray(np.take(a[0], a[1].astype(np.int64), axis=axis))


def _along(op: Op, index: Array, shape: tuple[int, ...]) -> tuple[Array, ...]:
    """Where the entries of `index` point to, along one axis of a tensor of this shape."""
    axis = positive_axis(op.integer("axis", 0), len(shape))
    grid: list[Array] = list(np.indices(index.shape))
    grid[axis] = np.where(index < 0, index + shape[axis], index).astype(np.int64)
    return tuple(grid)


@moves("GatherElements")
def _gather_elements(op: Op, a: list[Any]) -> Array:
    return np.asarray(a[0][_along(op, a[1], a[0].shape)])


@moves("GatherND")
def _gather_nd(op: Op, a: list[Any]) -> Array:
    batch = op.integer("batch_dims", 0)
    index = a[1].astype(np.int64)
    lead: Any = np.indices(index.shape[:-1])[:batch] if batch else []
    return np.asarray(a[0][(*lead, *np.moveaxis(index, -1, 0))])


@moves("TensorScatter", data=(0, 1))
def _tensor_scatter(op: Op, a: list[Any]) -> Array:
    """The cache with the update along the axis from where each batch's index says, around its end or not."""
    axis = positive_axis(op.integer("axis", -2), a[0].ndim)
    start = a[2] if len(a) > 2 and a[2] is not None else np.zeros(a[0].shape[0], np.int64)
    out, length, new = np.moveaxis(np.array(a[0]), axis, 1), a[0].shape[axis], np.moveaxis(a[1], axis, 1)
    for row, (first, part) in enumerate(zip(start.ravel().astype(int), new, strict=True)):
        at = first + np.arange(len(part))
        out[row, at % length if op.text("mode", "linear") == "circular" else at] = part
    return np.moveaxis(out, 1, axis)


@moves("Compress")
def _compress(op: Op, a: list[Any]) -> Array:
    axis = op.attributes.get("axis")
    return np.asarray(np.compress(a[1].astype(bool), a[0], None if axis is None else int(axis)))


@moves("ReverseSequence")
def _reverse_sequence(op: Op, a: list[Any]) -> Array:
    batch, time = op.integer("batch_axis", 1), op.integer("time_axis", 0)
    x = np.moveaxis(a[0], (batch, time), (0, 1))
    rows = [np.concatenate([row[:n][::-1], row[n:]]) for row, n in zip(x, a[1].ravel(), strict=True)]
    return np.moveaxis(np.stack(rows), (0, 1), (batch, time))


def _targets(op: Op, index: Array, shape: tuple[int, ...]) -> Array:
    """Per entry of the updates, flat, the flat entry of the data that it meets."""
    places = np.arange(count(shape)).reshape(shape)
    if op.kind == "ScatterND":
        return np.asarray(places[tuple(np.moveaxis(index.astype(np.int64), -1, 0))]).reshape(-1)
    return np.asarray(places[_along(op, index, shape)]).reshape(-1)


def _written(op: Op, a: list[Any]) -> Array:
    """The data with the updates in the places of the old entries."""
    out = np.array(a[0])
    out.reshape(-1)[_targets(op, a[1], out.shape)] = a[2].reshape(-1)
    return out


REDUCTIONS: dict[str, Callable[[Builder, Value, Value], Value]] = {
    "add": add,
    "mul": multiply,
    "max": maximum,
    "min": minimum,
}
"""What becomes of an old entry and an update."""

LOGICAL = {"add": "max", "mul": "min"}
"""The sum of truth values is true where one of them is, their product where both are."""


@lowering(
    "ScatterND",
    "ScatterElements",
    "Scatter",
    how="affine: numbers are moved, or added; products, maxima and minima of the entries that are met",
)
def _scatter(b: Builder, op: Op, inputs: list[Value | None]) -> Value | list[Value]:
    data, updates = needed(inputs, 0), needed(inputs, 2)
    reduction = op.text("reduction", "none")
    if element(data) == elements.BOOL:
        reduction = LOGICAL.get(reduction, reduction)
    places = needed(inputs, 1)
    if isinstance(places, Var) and op.kind == "ScatterND" and reduction == "none":
        return scattered(b, data, places, updates)
    if isinstance(places, Var) and op.kind != "ScatterND" and reduction in ("none", "add"):
        axis = positive_axis(op.integer("axis", 0), len(data.shape))
        return scattered_along(b, (data, places, updates), axis, reduction == "add")
    index = constant(places, "its indices")
    assert index is not None
    if reduction == "none":
        return [v for v in move(b, op, Move(_written, (0, 2)), inputs) if isinstance(v, Var | np.ndarray)]
    if reduction not in REDUCTIONS:
        raise Refused(f"scattering with the reduction '{reduction}'")
    targets = _targets(op, index, tuple(data.shape))
    if reduction != "add":
        return _reduced(b, REDUCTIONS[reduction], data, targets, updates)
    if not isinstance(updates, Var):
        added = np.zeros(data.shape)
        np.add.at(added.reshape(-1), targets, updates.reshape(-1).astype(np.float64))
        return add(b, data, added)
    moved = Adjoint(index_map(targets, data.size))
    terms: list[tuple[int, LinearMap]] = [(updates.node, moved)]
    if isinstance(data, Var):
        return b.affine(data.shape, [(data.node, Identity(data.size)), *terms])
    return b.affine(data.shape, terms, data.astype(np.float64))


def _reduced(
    b: Builder,
    combined: Callable[[Builder, Value, Value], Value],
    data: Value,
    targets: Array,
    updates: Value,
) -> Value:
    """The data with every update taken in, those of one entry one after the other."""
    order = np.argsort(targets, kind="stable")
    places, begin = np.unique(targets[order], return_index=True)
    turn = np.empty(targets.size, dtype=np.int64)
    turn[order] = np.arange(targets.size) - np.repeat(begin, np.diff([*begin, targets.size]))
    kept = b.gather(data, places)
    for k in range(int(turn.max(initial=-1)) + 1):
        updating = np.flatnonzero(turn == k)
        met = np.searchsorted(places, targets[updating])
        made = combined(b, b.gather(kept, met), b.gather(updates, updating))
        kept = _put(b, kept, met, made)
    return _put(b, data, places, kept)


def _put(b: Builder, data: Value, places: Array, values: Value) -> Value:
    """The data with these values in the flat places."""

    def written(parts: list[Array]) -> list[Array]:
        out = np.array(parts[0])
        out.reshape(-1)[places] = parts[1].reshape(-1)
        return [out]

    made = arrange(b, [data, values], written)[0]
    assert not isinstance(made, Masked)
    return made


@lowering("EyeLike", how="a constant: it depends on the shape only")
def _eye_like(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    rows, columns = needed(inputs, 0).shape
    room((rows, columns))
    kind = helper.tensor_dtype_to_np_dtype(op.integer("dtype", TensorProto.FLOAT))
    return np.eye(rows, columns, op.integer("k", 0), dtype=kind)
