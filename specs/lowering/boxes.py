"""The boxes of the cases of a property: intersections of bounds, and which of their ends lie in them.

Axis letters: C clauses of the disjunctive normal form, n boxes, D inputs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import NamedTuple

import numpy as np

from genbab.specs.form.elements import Ball
from genbab.specs.lowering.content import Content
from genbab.specs.lowering.entries import Bounds, exact_number
from genbab.specs.lowering.relations import MAX_ENTRIES
from genbab.specs.numbers.arrays import Bools, Floats, Ints


class ClauseLiterals(NamedTuple):
    """The literals of all clauses: those of every clause, and (literal, clause) pairs of the others."""

    common: Ints
    literal: Ints
    clause: Ints
    total: int


@dataclass(frozen=True, eq=False)
class Boxes:
    """Candidate boxes lower, upper (n, D) with their balls (n), and the number of each clause's (C,).

    open: (lower ends, upper ends) (n, D) that do not lie in the box as it was written. nothing (n, D): no
    real number lies between the two ends as they were written, though lower < upper.
    """

    lower: Floats
    upper: Floats
    open: tuple[Bools, Bools]
    nothing: Bools
    of_clause: Ints
    balls: list[tuple[Ball, ...]]

    @cached_property
    def crossed(self) -> Bools:
        """Between which ends there is no real number (n, D)."""
        point = (self.lower == self.upper) & (self.open[0] | self.open[1])
        return np.asarray((self.lower > self.upper) | point | self.nothing, bool)

    @cached_property
    def empty(self) -> Bools:
        """Which boxes hold no real point (n,)."""
        return any_row(self.crossed)

    def said(self, name: str, box: int, i: int) -> str:
        """The two ends of an interval in words."""
        more, less = (">" if self.open[0][box, i] else ">="), ("<" if self.open[1][box, i] else "<=")
        if self.lower[box, i] > self.upper[box, i]:
            more, less = ">=", "<="
        return f"{name} {more} {self.lower[box, i]!s} and {less} {self.upper[box, i]!s}"


def any_row(flags: Bools) -> Bools:
    """Which rows of flags (n, D) have a true entry; (n,)."""
    return np.asarray(np.logical_or.reduce(flags, axis=1), bool)


def join(wanted: Ints, keys: Ints) -> tuple[Ints, Ints]:
    """All (i, j) with wanted[i] == keys[j], ordered by i and then j; keys are sorted, both from 0 on."""
    counts = np.bincount(keys, minlength=int(wanted.max(initial=0)) + 1)
    count = counts[wanted]
    i = np.repeat(np.arange(len(wanted)), count)
    offset = np.arange(len(i)) - np.repeat(np.cumsum(count) - count, count)
    return i, (np.cumsum(counts) - counts)[wanted[i]] + offset


class _Said(NamedTuple):
    """Bounds and the boxes that they shape: bound number `bound` shapes box number `box`, (n,) each."""

    box: Ints
    bound: Ints


def boxes_of(content: Content, literals: ClauseLiterals) -> Boxes:
    """The box of every clause: number 0 is that of all clauses without bounds of their own.

    Raises the content's error where there are too many.
    """
    d, bounds = content.sizes[0], content.bounds
    everywhere = np.zeros(int(bounds.literal.max(initial=literals.common.max(initial=0))) + 1, bool)
    everywhere[literals.common] = True
    base = _unbounded(1, d)
    b = np.flatnonzero(everywhere[bounds.literal])
    shared = _Said(np.zeros(len(b), np.int64), b)
    base_open = _intersect(base, bounds, shared)
    order = np.argsort(bounds.literal, kind="stable")
    i, b = join(literals.literal, bounds.literal[order])
    clause = literals.clause[i]
    new = np.diff(clause, prepend=-1) != 0
    owners = clause[new]
    if (len(owners) + 1) * d > MAX_ENTRIES // 2:
        raise content.error(f"{len(owners)} boxes of {d} inputs are too many", None)
    lower, upper = (np.repeat(end, len(owners) + 1, axis=0) for end in base)
    own = _Said(np.cumsum(new), order[b])
    opened = _intersect((lower, upper), bounds, own)
    for k, end in enumerate((lower, upper)):
        opened[k][:] |= base_open[k] & (end == base[k])
    of_clause = np.zeros(literals.total, np.int64)
    of_clause[owners] = np.arange(1, len(owners) + 1)
    nothing, balls = np.zeros(lower.shape, bool), _balls(content, literals, of_clause)
    found = Boxes(lower, upper, opened, nothing, of_clause, balls)
    _compare(content, found, shared, own)
    return found


def _unbounded(n: int, d: int) -> tuple[Floats, Floats]:
    return np.full((n, d), -np.inf), np.full((n, d), np.inf)


def _balls(content: Content, literals: ClauseLiterals, of_clause: Ints) -> list[tuple[Ball, ...]]:
    """The balls of every box."""
    count = int(of_clause.max(initial=0)) + 1
    balls: list[tuple[Ball, ...]] = [()] * count
    if content.balls:
        common = tuple(content.balls[k] for k in literals.common.tolist() if k in content.balls)
        balls = [common] * count
        round_ones = np.isin(literals.literal, list(content.balls))
        pairs = zip(literals.literal[round_ones].tolist(), literals.clause[round_ones].tolist(), strict=True)
        for literal, number in pairs:
            balls[of_clause[number]] = (*balls[of_clause[number]], content.balls[literal])
    return balls


def _intersect(ends: tuple[Floats, Floats], bounds: Bounds, said: _Said) -> tuple[Bools, Bools]:
    """Intersects boxes (n, D) in place with bounds; returns which ends are those of bounds they exclude."""
    is_upper = bounds.upper[said.bound]
    excluded = bounds.strict | bounds.rounded
    opened = []
    for array, side, ufunc in ((ends[0], ~is_upper, np.maximum), (ends[1], is_upper, np.minimum)):
        mine = said.bound[side]
        place = said.box[side] * array.shape[1] + bounds.input[mine]
        flat = array.reshape(-1)
        ufunc.at(flat, place, bounds.value[mine])
        flags = np.zeros(array.shape, bool)
        flags.reshape(-1)[place[excluded[mine] & (flat[place] == bounds.value[mine])]] = True
        opened.append(flags)
    return opened[0], opened[1]


def _compare(content: Content, boxes: Boxes, shared: _Said, own: _Said) -> None:
    """Notes the intervals without a float64 between their ends that hold no real number either.

    Both ends were rounded, and the numbers that were written are in the wrong order.
    """
    thin = boxes.open[0] & boxes.open[1] & (np.nextafter(boxes.lower, np.inf) >= boxes.upper)
    if not thin.any():
        return
    tightest: tuple[dict[tuple[int, int], _Limit], ...] = ({}, {})
    columns = any_row(thin.T)
    for said, wanted in ((shared, columns), (own, None)):
        for box, i, upper, limit in _limits(content, said, thin if wanted is None else wanted[None]):
            known = tightest[upper].get((box, i))
            tightest[upper][box, i] = limit if known is None else known.tighter(limit, upper)
    for box, i in np.argwhere(thin).tolist():
        ends = [_both(tightest[upper], box, i, bool(upper)) for upper in (0, 1)]
        boxes.nothing[box, i] = not ends[0].reaches(ends[1])


class _Limit(NamedTuple):
    """The end of an interval: a number, and whether it is excluded."""

    number: Fraction
    strict: bool

    def tighter(self, other: _Limit, upper: bool) -> _Limit:
        """The one that leaves less."""
        if self.number == other.number:
            return _Limit(self.number, self.strict or other.strict)
        return self if (self.number < other.number) == upper else other

    def reaches(self, upper: _Limit) -> bool:
        """Whether a real number lies between this lower end and an upper one."""
        if self.number == upper.number:
            return not (self.strict or upper.strict)
        return self.number < upper.number


def _both(known: dict[tuple[int, int], _Limit], box: int, i: int, upper: bool) -> _Limit:
    """The tighter one of what is said of every box (number 0) and of this one, one of which is known."""
    found = [known[key] for key in ((0, i), (box, i)) if key in known]
    return found[0] if len(found) == 1 else found[0].tighter(found[1], upper)


def _limits(content: Content, said: _Said, wanted: Bools) -> Iterator[tuple[int, int, bool, _Limit]]:
    """(box, input, whether upper, end) of the bounds of wanted (n, D) intervals."""
    bounds = content.bounds
    kept = np.flatnonzero(wanted[said.box, bounds.input[said.bound]])
    numbers: dict[object, Fraction] = {}
    for box, b in zip(said.box[kept].tolist(), said.bound[kept].tolist(), strict=True):
        one, value = bounds.said[b], float(bounds.value[b])
        key = type(one), value if one is None else one
        if key not in numbers:
            numbers[key] = exact_number(one, content.text, value)
        yield box, int(bounds.input[b]), bool(bounds.upper[b]), _Limit(numbers[key], bool(bounds.strict[b]))
