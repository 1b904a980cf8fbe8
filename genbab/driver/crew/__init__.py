"""Crews: one search by several processes, which share what is open."""

from __future__ import annotations

from genbab.driver.crew.crew import SearchCrew, workers_of
from genbab.driver.crew.local import LocalTeam
from genbab.driver.crew.portfolio import Contender, Portfolio
from genbab.driver.crew.rivals import ATTACK, Rival, check_portfolio, rivals
from genbab.driver.crew.serving import Serving

__all__ = [
    "ATTACK",
    "Contender",
    "LocalTeam",
    "Portfolio",
    "Rival",
    "SearchCrew",
    "Serving",
    "check_portfolio",
    "rivals",
    "workers_of",
]
