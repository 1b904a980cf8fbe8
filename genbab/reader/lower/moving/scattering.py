"""Scattering at places that depend on the input: every entry of the data asks whether it is meant."""

from __future__ import annotations

import numpy as np

from genbab.network import Identity, Index
from genbab.reader.lower.moving.picking import along, place_hits
from genbab.reader.lower.numbers.comparison import equal
from genbab.reader.tensors.arithmetic import combine, multiply, sum_groups
from genbab.reader.tensors.builder import Builder
from genbab.reader.tensors.spans import entries
from genbab.reader.tensors.values import Array, Refused, Value, Var, count

PAIRS = 1 << 20
"""The most pairs of an update and an entry that it may meet."""


def scattered(b: Builder, data: Value, index: Var, updates: Value) -> Value:
    """data + Σ hit · (update - data), over the pairs of an update and an entry that it may meet."""
    depth = index.shape[-1]
    rows = index.size // max(depth, 1)
    low, high = (end.numpy().reshape(rows, depth) for end in entries(b, index.reshaped((rows, depth))))
    heads = np.array(data.shape[:depth])
    if not (low >= 0).all() or not (high < heads).all():
        raise Refused("indices that depend on the network's input and may be negative or too large")
    fixed = (low == high).all(0)
    if rows > 1 and len(np.unique(low[:, fixed], axis=0)) < rows:
        raise Refused("indices that depend on the network's input, so that two may be equal")
    hit, row, place = _pairs(
        b, index.reshaped((rows, depth)), low.astype(np.int64), high.astype(np.int64), heads
    )
    tail = count(data.shape[depth:])
    inner = np.arange(tail)
    at = (place[:, None] * tail + inner).reshape(-1)
    new = b.gather(updates, (row[:, None] * tail + inner).reshape(-1))
    change = multiply(
        b,
        b.gather(hit, np.repeat(np.arange(len(row)), tail)),
        combine(b, [(new, 1.0), (b.gather(data, at), -1.0)]),
    )
    return combine(b, [(data, 1.0), (sum_groups(b, b.variable(change), at, data.shape), 1.0)])


def _pairs(b: Builder, index: Var, low: Array, high: Array, heads: Array) -> tuple[Value, Array, Array]:
    """(1 where it is met, else 0; number of the update; number of the head of the entry) of every pair."""
    sizes = high.max(0) - low.min(0) + 1
    if len(low) * int(np.prod(sizes.astype(float))) > PAIRS:
        raise Refused(f"more than {PAIRS} pairs of an update and an entry that it may meet")
    first = low.min(0)
    same = _first_equal(b, index)
    groups, group = np.unique(same, axis=0, return_inverse=True)
    grid = np.indices(sizes).reshape(len(sizes), -1)
    hit: Value = np.ones((len(groups), grid.shape[1]))
    for k in range(len(sizes)):
        entry = groups[:, k]
        column = b.gather(index, entry.reshape(-1, 1))
        asked = equal(b, column, first[k] + np.arange(sizes[k]))
        numbers = np.arange(len(groups))[:, None] * sizes[k] + grid[k]
        part = b.gather(asked, numbers)
        hit = multiply(b, hit, part)
    row, cell = np.indices((len(low), grid.shape[1])).reshape(2, -1)
    place = np.ravel_multi_index(tuple(first[:, None] + grid[:, cell]), tuple(heads))
    return b.gather(hit, np.reshape(group, -1)[row] * grid.shape[1] + cell), row, place


def _first_equal(b: Builder, index: Var) -> Array:
    """Per entry the first of those in its column that are copies of the same number."""
    made = b.sums.get(index.node)
    if made is None or not all(isinstance(one, Index | Identity) for _, one in made.terms):
        return np.arange(index.size).reshape(index.shape)
    parts = [made.bias.numpy()]
    for _, one in made.terms:
        parts.append(one.index.numpy() if isinstance(one, Index) else np.arange(one.in_size))
    keys = np.stack(parts, -1).reshape(*index.shape, -1)
    found = np.empty(index.shape, dtype=np.int64)
    for k in range(index.shape[1]):
        _, start, number = np.unique(keys[:, k], axis=0, return_index=True, return_inverse=True)
        found[:, k] = (start * index.shape[1] + k)[np.reshape(number, -1)]
    return found


def scattered_along(b: Builder, given: tuple[Value, Var, Value], axis: int, adding: bool) -> Value:
    """ScatterElements of (data, index, updates): data + Σ hit · (update - data), or + Σ hit · update.

    Unless it is added, no two updates may meet one entry: they are one per line, or known to differ.
    """
    data, index, updates = given
    if not adding and index.shape[axis] > 1 and b.distinct.get(index.node) != axis:
        raise Refused("indices that depend on the network's input, so that two may be equal")
    rows = along(tuple(data.shape), index.shape, axis)
    if rows.size > PAIRS:
        raise Refused(f"more than {PAIRS} pairs of an update and an entry that it may meet")
    met = place_hits(b, index, rows.shape[1])
    each = np.repeat(np.arange(index.size), rows.shape[1])
    new: Value = b.gather(updates, each)
    if not adding:
        new = combine(b, [(new, 1.0), (b.gather(data, rows.reshape(-1)), -1.0)])
    change = multiply(b, met.reshaped((met.size,)) if isinstance(met, Var) else met.reshape(-1), new)
    return combine(b, [(data, 1.0), (sum_groups(b, b.variable(change), rows.reshape(-1), data.shape), 1.0)])
