"""Whether what a checkpoint says of a run can be said of this network and this question.

A file that was cut short or that belongs to something else is told by its checksums and by digests; this is
about the rest: nothing that is read may lead to an error later on, and no box of the question may be missing.
"""

from __future__ import annotations

import hashlib
from dataclasses import fields

import torch
from torch import Tensor

from genbab.bounds import Engine
from genbab.branch import HiddenForms, Region, Status
from genbab.branch.bound.neurons import open_rows
from genbab.branch.kept.data import DomainData, RegionData, SubsearchData
from genbab.checkpoint import KeptRun
from genbab.config import Config
from genbab.driver.root import RootFound, RootState
from genbab.driver.saved.data import OpenBoxes, RunData, run_coder
from genbab.driver.saved.shapes import Misfit, Shapes, expect
from genbab.errors import UsageError
from genbab.network import Network
from genbab.problem import Query
from genbab.system.coding import CodingError, tensor_of
from genbab.system.typed import TypeCheck


def fingerprint(network: Network) -> str:
    """What tells a network from others in which the same numbers of nodes mean other things."""
    digest = hashlib.sha256(repr((network.output, sorted(network.premises))).encode())
    for i, node in enumerate(network.nodes):
        fn = network.functions[i].fn.name if i in network.functions else ""
        digest.update(repr((type(node).__name__, node.size, network.sources(i), fn)).encode())
    return digest.hexdigest()


def names(query: Query) -> Tensor:
    """What names each box of a query (B,): the last of its clauses, which are clauses of no other box."""
    return query.clause.amax(-1)


def taken_up(written: KeptRun, engine: Engine, query: Query) -> RunData:
    """Where a run about this query stands; raises `UsageError` where the file cannot say that."""
    if written.network != fingerprint(engine.exact):
        raise UsageError("the checkpoint is of another network: the model is read differently now")
    try:
        tensors = [tensor_of(array, query.lower.device) for array in written.arrays]
        run = run_coder(engine).read(written.run, tensors)
        if wrong := TypeCheck(frozenset({"engine"})).wrong(run, RunData):
            raise Misfit(wrong)
        _Fit(engine, query.without(run.settled), Shapes(engine.exact)).run(run)
    except (Misfit, CodingError, TypeError, ValueError, RuntimeError, IndexError, KeyError) as error:
        told = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UsageError(f"the checkpoint is damaged, or of another question: {told}") from error
    found: RunData = run
    return found


def unlike(before: Config, now: Config, left: OpenBoxes) -> None:
    """Raises `UsageError` for settings that ask for another kind of search than the one that is open."""
    for name, found in (("branching", left.splits), ("retighten", left.retighten)):
        asked = getattr(now, name)
        if asked not in (found, getattr(before, name)):
            raise UsageError(
                f"--{name} {asked}: what the checkpoint has open was made with {found}, and cannot be "
                "searched otherwise"
            )


class _Fit:
    """What is asked of everything that is read; each method raises `Misfit`."""

    def __init__(self, engine: Engine, query: Query, shapes: Shapes) -> None:
        self.engine, self.query, self.shapes = engine, query, shapes

    def run(self, run: RunData) -> None:
        """The run: what is open, with what is done and settled, is what is asked."""
        left = run.open
        if left is None:
            return
        expect(left.splits in ("input", "neuron", "mixed", "none"), "splits")
        expect(left.retighten in ("frozen", "clipped", "reoptimised"), "retighten")
        expect(left.decided == left.decided and left.rounds >= 0, "what is decided")
        for state in left.boxes:
            self._state(state)
        found = torch.cat([left.finished, *(names(s.query) for s in left.boxes)])
        expect(torch.equal(found.sort().values, names(self.query).sort().values), "its boxes")
        expect(bool(left.boxes) or (left.root is None and left.search is None), "a search of nothing")
        if left.root is not None:
            self._root(left, left.root)
        if isinstance(left.search, DomainData):
            expect(left.splits == "input", "a search by inputs")
            self._domains(left.search, left.boxes[0].query)
        elif left.search is not None:
            self._regions(left)

    def _state(self, state: RootState) -> None:
        """Boxes of the question, with numbers for each node."""
        all_, mine = names(self.query), names(state.query)
        places = (all_[None] == mine[:, None]).to(torch.uint8).argmax(1)
        _same(state.query, self.query.take(places), "a box")
        self.shapes.of(state.margins, state.query.rhs.shape, "margins")
        self.shapes.intervals(state.intervals, len(mine))

    def _root(self, left: OpenBoxes, root: RootFound) -> None:
        self._state(root.state)
        _same(root.state.query, left.boxes[0].query, "the root")
        expect(len(root.state.query) == 1 and root.stage >= 0, "the root's stage")
        self._forms(root.forms)
        open_ = bool(root.state.open().numel())
        expect(root.warm is not None or not open_, "slopes of the root")
        if root.warm is not None:
            self.shapes.warm(root.warm, root.state.query.rhs.shape)
        self.shapes.weights(root.weights, root.state.query.rhs.shape)

    def _domains(self, data: DomainData, query: Query) -> None:
        """A search over domains whose rows are those of the query."""
        expect(data.least == data.least and data.given_up == data.given_up, "bounds of a search")
        self.shapes.domains(data.root)
        rows = data.root.query
        _same_rows(rows, query, "the rows of a search")
        _equal(data.root.origin, torch.arange(len(rows), device=rows.lower.device), "origins")
        self.shapes.packed(data.root, data.open)

    def _subsearch(self, data: SubsearchData) -> None:
        self._region(data.region)
        self.shapes.domains(data.domains)
        self.shapes.of(data.margins, data.region.query.rhs.shape, "margins of a region")
        query, (index, numbers) = data.region.query, open_rows(data.region.query, data.region.margins)
        parts = [None if t is None else t[0][index] for t in (query.matrix, query.on_input, query.rhs)]
        clause = numbers[:, None].expand(-1, index.shape[1])
        mine = data.domains.query
        expected = (*parts, clause)
        for one, other in zip((mine.matrix, mine.on_input, mine.rhs, mine.clause), expected, strict=True):
            _equal(one, other, "the clauses of a region")
        if data.state is not None:
            self._domains(data.state, mine)

    def _regions(self, left: OpenBoxes) -> None:
        """A search by neurons below the root of the box at hand."""
        data, state = left.search, left.boxes[0]
        assert isinstance(data, SubsearchData | RegionData)
        expect(left.splits in ("neuron", "mixed") and len(state.query) == 1, "a search by neurons")
        whole = data if isinstance(data, SubsearchData) else data.whole
        still = (~(state.query.clause_margins(state.margins)[0] > 0)).nonzero().squeeze(-1)
        _same_rows(whole.region.query, _rows(state.query, still), "the rows of the root")
        self._subsearch(whole)
        if isinstance(data, RegionData):
            clauses = whole.region.query.clause[0]
            for region in data.regions:
                self._region(region)
                mine = region.query.clause[0]
                expect(bool(torch.isin(mine, clauses).all()), "the clauses of a region")
                places = torch.cat([(clauses == c).nonzero().squeeze(-1) for c in torch.unique(mine)])
                _same_rows(region.query, _rows(whole.region.query, places.sort().values), "rows of a region")
            expect(bool(data.regions), "no region")
            expect(data.proved == data.proved and data.least == data.least, "bounds of regions")
            expect(data.stopped is None or data.stopped.status in (Status.STUCK, Status.MEMORY), "its end")

    def _region(self, region: Region) -> None:
        shape = region.query.rhs.shape
        self.shapes.query(region.query)
        expect(shape[0] == 1 and shape[1] > 0, "a region of one box")
        self.shapes.of(region.margins, shape, "margins of a region")
        self.shapes.intervals(region.intervals, 1)
        self.shapes.warm(region.warm, shape)
        self.shapes.weights(region.weights, shape)
        for split, _ in region.halves:
            self.shapes.neuron(split.node, split.neuron)
        self._forms(region.forms)

    def _forms(self, forms: HiddenForms) -> None:
        self.shapes.box(forms.box, 1)
        for i, kept in forms.nodes.items():
            self.shapes.forms(i, kept)
        self.shapes.influence(forms.influence)


def _rows(query: Query, which: Tensor) -> Query:
    on_input = None if query.on_input is None else query.on_input[:, which]
    rows = query.matrix[:, which], on_input, query.rhs[:, which], query.clause[:, which]
    return Query(query.lower, query.upper, *rows)


def _same(one: Query, other: Query, what: str) -> None:
    for f in fields(Query):
        _equal(getattr(one, f.name), getattr(other, f.name), what)


def _same_rows(one: Query, other: Query, what: str) -> None:
    for name in ("matrix", "on_input", "rhs", "clause"):
        _equal(getattr(one, name), getattr(other, name), what)


def _equal(one: Tensor | None, other: Tensor | None, what: str) -> None:
    if one is None or other is None:
        expect(one is other, what)
    else:
        expect(one.dtype == other.dtype and torch.equal(one, other), what)
