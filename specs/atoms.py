"""The relations of a parsed text as arrays: bounds of single inputs, and linear rows.

Axis letters: D inputs, O outputs. Rounding: a lower bound is rounded down and an upper bound up, the
right-hand side of a row (`<=`) up, so that boxes and unsafe sets never lose a point. Coefficients that are no
float64 (0.1) are made ones by a positive factor for the whole row, exactly (0.1 y0 - 0.3 y1 <= b becomes
0.125 y0 - 0.375 y1 <= 1.25 b); where no factor does that, they become the nearest float64, with a note.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import repeat
from typing import NamedTuple

import numpy as np

from genbab.errors import SpecError
from genbab.specs.formula import Linear, Row, rows_of
from genbab.specs.numbers import directed, first_bad, round_up, why_not_a_number
from genbab.specs.parser import Parsed
from genbab.specs.parts import Bools, Floats, Ints

MAX_ENTRIES = 200_000_000
"""The largest number of float64 entries in all boxes, or in all rows, that is accepted (1.6 GB)."""

CODES = {"<=": 0, "<": 1, ">=": 2, ">": 3, "=": 4, "==": 4}
FLIPPED = (2, 3, 0, 1, 4)
_UPPER = np.array([True, True, False, False, True])
_LOWER = np.array([False, False, True, True, True])
_STRICT = np.array([False, True, False, True, False])


class Bounds(NamedTuple):
    """One bound each, (n,): its literal, its input, whether it is an upper bound, its value."""

    literal: Ints
    input: Ints
    upper: Bools
    value: Floats


NO_BOUNDS = Bounds(*(np.zeros(0, kind) for kind in (np.int64, np.int64, bool, np.float64)))


@dataclass(frozen=True)
class Rows:
    """One row each, ordered by literal: literal (n,), outputs (n, O), rhs (n,), strict (n,).

    inputs (m, D) holds the rows with inputs only; mixed (n,) is the position of each row there, or -1.
    """

    literal: Ints
    outputs: Floats
    inputs: Floats
    mixed: Ints
    rhs: Floats
    strict: Bools


class Entries(NamedTuple):
    """Rows before they are dense: literals, right-hand sides, strictness; triples (row, column, value)."""

    literal: Ints
    rhs: Floats
    strict: Bools
    row: Ints
    column: Ints
    value: Floats


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
    return single_of(token, code, np.maximum(left, right), directed(texts), d)


def single_of(
    token: Ints, code: Ints, variable: Ints, numbers: tuple[Floats, Floats], d: int
) -> tuple[Bounds, Entries]:
    """Relations `variable code number` of literals (n,): bounds of inputs, other rows.

    numbers: (down, up), the numbers rounded down and up.
    """
    down, up = numbers
    parts = []
    for sides, upper, value in ((_UPPER, True, up), (_LOWER, False, down)):
        keep = np.flatnonzero(sides[code])
        where = np.full(len(keep), upper)
        parts.append((token[keep], variable[keep], where, value[keep], _STRICT[code[keep]]))
    literal, column, is_upper, values, strict = (np.concatenate(c) for c in zip(*parts, strict=True))
    inputs, sign = column < d, np.where(is_upper, 1.0, -1.0)
    bounds = Bounds(literal[inputs], column[inputs], is_upper[inputs], values[inputs])
    rows = np.flatnonzero(~inputs)
    number = np.arange(len(rows))
    rhs = (values * sign)[rows] + 0.0
    return bounds, Entries(literal[rows], rhs, strict[rows], number, column[rows], sign[rows])


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
    return Entries(simple.token[index], np.zeros(n), _STRICT[simple.code[index]], row, column, value)


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


def entries_of(
    todo: Iterable[tuple[int, Row]], d: int, error: Callable[[str, int], SpecError]
) -> tuple[Bounds, Entries, tuple[str, ...]]:
    """Rows, each with its literal, as bounds of single inputs and entries of the others, and notes; d inputs.

    Raises error(message, literal) for numbers beyond float64.
    """
    bounds: list[tuple[int, int, bool, float]] = []
    heads: list[tuple[int, float, bool]] = []
    triples: list[tuple[int, int, float]] = []
    rounded = 0
    for k, row in todo:
        try:
            bound = _bound(row)
            if bound:
                bounds.append((k, *bound))
                continue
            factor = _factor(list(row.coefficients.values()))
            rounded += factor is None
            factor = factor or Fraction(1)
            heads.append((k, round_up(row.rhs * factor) + 0.0, row.strict))
            for name, value in row.coefficients.items():
                column = int(name[2:]) + (d if name[0] == "Y" else 0)
                triples.append((len(heads) - 1, column, _nearest(value * factor)))
        except OverflowError:
            raise error("a constant here is out of the range of float64", k) from None
    b, h, t = (list(zip(*rows, strict=True)) for rows in (bounds, heads, triples))
    literal, variable, upper, at = b or ((), (), (), ())
    owner, rhs, strict = h or ((), (), ())
    number, columns, values = t or ((), (), ())
    flags = np.array(strict, bool)
    entries = Entries(_ints(owner), _floats(rhs), flags, _ints(number), _ints(columns), _floats(values))
    notes = (f"{rounded} row(s) have coefficients of too many digits, taken as the nearest float64",)
    return (
        Bounds(_ints(literal), _ints(variable), np.array(upper, bool), _floats(at)),
        entries,
        notes if rounded else (),
    )


def _factor(values: list[Fraction]) -> Fraction | None:
    """A positive number, near 1, by which all these become float64 exactly: 1 where they are; None: none."""
    if all(_is_float(v) for v in values):
        return Fraction(1)
    least = Fraction(math.lcm(*(v.denominator for v in values)), math.gcd(*(v.numerator for v in values)))
    power = least.numerator.bit_length() - least.denominator.bit_length()
    factor = least / Fraction(2) ** power
    return factor if all(_is_float(v * factor) for v in values) else None


def _is_float(value: Fraction) -> bool:
    try:
        return Fraction(float(value)) == value
    except OverflowError:
        return False


def _ints(values: object) -> Ints:
    return np.array(values, np.int64)


def _floats(values: object) -> Floats:
    return np.array(values, np.float64)


def _nearest(value: Fraction) -> float:
    """The nearest float64 of a number other than zero; raises OverflowError out of range."""
    nearest = float(value)
    if nearest == 0.0:
        raise OverflowError
    return nearest


def _bound(row: Row) -> tuple[int, bool, float] | None:
    """(input, whether upper, value rounded outward) of a row about a single input, else None."""
    if len(row.coefficients) != 1:
        return None
    ((name, factor),) = row.coefficients.items()
    if name[0] != "X":
        return None
    limit = row.rhs / factor
    return int(name[2:]), factor > 0, (round_up(limit) if factor > 0 else -round_up(-limit)) + 0.0


def dense(
    parts: list[Entries], sizes: tuple[int, int], error: Callable[[str], SpecError]
) -> tuple[Rows, Ints]:
    """All rows as dense arrays, ordered by literal, and the literals of the rows that no point satisfies."""
    d, o = sizes
    starts = np.cumsum([0, *(len(p.literal) for p in parts)])
    literal, rhs, strict = (np.concatenate([p[i] for p in parts]) for i in range(3))
    row = np.concatenate([p.row + s for p, s in zip(parts, starts[:-1], strict=True)])
    column, value = np.concatenate([p.column for p in parts]), np.concatenate([p.value for p in parts])
    order = np.argsort(literal, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    literal, rhs, strict, row = literal[order], rhs[order], strict[order], rank[row]
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
    return Rows(literal[keep], outputs[keep], inputs, mixed[keep], rhs[keep], strict[keep]), literal[never]
