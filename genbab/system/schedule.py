"""The time of a run: the limit that real time brings, and the clock by which it plans until then."""

from __future__ import annotations

from genbab.system.clock import WALL, RunClock
from genbab.system.deadline import Deadline


class RunSchedule:
    """When a run must end, and how it tells the time that it shares out until then.

    deadline: the user's limit, asked often; clock: tells what is used and left of `seconds` in all (None:
    without end), which are the deadline's own where both go by one clock.
    """

    def __init__(self, deadline: Deadline, clock: RunClock = WALL, seconds: float | None = None) -> None:
        self.deadline, self.clock = deadline, clock
        self._planned = deadline if clock is deadline.clock else Deadline(seconds, clock=clock)

    def left(self) -> float:
        """Seconds that remain to be shared out: inf without a limit, never negative."""
        return self._planned.left()

    def elapsed(self) -> float:
        """Seconds used."""
        return self._planned.elapsed()

    def check(self) -> None:
        """Raise `DeadlineReached` when the run must end."""
        self.deadline.check()

    def limit(self, seconds: float) -> Deadline:
        """An end for a part of the work that gets so many seconds, of those left."""
        return Deadline(seconds, clock=self.clock, outer=self.deadline)
