"""Searches with the hidden intervals of one region: many cheap domains, for all clauses or for one after the
other.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from genbab.bounds import Answer, Engine, Relaxation, Steps
from genbab.branch.bound.neurons import Choose, Root, bound_by_neurons, neuron_root
from genbab.branch.bound.together import narrowed
from genbab.branch.choose.mixed import Mixed
from genbab.branch.choose.points import Point
from genbab.branch.cut.retighten import Retighten
from genbab.branch.open.domains import Bound, Domains, Splits
from genbab.branch.open.pool import Pool
from genbab.branch.regions.coarse import Coarse, Region, released
from genbab.branch.search import Falsify, Outcome, Report, SearchProgress, least_refuted
from genbab.branch.search import search as loop
from genbab.system.deadline import Timer

PART = 0.1
"""Of the seconds for narrowing hidden intervals, what one of many regions may use."""

TINY = 1e-12
"""Margin of a clause of which nothing better is known than that it is refuted."""

REGION_STEPS = 20
"""Slope steps for the hidden rows of a region."""


@dataclass(eq=False)
class Inside:
    """How regions are searched. clip: whether boxes and hidden intervals of children are cut by what they
    satisfy; visited: domains bounded so far; elsewhere: certified margin of what is not being searched;
    parts: seconds of this round spent on `choosing` and `clipping`; stands: told the bound of the regions;
    mixed: bounds children of input splits, if there are such; share: seconds for narrowing the hidden
    intervals of a region's clauses by what their unsafe points satisfy.
    """

    engine: Engine
    output: int
    steps: Steps
    chooser: Callable[[Root], Choose]
    clip: bool
    falsify: Falsify
    report: Report
    memory: int
    batch: Callable[[], int]
    stands: Callable[[float], None] = lambda _: None
    mixed: Mixed | None = None
    share: Callable[[], float] = lambda: 0.0
    visited: int = 0
    elsewhere: float = float("inf")
    parts: dict[str, float] = field(default_factory=dict)

    def all(self, region: Region) -> Outcome:
        """One search over all clauses."""
        domains, bound = self._begun(region, self.share())
        return self.search(bound(domains), bound, float("inf"))

    def begin(self, region: Region) -> Task:
        """A search inside the region, not yet begun."""
        domains, bound = self._begun(region, PART * self.share())
        return Task(self, bound, domains, region.margins.clone(), region.query.clause[0], region.worst)

    def _begun(self, region: Region, seconds: float) -> tuple[Domains, Bound]:
        domains, root = neuron_root(
            self.engine, region.query, region.margins, region.intervals, region.warm, self.output
        )
        domains = narrowed(self.engine, root, domains, seconds)
        retighten = _Timed(self.engine, region.forms, parts=self.parts) if self.clip else None
        choose = self._timed(self.chooser(root))
        bound = bound_by_neurons(self.engine, root, self.steps, choose, retighten)
        bound = bound if self.mixed is None else self.mixed.around(bound)
        return released(domains, region.splits), bound

    def _timed(self, choose: Choose) -> Choose:
        def timed(relaxation: Relaxation, known: Answer, domains: Domains, margins: Tensor) -> Splits:
            with Timer(self.parts, "choosing"):
                return choose(relaxation, known, domains, margins)

        return timed

    def by_regions(
        self, region: Region, memory: int, left: Callable[[], float], spent: float, point: Point
    ) -> Outcome:
        """A search over regions, in turn with one inside this region, whose hidden rows took the time
        `spent`.
        """

        def stands(bound: float) -> None:
            self.elsewhere = bound
            self.stands(bound)
            self.engine.check()

        counts = (REGION_STEPS, 2 * REGION_STEPS)
        coarse = Coarse(self.engine, self.output, counts, self.begin, point, memory, left, spent, stands)
        return coarse.run(region)

    def search(self, domains: Domains | Pool, bound: Bound, end: float) -> Outcome:
        """One search below these domains, or of a pool that was left, until the time `end`."""
        earlier = self.visited

        def follow(progress: SearchProgress) -> None:
            self.visited = earlier + progress.visited
            bound = min(progress.bound, self.elsewhere)
            self.report(replace(progress, bound=bound, visited=self.visited))

        def late() -> bool:
            return time.monotonic() > end

        return loop(
            domains, bound, self.falsify, follow, self.memory, self.batch, pause=late, parts=self.parts
        )


@dataclass(eq=False)
class _Timed(Retighten):
    """Re-tightening that notes its seconds as `clipping`."""

    parts: dict[str, float] = field(default_factory=dict)

    def before(self, children: Domains) -> Domains:
        with Timer(self.parts, "clipping"):
            return super().before(children)


@dataclass(eq=False)
class Task:
    """A search inside one region that can be paused and taken up again.

    waiting: its open domains, at first those not yet bounded; margins (1, S): of the region's rows by now;
    clause (S,): of these; worst: the least certified margin of what is open; least: that of what is refuted.
    """

    inside: Inside
    bound: Bound
    waiting: Domains | Pool
    margins: Tensor
    clause: Tensor
    worst: float
    least: float = math.inf

    def run(self, seconds: float) -> str:
        """Go on for about this time; how it ended."""
        end = time.monotonic() + seconds
        if isinstance(self.waiting, Domains):
            first = self.bound(self.waiting)
            self.least = least_refuted(first)
            self.waiting = Pool(first, self.inside.memory)
        outcome = self.inside.search(self.waiting, self.bound, end)
        if outcome.status == "timeout":
            self.inside.engine.check()
        self.worst = math.inf if outcome.status == "verified" else outcome.progress.bound
        if outcome.status in ("verified", "paused"):
            self.least = min(self.least, outcome.progress.bound if outcome.rest is None else outcome.least)
            closed = ~torch.isin(self.clause, self.waiting.clauses) & (self.clause >= 0)
            self.margins[0, closed] = self.margins[0, closed].clamp(min=max(self.least, 0.0) or TINY)
        return outcome.status
