"""Goes through the tree of a proof and refutes every disjunct on every leaf.

Axes: B nodes of a batch, D inputs, C disjuncts, R rows of the specification.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from genbab.check.clauses import Disjuncts, Left, clauses_of, judge, kept
from genbab.check.container import Hint
from genbab.check.failures import Rejected
from genbab.check.intervals import Array, Indices, Pair
from genbab.check.model.program import ElementwiseStep, RowStep
from genbab.check.model.values import Values, extend
from genbab.check.passes.backward import MOST, Chosen, Forms, bounded, in_parts, least_on, tightened
from genbab.check.passes.forward import MOST_INPUTS, Bands
from genbab.check.question import Case
from genbab.check.spec import Disjunct

LARGEST_BATCH = 256
Known = Mapping[int, Pair]  # intervals (N,) of steps


@dataclass(frozen=True, eq=False)
class Task:
    """A node that is still open: its box, what is known of steps there, and the open disjuncts."""

    node: int
    low: Array
    high: Array
    known: Known
    open: Indices
    hint: Hint | None = None  # slopes for the rows, of the nearest ancestor
    extra: int = 0  # splits made by the check itself
    fresh: bool = True  # whether the hints of its node are not yet used


@dataclass
class Counts:
    """What was gone through."""

    boxes: int = 0
    nodes: int = 0
    leaves: int = 0
    extra: int = 0


@dataclass
class Check:
    """A walk through the tree, with the nodes that wait."""

    case: Case
    counts: Counts = field(default_factory=Counts)
    waiting: list[Task] = field(default_factory=list)
    begun: bool = False

    def __post_init__(self) -> None:
        splits = self.case.proof.splits
        self._split_of = {int(node): i for i, node in enumerate(splits["node"])}
        program = self.case.program
        bent = (s for n, s in enumerate(program.steps) if n not in program.aside)
        self._steps = {
            s for step in bent if isinstance(step, ElementwiseStep | RowStep) for s in step.sources
        }
        widest = max(self.case.program.size(i) for i in range(len(self.case.program.steps)))
        rows = max(len(self.case.specification.rows), 16)
        self._batch = int(min(LARGEST_BATCH, max(1, MOST // (widest * rows))))

    def run(self, seconds: float = math.inf) -> Counts:
        """Accepts by leaving nothing that waits, or ends after so long; what is not refuted is rejected."""
        if not self.begun:
            self.waiting, self.begun = self._roots()[::-1], True
        end = time.monotonic() + seconds
        while self.waiting and time.monotonic() < end:
            self.case.clock.look()
            self._process(self._taken())
        return self.counts

    def _roots(self) -> list[Task]:
        """The boxes of the proof, each with the disjuncts whose boxes are in it."""
        proof = self.case.proof
        mine: dict[int, list[int]] = {}
        for number, disjunct in enumerate(self.case.specification.disjuncts):
            if (disjunct.low > disjunct.high).any():
                continue
            self.case.clock.look()
            inside = (proof.low <= disjunct.low).all(-1) & (proof.high >= disjunct.high).all(-1)
            if not inside.any():
                raise Rejected(f"no box of the proof contains the box of disjunct {number}")
            mine.setdefault(self._box_of(disjunct, np.flatnonzero(inside)), []).append(number)
        self.counts.boxes = len(mine)
        return [self._root(box, np.array(some, dtype=np.int64)) for box, some in sorted(mine.items())]

    def _box_of(self, disjunct: Disjunct, boxes: Indices) -> int:
        """Of the boxes that contain a disjunct's the first that is its own, else the first for all."""
        about = self.case.proof.about
        own = (int(box) for box in boxes if int(box) in about and self.case.own(disjunct, int(box)))
        shared = (int(box) for box in boxes if int(box) not in about)
        return next(own, next(shared, int(boxes[0])))

    def _root(self, box: int, some: Indices) -> Task:
        """A box of the proof, or what of it the disjuncts need."""
        clauses = clauses_of(self.case.specification, some.tolist())
        return Task(box, clauses.low.min(0), clauses.high.max(0), {}, some)

    def _taken(self) -> list[Task]:
        """The next tasks that have slopes, or the next that have none; one alone that has rows to bound."""
        tasks = [self._settled(self.waiting.pop())]
        while self.waiting and len(tasks) < self._batch and not tasks[0].fresh:
            task = self._settled(self.waiting[-1])
            if (task.hint is None) != (tasks[0].hint is None) or task.fresh:
                break
            self.waiting.pop()
            tasks.append(task)
        return tasks

    def _settled(self, task: Task) -> Task:
        """The task with the slopes of its node, still fresh if this has hints to bound rows by."""
        hints = self.case.proof.hints_of(task.node) if task.fresh else []
        if any(hint.target is not None for hint in hints):
            return task
        return replace(task, fresh=False, hint=hints[-1] if hints else task.hint)

    def _process(self, tasks: Sequence[Task]) -> None:
        """Bounds the tasks, first cheaply, then with tightened intervals, and splits those that stay open."""
        self.counts.nodes += sum(not task.extra for task in tasks)
        self.counts.leaves += sum(not task.extra and task.node not in self._split_of for task in tasks)
        if tasks[0].fresh:
            tasks = [self._hinted(tasks[0])]
        left = [task for task, _, _ in self._bounded(tasks, tighten=False)]
        deep = [task for task in left if self._is_deep(task)]
        for task in left:
            if not self._is_deep(task):
                self._divide(task)
        for found in self._bounded(deep, tighten=True):
            if found[0].node in self._split_of:
                self._divide(found[0])
            else:
                self._halve([found])

    def _is_deep(self, task: Task) -> bool:
        """Whether a node gets tightened intervals: leaves, boxes of the proof, and where few inputs vary."""
        few = np.count_nonzero(task.low < task.high) <= MOST_INPUTS
        return bool(few) or task.node not in self._split_of or task.node < len(self.case.proof.low)

    def _bounded(self, tasks: Sequence[Task], tighten: bool) -> list[tuple[Task, Array, float]]:
        """The tasks that stay open, on smaller boxes; how much inputs matter; how far a bound is above."""
        if not tasks:
            return []
        case = self.case
        values = self._values(tasks, tighten)
        union = np.unique(np.concatenate([task.open for task in tasks]))
        clauses = clauses_of(case.specification, union.tolist())
        open_ = np.stack([np.isin(union, task.open) for task in tasks]) & ~values.empty[:, None]
        rows = np.unique(clauses.row)
        forms = self._forms(values, rows, [task.hint for task in tasks if task.hint is not None])
        box = values.ranges[0]
        size = len(case.specification.rows)
        lower = np.full((len(tasks), size), -np.inf)
        lower[:, rows] = np.maximum(least_on(forms, *box), values.ranges[case.rows][0][:, rows])
        where = np.zeros(size, dtype=np.int64)
        where[rows] = np.arange(len(rows))
        local: Disjuncts = clauses._replace(row=where[clauses.row])
        left = judge(local, open_, lower[:, rows], forms, box)
        if values.lost.any():
            near = (clauses.low <= box[1][:, None]).all(-1) & (clauses.high >= box[0][:, None]).all(-1)
            near &= np.stack([np.isin(union, task.open) for task in tasks])
            left = kept(left, values.lost, near, box)
        if (whole := case.program.whole) is not None:
            low, high = whole.cut(left.low, left.high)
            some = np.asarray((low <= high).all(-1, keepdims=True))
            left = left._replace(open=left.open & some, low=low, high=high)
        stay = np.flatnonzero(left.open.any(1))
        return [self._left(tasks[i], i, left, forms, values, union) for i in map(int, stay)]

    def _left(
        self, task: Task, i: int, left: Left, forms: Forms, values: Values, union: Indices
    ) -> tuple[Task, Array, float]:
        known = {
            s: (values.ranges[s][0][i], values.ranges[s][1][i]) for s in self._steps.union(task.known) if s
        }
        slope = np.abs(forms.coefficients[i]).max(0)
        matter = (slope + slope.mean()) * (left.high[i] - left.low[i])
        worst = float(left.margin[i][left.open[i]].min())
        smaller = replace(task, low=left.low[i], high=left.high[i], open=union[left.open[i]], known=known)
        return smaller, matter, worst

    def _values(self, tasks: Sequence[Task], tighten: bool) -> Values:
        """Intervals of all steps, met with what is known, and tightened on the way."""
        box = np.stack([t.low for t in tasks]), np.stack([t.high for t in tasks])
        values = Values([box], look=self.case.clock.look)
        shared = set(tasks[0].known).intersection(*(task.known for task in tasks[1:]))
        known = {
            step: (np.stack([t.known[step][0] for t in tasks]), np.stack([t.known[step][1] for t in tasks]))
            for step in shared
        }
        program, bands = self.case.program, Bands(self.case.program, values)
        for number in range(1, len(program.steps)):
            extend(program, values, known)
            bands.meet(values)
            if tighten and number in self._steps:
                values.ranges[number] = tightened(program, values, number)
        return values

    def _forms(self, values: Values, rows: Indices, hints: Sequence[Hint]) -> Forms:
        case = self.case
        unit = np.eye(len(case.specification.rows))[rows]
        chosen: dict[int, Chosen] = {}
        if hints:
            chosen = case.chosen(hints, [case.rows_of(hint)[rows] for hint in hints])
        parts = list(in_parts(case.program, values, case.rows, unit, chosen))
        return Forms(
            np.concatenate([p.coefficients for p in parts], 1), np.concatenate([p.constant for p in parts], 1)
        )

    def _hinted(self, task: Task) -> Task:
        """The task with the hints of its node used: intervals of tensors, and slopes for the rows."""
        case = self.case
        task = replace(task, fresh=False)
        for hint in case.proof.hints_of(task.node):
            if hint.target is None:
                task = replace(task, hint=hint)
                continue
            step = case.step(hint.target)
            entries = case.entries(hint, step)
            if not step or not len(entries):
                continue
            rows = np.zeros((2 * len(entries), case.program.size(step)))
            rows[np.arange(len(entries)), entries] = 1.0
            rows[len(entries) + np.arange(len(entries)), entries] = -1.0
            values = self._values([task], tighten=False)
            chosen = case.chosen([hint], [np.arange(len(rows))])
            found = bounded(case.program, values, step, rows, chosen)[0]
            low, high = (end[0].copy() for end in values.ranges[step])
            np.maximum.at(low, entries, found[: len(entries)])
            np.minimum.at(high, entries, -found[len(entries) :])
            task = replace(task, known={**task.known, step: (low, high)})
        return task

    def _divide(self, task: Task) -> None:
        """Both children of an inner node, as the proof splits it."""
        proof = self.case.proof
        number = self._split_of[task.node]
        split = proof.splits[number]
        tensor, entry, point = int(split["tensor"]), int(split["entry"]), float(split["point"])
        if not -1 <= tensor < len(proof.tensors):
            raise Rejected(f"split {number} is of tensor {tensor}, which the proof does not name")
        step = 0 if tensor < 0 else self.case.step(proof.tensors[tensor])
        if not 0 <= entry < self.case.program.size(step):
            raise Rejected(f"split {number} is at entry {entry}, which is not there")
        for side in (1, 0):
            child = replace(task, node=len(proof.low) + 2 * number + side, fresh=True)
            self.waiting.append(self._cut(child, step, entry, point, upper=bool(side)))

    def _cut(self, task: Task, step: int, entry: int, point: float, upper: bool) -> Task:
        """The task where an entry is at least, or at most, a number."""
        everything = np.full(self.case.program.size(step), np.inf)
        low, high = (task.low, task.high) if not step else task.known.get(step, (-everything, everything))
        low, high = low.copy(), high.copy()
        if upper:
            low[entry] = max(low[entry], point)
        else:
            high[entry] = min(high[entry], point)
        if not step:
            if self.case.program.whole is not None:
                low, high = self.case.program.whole.cut(low, high)
            return replace(task, low=low, high=high)
        return replace(task, known={**task.known, step: (low, high)})

    def _halve(self, found: Sequence[tuple[Task, Array, float]]) -> None:
        """Both halves of leaves that stay open, as far as the check may split by itself."""
        for task, matter, worst in found:
            if task.extra >= self.case.limits.extra_splits:
                best = f"the best bound of the {len(task.open)} open ones is {-worst:.6g} short"
                if worst == -np.inf:
                    best = "a number may not be finite there, or a function may have no value"
                raise Rejected(
                    f"node {task.node}: disjunct {int(task.open[0])} is not refuted; {best},"
                    f" after {task.extra} splits more"
                )
            entry = int(np.argmax(np.where(np.isfinite(matter), matter, task.high - task.low)))
            point = float(task.low[entry] / 2 + task.high[entry] / 2)
            if self.case.program.whole is not None:
                point = self.case.program.whole.between(entry, point)
            self.counts.extra += 1
            for upper in (True, False):
                self.waiting.append(self._cut(replace(task, extra=task.extra + 1), 0, entry, point, upper))
