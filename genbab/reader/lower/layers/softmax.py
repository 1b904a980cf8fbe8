"""Softmax as one node per length of row, log softmax as functions of one variable.

The node of short rows also has the differences of a row's entries, whose intervals are narrower than those of
the entries suggest where these have something in common. Two entries are a sigmoid of their difference, and 1
less it.

log softmax_i = -log(1 + Σ_{j≠i} exp(x_j - x_i)) with K(K - 1) differences per row; long rows use x_i - m -
log Σ_j exp(x_j - m) with the mean m of the row: the shift is affine and exact and keeps the arguments small.
"""

from __future__ import annotations

import numpy as np
import torch

from genbab.network import Compose, Diagonal, Identity, Index
from genbab.nonlinear.groups.softmax import Softmax
from genbab.reader.lower.layers.ragged import Ragged, ragged_log_softmax
from genbab.reader.lower.numbers.reductions import reduce_mean, reduce_sum
from genbab.reader.lower.table import lowering
from genbab.reader.tensors.arithmetic import add, apply, combine, difference, scale, shift, subtract
from genbab.reader.tensors.arrange import arrange
from genbab.reader.tensors.builder import Builder
from genbab.reader.tensors.values import Array, Masked, Op, Refused, Value, Var, needed, positive_axis

EMPTY_ROWS = "empty_rows_are_zero"
"""Attribute of a `Softmax` whose rows without an entry above minus infinity are 0."""

PAIRS_LIMIT = 4096
"""Largest number of differences x_j - x_i that a log softmax is made of."""

DIFFERENCES = 2048
"""Largest number of differences x_i - x_j, i < j, that a softmax is given."""

FAR = 500.0
"""Entries whose constant part lies this far below that of another in the row are taken to be masked by a
number.
"""


EMPTY = "a softmax over a row whose entries are all minus infinity"


@lowering(
    "Softmax",
    "LogSoftmax",
    how="one node; rows of two are a sigmoid; log softmax is -log(1 + sums of exp of differences)",
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
    """The (log) softmax, in x's shape, over each row x.ravel()[rows[r]].

    `hidden` (x's shape) marks minus infinity. What is in no row is 0.
    """
    if not len(rows):
        return np.zeros(x.shape)
    kept = ~hidden.reshape(-1)[rows]
    if not kept.any(axis=1).all():
        return _empty_rows(b, x, (rows, np.asarray(kept.any(axis=1))), hidden, log)
    offsets = np.where(kept, _constant_part(b, x.node)[rows], -np.inf)
    far = kept & (offsets < offsets.max(axis=1, keepdims=True) - FAR)
    back = np.full(x.size, -1, dtype=np.int64)
    if not log:
        y = _by_length(b, x, rows, kept)
        back[rows[kept]] = np.arange(int(kept.sum()))
    elif kept.all() and not far.any():
        y = _log_rows(b, x, rows)
        back[rows.reshape(-1)] = np.arange(rows.size)
    else:
        y = ragged_log_softmax(b, x, Ragged.of(rows, kept, far, offsets))
        back[rows[kept]] = np.arange(int(kept.sum()))
    made = _whole_rows(b, b.gather(y, back.reshape(x.shape)), x, rows, kept)
    return Masked(made, hidden) if log and hidden.any() and isinstance(made, Var) else made


def _empty_rows(b: Builder, x: Var, known: tuple[Array, Array], hidden: Array, log: bool) -> Masked:
    """The softmax of the rows that have entries; the others are not a number, and must not be used."""
    rows, some = known
    if log or not some.any():
        raise Refused(EMPTY)
    made = softmax_of_rows(b, x, rows[some], hidden)
    none = np.zeros(x.size, dtype=bool)
    none[rows[~some].reshape(-1)] = True
    assert isinstance(made, Var)
    return Masked(made, none.reshape(x.shape), np.nan)


def _whole_rows(b: Builder, made: Value, x: Var, rows: Array, kept: Array) -> Value:
    """A softmax (x's shape) that is undefined also where an entry of minus infinity is."""
    if kept.all() or x.node not in b.partial:
        return made
    back = np.full(x.size, -1, dtype=np.int64)
    back[rows] = np.arange(len(rows))[:, None]
    entries = b.gather(x, rows)
    assert isinstance(entries, Var)
    nothing = scale(b, reduce_sum(b, entries, [1], keep=False), 0.0)
    return add(b, made, b.gather(nothing, back.reshape(x.shape)))


def _constant_part(b: Builder, node: int, depth: int = 8) -> Array:
    """What constants alone contribute to each entry: where it differs by much, it is a mask.

    As far as they were added a few nodes before.
    """
    made = b.sums.get(node)
    if made is None:
        return np.zeros(b.nodes[node].size)
    total = made.bias.clone()
    for source, one in made.terms:
        if isinstance(one, Index | Identity) and depth > 0:
            total = total + one.apply(torch.from_numpy(_constant_part(b, source, depth - 1)))
    return np.asarray(total.numpy())


def _by_length(b: Builder, x: Var, rows: Array, kept: Array) -> Value:
    """(entries kept,): the softmax over the kept entries of each row, in the order of the rows."""
    count = kept.sum(axis=1)
    parts: list[Value] = []
    order = []
    number = (np.cumsum(kept) - 1).reshape(kept.shape)
    for length in np.unique(count):
        which = np.broadcast_to((count == length)[:, None], kept.shape) & kept
        made = _rows(b, x, rows[which].reshape(-1, length))
        parts.append(made.reshaped((made.size,)) if isinstance(made, Var) else made.reshape(-1))
        order.append(number[which])
    if len(parts) == 1:
        return parts[0]
    back = np.argsort(np.concatenate(order))
    joined = arrange(b, parts, lambda arrays: [np.concatenate(arrays)[back]])[0]
    assert isinstance(joined, Var | np.ndarray)
    return joined


def _rows(b: Builder, x: Var, rows: Array) -> Value:
    """(rows, K): the softmax over the entries x.ravel()[rows[r]] of each row."""
    length = rows.shape[1]
    if length == 1:
        return combine(b, [(np.ones(rows.shape), 1.0), (scale(b, b.gather(x, rows), 0.0), 1.0)])
    if length == 2:
        return _two(b, x, rows)
    ordered = b.variable(b.gather(x, rows))
    if rows.size * (length - 1) // 2 > DIFFERENCES:
        return b.grouped(Softmax(length), ordered)
    first, second = np.triu_indices(length, 1)
    return b.grouped(Softmax(length), ordered, difference(b, x, rows[:, first], rows[:, second]))


def _two(b: Builder, x: Var, rows: Array) -> Var:
    """(rows, 2): the sigmoid of the difference, and 1 less it."""
    first = apply(b, "sigmoid", difference(b, x, rows[:, 0], rows[:, 1]))
    assert isinstance(first, Var)
    repeated = Index(torch.arange(len(rows)).repeat_interleave(2), len(rows))
    signs = Diagonal(torch.tensor([1.0, -1.0], dtype=torch.float64).repeat(len(rows)))
    return b.affine(rows.shape, [(first.node, Compose((repeated, signs)))], np.array([[0.0, 1.0]]))


def _log_rows(b: Builder, x: Var, rows: Array) -> Value:
    """(rows, K): the log softmax over the entries x.ravel()[rows[r]] of each row."""
    length = rows.shape[1]
    if length == 1:
        return scale(b, b.gather(x, rows), 0.0)
    if rows.size * (length - 1) > PAIRS_LIMIT:
        ordered = b.gather(x, rows)
        assert isinstance(ordered, Var)
        centred = subtract(b, ordered, reduce_mean(b, ordered, [1]))
        powers = apply(b, "exp", centred)
        assert isinstance(powers, Var)
        return subtract(b, centred, apply(b, "log", reduce_sum(b, powers, [1])))
    own, other = _pairs(length)
    differences = difference(b, x, rows[:, other], rows[:, own])
    if length == 2:
        return scale(b, apply(b, "softplus", differences.reshaped(rows.shape)), -1.0)
    powers = apply(b, "exp", differences)
    assert isinstance(powers, Var)
    total = shift(b, reduce_sum(b, powers, [2], keep=False), 1.0)
    return scale(b, apply(b, "log", total), -1.0)


def _pairs(length: int) -> tuple[Array, Array]:
    """(own, other) with shape (K, K - 1): every entry with each of the others."""
    own = np.repeat(np.arange(length)[:, None], length - 1, axis=1)
    other = np.arange(length - 1)[None, :] + (np.arange(length - 1)[None, :] >= np.arange(length)[:, None])
    return own, other
