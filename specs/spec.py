"""The one internal form of a specification: boxes of inputs and a disjunction of conjunctions of linear rows.

Axis letters: K boxes, C clauses, R rows of one clause, T rows of all clauses, D inputs, O outputs. Inputs and
outputs are flat (row-major order of the model's tensors). Everything is float64.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genbab.errors import SpecError
from genbab.specs.declarations import NetworkName

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


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


@dataclass(frozen=True, eq=False)
class Ball:
    """{ x : ||x[columns] - centre|| <= radius } in the norm 1 or 2; columns and centre (n,)."""

    columns: Ints
    centre: Floats
    radius: Fraction
    norm: int

    def holds(self, x: Floats) -> bool:
        """Whether x (D,) lies in the ball, decided exactly."""
        offset = x[self.columns] - self.centre
        size = float(np.abs(offset).sum() if self.norm == 1 else np.sqrt((offset * offset).sum()))
        slack = (
            4.0 * (len(offset) + 4) * np.finfo(np.float64).eps * (size + float(np.abs(x).max(initial=1.0)))
        )
        if abs(size - float(self.radius)) > slack + 1e-12 * float(self.radius):
            return size < float(self.radius)
        exact = [Fraction(a) - Fraction(b) for a, b in zip(x[self.columns], self.centre, strict=True)]
        if self.norm == 1:
            return sum(map(abs, exact), Fraction(0)) <= self.radius
        return sum((v * v for v in exact), Fraction(0)) <= self.radius**2


@dataclass(frozen=True, eq=False)
class Run:
    """The model's input in one of its runs: offset + Σ value_k · x[column_k] into place row_k.

    offset (M,) for the M inputs of the model; row, column, value (n,).
    """

    row: Ints
    column: Ints
    value: Floats
    offset: Floats

    def at(self, x: Floats) -> Floats:
        """The model's input (M,) for the variables x (D,), in float64."""
        total = self.offset.copy()
        np.add.at(total, self.row, self.value * x[self.column])
        return total


class _Stack(NamedTuple):
    """The rows of all clauses below each other, each with the number of its clause; clause (T,), box (C,)."""

    outputs: Floats
    inputs: Floats | None
    rhs: Floats
    strict: Bools
    clause: Ints
    box: Ints


class Hidden(NamedTuple):
    """A tensor inside the model, by its name or by that of the node it comes from, and how many numbers it
    has."""

    name: str
    size: int


@dataclass(frozen=True, eq=False)
class Spec:
    """What must never happen: some x in its box with outputs y that satisfies all rows of one of the clauses.

    lower, upper (K, D): the distinct boxes, finite, lower <= upper, closed also where the text is strict.
    Without clauses the spec is vacuous (K = 0 when it was read from a file): nothing can violate it, and
    `notes` says why. Raises SpecError when the parts do not fit together.

    balls: () or one tuple per box: x lies in all of them, too. runs: () when x is the model's input and y
    its output; else the model is run once for each, and y are the outputs of all runs, O in all. products:
    P products of variables, each a tuple of at least two columns (inputs 0 ... D - 1, outputs D ...
    D + O - 1); rows have O + P columns, the last P of which are these. hidden: tensors inside the model whose
    values follow, in this order, the outputs of every run: they count among the O outputs. assumed: the spec
    whose unsafe set is what this one takes for granted about hidden tensors, if it does: where nothing
    violates that one, this one says nothing. declared: what a VNN-LIB 2 text calls its networks; where
    several of them have a model of their own, x and y are the inputs and outputs of all models, one after
    the other.
    """

    lower: Floats
    upper: Floats
    clauses: tuple[Clause, ...]
    output_size: int
    notes: tuple[str, ...] = ()
    balls: tuple[tuple[Ball, ...], ...] = ()
    runs: tuple[Run, ...] = ()
    products: tuple[tuple[int, ...], ...] = ()
    hidden: tuple[Hidden, ...] = ()
    assumed: Spec | None = None
    declared: tuple[NetworkName, ...] = ()

    def __post_init__(self) -> None:
        """Check the shapes and the boxes; the clauses one by one."""
        if self.lower.ndim != 2 or self.lower.shape != self.upper.shape:
            shapes = f"{self.lower.shape} and {self.upper.shape}"
            raise SpecError(f"lower and upper must be (boxes, inputs) arrays of one shape, not {shapes}")
        if not (np.isfinite(self.lower).all() and np.isfinite(self.upper).all()):
            raise SpecError("every bound of a box must be a finite number")
        if (self.lower > self.upper).any():
            box, i = np.argwhere(self.lower > self.upper)[0]
            raise SpecError(f"box {box} is empty: input {i} has its lower bound above its upper bound")
        for k in range(0, len(self.clauses), 1024):
            _check_numbers(self.clauses[k : k + 1024])
        for k, clause in enumerate(self.clauses):
            _check(clause, k, len(self.lower), self.input_size, self.width)
        _check_extras(self)

    @property
    def input_size(self) -> int:
        """The number of inputs, D."""
        return int(self.lower.shape[1])

    @property
    def width(self) -> int:
        """The columns of the rows: outputs and products, O + P."""
        return self.output_size + len(self.products)

    @property
    def vacuous(self) -> bool:
        """Whether the unsafe set is known to be empty, so that the spec holds for every model."""
        return not self.clauses

    @cached_property
    def _stack(self) -> _Stack:
        counts = [len(c.rhs) for c in self.clauses]
        size, d = sum(counts), self.input_size
        outputs = np.concatenate([np.empty((0, self.width)), *(c.outputs for c in self.clauses)])
        rhs = np.concatenate([np.empty(0), *(c.rhs for c in self.clauses)])
        inputs = np.zeros((size, d)) if any(c.inputs is not None for c in self.clauses) else None
        strict = np.zeros(size, bool)
        start = 0
        for clause, count in zip(self.clauses, counts, strict=True):
            if inputs is not None and clause.inputs is not None:
                inputs[start : start + count] = clause.inputs
            if clause.strict is not None:
                strict[start : start + count] = clause.strict
            start += count
        number = np.repeat(np.arange(len(counts)), np.array(counts, np.int64))
        return _Stack(outputs, inputs, rhs, strict, number, np.array([c.box for c in self.clauses], np.int64))

    def violation(self, x: ArrayLike, y: ArrayLike) -> int | None:
        """The first clause that (x, y) satisfies, or None; x of D and y of O numbers, any shape.

        x is compared with its closed box in float64. Rows are decided exactly for the float64 numbers of the
        spec and of the point (in rational arithmetic where rounding could matter), strict rows as strict. A
        point with NaN or an infinity never violates. Raises SpecError on a wrong number of inputs or outputs.
        """
        point = self._flat(x, self.input_size, "inputs")
        output = self._flat(y, self.output_size, "outputs")
        if self.vacuous or not (np.isfinite(point).all() and np.isfinite(output).all()):
            return None
        inside = np.logical_and.reduce((self.lower <= point) & (point <= self.upper), axis=1)
        for box in np.flatnonzero(inside) if self.balls else ():
            inside[box] = all(ball.holds(point) for ball in self.balls[box])
        stack = self._stack
        open_clauses: Bools = inside[stack.box]
        if not open_clauses.any():
            return None
        rows = np.flatnonzero(open_clauses[stack.clause])
        if self.products:
            broken = rows[~_satisfied_exactly(self, stack, rows, point, output)]
        else:
            broken = rows[~_satisfied(stack, rows, point, output)]
        open_clauses[stack.clause[broken]] = False
        return int(np.argmax(open_clauses)) if open_clauses.any() else None

    @staticmethod
    def _flat(values: ArrayLike, size: int, what: str) -> Floats:
        flat = np.asarray(values, np.float64).reshape(-1)
        if flat.size != size:
            raise SpecError(f"the point has {flat.size} {what}, the specification has {size}")
        return flat


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


def _check_extras(spec: Spec) -> None:
    """Raise SpecError unless balls, runs and products fit the sizes."""
    d, o = spec.input_size, spec.output_size
    if spec.balls and len(spec.balls) != len(spec.lower):
        raise SpecError(f"there are {len(spec.balls)} tuples of balls for {len(spec.lower)} boxes")
    for ball in (b for balls in spec.balls for b in balls):
        fits = ball.columns.shape == ball.centre.shape and ball.norm in (1, 2) and ball.radius >= 0
        if (
            not fits
            or not np.isfinite(ball.centre).all()
            or len(np.unique(ball.columns)) != ball.columns.size
        ):
            raise SpecError("a ball needs distinct columns, a finite centre, radius >= 0 and the norm 1 or 2")
    columns = [c for b in spec.balls for ball in b for c in ball.columns.tolist()]
    columns += [c for run in spec.runs for c in run.column.tolist()]
    if any(not 0 <= c < d for c in columns):
        raise SpecError(f"a ball or a run names an input that is not among the {d}")
    if any(len(p) < 2 or not all(0 <= c < d + o for c in p) for p in spec.products):
        raise SpecError(f"a product needs at least two of the {d} inputs and {o} outputs")
    inside, names = sum(h.size for h in spec.hidden) * max(1, len(spec.runs)), {h.name for h in spec.hidden}
    if any(h.size < 1 for h in spec.hidden) or inside > o or len(names) != len(spec.hidden):
        raise SpecError(f"{inside} numbers of distinct hidden tensors must be among the {o} outputs")
    if any(not (np.isfinite(r.value).all() and np.isfinite(r.offset).all()) for r in spec.runs):
        raise SpecError("every number of a run must be finite")


def _check_numbers(clauses: tuple[Clause, ...]) -> None:
    """Raise SpecError unless all numbers of these clauses are finite."""
    arrays = [a for c in clauses for a in (c.outputs, c.inputs, c.rhs) if a is not None]
    if not np.isfinite(np.concatenate(arrays, axis=None)).all():
        raise SpecError("every coefficient and right-hand side of a clause must be a finite number")


def _satisfied(stack: _Stack, rows: Ints, x: Floats, y: Floats) -> Bools:
    """Which of these rows hold at (x, y), exactly; (len(rows),)."""
    outputs, rhs, strict = stack.outputs[rows], stack.rhs[rows], stack.strict[rows]
    inputs = None if stack.inputs is None else stack.inputs[rows]
    with np.errstate(over="ignore", invalid="ignore"):
        value, size = outputs @ y - rhs, np.abs(outputs) @ np.abs(y) + np.abs(rhs)
        if inputs is not None:
            value, size = value + inputs @ x, size + np.abs(inputs) @ np.abs(x)
        terms = len(y) + len(x) + 2
        slack = 2.0 * terms * np.finfo(np.float64).eps * size + terms * np.finfo(np.float64).tiny
        holds = value < -slack
        unsure = ~(holds | (value > slack))
    for r in np.flatnonzero(unsure):
        exact = _dot(outputs[r], y) - Fraction(float(rhs[r]))
        if inputs is not None:
            exact += _dot(inputs[r], x)
        holds[r] = exact < 0 or (exact == 0 and not strict[r])
    return np.asarray(holds, bool)


def _satisfied_exactly(spec: Spec, stack: _Stack, rows: Ints, x: Floats, y: Floats) -> Bools:
    """Which of these rows hold at (x, y), products included; (len(rows),)."""
    inputs, values = [Fraction(v) for v in x.tolist()], [Fraction(v) for v in y.tolist()]
    both = inputs + values
    values += [math.prod((both[i] for i in columns), start=Fraction(1)) for columns in spec.products]
    holds = np.zeros(len(rows), bool)
    for k, r in enumerate(rows.tolist()):
        total = -Fraction(float(stack.rhs[r]))
        sides = [(stack.outputs[r], values)] + ([] if stack.inputs is None else [(stack.inputs[r], inputs)])
        for row, numbers in sides:
            total += sum((Fraction(float(row[i])) * numbers[i] for i in np.flatnonzero(row)), Fraction(0))
        holds[k] = total < 0 or (total == 0 and not stack.strict[r])
    return holds


def _dot(coefficients: Floats, values: Floats) -> Fraction:
    """The exact value of coefficients . values, both (N,)."""
    terms = np.flatnonzero(coefficients)
    return sum((Fraction(float(coefficients[i])) * Fraction(float(values[i])) for i in terms), Fraction(0))
