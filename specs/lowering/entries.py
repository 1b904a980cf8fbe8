"""Bounds of single inputs and linear rows before they are put together, and relations in rational numbers.

Axis letters: D inputs. Rounding: a lower bound is rounded down and an upper bound up, the right-hand side of
a row (`<=`) up, so that boxes and unsafe sets never lose a point. What was rounded is noted, so that a point
can be judged by the text. Coefficients that are no float64 (0.1) are made ones by a positive factor for the
whole row, exactly (0.1 y0 - 0.3 y1 <= b becomes 0.125 y0 - 0.375 y1 <= 1.25 b); where no factor does that,
they become the nearest float64, with a note.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genbab.errors import SpecError
from genbab.specs.form.rows import Row
from genbab.specs.numbers.arrays import Bools, Floats, Ints
from genbab.specs.numbers.numbers import round_up

Objects = NDArray[np.object_]


class Bounds(NamedTuple):
    """One bound each, (n,): its literal, its input, whether it is an upper bound, its value.

    strict: written with `<`; rounded: the value was rounded outward, from `said`: a text, a Fraction, a place
    in the text where one begins (`exact_number`), or None.
    """

    literal: Ints
    input: Ints
    upper: Bools
    value: Floats
    strict: Bools
    rounded: Bools
    said: Objects


_KINDS = np.int64, np.int64, bool, np.float64, bool, bool, object

NO_BOUNDS = Bounds(*(np.zeros(0, kind) for kind in _KINDS))


class Entries(NamedTuple):
    """Rows before they are dense: literals, right-hand sides, strictness; triples (row, column, value).

    rounded: the right-hand side (or a coefficient) is not what was written. Such a row of several variables
    is in `written`, by its number, as it was written.
    """

    literal: Ints
    rhs: Floats
    strict: Bools
    row: Ints
    column: Ints
    value: Floats
    rounded: Bools
    written: Mapping[int, Row]


def exact_number(said: object, data: bytes, otherwise: float) -> Fraction:
    """The number that a bound was rounded from; data: the text that places are in."""
    if said is None:
        return Fraction(otherwise)
    if isinstance(said, int):
        ends = [data.find(mark, said) for mark in (b" ", b")")]
        said = data[said : min(end for end in ends if end >= 0)].decode()
    assert isinstance(said, str | Fraction)
    return Fraction(said)


def entries_of(
    todo: Iterable[tuple[int, Row]], d: int, error: Callable[[str, int], SpecError]
) -> tuple[Bounds, Entries, tuple[str, ...]]:
    """Rows, each with its literal, as bounds of single inputs and entries of the others, and notes; d inputs.

    Raises error(message, literal) for numbers beyond float64.
    """
    bounds: list[tuple[int, int, bool, float, bool, bool, Fraction]] = []
    heads: list[tuple[int, float, bool, bool]] = []
    triples: list[tuple[int, int, float]] = []
    written: dict[int, Row] = {}
    inexact = 0
    for k, row in todo:
        try:
            bound = _bound(row)
            if bound:
                bounds.append((k, *bound))
                continue
            factor = _factor(list(row.coefficients.values()))
            inexact += factor is None
            limit = row.rhs * (factor or 1)
            if not row.coefficients:  # of a relation between constants the sign is all
                limit = Fraction((limit > 0) - (limit < 0))
            rhs = round_up(limit) + 0.0
            rounded = factor is None or rhs != limit
            if rounded:
                written[len(heads)] = row
            heads.append((k, rhs, row.strict, rounded))
            for name, value in row.coefficients.items():
                column = int(name[2:]) + (d if name[0] == "Y" else 0)
                triples.append((len(heads) - 1, column, _nearest(value * (factor or 1))))
        except OverflowError:
            raise error("a constant here is out of the range of float64", k) from None
    notes = (f"{inexact} row(s) have coefficients of too many digits, taken as the nearest float64",)
    return _bounds(bounds), _entries(heads, triples, written), notes if inexact else ()


def _bounds(found: list[tuple[int, int, bool, float, bool, bool, Fraction]]) -> Bounds:
    columns = list(zip(*found, strict=True)) or [()] * 7
    arrays: list[Any] = [np.array(c, kind) for c, kind in zip(columns, _KINDS, strict=True)]
    return Bounds(*arrays)


def _entries(
    heads: list[tuple[int, float, bool, bool]],
    triples: list[tuple[int, int, float]],
    written: Mapping[int, Row],
) -> Entries:
    owner, rhs, strict, rounded = list(zip(*heads, strict=True)) or [()] * 4
    number, columns, values = list(zip(*triples, strict=True)) or [()] * 3
    return Entries(
        np.array(owner, np.int64),
        np.array(rhs, np.float64),
        np.array(strict, bool),
        np.array(number, np.int64),
        np.array(columns, np.int64),
        np.array(values, np.float64),
        np.array(rounded, bool),
        written,
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


def _nearest(value: Fraction) -> float:
    """The nearest float64 of a number other than zero; raises OverflowError out of range."""
    nearest = float(value)
    if nearest == 0.0:
        raise OverflowError
    return nearest


def _bound(row: Row) -> tuple[int, bool, float, bool, bool, Fraction] | None:
    """The bound that a row about a single input is, else None.

    (input, whether upper, value rounded outward, strict, rounded, the limit).
    """
    if len(row.coefficients) != 1:
        return None
    ((name, factor),) = row.coefficients.items()
    if name[0] != "X":
        return None
    limit = row.rhs / factor
    value = (round_up(limit) if factor > 0 else -round_up(-limit)) + 0.0
    return int(name[2:]), factor > 0, value, row.strict, value != limit, limit
