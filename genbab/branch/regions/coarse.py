"""A tree of few, dear regions over trees of many, cheap domains.
 In a region every hidden row is bounded anew with optimised slopes, so a split of an early neuron tightens
everything behind it. A search with the region's hidden intervals then gets a slice of time for each clause;
where that does not decide, the neuron whose gap costs most (through all intervals that it widens) is split
into two regions.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import torch
from torch import Tensor

from genbab.bounds import (
    NEARLY,
    Engine,
    Interval,
    Question,
    Rows,
    Steps,
    Tightening,
    WarmStart,
    answer,
    output_premises,
    tighten_all,
)
from genbab.branch.choose.points import Point
from genbab.branch.cut.forms import HiddenForms
from genbab.branch.open.domains import INPUT, Domains
from genbab.branch.search import Outcome, SearchProgress
from genbab.errors import DeadlineReached
from genbab.problem import Query

SLICE = 0.5
"""Time of the search inside a region, as a multiple of what bounding its hidden rows took."""

FIRST = 1.0
"""Least seconds of the first search inside the root's region."""

TRIAL = 0.25
"""Share of the time left that splitting regions may take whatever it has gained."""

Split = tuple[int, int, float, bool]
"""(node, neuron, point, whether the part above the point) of a split that made a region."""


@dataclass(frozen=True, eq=False)
class Region:
    """A box with the rows that are open on it, margins (1, S), intervals of every node (1, N), the splits
    that made it; of its rows, what a search starts from (warm) and their coefficients at every relaxed node
    (weights); and forms of its hidden rows, which hold in it.
    """

    query: Query
    margins: Tensor
    intervals: list[Interval]
    splits: tuple[Split, ...]
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
        weights = {i: weight[:, still] for i, weight in self.weights.items()}
        return replace(
            self,
            query=Query(query.lower, query.upper, *parts),
            margins=self.margins[:, still],
            warm=self.warm.rows(still),
            weights=weights,
        )


class Task(Protocol):
    """A search inside one region that can be paused."""

    margins: Tensor

    def run(self, seconds: float) -> str:
        """Go on for about this time; how it ended: `verified`, `paused`, `stuck`, `memory`, `falsified`,
        `timeout`.
        """
        ...

    @property
    def worst(self) -> float:
        """The least certified margin of what is open."""
        ...


@dataclass(eq=False)
class Coarse:
    """The search over regions, in turn with one search inside the root's region: whichever ends first
        decides.

    counts: slope steps for hidden rows and for the specification's; begin: makes the search inside a region;
    seconds: what bounding the hidden rows of a region took last; left: seconds to go; report: told the worst
    margin.
    """

    engine: Engine
    output: int
    counts: tuple[int, int]
    begin: Callable[[Region], Task]
    point: Point
    memory: int
    left: Callable[[], float]
    seconds: float
    report: Callable[[float], None]
    gains: list[tuple[float, float]] = field(default_factory=list)
    least: float = math.inf
    spent: dict[str, float] = field(default_factory=lambda: {"inside": 0.0, "regions": 0.0})

    def run(self, root: Region) -> Outcome:
        """Until every region is decided, the root's region is, or nothing can be."""
        regions, task, ended = [root], self.begin(root), "paused"
        seconds = max(FIRST, SLICE * self.seconds)
        proved, needed = -math.inf, 0.0
        try:
            while regions:
                proved = max(min(r.worst for r in regions), task.worst)
                self.report(proved)
                began = time.monotonic()
                split = self._choose(regions[-1]) if self._pays(regions) else None
                even = self.spent["inside"] <= self.spent["regions"] and self._needed(regions) > needed
                turn = "inside" if ended == "paused" and even else "regions"
                if turn == "inside" or split is None:
                    if ended != "paused":
                        return Outcome(ended, SearchProgress(bound=proved))
                    before = task.worst
                    ended = task.run(max(seconds, self.spent["inside"] / 2))
                    needed = _needed(before, task.worst, time.monotonic() - began)
                    if ended == "verified":
                        return Outcome("verified", SearchProgress(bound=float(task.margins.min())))
                    if ended in ("falsified", "timeout"):
                        return Outcome(ended, SearchProgress(bound=max(proved, task.worst)))
                    regions = self._without(regions, root.query.clause[0], task.margins)
                else:
                    regions = self._step(regions, split)
                self.spent[turn] += time.monotonic() - began
        except DeadlineReached:
            return Outcome("timeout", SearchProgress(bound=proved))
        return Outcome("verified", SearchProgress(bound=self.least))

    def _without(self, regions: list[Region], clause: Tensor, margins: Tensor) -> list[Region]:
        """The regions without the clauses that are refuted on all of the root: margins (1, S) of its rows."""
        refuted = clause[(margins > 0)[0]]
        found = []
        for region in regions:
            done = torch.isin(region.query.clause, refuted)
            still = replace(region, margins=torch.where(done, margins.amax(), region.margins)).opened()
            found += [] if still is None else [still]
        if refuted.numel():
            self.least = min(self.least, float(margins[margins > 0].min()))
        return found

    def _step(self, regions: list[Region], split: tuple[int, int, float]) -> list[Region]:
        """The regions (worst last) after the worst has been searched for a while, unless it is the root, or
        split.
        """
        region, others = regions[-1], regions[:-1]
        if region.splits:
            task = self.begin(region)
            task.run(max(0.2, SLICE * self.seconds))
            region = replace(region, margins=torch.maximum(region.margins, task.margins))
        still = region.opened()
        if still is None:
            self.least = min(self.least, region.worst)
            return others
        return sorted(others + self._children(still, split), key=lambda r: -r.worst)

    def _pays(self, regions: list[Region]) -> bool:
        """Whether splitting regions may get through in the time left, by the gains so far, or is on trial."""
        trial = self.spent["regions"] + 2 * self.seconds < TRIAL * self.left()
        return trial or self._needed(regions) < 2 * self.left()

    def _needed(self, regions: list[Region]) -> float:
        """Seconds that splitting all regions would take, by the gains so far."""
        pairs = self.gains[-8:]
        if not pairs:
            return math.inf
        low, high = (sum(p[k] for p in pairs) / len(pairs) for k in (0, 1))
        return self.seconds * sum(leaves(-r.worst, low, high) for r in regions)

    def _children(self, region: Region, split: tuple[int, int, float]) -> list[Region]:
        """The two parts of a region, bounded anew, as far as they are open."""
        found, gained = [], []
        for upper in (False, True):
            part = self._tightened(_part(region, split, upper))
            gained.append(min(1e6, part.worst - region.worst))
            still = part.opened()
            if still is None:
                self.least = min(self.least, part.worst)
            else:
                found.append(still)
        self.gains.append((min(gained), max(gained)))
        return found

    def _tightened(self, region: Region) -> Region:
        """The region with every hidden row bounded anew, layer after layer, then its rows."""
        began = time.monotonic()
        self.engine.check()
        query = region.query
        box = (query.lower, query.upper)
        forms = HiddenForms(self.engine, self.memory, box)
        how = Tightening(Steps.of(self.counts[0]), record=forms.keep)
        relaxations = tighten_all(self.engine, box, region.intervals, how)
        if any(bool((low > high).any()) for low, high in relaxations.intervals):
            return replace(region, margins=torch.full_like(region.margins, torch.inf))

        def decided(bounds: Tensor) -> bool:
            self.engine.check()
            return bool((query.worst(query.margins(bounds.double())) > NEARLY).all())

        rows = Rows(self.output, query.matrix, query.on_input)
        asked = Question(rows, box, relaxations, None, output_premises(self.engine.exact))
        known = answer(self.engine, asked, Steps.of(self.counts[1]), stop=decided)
        margins = torch.maximum(region.margins, query.margins(known.bound))
        forms.complete(relaxations)
        self.seconds = time.monotonic() - began
        return Region(
            query, margins, relaxations.intervals, region.splits, known.certificate, known.weights, forms
        )

    def _choose(self, region: Region) -> tuple[int, int, float] | None:
        """(node, neuron, point) of the split of the neuron whose gap costs most; None where there is none."""
        relaxation = self.engine.relaxed(region.intervals).exact
        weight = torch.ones(region.query.rhs.shape[1], device=region.margins.device)
        best, chosen = 0.0, None
        for i, cost in region.forms.influence.costs(relaxation, region.weights, weight).items():
            low, high = region.intervals[i]
            points = self.point(self.engine.exact, i, low, high, region.weights)
            value, which = torch.where((points > low) & (points < high), cost.double()[None], 0.0).max(-1)
            if float(value) > best:
                best, chosen = float(value), (i, int(which), float(points[0, which]))
        return chosen


def released(domains: Domains, splits: tuple[Split, ...]) -> Domains:
    """The domains of a region with the neurons marked whose splits made it."""
    masks = {i: mask.clone() for i, mask in domains.released.items()}
    for node, neuron, _, _ in splits:
        if node in masks:
            masks[node][:, neuron] = True
    path = domains.path
    for node, neuron, point, upper in splits[-4:] if path is not None else ():
        assert path is not None
        path = path.longer(node, neuron, point, upper)
    return replace(domains, released=masks, path=path)


def leaves(margin: float, low: float, high: float) -> float:
    """Leaves of a tree whose splits gain `low` and `high` in the two children, until `margin` is gained."""
    high = min(max(high, 1e-12), 1e12)
    if low <= 0 or margin <= 0:
        return math.inf if margin > 0 else 1.0
    start, end = 0.0, math.log(2) / low
    for _ in range(60):
        rate = (start + end) / 2
        start, end = (rate, end) if math.exp(-rate * low) + math.exp(-rate * high) > 1 else (start, rate)
    return math.exp(min(700.0, margin * end))


def _needed(before: float, after: float, seconds: float) -> float:
    """The least time that a search whose margin rose like this still needs: it rises ever more slowly."""
    return -after * seconds / max(after - before, 1e-9)


def _part(region: Region, split: tuple[int, int, float], upper: bool) -> Region:
    """One side of a split of the region, not yet bounded."""
    node, neuron, point = split
    low, high = (end.clone() for end in region.intervals[node])
    (low if upper else high)[0, neuron] = point
    intervals = list(region.intervals)
    intervals[node] = low, high
    query = replace(region.query, lower=low, upper=high) if node == INPUT else region.query
    return replace(
        region, query=query, intervals=intervals, splits=(*region.splits, (node, neuron, point, upper))
    )
