"""Softmax in the form whose bounds are tightest, as far as its size allows.

softmax_i = 1 / (1 + Σ_{j≠i} exp(x_j - x_i)): the differences are affine, so what the entries have in common
cancels (K(K - 1) terms). Two entries are a sigmoid of their difference. Long rows use exp(x_i - m) / Σ_j
exp(x_j - m) with the mean m of the row: the shift is affine and exact, cannot be chosen wrongly, and keeps
the arguments small.
"""

from __future__ import annotations

import numpy as np
import torch

from genbab.network import Affine, Identity, Index
from genbab.reader.arithmetic import apply, divide, scale, shift, subtract
from genbab.reader.builder import Builder
from genbab.reader.guards import EMPTY_ROWS
from genbab.reader.lower.ragged import Ragged, difference, ragged_softmax
from genbab.reader.lower.reductions import reduce_mean, reduce_sum
from genbab.reader.lower.table import lowering
from genbab.reader.values import Array, Masked, Op, Refused, Value, Var, needed, positive_axis

PAIRS_LIMIT = 4096
"""Largest number of differences x_j - x_i that are made nodes."""

FAR = 500.0
"""Entries whose constant part lies this far below that of another in the row are taken to be masked by a
number.
"""


@lowering(
    "Softmax",
    "LogSoftmax",
    how="reciprocal of 1 + sums of exp of differences; long rows exp / sum of exp, shifted by the mean",
)
def _softmax(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    x = needed(inputs, 0)
    if not isinstance(x, Var):
        raise Refused("a softmax of a constant")
    made = softmax(b, op, x, np.zeros(x.shape, dtype=bool))
    assert not isinstance(made, Masked)
    return made


def softmax(b: Builder, op: Op, x: Var, hidden: Array) -> Value | Masked:
    """The (log) softmax of one node; entries where `hidden` is true are minus infinity, so they take no part.

    Refused where a row has no other entries, unless the node says that such rows are 0.
    """
    axis = positive_axis(op.integer("axis", -1 if op.opset >= 13 else 1), len(x.shape))
    places = np.arange(x.size).reshape(x.shape)
    if op.opset >= 13:
        rows = np.moveaxis(places, axis, -1)
    else:  # everything from the axis on is one row
        rows = places.reshape(*x.shape[:axis], -1)
    rows = rows.reshape(-1, rows.shape[-1])
    if op.integer(EMPTY_ROWS, 0):
        rows = rows[~hidden.reshape(-1)[rows].all(axis=1)]
    return softmax_of_rows(b, x, rows, hidden, op.kind == "LogSoftmax")


def softmax_of_rows(b: Builder, x: Var, rows: Array, hidden: Array, log: bool = False) -> Value | Masked:
    """The (log) softmax, in x's shape, over each row x.ravel()[rows[r]]; `hidden` (x's shape) marks minus
    infinity. What is in no row is 0.
    """
    if not len(rows):
        return np.zeros(x.shape)
    kept = ~hidden.reshape(-1)[rows]
    if not kept.any(axis=1).all():
        raise Refused("a softmax over a row whose entries are all minus infinity")
    offsets = np.where(kept, _constant_part(b, x.node)[rows], -np.inf)
    far = kept & (offsets < offsets.max(axis=1, keepdims=True) - FAR)
    back = np.full(x.size, -1, dtype=np.int64)
    if kept.all() and not far.any():
        y = _rows(b, x, rows, log)
        back[rows.reshape(-1)] = np.arange(rows.size)
    else:
        y = ragged_softmax(b, x, Ragged.of(rows, kept, far, offsets), log)
        back[rows[kept]] = np.arange(int(kept.sum()))
    made = b.gather(y, back.reshape(x.shape))
    return Masked(made, hidden) if log and hidden.any() and isinstance(made, Var) else made


def _constant_part(b: Builder, node: int, depth: int = 8) -> Array:
    """What constants alone contribute to each entry of a node, as far as they were added a few nodes before:
    where it differs by much, it is a mask.
    """
    made = b.nodes[node]
    if not isinstance(made, Affine):
        return np.zeros(made.size)
    total = made.bias.clone()
    for source, one in made.terms:
        if isinstance(one, Index | Identity) and depth > 0:
            total = total + one.apply(torch.from_numpy(_constant_part(b, source, depth - 1)))
    return np.asarray(total.numpy())


def _rows(b: Builder, x: Var, rows: Array, log: bool) -> Value:
    """(rows, K): the (log) softmax over the entries x.ravel()[rows[r]] of each row."""
    length = rows.shape[1]
    if length == 1:
        return np.zeros(rows.shape) if log else np.ones(rows.shape)
    if rows.size * (length - 1) > PAIRS_LIMIT:
        return _shifted(b, x, rows, log)
    own, other = _pairs(length)
    differences = difference(b, x, rows[:, other], rows[:, own])
    if length == 2:
        flat = differences.reshaped(rows.shape)
        if log:
            return scale(b, apply(b, "softplus", flat), -1.0)
        return apply(b, "sigmoid", scale(b, flat, -1.0))
    powers = apply(b, "exp", differences)
    assert isinstance(powers, Var)
    total = shift(b, reduce_sum(b, powers, [2], keep=False), 1.0)
    return scale(b, apply(b, "log", total), -1.0) if log else apply(b, "reciprocal", total)


def _pairs(length: int) -> tuple[Array, Array]:
    """(own, other) with shape (K, K - 1): every entry with each of the others."""
    own = np.repeat(np.arange(length)[:, None], length - 1, axis=1)
    other = np.arange(length - 1)[None, :] + (np.arange(length - 1)[None, :] >= np.arange(length)[:, None])
    return own, other


def _shifted(b: Builder, x: Var, rows: Array, log: bool) -> Value:
    ordered = b.gather(x, rows)
    assert isinstance(ordered, Var)
    centred = subtract(b, ordered, reduce_mean(b, ordered, [1]))
    powers = apply(b, "exp", centred)
    assert isinstance(powers, Var)
    total = reduce_sum(b, powers, [1])
    return subtract(b, centred, apply(b, "log", total)) if log else divide(b, powers, total)
