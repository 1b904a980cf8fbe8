"""Crews: one search by several processes, which share what is open."""

from __future__ import annotations

from genbab.driver.crew.crew import SearchCrew, check_workers

__all__ = ["SearchCrew", "check_workers"]
