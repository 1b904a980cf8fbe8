"""The clauses of a specification, as arrays of all their rows and one by one; which rows hold at a point.

Axis letters: C clauses, R rows of one clause, T rows of all clauses, D inputs, O outputs, P products.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import NamedTuple, overload

import numpy as np

from genbab.errors import SpecError
from genbab.specs.form.rows import Row
from genbab.specs.numbers.arrays import Bools, Floats, Ints


@dataclass(frozen=True, eq=False, slots=True)
class Clause:
    """The unsafe set { (x, y) : x in box number `box`, outputs @ y + inputs @ x <= rhs in every row }.

    outputs (R, O + P), where the last P columns are products (see `Spec`), inputs (R, D) or None for all
    zeros, rhs (R,), strict (R,) or None for "no row is strict".
    R = 0 says that every x in the box is unsafe. A strict row is written `<` in the text: provers use its
    closure (`<=`, a larger unsafe set, hence sound), `Spec.violation` decides it exactly. rounded (R,) or
    None: whether the row is larger than what was written, because its right-hand side was rounded up (or a
    coefficient to nearest); written: such rows, if they are of several variables, as they were written.
    """

    box: int
    outputs: Floats
    inputs: Floats | None
    rhs: Floats
    strict: Bools | None = None
    rounded: Bools | None = None
    written: Mapping[int, Row] = field(default_factory=dict)


class Stack(NamedTuple):
    """The rows of all clauses below each other.

    outputs (T, O + P), rhs (T,), strict (T,). inputs (m, D) has the rows of inputs, mixed (T,) the place of
    each row there, -1 for all zeros. start (C + 1,): where the rows of each clause begin; box (C,). rounded
    (T,) and written (by place) as in `Clause`.
    """

    outputs: Floats
    inputs: Floats
    mixed: Ints
    rhs: Floats
    strict: Bools
    start: Ints
    box: Ints
    rounded: Bools
    written: Mapping[int, Row]

    @property
    def clause(self) -> Ints:
        """The number of the clause of every row (T,)."""
        return np.repeat(np.arange(len(self.box)), np.diff(self.start))


class Clauses(Sequence[Clause]):
    """Clauses that were given one by one, or by a stack; either form is made from the other when needed.

    width: O + P and size: D, where there may be none to tell.
    """

    def __init__(self, given: Stack | Sequence[Clause], width: int, size: int) -> None:
        self._given, self._width, self._size = given, width, size

    def __len__(self) -> int:
        return len(self._given.box) if isinstance(self._given, Stack) else len(self._given)

    def __iter__(self) -> Iterator[Clause]:
        return iter(self.each)

    @overload
    def __getitem__(self, key: int) -> Clause: ...
    @overload
    def __getitem__(self, key: slice) -> tuple[Clause, ...]: ...
    def __getitem__(self, key: int | slice) -> Clause | tuple[Clause, ...]:
        return self.each[key]

    @property
    def stacked(self) -> bool:
        """Whether a stack was given."""
        return isinstance(self._given, Stack)

    @cached_property
    def each(self) -> tuple[Clause, ...]:
        """All clauses; their arrays are read-only parts of the stack, if that was given."""
        if not isinstance(self._given, Stack):
            return tuple(self._given)
        outputs, inputs, mixed, rhs, strict, start, box, rounded, written = self._given
        for array in (outputs, rhs, strict, rounded):
            array.flags.writeable = False
        some = np.logical_or.reduceat(np.append(mixed >= 0, False), start[:-1]) if len(box) else box
        found = []
        edges, places = start.tolist(), np.array(sorted(written), np.int64)
        for k, (number, a, b) in enumerate(zip(box.tolist(), edges[:-1], edges[1:], strict=True)):
            rows = _dense(inputs, mixed[a:b]) if b > a and some[k] else None
            one, other = (part if part.any() else None for part in (strict[a:b], rounded[a:b]))
            own = places[np.searchsorted(places, a) : np.searchsorted(places, b)].tolist() if written else ()
            said = {t - a: written[t] for t in own}
            found.append(Clause(number, outputs[a:b], rows, rhs[a:b], one, other, said))
        return tuple(found)

    @cached_property
    def stack(self) -> Stack:
        """The rows of all clauses."""
        if isinstance(self._given, Stack):
            return self._given
        each = self.each
        counts = np.array([len(c.rhs) for c in each], np.int64)
        with_inputs = [c.inputs is not None for c in each]
        mixed = np.where(np.repeat(with_inputs, counts), np.arange(counts.sum()), -1)
        mixed[mixed >= 0] = np.arange(np.count_nonzero(mixed >= 0))
        start = np.concatenate([[0], np.cumsum(counts)])
        return Stack(
            np.concatenate([np.empty((0, self._width)), *(c.outputs for c in each)]),
            np.concatenate([np.empty((0, self._size)), *(c.inputs for c in each if c.inputs is not None)]),
            mixed,
            np.concatenate([np.empty(0), *(c.rhs for c in each)]),
            _flags([c.strict for c in each], counts),
            start,
            np.array([c.box for c in each], np.int64),
            _flags([c.rounded for c in each], counts),
            {a + k: row for a, c in zip(start.tolist(), each, strict=False) for k, row in c.written.items()},
        )


def _flags(parts: Sequence[Bools | None], counts: Ints) -> Bools:
    """The flags of all rows; None: none of the clause's rows has it."""
    pairs = zip(parts, counts.tolist(), strict=True)
    return np.concatenate([np.empty(0, bool), *(np.zeros(n, bool) if p is None else p for p, n in pairs)])


def checked(clauses: Sequence[Clause], boxes: int, size: int, width: int) -> Clauses:
    """The clauses of a spec of so many boxes, D inputs and O + P columns; raises SpecError if they misfit."""
    if not isinstance(clauses, Clauses):
        clauses = Clauses(tuple(clauses), width, size)
    if clauses.stacked:
        stack = clauses.stack
        fits = stack.outputs.shape[1:] == (width,) and stack.inputs.shape[1:] == (size,)
        if not fits or (len(stack.box) and not 0 <= stack.box.min() <= stack.box.max() < boxes):
            raise SpecError(f"the clauses do not fit {boxes} boxes of {size} inputs and {width} columns")
    else:
        for k, clause in enumerate(clauses.each):
            _check(clause, k, boxes, size, width)
        stack = clauses.stack
    if not all(np.isfinite(array).all() for array in (stack.outputs, stack.inputs, stack.rhs)):
        raise SpecError("every coefficient and right-hand side of a clause must be a finite number")
    return clauses


def _check(clause: Clause, k: int, boxes: int, d: int, o: int) -> None:
    """Raise SpecError unless clause number k has the shapes of a spec with these sizes."""
    r = len(clause.rhs)
    fits = clause.outputs.shape == (r, o) and (clause.inputs is None or clause.inputs.shape == (r, d))
    flags = [part for part in (clause.strict, clause.rounded) if part is not None]
    if not fits or any(part.shape != (r,) for part in flags):
        raise SpecError(
            f"clause {k}: its {r} rows need outputs ({r}, {o}), inputs ({r}, {d}) or None, "
            f"strict and rounded ({r},)"
        )
    if not 0 <= clause.box < boxes:
        raise SpecError(f"clause {k} names box {clause.box}, but there are {boxes} boxes")


def _dense(inputs: Floats, mixed: Ints) -> Floats:
    """The input coefficients (R, D) of the rows at these places, zeros at -1."""
    found = inputs[mixed]
    found[mixed < 0] = 0.0
    found.flags.writeable = False
    return found


def satisfied(stack: Stack, products: Sequence[Sequence[int]], rows: Ints, x: Floats, y: Floats) -> Bools:
    """Which of these rows hold at (x, y) as they were written, exactly; (len(rows),)."""
    outputs, rhs = stack.outputs[rows], stack.rhs[rows]
    place = stack.mixed[rows]
    mixed = np.flatnonzero(place >= 0)
    inputs = stack.inputs[place[mixed]]
    if products:
        holds, unsure = np.zeros(len(rows), bool), np.ones(len(rows), bool)
    else:
        with np.errstate(over="ignore", invalid="ignore"):
            value, size = outputs @ y - rhs, np.abs(outputs) @ np.abs(y) + np.abs(rhs)
            value[mixed] += inputs @ x
            size[mixed] += np.abs(inputs) @ np.abs(x)
            terms = len(y) + len(x) + 2
            slack = 2.0 * terms * np.finfo(np.float64).eps * size + terms * np.finfo(np.float64).tiny
            holds = value < -slack
            unsure = ~(holds | (value > slack))
    if stack.written:
        unsure |= np.isin(rows, list(stack.written))
    if unsure.any():
        point = Point(products, x, y)
        for r in np.flatnonzero(unsure):
            holds[r] = point.holds(stack, int(rows[r]))
    return np.asarray(holds, bool)


class Point:
    """Inputs x (D,) and outputs y (O,) as Fractions, for rows to be decided exactly."""

    def __init__(self, products: Sequence[Sequence[int]], x: Floats, y: Floats) -> None:
        self.inputs, self.columns = [Fraction(v) for v in x.tolist()], [Fraction(v) for v in y.tolist()]
        both = self.inputs + self.columns
        self.columns += [math.prod((both[i] for i in columns), start=Fraction(1)) for columns in products]

    def holds(self, stack: Stack, r: int) -> bool:
        """Whether row r holds here as it was written."""
        if (row := stack.written.get(r)) is not None:
            of = {"X": self.inputs, "Y": self.columns}
            total = sum((v * of[n[0]][int(n[2:])] for n, v in row.coefficients.items()), -row.rhs)
            return total < 0 or (total == 0 and not row.strict)
        total = -Fraction(float(stack.rhs[r]))
        sides = [(stack.outputs[r], self.columns)]
        sides += [(stack.inputs[stack.mixed[r]], self.inputs)] if stack.mixed[r] >= 0 else []
        for coefficients, numbers in sides:
            terms = ((float(coefficients[i]), numbers[i]) for i in np.flatnonzero(coefficients))
            total += sum((Fraction(v) * number for v, number in terms), Fraction(0))
        return total < 0 or (total == 0 and not (stack.strict[r] or stack.rounded[r]))
