"""Who carries a search out: this process alone, copies of it that share what is open, or a portfolio."""

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
from genbab.config import Config
from genbab.driver.crew.portfolio import Portfolio
from genbab.driver.crew.regions import SharedRegions
from genbab.driver.crew.sharing import SharedSearch
from genbab.driver.crew.team import Pictures, Team
from genbab.driver.turns import Turns
from genbab.errors import UsageError
from genbab.system.deadline import Deadline
from genbab.system.process import available_cores

ALONE = 0.3
"""Seconds that a search goes on alone: one that ends so soon needs no help."""

ENOUGH = 1
"""Open domains per worker for which it pays to share them."""


def workers_of(config: Config, device: torch.device) -> int:
    """How many workers share a search with these settings: for `auto` one for each core, if they can.

    Raises `UsageError` where so many are wanted and none can be.
    """
    why = ""
    if not hasattr(os, "fork") or sys.platform == "darwin":  # there libraries forbid it
        why = f"processes cannot be copied on {sys.platform}"
    elif device.type != "cpu":
        why = f"they share the cores of a CPU, not {device}"
    if config.workers is None:
        return 1 if why or config.deterministic else min(256, available_cores())
    if why and config.workers > 1:
        raise UsageError(f"workers = {config.workers}: {why}; use 1")
    return config.workers


class SearchCrew:
    """The workers of one search at a time; 1: this process alone.

    portfolio: others that decide the same question meanwhile, each alone and with other settings.
    """

    def __init__(
        self,
        team: Team,
        deadline: Deadline,
        turns: Turns,
        pictures: Pictures,
        portfolio: Portfolio | None = None,
    ) -> None:
        self.team, self.deadline, self.turns, self.pictures = team, deadline, turns, pictures
        self.portfolio = portfolio

    def domains(
        self,
        search: DomainSearch,
        state: DomainState,
        wrap: Callable[[DomainData], SearchData] = lambda picture: picture,
    ) -> SearchOutcome:
        """How a search over domains ends that has come so far; wrap: what it is to whoever keeps it.

        Raises what ends any search, and `ResourceError` where a worker is lost.
        """

        def enough() -> bool:
            return self.portfolio is not None or len(state.pool) >= ENOUGH * self.team.size

        def shared() -> SharedSearch:
            found = SharedSearch(search, state, self.turns, self.team)
            found.wrap = wrap
            return found

        return self._carried_out(lambda pause: search.proceed(state, pause), enough, shared)

    def regions(self, search: RegionSearch, state: RegionState) -> SearchOutcome:
        """How a search over regions ends that has come so far; raises as `domains`."""

        def enough() -> bool:
            return state.whole.state is not None

        def shared() -> SharedSearch:
            return SharedRegions(search, state, self.turns, self.team)

        return self._carried_out(lambda pause: search.proceed(state, pause), enough, shared)

    def _carried_out(
        self,
        proceed: Callable[[Callable[[], bool]], SearchOutcome],
        enough: Callable[[], bool],
        shared: Callable[[], SharedSearch],
    ) -> SearchOutcome:
        """How a search ends that goes on alone, and with the help of others once it is late and enough."""
        began = time.monotonic()

        def together() -> SearchOutcome:
            return proceed(lambda: False) if self.team.size == 1 else self._run(shared())

        if self.team.size == 1 and self.portfolio is None:
            return together()
        with self.turns.held() as attack:

            def late() -> bool:
                if time.monotonic() - began > ALONE:
                    attack()
                    return enough()
                return False

            outcome = proceed(late)
        if outcome.status is not Status.PAUSED:
            return outcome
        return together() if self.portfolio is None else self.portfolio.run(together)

    def _run(self, shared: SharedSearch) -> SearchOutcome:
        shared.pictures = self.pictures if self.pictures.keeps else None
        return shared.run(self.team, self.deadline)
