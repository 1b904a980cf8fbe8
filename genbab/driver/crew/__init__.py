"""Crews: one search by several processes, which share what is open."""

from __future__ import annotations

from genbab.driver.crew.crew import SearchCrew, workers_of
from genbab.driver.crew.local import LocalTeam
from genbab.driver.crew.serving import Serving

__all__ = ["LocalTeam", "SearchCrew", "Serving", "workers_of"]
