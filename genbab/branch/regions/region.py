"""Regions: boxes with their own intervals of every node, made by splits of neurons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from torch import Tensor

from genbab.bounds import Interval, WarmStart
from genbab.branch.cut.forms import HiddenForms
from genbab.branch.open.domains import INPUT, RECENT, Domains
from genbab.problem import Query


class NeuronSplit(NamedTuple):
    """Where a region is split: neuron `neuron` of node `node` at `point`."""

    node: int
    neuron: int
    point: float


Half = tuple[NeuronSplit, bool]
"""A split that made a region, and whether it is the part above the point."""


@dataclass(frozen=True, eq=False)
class Region:
    """A box with intervals of every node of its own, and the rows that are open on it.

    query: the box and the rows, margins (1, S); intervals: (1, N) each; halves: of the splits that made it;
    of its rows, what a search starts from (warm) and their coefficients (1, S, N) at every relaxed node
    (weights); forms: of its hidden rows, which hold in it.
    """

    query: Query
    margins: Tensor
    intervals: list[Interval]
    halves: tuple[Half, ...]
    warm: WarmStart
    weights: Mapping[int, Tensor]
    forms: HiddenForms

    @property
    def worst(self) -> float:
        """The margin of its least refuted clause."""
        return float(self.query.worst(self.margins)[0])

    def opened(self) -> Region | None:
        """The same with the rows of refuted clauses left out; None if all are refuted."""
        best = self.query.clause_margins(self.margins)[0]
        still = (~(best > 0)).nonzero().squeeze(-1)
        if not len(still):
            return None
        query = self.query
        on_input = None if query.on_input is None else query.on_input[:, still]
        parts = query.matrix[:, still], on_input, query.rhs[:, still], query.clause[:, still]
        return replace(
            self,
            query=Query(query.lower, query.upper, *parts),
            margins=self.margins[:, still],
            warm=self.warm.rows(still),
            weights={i: weight[:, still] for i, weight in self.weights.items()},
        )

    def half(self, split: NeuronSplit, upper: bool) -> Region:
        """The part on one side of a split, not yet bounded; both parts tile the region."""
        low, high = (end.clone() for end in self.intervals[split.node])
        (low if upper else high)[0, split.neuron] = split.point
        intervals = list(self.intervals)
        intervals[split.node] = low, high
        query = replace(self.query, lower=low, upper=high) if split.node == INPUT else self.query
        return replace(self, query=query, intervals=intervals, halves=(*self.halves, (split, upper)))

    def released(self, domains: Domains) -> Domains:
        """Domains of the region with the neurons marked whose splits made it."""
        masks = {i: mask.clone() for i, mask in domains.released.items()}
        path = domains.path
        for (node, neuron, _), _ in self.halves:
            if node in masks:
                masks[node][:, neuron] = True
        for (node, neuron, point), upper in self.halves[-RECENT:]:
            path = None if path is None else path.longer(node, neuron, point, upper)
        return replace(domains, released=masks, path=path)
