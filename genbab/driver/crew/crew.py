"""Who carries a search out: this process alone, or copies of it that share what is open."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

import torch

from genbab.branch import DomainSearch, RegionSearch, SearchOutcome, Status
from genbab.branch.kept.data import DomainData, SearchData
from genbab.branch.regions.search import RegionState
from genbab.branch.search import DomainState
from genbab.driver.crew.regions import SharedRegions
from genbab.driver.crew.sharing import SharedSearch
from genbab.driver.crew.team import Pictures, Team
from genbab.driver.turns import Turns
from genbab.errors import UsageError
from genbab.system.deadline import Deadline

ALONE = 0.3
"""Seconds that a search goes on alone: one that ends so soon needs no help."""

ENOUGH = 4
"""Open domains per worker for which it pays to share them."""


def check_workers(workers: int, device: torch.device) -> None:
    """Raises `UsageError` where no search can be shared by so many processes."""
    if workers == 1:
        return
    if not hasattr(os, "fork") or sys.platform == "darwin":  # there libraries forbid it
        raise UsageError(f"workers = {workers}: processes cannot be copied on {sys.platform}; use 1")
    if device.type != "cpu":
        raise UsageError(f"workers = {workers}: they share the cores of a CPU, not {device}; use 1")


class SearchCrew:
    """The workers of one search at a time; 1: this process alone."""

    def __init__(self, team: Team, deadline: Deadline, turns: Turns, pictures: Pictures) -> None:
        self.team, self.deadline, self.turns, self.pictures = team, deadline, turns, pictures

    def domains(
        self,
        search: DomainSearch,
        state: DomainState,
        wrap: Callable[[DomainData], SearchData] = lambda picture: picture,
    ) -> SearchOutcome:
        """How a search over domains ends that has come so far; wrap: what it is to whoever keeps it.

        Raises what ends any search, and `ResourceError` where a worker is lost.
        """
        began = time.monotonic()

        def enough() -> bool:
            return self._late(began) and len(state.pool) >= ENOUGH * self.team.size

        outcome = search.proceed(state, enough)
        if outcome.status is not Status.PAUSED:
            return outcome
        shared = SharedSearch(search, state, self.turns, self.team)
        shared.wrap = wrap
        return self._run(shared)

    def regions(self, search: RegionSearch, state: RegionState) -> SearchOutcome:
        """How a search over regions ends that has come so far; raises as `domains`."""
        began = time.monotonic()

        def enough() -> bool:
            return self._late(began) and state.whole.state is not None

        outcome = search.proceed(state, enough)
        if outcome.status is not Status.PAUSED:
            return outcome
        return self._run(SharedRegions(search, state, self.turns, self.team))

    def _late(self, began: float) -> bool:
        """Whether it is time that others help."""
        return self.team.size > 1 and time.monotonic() - began > ALONE

    def _run(self, shared: SharedSearch) -> SearchOutcome:
        shared.pictures = self.pictures if self.pictures.keeps else None
        return shared.run(self.team, self.deadline)
