"""The clock that decides what a run does next: seconds that pass, or seconds that its work is worth."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable


class RunClock(ABC):
    """Seconds by which a run shares out its time. The limits that users set are not minded by it."""

    @abstractmethod
    def now(self) -> float:
        """Seconds since some moment."""

    @abstractmethod
    def worked(self, seconds: Callable[[], float]) -> None:
        """So much work was done, in seconds at a nominal speed; called where the clock counts work."""


class WallClock(RunClock):
    """Seconds that pass."""

    def now(self) -> float:
        """The seconds of `time.monotonic()`."""
        return time.monotonic()

    def worked(self, seconds: Callable[[], float]) -> None:
        """Nothing: work takes its time by itself."""


class WorkClock(RunClock):
    """Seconds that the work so far is worth at a nominal speed: the same in every run that does the same."""

    def __init__(self) -> None:
        self._worked = 0.0

    def now(self) -> float:
        """The seconds of all work so far."""
        return self._worked

    def worked(self, seconds: Callable[[], float]) -> None:
        """Go on by so much."""
        self._worked += seconds()


WALL = WallClock()
"""What passes for everyone."""


def clock_of(deterministic: bool) -> RunClock:
    """The clock of a run: a new count of its work where that is to decide, else the seconds that pass."""
    return WorkClock() if deterministic else WALL
