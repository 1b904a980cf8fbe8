"""A search inside one region that gets slices of time, and what it proves of the region's rows."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from genbab.branch.open.domains import Domains
from genbab.branch.outcome import SearchOutcome, Status
from genbab.branch.regions.region import Region
from genbab.branch.search import INF, DomainSearch, DomainState
from genbab.system.clock import WALL, RunClock

TINY = 1e-12
"""Margin of a clause of which nothing better is known than that it is refuted."""


@dataclass(eq=False)
class Subsearch:
    """A search over the domains of one region.

    domains: its root, not yet bounded; clock: that of slices; margins (1, S): of the region's rows by now;
    worst: the least certified margin of what is open.
    """

    search: DomainSearch
    domains: Domains
    region: Region
    clock: RunClock = WALL
    state: DomainState | None = None
    margins: Tensor = field(init=False)
    worst: float = field(init=False)

    def __post_init__(self) -> None:
        self.margins, self.worst = self.region.margins.clone(), self.region.worst

    def advance(self, seconds: float = math.inf) -> SearchOutcome:
        """Go on for about this time; raises `DeadlineReached` while the root is being bounded.

        A search that has given a domain up can verify nothing any more: it is stuck, not paused.
        """
        end = self.clock.now() + seconds
        if self.state is None:
            self.state = self.search.begin(self.search.bound(self.domains))
        outcome = self.search.proceed(self.state, lambda: self.clock.now() > end)
        if outcome.status is Status.PAUSED and self.state.given_up < INF:
            outcome = replace(outcome, status=Status.STUCK)
        self.worst = INF if outcome.status is Status.VERIFIED else outcome.progress.bound
        if outcome.status in (Status.VERIFIED, Status.PAUSED):
            self._close(self.state)
        return outcome

    def _close(self, state: DomainState) -> None:
        """Raise the margins of the clauses of which no domain is open any more."""
        clause = self.region.query.clause[0]
        closed = ~torch.isin(clause, state.pool.clauses) & (clause >= 0)
        self.margins[0, closed] = self.margins[0, closed].clamp(min=max(state.least, 0.0) or TINY)
