"""The one internal form of a specification: boxes of inputs and a disjunction of conjunctions of linear rows.

Axis letters: K boxes, C clauses, R rows of one clause, T rows of all clauses, D inputs, O outputs. Inputs and
outputs are flat (row-major order of the model's tensors). Everything is float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from genbab.errors import SpecError
from genbab.specs.form.clauses import Clause, Clauses, checked, satisfied
from genbab.specs.form.declarations import NetworkName
from genbab.specs.form.elements import Ball, Hidden, Run
from genbab.specs.numbers.arrays import Bools, Floats


@dataclass(frozen=True, eq=False)
class Spec:
    """What must never happen: some x in its box with outputs y that satisfies all rows of one of the clauses.

    lower, upper (K, D): the distinct boxes, finite, lower <= upper, closed also where the text is strict.
    lower_open, upper_open (K, D) or None: ends that do not lie in the box as it was given, because the bound
    is strict or was rounded outward; there is a real point in it nevertheless.
    Without clauses the spec is vacuous (K = 0 when it was read from a file): nothing can violate it, and
    `notes` says why. Raises SpecError when the parts do not fit together.

    balls: () or one tuple per box: x lies in all of them, too. runs: () when x is the model's input and y
    its output; else the model is run once for each, and y are the outputs of all runs, O in all. products:
    P products of variables, each a tuple of at least two columns (inputs 0 ... D - 1, outputs D ...
    D + O - 1); rows have O + P columns, the last P of which are these. hidden: tensors inside the model whose
    values follow, in this order, the outputs of every run: they count among the O outputs. premises: the spec
    whose unsafe set is what this one takes for granted about hidden tensors, if it does: where nothing
    violates that one, this one says nothing. declared: what a VNN-LIB 2 text calls its networks; where
    several of them have a model of their own, x and y are the inputs and outputs of all models, one after
    the other.
    """

    lower: Floats
    upper: Floats
    clauses: Sequence[Clause]
    output_size: int
    notes: tuple[str, ...] = ()
    balls: tuple[tuple[Ball, ...], ...] = ()
    runs: tuple[Run, ...] = ()
    products: tuple[tuple[int, ...], ...] = ()
    hidden: tuple[Hidden, ...] = ()
    premises: Spec | None = None
    declared: tuple[NetworkName, ...] = ()
    lower_open: Bools | None = None
    upper_open: Bools | None = None

    def __post_init__(self) -> None:
        """Check the shapes and the boxes, and make the clauses a `Clauses`."""
        if self.lower.ndim != 2 or self.lower.shape != self.upper.shape:
            shapes = f"{self.lower.shape} and {self.upper.shape}"
            raise SpecError(f"lower and upper must be (boxes, inputs) arrays of one shape, not {shapes}")
        if not (np.isfinite(self.lower).all() and np.isfinite(self.upper).all()):
            raise SpecError("every bound of a box must be a finite number")
        if any(flags is not None and flags.shape != self.lower.shape for flags in self.open_ends):
            raise SpecError("lower_open and upper_open must have the shape of lower, or be None")
        if (self.lower > self.upper).any():
            box, i = np.argwhere(self.lower > self.upper)[0]
            raise SpecError(f"box {box} is empty: input {i} has its lower bound above its upper bound")
        clauses = checked(self.clauses, len(self.lower), self.input_size, self.width)
        object.__setattr__(self, "clauses", clauses)
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

    @property
    def open_ends(self) -> tuple[Bools | None, Bools | None]:
        """(lower_open, upper_open)."""
        return self.lower_open, self.upper_open

    @cached_property
    def inner(self) -> tuple[Floats, Floats]:
        """The smallest and largest float64 that lie in each box as it was given, (K, D) each.

        lower > upper where there is none.
        """
        lower, upper = self.lower, self.upper
        if self.lower_open is not None:
            lower = np.where(self.lower_open, np.nextafter(lower, np.inf), lower)
        if self.upper_open is not None:
            upper = np.where(self.upper_open, np.nextafter(upper, -np.inf), upper)
        return lower, upper

    def violation(self, x: ArrayLike, y: ArrayLike) -> int | None:
        """The first clause that (x, y) satisfies, or None; x of D and y of O numbers, any shape.

        Boxes and rows are decided exactly as they were given (in rational arithmetic where rounding could
        matter), strict ones as strict. A point with NaN or an infinity never violates. Raises SpecError on a
        wrong number of inputs or outputs.
        """
        point = self._flat(x, self.input_size, "inputs")
        lower, upper = self.inner
        inside = np.logical_and.reduce((lower <= point) & (point <= upper), axis=1)
        for box in np.flatnonzero(inside) if self.balls else ():
            inside[box] = all(ball.holds(point) for ball in self.balls[box])
        return self.met(inside, point, y)

    def met(self, boxes: Bools, x: ArrayLike, y: ArrayLike) -> int | None:
        """The first clause of these boxes (K,) whose rows (x, y) satisfies, or None; x may lie anywhere.

        Rows are decided as in `violation`, which says what is raised.
        """
        point = self._flat(x, self.input_size, "inputs")
        output = self._flat(y, self.output_size, "outputs")
        if self.vacuous or not (np.isfinite(point).all() and np.isfinite(output).all()):
            return None
        assert isinstance(self.clauses, Clauses)
        stack = self.clauses.stack
        open_clauses: Bools = boxes[stack.box]
        if not open_clauses.any():
            return None
        clause = stack.clause
        rows = np.flatnonzero(open_clauses[clause])
        broken = rows[~satisfied(stack, self.products, rows, point, output)]
        open_clauses[clause[broken]] = False
        return int(np.argmax(open_clauses)) if open_clauses.any() else None

    @staticmethod
    def _flat(values: ArrayLike, size: int, what: str) -> Floats:
        flat = np.asarray(values, np.float64).reshape(-1)
        if flat.size != size:
            raise SpecError(f"the point has {flat.size} {what}, the specification has {size}")
        return flat


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
