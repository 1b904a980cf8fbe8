"""`ArgMax`, `ArgMin`, `Hardmax`: which entry wins, by comparing every pair.

For i < j let c_ij = 1 where x_i >= x_j, else 0, and c_ji = 1 - c_ij: among equals the first wins, as ONNX has
it. Entry i wins when it beats all K - 1 others: h_i = relu(Σ_j c_ij - (K - 2)), exactly.
"""

from __future__ import annotations

import numpy as np
import torch

from genbab.network import Adjoint, Compose, Diagonal, Index
from genbab.reader.lower.numbers.comparison import equal
from genbab.reader.lower.numbers.reductions import reduce_sum
from genbab.reader.lower.table import lowering
from genbab.reader.tensors.arithmetic import apply, clip, combine, difference, scale
from genbab.reader.tensors.builder import Builder
from genbab.reader.tensors.spans import span
from genbab.reader.tensors.values import (
    Array,
    Op,
    Refused,
    Value,
    Var,
    constant,
    known_integers,
    needed,
    positive_axis,
    room,
)

PAIRS_LIMIT = 2_000_000
"""Largest number of comparisons."""


@lowering("Hardmax", how="steps of the differences of all pairs, relu of their sums")
def _hardmax(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    x = _variable(inputs)
    axis = positive_axis(op.integer("axis", -1 if op.opset >= 13 else 1), len(x.shape))
    places = np.arange(x.size).reshape(x.shape)
    rows = np.moveaxis(places, axis, -1) if op.opset >= 13 else places.reshape(*x.shape[:axis], -1)
    flat = rows.reshape(-1, rows.shape[-1])
    back = np.empty(x.size, dtype=np.int64)
    back[flat.reshape(-1)] = np.arange(x.size)
    return b.gather(winners(b, x, flat), back.reshape(x.shape))


@lowering("ArgMax", "ArgMin", how="steps of the differences of all pairs, relu of their sums, sum, clip")
def _arg(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    x = _variable(inputs)
    axis = positive_axis(op.integer("axis", 0), len(x.shape))
    length = x.shape[axis]
    rows = np.moveaxis(np.arange(x.size).reshape(x.shape), axis, -1).reshape(-1, length)
    last = bool(op.integer("select_last_index", 0))
    won = winners(b, x, rows[:, ::-1] if last else rows, least=op.kind == "ArgMin")
    number = np.arange(length, dtype=np.float64)
    weighted = scale(b, won, number[::-1] if last else number)
    shape = list(x.shape)
    shape[axis : axis + 1] = [1] if op.integer("keepdims", 1) else []
    if not isinstance(weighted, Var):
        return np.zeros(shape, dtype=np.int64)
    total = reduce_sum(b, weighted, [1], keep=False)
    found = clip(b, total, 0.0, length - 1.0) if length > 2 else total
    assert isinstance(found, Var) and isinstance(won, Var)
    b.known[found.node] = 0.0, length - 1.0
    flipped = b.gather(won, np.arange(won.size).reshape(won.shape)[:, ::-1]) if last else won
    assert isinstance(flipped, Var)
    b.winners[found.node] = flipped
    return found.reshaped(shape)


@lowering("OneHot", how="affine of the comparisons of an ArgMax; else two steps per number")
def _one_hot(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    """off + hit · (on - off): hit of the numbers 0 to depth - 1, or -depth to -1.

    Fractions hit nothing in onnxruntime, where ONNX says that they are rounded.
    """
    index, depth = needed(inputs, 0), known_integers(needed(inputs, 1), "its depth")[0]
    values = constant(needed(inputs, 2), "its values")
    if not isinstance(index, Var) or values is None:
        raise Refused("constant indices")
    room((*index.shape, depth))
    axis = positive_axis(op.integer("axis", -1), len(index.shape) + 1)
    off, on = (float(v) for v in values.astype(np.float64).ravel())
    hit = _hits(b, index, depth)
    places = np.moveaxis(np.arange(hit.size).reshape(hit.shape), -1, axis)
    scaled = scale(b, b.gather(hit, places), on - off)
    return combine(b, [(scaled, 1.0), (np.array(off), 1.0)])


def _hits(b: Builder, index: Var, depth: int) -> Value:
    """(*index, depth): 1 where the index, counted from the end if it is negative, is the number."""
    spread = index.reshaped((*index.shape, 1))
    numbers = np.arange(depth)
    hit = equal(b, spread, numbers)
    if index.node in b.winners or span(b, index)[0] >= 0:
        return hit
    return combine(b, [(hit, 1.0), (equal(b, spread, numbers - depth), 1.0)])


def winners(b: Builder, x: Var, rows: Array, least: bool = False) -> Value:
    """(rows, K): 1 for the first of the largest (or least) of a row's entries x.ravel()[rows[r]], else 0."""
    number, length = rows.shape
    if length == 1:
        return np.ones(rows.shape)
    first, second = np.triu_indices(length, 1)
    if number * len(first) > PAIRS_LIMIT:
        raise Refused(f"{number * len(first)} comparisons; the limit is {PAIRS_LIMIT}")
    a, c = rows[:, first], rows[:, second]
    ahead = apply(b, "step", difference(b, x, c, a) if least else difference(b, x, a, c))
    assert isinstance(ahead, Var)
    owner = np.arange(number)[:, None] * length
    gains = _sum_of(owner + first, rows.size, 1.0)
    losses = _sum_of(owner + second, rows.size, -1.0)
    # an entry with k before it gets k from the constant 1 in each c_ji = 1 - c_ij
    bias = np.broadcast_to(np.arange(length) - (length - 2.0), rows.shape)
    beaten = b.affine(rows.shape, [(ahead.node, gains), (ahead.node, losses)], bias)
    return beaten if length == 2 else apply(b, "relu", beaten)


def _sum_of(groups: Array, size: int, factor: float) -> Compose:
    index = torch.from_numpy(np.ascontiguousarray(groups.reshape(-1), dtype=np.int64))
    return Compose((Adjoint(Index(index, size)), Diagonal(torch.full((size,), factor, dtype=torch.float64))))


def _variable(inputs: list[Value | None]) -> Var:
    x = needed(inputs, 0)
    if not isinstance(x, Var):
        raise Refused("a comparison of constants")
    return x
