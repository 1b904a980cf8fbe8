"""Searches with the hidden intervals of one region: many cheap domains, for all clauses or for one after the
other.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from genbab.bounds import Engine, Steps
from genbab.branch.coarse import Coarse, Region, released
from genbab.branch.domains import Domains
from genbab.branch.neurons import Choose, Root, bound_by_neurons, neuron_root
from genbab.branch.retighten import Retighten
from genbab.branch.scores import Point
from genbab.branch.search import Bound, Falsify, Outcome, Report, SearchProgress
from genbab.branch.search import search as loop

TINY = 1e-12
"""Margin of a clause of which nothing better is known than that it is refuted."""

REGION_STEPS = 20
"""Slope steps for the hidden rows of a region."""


@dataclass(eq=False)
class Inside:
    """How regions are searched. clip: whether boxes and hidden intervals of children are cut by what they
    satisfy; visited: domains bounded so far; elsewhere: certified margin of what is not being searched.
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
    visited: int = 0
    elsewhere: float = float("inf")

    def all(self, region: Region) -> Outcome:
        """One search over all clauses."""
        domains, bound = self._begun(region)
        return self.search(bound(domains), bound, float("inf"))

    def begin(self, region: Region) -> Task:
        """A search inside the region, not yet begun."""
        domains, bound = self._begun(region)
        return Task(self, bound, domains, region.margins.clone(), region.query.clause[0])

    def _begun(self, region: Region) -> tuple[Domains, Bound]:
        domains, root = neuron_root(
            self.engine, region.query, region.margins, region.intervals, region.slopes, self.output
        )
        retighten = Retighten(self.engine, region.forms) if self.clip else None
        bound = bound_by_neurons(self.engine, root, self.steps, self.chooser(root), retighten)
        return released(domains, region.splits), bound

    def by_regions(
        self, region: Region, memory: int, left: Callable[[], float], spent: float, point: Point
    ) -> Outcome:
        """A search over regions, in turn with one inside this region, whose hidden rows took the time
        `spent`.
        """

        def stands(bound: float) -> None:
            self.elsewhere = bound
            self.engine.check()

        counts = (REGION_STEPS, 2 * REGION_STEPS)
        coarse = Coarse(self.engine, self.output, counts, self.begin, point, memory, left, spent, stands)
        return coarse.run(region)

    def search(self, domains: Domains, bound: Bound, end: float) -> Outcome:
        """One search below these domains, until the time `end`."""
        earlier = self.visited

        def follow(progress: SearchProgress) -> None:
            self.visited = earlier + progress.visited
            bound = min(progress.bound, self.elsewhere)
            self.report(replace(progress, bound=bound, visited=self.visited))

        return loop(
            domains, bound, self.falsify, follow, self.memory, self.batch, lambda: time.monotonic() > end
        )


@dataclass(eq=False)
class Task:
    """A search inside one region that can be paused and taken up again.

    waiting: its open domains; margins (1, S): of the region's rows by now; clause (S,): of these.
    """

    inside: Inside
    bound: Bound
    waiting: Domains
    margins: Tensor
    clause: Tensor
    begun: bool = False

    def run(self, seconds: float) -> str:
        """Go on for about this time; how it ended."""
        end = time.monotonic() + seconds
        if not self.begun:
            self.waiting, self.begun = self.bound(self.waiting), True
        outcome = self.inside.search(self.waiting, self.bound, end)
        self.inside.engine.check()
        if outcome.status in ("verified", "paused"):
            least = outcome.progress.bound if outcome.rest is None else outcome.least
            self.waiting = self.waiting.take(self.waiting.bound < -math.inf)
            if outcome.rest is not None:
                self.waiting = outcome.rest
            closed = ~torch.isin(self.clause, self.waiting.query.clause) & (self.clause >= 0)
            self.margins[0, closed] = self.margins[0, closed].clamp(min=max(least, 0.0) or TINY)
        return outcome.status

    @property
    def worst(self) -> float:
        """The least certified margin of what is open."""
        return float(self.waiting.bound.min()) if len(self.waiting) else math.inf
