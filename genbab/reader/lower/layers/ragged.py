"""Log softmax over rows of which some entries take no part: causal masks, and large negative numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from genbab.network import Adjoint, Compose, Diagonal
from genbab.network.uncertainty import Uncertainty
from genbab.reader.tensors.arithmetic import add, apply, difference, scale, shift, sum_groups
from genbab.reader.tensors.arrange import arrange
from genbab.reader.tensors.builder import Builder, index_map
from genbab.reader.tensors.values import Array, Value, Var

PAIRS_LIMIT = 4096
"""Largest number of differences x_j - x_i that are made nodes."""


@dataclass(frozen=True, eq=False)
class Ragged:
    """Rows of different lengths.

    Per entry its place in the tensor, its row, and whether it is far below its row's `reference`. Entries
    of a row follow one another; references (rows,) are numbers of entries that are not far.
    """

    places: Array
    row: Array
    far: Array
    reference: Array

    @staticmethod
    def of(rows: Array, kept: Array, far: Array, offsets: Array) -> Ragged:
        """The kept entries of a rectangle (rows, entries); the reference has the largest offset."""
        row = np.broadcast_to(np.arange(len(rows))[:, None], rows.shape)[kept]
        number = np.cumsum(kept.reshape(-1)).reshape(kept.shape) - 1
        return Ragged(rows[kept], row, far[kept], number[np.arange(len(rows)), offsets.argmax(axis=1)])

    def pairs(self) -> tuple[Array, Array]:
        """(own, other): every entry that is not far, with each of the others in its row."""
        near = np.flatnonzero(~self.far)
        start = np.searchsorted(self.row, self.row[near])
        length = np.searchsorted(self.row, self.row[near], side="right") - start
        own = np.repeat(near, length)
        step = np.arange(len(own)) - np.repeat(np.cumsum(length) - length, length)
        other = np.repeat(start, length) + step
        return own[own != other], other[own != other]


def ragged_log_softmax(b: Builder, x: Var, rows: Ragged) -> Value:
    """(entries,): the log softmax of each entry within its row.

    Entries that are far below others are x - reference plus the log softmax of the reference: no power
    overflows.
    """
    own, other = rows.pairs()
    if len(own) > PAIRS_LIMIT:
        return _shifted(b, x, rows)
    near = np.flatnonzero(~rows.far)
    rank = np.cumsum(~rows.far) - 1  # of each near entry among the near
    if len(own) == 0:
        value: Value = np.zeros(len(near))
    else:
        powers = apply(b, "exp", difference(b, x, rows.places[other], rows.places[own]))
        assert isinstance(powers, Var)
        total = shift(b, sum_groups(b, powers, rank[own], (len(near),)), 1.0)
        value = scale(b, apply(b, "log", total), -1.0)
    far = np.flatnonzero(rows.far)
    if len(far) == 0:
        return value
    reference = rows.reference[rows.row[far]]
    below = difference(b, x, rows.places[far], rows.places[reference])
    there = b.gather(value, rank[reference])
    distant = add(b, below, there)
    order = np.argsort(np.concatenate([near, far]))
    made = arrange(b, [value, distant], lambda parts: [np.concatenate(parts)[order]])[0]
    assert isinstance(made, Var | np.ndarray)
    return made


def _shifted(b: Builder, x: Var, rows: Ragged) -> Value:
    """x - m - log of the sum of exp(x - m), with the mean m of the entries of the row that are not far."""
    near = np.flatnonzero(~rows.far)
    owner = rows.row[near]
    number = np.bincount(owner, minlength=len(rows.reference))
    mean = Compose(
        (
            index_map(rows.places[near], x.size),
            Adjoint(index_map(owner, len(number))),
            Diagonal(torch.from_numpy(-1.0 / number)),
            index_map(rows.row, len(number)),
        )
    )
    terms = [(x.node, index_map(rows.places, x.size)), (x.node, mean)]
    centred = b.affine(rows.row.shape, terms, None, Uncertainty(1))
    powers = apply(b, "exp", centred)
    assert isinstance(powers, Var)
    total = sum_groups(b, powers, rows.row, number.shape)
    return add(b, centred, scale(b, b.gather(apply(b, "log", total), rows.row), -1.0))
