"""Joins steps into one formula where a proof asks for it, and leaves out steps that nothing needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from genbab.check.failures import Rejected
from genbab.check.functions.formula import (
    MOST_NODES,
    Formula,
    argument,
    constant,
    nodes,
    number,
    pick_values,
    plus,
    substitute,
    times,
)
from genbab.check.functions.lines import linear_in_one
from genbab.check.intervals import Indices
from genbab.check.model.maps import EntryScale, Gather
from genbab.check.model.program import (
    AffineStep,
    Charge,
    ElementwiseStep,
    NormedStep,
    Program,
    RowStep,
    SoftmaxStep,
    Term,
    Wire,
)


class NoFormula(Exception):  # noqa: N818 - nothing is wrong: the steps are bounded one by one
    """A step is not a function of the others entry by entry, for this reason."""


class EntryFormula:
    """The formula that a step is of other steps, entry by entry, found by going back; else `NoFormula`."""

    def __init__(self, program: Program, out: Wire, arguments: Sequence[int]) -> None:
        self.program, self.arguments = program, list(arguments)
        self.indices: dict[int, Indices] = {}
        self._done: dict[tuple[int, bytes], Formula] = {}
        self._left = MOST_NODES
        self.formula = self._back(out.step, np.arange(program.size(out.step)), first=True)

    def _back(self, step: int, index: Indices, first: bool = False) -> Formula:
        if step in self.arguments and not first:
            place = self.arguments.index(step)
            if not np.array_equal(self.indices.setdefault(place, index), index):
                raise NoFormula("it takes several entries of one argument")
            return argument(place)
        key = step, index.tobytes()
        if key not in self._done:
            self._left -= 1
            if self._left < 0:
                raise NoFormula("too many steps")
            self._done[key] = self._step(step, index)
        return self._done[key]

    def _step(self, number_: int, index: Indices) -> Formula:
        step = self.program.steps[number_]
        if step is None:
            raise NoFormula("it takes from the inputs besides")
        if isinstance(step, RowStep):
            raise NoFormula("a function of rows")
        if isinstance(step, ElementwiseStep):
            kids = [self._back(source, index) for source in step.sources]
            return substitute(pick_values(step.formula, index), kids)
        total: Formula | None = None
        if step.low[index].any() or step.high[index].any():
            total = constant(step.low[index], step.high[index])
        for term in step.terms:
            part = self._term(term, index)
            if part is not None:
                total = part if total is None else plus(total, part)
        return total or number(0.0)

    def _term(self, term: Term, index: Indices) -> Formula | None:
        if isinstance(term.map, Gather):
            taken = term.map.index[index]
            if (taken < 0).all():
                return None
            if (taken < 0).any():
                raise NoFormula("entries of different kinds")
            return self._back(term.source, taken)
        if not isinstance(term.map, EntryScale):
            raise NoFormula("a step that mixes entries")
        weight = term.map.weight[index]
        low = high = weight
        if isinstance(term.radius, EntryScale):
            radius = term.radius.weight[index]
            low, high = np.nextafter(weight - radius, -np.inf), np.nextafter(weight + radius, np.inf)
        return times(constant(low, high), self._back(term.source, index))


def joined(program: Program, functions: Sequence[tuple[str, Sequence[str]]]) -> dict[int, EntryFormula]:
    """The steps to be bounded as functions of others, by their numbers; those that are none are left out."""
    found: dict[int, EntryFormula] = {}
    for out, arguments in functions:
        wires = []
        for name in (out, *arguments):
            tensor = program.tensors.get(name)
            if not isinstance(tensor, Wire) or (name == out and not tensor.step):
                raise Rejected(f"the function {out!r}: {name!r} is no tensor that varies")
            wires.append(tensor)
        try:
            result = EntryFormula(program, wires[0], [wire.step for wire in wires[1:]])
        except NoFormula:
            continue
        if len(result.indices) == len(arguments) and len(nodes(result.formula)) <= MOST_NODES:
            if linear_in_one(result.formula, len(arguments)):
                found[wires[0].step] = result
    return found


def rebuilt(
    program: Program,
    joins: dict[int, EntryFormula],
    names: Iterable[str],
    charging: Callable[[int, tuple[int, ...]], Charge] | None = None,
) -> Program:
    """The program with these joins, of the steps that the outputs and the named tensors need.

    charging: what a join is charged, from the number of the step that it is instead of, and of its arguments.
    The steps that it was made of stay then, `aside`: they are what is executed.
    """
    roots = [t.step for n in (*program.outputs, *names) if isinstance(t := program.tensors.get(n), Wire)]
    needed = _needed(program, joins, roots)
    every = needed if charging is None else needed | _needed(program, {}, [*roots, *(needed & joins.keys())])
    result = Program(program.inputs, outputs=program.outputs, whole=program.whole)
    new, aside = {0: 0}, []
    for number_ in sorted(every - {0}):
        join = joins.get(number_) if number_ in needed else None
        if join is None or charging is not None:
            new[number_] = _copied(program, result, new, number_)
        if join is not None:
            twin = new.get(number_, -1)
            charge = None if charging is None else charging(twin, tuple(new[a] for a in join.arguments))
            new[number_] = _joined(program, result, join, new, (number_, charge))
        if number_ not in needed or (join is not None and charging is not None):
            aside.append(twin if join is not None else new[number_])
    result.aside = frozenset(aside)
    for name, tensor in program.tensors.items():
        if isinstance(tensor, Wire) and tensor.step in new:
            result.tensors[name] = Wire(new[tensor.step], tensor.shape)
    return result


def _needed(program: Program, joins: dict[int, EntryFormula], roots: Iterable[int]) -> set[int]:
    """The steps that these are made of, with the inputs."""
    needed, waiting = {0}, list(roots)
    while waiting:
        number_ = waiting.pop()
        if number_ not in needed:
            needed.add(number_)
            step = program.steps[number_]
            sources = () if step is None else step.sources
            waiting.extend(joins[number_].arguments if number_ in joins else sources)
    return needed


def _joined(
    program: Program, result: Program, join: EntryFormula, new: dict[int, int], of: tuple[int, Charge | None]
) -> int:
    size, sources = program.size(of[0]), []
    for place, source in enumerate(join.arguments):
        wire = Wire(new[source], (program.size(source),))
        index = join.indices[place]
        sources.append(result.move(wire, lambda v, i=index: v[i]).step)  # type: ignore[misc]
    return result.add(ElementwiseStep(join.formula, tuple(sources), size, of[1]))


def _copied(program: Program, result: Program, new: dict[int, int], number_: int) -> int:
    step = program.steps[number_]
    if isinstance(step, AffineStep):
        terms = tuple(Term(new[t.source], t.map, t.radius) for t in step.terms)
        return result.add(replace(step, terms=terms))
    if isinstance(step, SoftmaxStep):
        differences = None if step.differences is None else new[step.differences]
        return result.add(replace(step, source=new[step.source], differences=differences))
    if isinstance(step, NormedStep):
        return result.add(replace(step, source=new[step.source], squares=new[step.squares]))
    assert step is not None
    return result.add(replace(step, sources=tuple(new[s] for s in step.sources)))
