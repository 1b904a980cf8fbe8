"""The clauses of a specification, as arrays of all their rows and one by one; which rows hold at a point.

Axis letters: C clauses, R rows of one clause, T rows of all clauses, D inputs, O outputs, P products.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import NamedTuple, overload

import numpy as np

from genbab.errors import SpecError
from genbab.specs.parts import Bools, Floats, Ints


@dataclass(frozen=True, eq=False, slots=True)
class Clause:
    """The unsafe set { (x, y) : x in box number `box`, outputs @ y + inputs @ x <= rhs in every row }.

    outputs (R, O + P), where the last P columns are products (see `Spec`), inputs (R, D) or None for all
    zeros, rhs (R,), strict (R,) or None for "no row is strict".
    R = 0 says that every x in the box is unsafe. A strict row is written `<` in the text: provers use its
    closure (`<=`, a larger unsafe set, hence sound), `Spec.violation` decides it exactly.
    """

    box: int
    outputs: Floats
    inputs: Floats | None
    rhs: Floats
    strict: Bools | None = None


class Stack(NamedTuple):
    """The rows of all clauses below each other.

    outputs (T, O + P), rhs (T,), strict (T,). inputs (m, D) has the rows of inputs, mixed (T,) the place of
    each row there, -1 for all zeros. start (C + 1,): where the rows of each clause begin; box (C,).
    """

    outputs: Floats
    inputs: Floats
    mixed: Ints
    rhs: Floats
    strict: Bools
    start: Ints
    box: Ints

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
        outputs, inputs, mixed, rhs, strict, start, box = self._given
        for array in (outputs, rhs, strict):
            array.flags.writeable = False
        some = np.logical_or.reduceat(np.append(mixed >= 0, False), start[:-1]) if len(box) else box
        found = []
        edges = start.tolist()
        for k, (number, a, b) in enumerate(zip(box.tolist(), edges[:-1], edges[1:], strict=True)):
            rows = _dense(inputs, mixed[a:b]) if b > a and some[k] else None
            flags = strict[a:b]
            found.append(Clause(number, outputs[a:b], rows, rhs[a:b], flags if flags.any() else None))
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
        return Stack(
            np.concatenate([np.empty((0, self._width)), *(c.outputs for c in each)]),
            np.concatenate([np.empty((0, self._size)), *(c.inputs for c in each if c.inputs is not None)]),
            mixed,
            np.concatenate([np.empty(0), *(c.rhs for c in each)]),
            np.concatenate(
                [
                    np.empty(0, bool),
                    *(np.zeros(len(c.rhs), bool) if c.strict is None else c.strict for c in each),
                ]
            ),
            np.concatenate([[0], np.cumsum(counts)]),
            np.array([c.box for c in each], np.int64),
        )


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
    if not fits or (clause.strict is not None and clause.strict.shape != (r,)):
        raise SpecError(
            f"clause {k}: its {r} rows need outputs ({r}, {o}), inputs ({r}, {d}) or None, strict ({r},)"
        )
    if not 0 <= clause.box < boxes:
        raise SpecError(f"clause {k} names box {clause.box}, but there are {boxes} boxes")


def _dense(inputs: Floats, mixed: Ints) -> Floats:
    """The input coefficients (R, D) of the rows at these places, zeros at -1."""
    found = inputs[mixed]
    found[mixed < 0] = 0.0
    found.flags.writeable = False
    return found


def satisfied(stack: Stack, rows: Ints, x: Floats, y: Floats) -> Bools:
    """Which of these rows, without products, hold at (x, y), exactly; (len(rows),)."""
    outputs, rhs, strict = stack.outputs[rows], stack.rhs[rows], stack.strict[rows]
    place = stack.mixed[rows]
    mixed = np.flatnonzero(place >= 0)
    inputs = stack.inputs[place[mixed]]
    with np.errstate(over="ignore", invalid="ignore"):
        value, size = outputs @ y - rhs, np.abs(outputs) @ np.abs(y) + np.abs(rhs)
        value[mixed] += inputs @ x
        size[mixed] += np.abs(inputs) @ np.abs(x)
        terms = len(y) + len(x) + 2
        slack = 2.0 * terms * np.finfo(np.float64).eps * size + terms * np.finfo(np.float64).tiny
        holds = value < -slack
        unsure = ~(holds | (value > slack))
    for r in np.flatnonzero(unsure):
        exact = _dot(outputs[r], y) - Fraction(float(rhs[r]))
        if place[r] >= 0:
            exact += _dot(stack.inputs[place[r]], x)
        holds[r] = exact < 0 or (exact == 0 and not strict[r])
    return np.asarray(holds, bool)


def satisfied_exactly(
    stack: Stack, products: Sequence[Sequence[int]], rows: Ints, x: Floats, y: Floats
) -> Bools:
    """Which of these rows hold at (x, y), products included; (len(rows),)."""
    inputs, values = [Fraction(v) for v in x.tolist()], [Fraction(v) for v in y.tolist()]
    both = inputs + values
    values += [math.prod((both[i] for i in columns), start=Fraction(1)) for columns in products]
    holds = np.zeros(len(rows), bool)
    for k, r in enumerate(rows.tolist()):
        total = -Fraction(float(stack.rhs[r]))
        sides = [(stack.outputs[r], values)]
        sides += [(stack.inputs[stack.mixed[r]], inputs)] if stack.mixed[r] >= 0 else []
        for row, numbers in sides:
            total += sum((Fraction(float(row[i])) * numbers[i] for i in np.flatnonzero(row)), Fraction(0))
        holds[k] = total < 0 or (total == 0 and not stack.strict[r])
    return holds


def _dot(coefficients: Floats, values: Floats) -> Fraction:
    """The exact value of coefficients . values, both (N,)."""
    terms = np.flatnonzero(coefficients)
    return sum((Fraction(float(coefficients[i])) * Fraction(float(values[i])) for i in terms), Fraction(0))
