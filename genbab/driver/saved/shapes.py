"""Shapes and numbers of nodes in what was read, as this network has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from genbab.bounds import Interval, WarmStart
from genbab.branch import INPUT, Domains, Splits
from genbab.branch.cut.forms import NodeForms
from genbab.branch.cut.influence import Influence
from genbab.branch.open.domains import RECENT, HalfSpaces, Path
from genbab.branch.open.packing import PackedDomains, Packing
from genbab.network import Network
from genbab.problem import Query

F64, WHOLE = torch.float64, torch.int64


class Misfit(Exception):
    """What does not fit, in words."""


def expect(holds: bool, what: str) -> None:
    """Raises `Misfit` unless it holds."""
    if not holds:
        raise Misfit(f"{what} cannot be that")


@dataclass(frozen=True, eq=False)
class Shapes:
    """What tensors about a network look like; each method raises `Misfit`."""

    network: Network

    def of(self, t: Tensor, shape: Sequence[int], what: str, dtype: torch.dtype = F64) -> None:
        """A tensor of this shape and type."""
        expect(tuple(t.shape) == tuple(shape) and t.dtype == dtype, what)

    def within(self, t: Tensor, low: int, end: int, what: str) -> None:
        """Whole numbers from `low` to below `end`."""
        expect(t.dtype == WHOLE and not bool(((t < low) | (t >= end)).any()), what)

    def size(self, node: int) -> int:
        """N of a node that there is."""
        expect(0 <= node < len(self.network.nodes), "the number of a node")
        return self.network.nodes[node].size

    def neuron(self, node: int, neuron: int) -> None:
        """A neuron of a node."""
        expect(0 <= neuron < self.size(node), "the number of a neuron")

    def box(self, interval: Interval, count: int) -> None:
        """Boxes of inputs."""
        for end in interval:
            self.of(end, (count, self.network.input_size), "a box")

    def intervals(self, intervals: Sequence[Interval], count: int) -> None:
        """Intervals of every node."""
        expect(len(intervals) == len(self.network.nodes), "intervals of the nodes")
        for i, interval in enumerate(intervals):
            for end in interval:
                self.of(end, (count, self.size(i)), "an interval")

    def query(self, query: Query) -> None:
        """Boxes and rows."""
        count, rows = query.rhs.shape
        self.box((query.lower, query.upper), count)
        self.of(query.rhs, (count, rows), "right-hand sides")
        self.of(query.matrix, (count, rows, self.network.output_size), "rows")
        self.of(query.clause, (count, rows), "numbers of clauses", WHOLE)
        if query.on_input is not None:
            self.of(query.on_input, (count, rows, self.network.input_size), "rows on inputs")

    def warm(self, warm: WarmStart, shape: Sequence[int]) -> None:
        """What rows (B, S) start from."""
        for i, start in warm.starts.items():
            expect(i in self.network.functions and bool(start.slopes), "a node of slopes")
            for t in (*start.slopes, start.upper):
                expect(t.dim() == 3 and t.is_floating_point(), "slopes")
                expect(all(k in (1, n) for k, n in zip(t.shape, shape, strict=False)), "slopes of rows")
        if warm.multipliers is not None:
            expect(tuple(warm.multipliers.shape[:2]) == tuple(shape), "multipliers")

    def weights(self, weights: Mapping[int, Tensor], shape: Sequence[int]) -> None:
        """Coefficients of rows (B, S) at nodes."""
        for i, t in weights.items():
            expect(tuple(t.shape) == (*shape, self.size(i)) and t.is_floating_point(), "coefficients of rows")

    def forms(self, node: int, kept: NodeForms) -> None:
        """Forms of a node."""
        size, count = self.size(node), len(kept.rows)
        self.of(kept.place, (2 * size,), "places of forms", WHOLE)
        self.within(kept.place, -1, count, "places of forms")
        self.within(kept.rows, 0, 2 * size, "rows of forms")
        self.of(kept.bound, (count,), "bounds of forms")
        self.of(kept.constant, (count,), "constants of forms")
        self.of(kept.form, (count, self.network.input_size), "forms")

    def influence(self, influence: Influence) -> None:
        """Coefficients of hidden rows."""
        for i, of in influence.weights.items():
            for j, t in of.items():
                self.of(t, (self.size(i), self.size(j)), "coefficients of hidden rows", torch.float32)

    def domains(self, domains: Domains) -> None:
        """Domains that a search begins with."""
        query, count = domains.query, len(domains)
        self.query(query)
        self.of(domains.bound, (count,), "bounds of domains")
        self.of(domains.depth, (count,), "depths", WHOLE)
        if domains.splits is not None:
            self._splits(domains.splits, count, domains.hidden)
        for i, interval in domains.hidden.items():
            for end in interval:
                self.of(end, (count, self.size(i)), "hidden intervals")
        for i, mask in domains.released.items():
            self.of(mask, (count, self.size(i)), "neurons that are split", torch.bool)
        self.warm(domains.warm, query.rhs.shape)
        if domains.path is not None:
            self._path(domains.path, count)
        if domains.unsafe is not None:
            self._unsafe(domains.unsafe, count)
        expect(domains.corner is None and domains.number is None, "what no checkpoint has")

    def _path(self, path: Path, count: int) -> None:
        for t, dtype in (
            (path.node, WHOLE),
            (path.neuron, WHOLE),
            (path.point, F64),
            (path.upper, torch.bool),
        ):
            self.of(t, (count, RECENT), "paths", dtype)
        self._split(path.node.flatten(), path.neuron.flatten())

    def _unsafe(self, unsafe: HalfSpaces, count: int) -> None:
        number = unsafe.level.shape[-1]
        self.of(unsafe.level, (count, number), "half-spaces")
        self.of(unsafe.normal, (count, number, self.network.input_size), "half-spaces")

    def _splits(self, splits: Splits, count: int, hidden: Mapping[int, Interval]) -> None:
        self.of(splits.node, (count,), "nodes of splits", WHOLE)
        self.of(splits.neuron, (count,), "neurons of splits", WHOLE)
        for t in (splits.point, splits.point if splits.gain is None else splits.gain):
            expect(tuple(t.shape) == (count,) and t.is_floating_point(), "points of splits")
        self._split(splits.node, splits.neuron, hidden)

    def _split(self, node: Tensor, neuron: Tensor, hidden: Mapping[int, Interval] | None = None) -> None:
        """Splits of nodes whose intervals are kept: the input's, and these (None: any)."""
        kept = range(len(self.network.nodes)) if hidden is None else hidden
        known = torch.tensor([-1, INPUT, *kept], device=node.device)
        expect(bool(torch.isin(node, known).all()), "nodes of splits")
        sizes = torch.tensor([n.size for n in self.network.nodes], device=node.device)
        expect(
            bool(((neuron >= 0) & (neuron < sizes[node.clamp(min=0)]))[node >= 0].all()), "neurons of splits"
        )

    def packed(self, root: Domains, parts: Sequence[PackedDomains]) -> None:
        """Domains below a root, packed."""
        packing, whole = Packing(root), root.tensors()
        for part in parts:
            self.within(part.origin, 0, len(root), "origins")
            expect(len(part.columns) == len(part.values) == len(whole), "parts of domains")
            shapes = zip(part.columns, part.values, packing.table, packing.fixed, strict=True)
            for columns, values, table, fixed in shapes:
                self.within(columns, 0, table.shape[1], "columns")
                expect(not fixed or not len(columns), "rows of domains")
                self.of(values, (len(part), len(columns)), "numbers of domains", table.dtype)
            if root.splits is not None:
                wanted = root.splits.node, root.splits.neuron
                node, neuron = (next(n for n, t in enumerate(whole) if t is one) for one in wanted)
                expect(len(part.columns[node]) == len(part.columns[neuron]) == 1, "splits of domains")
                self._split(part.values[node][:, 0], part.values[neuron][:, 0], root.hidden)
