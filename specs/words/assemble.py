"""From statements to a `Spec`: which runs of the network are meant, and where every variable goes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

import numpy as np

from genbab.errors import SpecError
from genbab.specs.form.elements import Ball, Hidden, Run
from genbab.specs.form.spec import Spec
from genbab.specs.lowering.formula import Dnf, TooManyClauses, conjoined, conjunction
from genbab.specs.lowering.literals import Literals
from genbab.specs.lowering.lower import lower
from genbab.specs.numbers.arrays import Floats, Ints
from genbab.specs.numbers.exact import Ends
from genbab.specs.words.networks import HiddenTensor, RunOutputs
from genbab.specs.words.statements import All, InBall, Range, Relation, Some, Statement
from genbab.specs.words.terms import Terms
from genbab.specs.words.variables import Source, SourceVariable


def never(event: Statement) -> Spec:
    """The Spec whose unsafe set is the event: verified when no input makes it true.

    Every input needs a lower and an upper bound in every case of the event. Raises SpecError where something
    is missing or does not fit.
    """
    return _spec(Layout(event), event)


def _spec(layout: Layout, event: Statement) -> Spec:
    literals = Literals(layout.input_size, layout.output_size)
    try:
        common, factors = _conjunction(event, layout, literals)
        terms = conjoined(factors)
    except TooManyClauses as problem:
        raise SpecError(str(problem)) from None
    first = layout.inputs[0].name
    more = {"name": layout.name, "example": f"(0 <= {first}) & ({first} <= 1)"}
    more |= {"runs": layout.runs, "hidden": layout.hidden}
    return lower(literals.content(common, terms, lambda text, _: SpecError(text), **more))


def always(claim: Statement, on: Statement) -> Spec:
    """The Spec that `claim` is true of every input in the region `on`; raises SpecError as `never`.

    Where `on` speaks of hidden tensors, `premises` is the Spec that no input is in it.
    """
    spec = never(on & ~claim)
    if not any(isinstance(s, HiddenTensor) for s in _sources(on)):
        return spec
    return replace(spec, premises=_spec(Layout(on, spec.hidden), on))


def leaves_of(statement: Statement) -> Iterator[Range | InBall | Relation]:
    """The parts that are not put together from others, in order; raises SpecError for what is none."""
    stack = [statement]
    while stack:
        one = stack.pop()
        if isinstance(one, All | Some):
            stack.extend(reversed(one.parts))
        elif isinstance(one, Range | InBall | Relation):
            yield one
        else:
            raise SpecError(f"expected a statement like y[0] <= 1, found {type(one).__name__}")


class Layout:
    """Columns of variables: inputs 0 ... D - 1, outputs of all runs after them; the runs of the network.

    The outputs of a run are followed by its hidden tensors: `first`, then others that the event speaks of.
    Raises SpecError for an event about no network or several, or about inputs that no run has.
    """

    def __init__(self, event: Statement, first: tuple[Hidden, ...] = ()) -> None:
        used = _sources(event)
        tensors = [s for s in used if isinstance(s, HiddenTensor)]
        wanted = {s for s in used if isinstance(s, RunOutputs)} | {s.run for s in tensors}
        networks = {run.network for run in wanted}
        if len(networks) != 1:
            found = "no network" if not networks else f"{len(networks)} networks"
            raise SpecError(
                f"the property speaks of the outputs of {found}, expected one: f = Network(10), y = f(x)"
            )
        (network,) = networks
        self.outputs = [run for run in network.runs if run in wanted]
        self.inputs = self._inputs(used)
        self.input_size = sum(s.size for s in self.inputs)
        self.hidden = _hidden(tensors, first)
        size = network.size + sum(h.size for h in self.hidden)
        self.output_size = size * len(self.outputs)
        starts = np.cumsum([0, *(s.size for s in self.inputs)]).tolist()
        self._start = {id(s): start for s, start in zip(self.inputs, starts, strict=False)}
        self._start |= {id(s): self.input_size + size * k for k, s in enumerate(self.outputs)}
        before = np.cumsum([network.size, *(h.size for h in self.hidden)]).tolist()
        place = {h.name: start for h, start in zip(self.hidden, before, strict=False)}
        self._start |= {id(s): self._start[id(s.run)] + place[s.name] for s in tensors}
        self.runs = self._runs()

    def column(self, variable: SourceVariable) -> int:
        """The column of a variable."""
        return int(self._start[id(variable.source)]) + variable.place

    def name(self, column: int) -> str:
        """What people call an input."""
        source = max(
            (s for s in self.inputs if self._start[id(s)] <= column), key=lambda s: self._start[id(s)]
        )
        return f"{source.name}[{column - self._start[id(source)]}]"

    def _inputs(self, used: list[Source]) -> list[Source]:
        """The inputs of the runs in order, which must be all the inputs that the property speaks of."""
        found: dict[int, Source] = {}
        for argument in chain.from_iterable(s.arguments for s in self.outputs):
            for source in _sources_of(argument):
                if source.computed:
                    raise SpecError("a network is run on outputs of a network; use one model for both")
                found.setdefault(id(source), source)
        lost = [s.name for s in used if not s.computed and id(s) not in found]
        if lost:
            raise SpecError(
                f"the input {', '.join(lost)} is not an input of a run whose outputs the property speaks of; "
                "say something about f(x), too"
            )
        return list(found.values())

    def _runs(self) -> tuple[Run, ...]:
        """The runs, () for a single one on its plain inputs."""
        runs = tuple(self._run(source) for source in self.outputs)
        if len({len(run.offset) for run in runs}) > 1:
            raise SpecError("the runs of the network have inputs of different sizes")
        first, whole = runs[0], np.arange(self.input_size)
        plain = np.array_equal(first.row, whole) and np.array_equal(first.column, whole)
        if len(runs) == 1 and plain and len(first.offset) == len(whole):
            if (first.value == 1).all() and not first.offset.any():
                return ()
        return runs

    def _run(self, source: RunOutputs) -> Run:
        rows: list[int] = []
        columns: list[int] = []
        values: list[float] = []
        size, parts = 0, []
        for argument in source.arguments:
            variables = argument.variables()
            if variables is not None:
                rows.extend(range(size, size + len(variables)))
                columns.extend(map(self.column, variables))
                values.extend([1.0] * len(variables))
                parts.append(np.zeros(len(variables)))
            else:
                parts.append(self._affine(argument, size, (rows, columns, values)))
            size += argument.size
        return Run(_ints(rows), _ints(columns), np.array(values, np.float64), np.concatenate(parts))

    def _affine(self, argument: Terms, start: int, into: tuple[list[int], list[int], list[float]]) -> Floats:
        rows, columns, values = into
        offset = np.zeros(argument.size)
        for k, cell in enumerate(argument.cells.ravel()):
            for product, value in cell.items():
                if len(product) > 1:
                    raise SpecError("a network is run on affine terms of inputs, not on products")
                if float(value) != value:
                    raise SpecError(f"the number {value} in the input of a run is no float64")
                if not product:
                    offset[k] = float(value)
                    continue
                rows.append(start + k)
                columns.append(self.column(product[0]))
                values.append(float(value))
        return offset


def _hidden(tensors: list[HiddenTensor], first: tuple[Hidden, ...]) -> tuple[Hidden, ...]:
    """These hidden tensors, then those that the property speaks of, of any run, in order."""
    found = {one.name: one for one in first}
    for source in tensors:
        one = found.setdefault(source.name, Hidden(source.name, source.size))
        if one.size != source.size:
            raise SpecError(f"the hidden tensor '{one.name}' has {one.size} numbers and {source.size}")
    return tuple(found.values())


def _ints(values: list[int]) -> Ints:
    return np.array(values, np.int64)


def _sources(event: Statement) -> list[Source]:
    """The sources that the event speaks of, each once."""
    found: dict[int, Source] = {}
    for leaf in leaves_of(event):
        variables = chain.from_iterable(leaf.polynomial) if isinstance(leaf, Relation) else leaf.variables
        for variable in variables:
            found.setdefault(id(variable.source), variable.source)
    return list(found.values())


def _sources_of(argument: Terms) -> list[Source]:
    if argument.source is not None:
        return [argument.source]
    found = {id(v.source): v.source for c in argument.cells.ravel() for p in c for v in p}
    return list(found.values())


def _terms(event: Statement, layout: Layout, literals: Literals) -> Dnf:
    """The disjunctive normal form; the leaves become literals on the way. Raises TooManyClauses."""
    if isinstance(event, Some):
        return list(chain.from_iterable(_terms(part, layout, literals) for part in event.parts))
    if isinstance(event, All):
        return conjunction(*_conjunction(event, layout, literals))
    literal = literals.new()
    if isinstance(event, Relation):
        pairs = event.polynomial.items()
        columns = {tuple(sorted(map(layout.column, product))): value for product, value in pairs}
        literals.row(literal, columns, event.strict)
    elif isinstance(event, Range | InBall):
        where = _ints([layout.column(v) for v in event.variables])
        if isinstance(event, Range):
            numbers = event.numbers
            ends = numbers if isinstance(numbers, Ends) else Ends.of(numbers, event.upper)
            literals.ranges(literal, where, event.upper, ends, event.strict)
        else:
            literals.ball(literal, Ball(where, event.centre, event.radius, event.norm))
    return [(literal,)]


def _conjunction(event: Statement, layout: Layout, literals: Literals) -> tuple[list[int], list[Dnf]]:
    """(literals that must hold, disjunctive normal forms that must hold, too). Raises TooManyClauses."""
    plain: list[int] = []
    factors: list[Dnf] = []
    for part in event.parts if isinstance(event, All) else (event,):
        found = _terms(part, layout, literals)
        if len(found) == 1:
            plain.extend(found[0])
        else:
            factors.append(found)
    return plain, factors
