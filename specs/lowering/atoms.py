"""The relations of a parsed text as arrays: bounds of single inputs, and linear rows.

Axis letters: D inputs, O outputs. Numbers are rounded as in `entries`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np

from genbab.errors import SpecError
from genbab.specs.form.parts import Bools, Floats, Ints
from genbab.specs.lowering.entries import Bounds, Entries, Objects, entries_of
from genbab.specs.lowering.formula import Linear, Row, rows_of
from genbab.specs.numbers.numbers import directed, first_bad, why_not_a_number
from genbab.specs.vnnlib1.parser import Parsed

MAX_ENTRIES = 200_000_000
"""The largest number of float64 entries in all boxes, or in all rows, that is accepted (1.6 GB)."""

CODES = {"<=": 0, "<": 1, ">=": 2, ">": 3, "=": 4, "==": 4}
FLIPPED = (2, 3, 0, 1, 4)
_UPPER = np.array([True, True, False, False, True])
_LOWER = np.array([False, False, True, True, True])
_STRICT = np.array([False, True, False, True, False])


@dataclass(frozen=True)
class Rows:
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


def atoms_of(parsed: Parsed, sizes: tuple[int, int]) -> tuple[tuple[Bounds, Rows, Ints], tuple[str, ...]]:
    """((bounds, rows, literals that no point satisfies), notes) for sizes (D, O); raises SpecError with its
    place.

    Relations that every point satisfies are in none of them.
    """
    simple = _simple(parsed, sizes[0])
    single_bounds, single_rows = _single(parsed, simple, sizes[0])
    general_bounds, general_rows, notes = _general(parsed, simple, sizes[0])
    bounds = Bounds(*(np.concatenate(c) for c in zip(single_bounds, general_bounds, strict=True)))
    rows, never = dense([single_rows, pairs_of(simple), general_rows], sizes, parsed.source.error)
    return (bounds, rows, never), notes


def _simple(parsed: Parsed, d: int) -> Simple:
    """The simple relations as columns; raises SpecError for variables that are not declared."""
    column = {name: int(name[2:]) + (d if name[0] == "Y" else 0) for name in parsed.declared}
    tokens = parsed.tokens
    used = [k for k, token in enumerate(tokens) if token[1]]
    sides = []
    for side in (2, 3):
        texts = [tokens[k][side] for k in used]
        codes = np.fromiter(map(column.get, texts, repeat(-1)), np.int64, len(used))
        for i in np.flatnonzero(codes < 0).tolist():
            if texts[i][0] in "XY":
                raise _undeclared(parsed, texts[i], used[i])
        sides.append(codes)
    for name, k in parsed.uses.items():
        if name not in column:
            raise _undeclared(parsed, name, k)
    relation = np.fromiter((CODES[tokens[k][1]] for k in used), np.int64, len(used))
    return Simple(np.array(used, np.int64), relation, sides[0], sides[1])


def _undeclared(parsed: Parsed, name: str, token: int) -> SpecError:
    kinds = [[n for n in parsed.declared if n[0] == kind] for kind in "XY"]
    known = " and ".join(f"{k[0]} to {k[-1]}" for k in kinds if k)
    return parsed.source.error(f"'{name}' is not declared; declared are {known}", token, name)


def _single(parsed: Parsed, simple: Simple, d: int) -> tuple[Bounds, Entries]:
    """The simple relations between one variable and a number: bounds of inputs, rows of single outputs."""
    chosen = np.flatnonzero((simple.left < 0) != (simple.right < 0))
    token, left, right = simple.token[chosen], simple.left[chosen], simple.right[chosen]
    side = np.where(right < 0, 3, 2)
    texts = [parsed.tokens[k][s] for k, s in zip(token.tolist(), side.tolist(), strict=True)]
    if bad := first_bad(texts):
        raise parsed.source.error(bad[1], int(token[bad[0]]), texts[bad[0]])
    code = np.where(right < 0, simple.code[chosen], np.array(FLIPPED)[simple.code[chosen]])
    return single_of(token, code, np.maximum(left, right), (*directed(texts), np.array(texts, object)), d)


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


def _general(parsed: Parsed, simple: Simple, d: int) -> tuple[Bounds, Entries, tuple[str, ...]]:
    """The relations with arithmetic, and those between two numbers: bounds of single inputs, rows."""
    todo = [(k, row) for k, rows in parsed.general.items() for row in rows]
    for k in simple.token[(simple.left < 0) & (simple.right < 0)].tolist():
        terms = []
        for text in parsed.tokens[k][2:4]:
            if reason := why_not_a_number(text):
                raise parsed.source.error(reason, k, text)
            terms.append(Linear(constant=Fraction(text)))
        todo += [(k, row) for row in rows_of(parsed.tokens[k][1], terms)]
    return entries_of(todo, d, parsed.source.error)


def dense(
    parts: list[Entries], sizes: tuple[int, int], error: Callable[[str], SpecError]
) -> tuple[Rows, Ints]:
    """All rows as dense arrays, ordered by literal, and the literals of the rows that no point satisfies."""
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
    kept = Rows(
        literal[keep], outputs[keep], inputs, mixed[keep], rhs[keep], strict[keep], rounded[keep], written
    )
    return kept, literal[never]
