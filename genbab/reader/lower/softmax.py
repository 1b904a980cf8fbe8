"""Softmax in the form whose bounds are tightest, as far as its size allows.

softmax_i = 1 / (1 + Σ_{j≠i} exp(x_j - x_i)): the differences are affine, so what the entries have in common
cancels (K(K - 1) terms). Two entries are a sigmoid of their difference. Long rows use exp(x_i - m) / Σ_j
exp(x_j - m) with the mean m of the row: the shift is affine and exact, cannot be chosen wrongly, and keeps
the arguments small.
"""

from __future__ import annotations

import numpy as np
import torch

from genbab.network import Compose, Diagonal, Index
from genbab.reader.arithmetic import apply, divide, scale, shift, subtract
from genbab.reader.builder import Builder
from genbab.reader.lower.reductions import reduce_mean, reduce_sum
from genbab.reader.lower.table import lowering
from genbab.reader.values import Array, Op, Refused, Value, Var, needed, positive_axis

PAIRS_LIMIT = 4096
"""Largest number of differences x_j - x_i that are made nodes."""


@lowering("Softmax", "LogSoftmax")
def _softmax(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    x = needed(inputs, 0)
    if not isinstance(x, Var):
        raise Refused("a softmax of a constant")
    rank = len(x.shape)
    axis = positive_axis(op.integer("axis", -1 if op.opset >= 13 else 1), rank)
    places = np.arange(x.size).reshape(x.shape)
    if op.opset >= 13:
        rows = np.moveaxis(places, axis, -1)
    else:  # everything from the axis on is one row
        rows = places.reshape(*x.shape[:axis], -1)
    flat = rows.reshape(-1, rows.shape[-1])
    y = _rows(b, x, flat, op.kind == "LogSoftmax")
    back = np.empty(x.size, dtype=np.int64)
    back[flat.reshape(-1)] = np.arange(x.size)
    return b.gather(y, back.reshape(x.shape))


def _rows(b: Builder, x: Var, rows: Array, log: bool) -> Value:
    """(rows, K): the (log) softmax over the entries x.ravel()[rows[r]] of each row."""
    length = rows.shape[1]
    if length == 1:
        return np.zeros(rows.shape) if log else np.ones(rows.shape)
    if rows.size * (length - 1) > PAIRS_LIMIT:
        return _shifted(b, x, rows, log)
    own, other = _pairs(length)
    differences = _difference(b, x, rows[:, other], rows[:, own])
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


def _difference(b: Builder, x: Var, plus: Array, minus: Array) -> Var:
    """x.ravel()[plus] - x.ravel()[minus]."""

    def index(places: Array) -> Index:
        return Index(torch.from_numpy(np.ascontiguousarray(places.reshape(-1), dtype=np.int64)), x.size)

    negative = Diagonal(torch.full((minus.size,), -1.0, dtype=torch.float64))
    return b.affine(plus.shape, [(x.node, index(plus)), (x.node, Compose((index(minus), negative)))])


def _shifted(b: Builder, x: Var, rows: Array, log: bool) -> Value:
    ordered = b.gather(x, rows)
    assert isinstance(ordered, Var)
    centred = subtract(b, ordered, reduce_mean(b, ordered, [1]))
    powers = apply(b, "exp", centred)
    assert isinstance(powers, Var)
    total = reduce_sum(b, powers, [1])
    return subtract(b, centred, apply(b, "log", total)) if log else divide(b, powers, total)
