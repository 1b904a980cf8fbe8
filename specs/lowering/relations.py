"""Relations as arrays: bounds of single inputs, and linear rows.

Axis letters: D inputs, O outputs. Numbers are rounded as in `entries`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from genbab.errors import SpecError
from genbab.specs.form.rows import Row
from genbab.specs.lowering.entries import Bounds, Entries, Objects
from genbab.specs.numbers.arrays import Bools, Floats, Ints

MAX_ENTRIES = 200_000_000
"""The largest number of float64 entries in all boxes, or in all rows, that is accepted (1.6 GB)."""

CODES = {"<=": 0, "<": 1, ">=": 2, ">": 3, "=": 4, "==": 4}
FLIPPED = (2, 3, 0, 1, 4)
_UPPER = np.array([True, True, False, False, True])
_LOWER = np.array([False, False, True, True, True])
_STRICT = np.array([False, True, False, True, False])


@dataclass(frozen=True)
class DenseRows:
    """One row each, ordered by literal: literal (n,), outputs (n, O), rhs (n,), strict (n,).

    inputs (m, D) holds the rows with inputs only; mixed (n,) is the position of each row there, or -1.
    rounded (n,) and written as in `Entries`.
    """

    literal: Ints
    outputs: Floats
    inputs: Floats
    mixed: Ints
    rhs: Floats
    strict: Bools
    rounded: Bools
    written: Mapping[int, Row] = field(default_factory=dict)


class Simple(NamedTuple):
    """The simple relations, (n,) each: token, code of the relation, column of either side (-1 = a number)."""

    token: Ints
    code: Ints
    left: Ints
    right: Ints


def single_of(
    token: Ints, code: Ints, variable: Ints, numbers: tuple[Floats, Floats, Objects], d: int
) -> tuple[Bounds, Entries]:
    """Relations `variable code number` of literals (n,): bounds of inputs, other rows.

    numbers: (down, up, said), the numbers rounded down and up, and what says them (see `Bounds`).
    """
    down, up, said = numbers
    parts, inexact = [], down != up
    for sides, upper, value in ((_UPPER, True, up), (_LOWER, False, down)):
        keep = np.flatnonzero(sides[code])
        where = np.full(len(keep), upper)
        one = token[keep], variable[keep], where, value[keep], _STRICT[code[keep]], inexact[keep], said[keep]
        parts.append(one)
    literal, column, is_upper, values, strict, rounded, said = map(np.concatenate, zip(*parts, strict=True))
    inputs, sign = column < d, np.where(is_upper, 1.0, -1.0)
    columns: list[Any] = [literal, column, is_upper, values, strict, rounded, said]
    bounds = Bounds(*(c[inputs] for c in columns))
    rows = np.flatnonzero(~inputs)
    number = np.arange(len(rows))
    rhs = (values * sign)[rows] + 0.0
    odd = rounded[rows]
    return bounds, Entries(literal[rows], rhs, strict[rows], number, column[rows], sign[rows], odd, {})


def pairs_of(simple: Simple) -> Entries:
    """The simple relations between two variables, as rows."""
    chosen = np.flatnonzero((simple.left >= 0) & (simple.right >= 0))
    code = simple.code[chosen]
    parts = [(chosen[_UPPER[code]], 1.0), (chosen[_LOWER[code]], -1.0)]
    index = np.concatenate([p for p, _ in parts])
    sign = np.concatenate([np.full(len(p), s) for p, s in parts])
    n = len(index)
    row, column = np.tile(np.arange(n), 2), np.concatenate([simple.left[index], simple.right[index]])
    value = np.concatenate([sign, -sign])
    strict = _STRICT[simple.code[index]]
    return Entries(simple.token[index], np.zeros(n), strict, row, column, value, np.zeros(n, bool), {})


def dense(
    parts: list[Entries], sizes: tuple[int, int], error: Callable[[str], SpecError]
) -> tuple[DenseRows, Ints]:
    """All rows as dense arrays, ordered by literal, and the literals of the rows that no point satisfies.

    sizes: (D, O), with a column per product. Raises error(message) for more than `MAX_ENTRIES` numbers.
    """
    d, o = sizes
    starts = np.cumsum([0, *(len(p.literal) for p in parts)])
    literal, rhs, strict = (np.concatenate([p[i] for p in parts]) for i in range(3))
    rounded = np.concatenate([p.rounded for p in parts])
    row = np.concatenate([p.row + s for p, s in zip(parts, starts[:-1], strict=True)])
    column, value = np.concatenate([p.column for p in parts]), np.concatenate([p.value for p in parts])
    order = np.argsort(literal, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    literal, rhs, strict, row, rounded = literal[order], rhs[order], strict[order], rank[row], rounded[order]
    mixed = np.full(len(literal), -1)
    owners = np.unique(row[column < d])
    mixed[owners] = np.arange(len(owners))
    if len(literal) * o + len(owners) * d > MAX_ENTRIES:
        raise error(f"{len(literal)} rows of {o} outputs and {d} inputs are too many")
    outputs, inputs = np.zeros((len(literal), o)), np.zeros((len(owners), d))
    is_output = column >= d
    np.add.at(outputs, (row[is_output], column[is_output] - d), value[is_output])
    np.add.at(inputs, (mixed[row[~is_output]], column[~is_output]), value[~is_output])
    nonzero: Bools = np.logical_or.reduce(outputs != 0, axis=1)
    nonzero[owners] |= np.logical_or.reduce(inputs != 0, axis=1)
    never = ~nonzero & ((rhs < 0) | (strict & (rhs <= 0)))
    keep = np.flatnonzero(nonzero)
    pairs = zip(parts, starts[:-1].tolist(), strict=True)
    written = {int(np.searchsorted(keep, rank[s + k])): one for p, s in pairs for k, one in p.written.items()}
    kept = DenseRows(
        literal[keep], outputs[keep], inputs, mixed[keep], rhs[keep], strict[keep], rounded[keep], written
    )
    return kept, literal[never]
