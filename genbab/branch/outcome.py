"""How a search stands and how it ended, for programs and for people."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from genbab.branch.tally import NOTHING, Sums


class Status(StrEnum):
    """How a search ended. message: the same for people; {why} in it is what only that search knows."""

    message: str

    def __new__(cls, value: str, message: str) -> Status:
        member = str.__new__(cls, value)
        member._value_ = value
        member.message = message
        return member

    VERIFIED = "verified", "every domain is refuted"
    FALSIFIED = "falsified", "a counterexample was found"
    STUCK = "stuck", "nothing is left to split: the remaining gap is below what float64 can express"
    MEMORY = "memory", "the open domains no longer fit the memory: {why}; try a larger --memory"
    TIMEOUT = "timeout", "the time limit was reached; try a longer one"
    PAUSED = "paused", "the search was paused and can go on"


@dataclass(frozen=True)
class SearchProgress:
    """Where a search stands. Of the last round: gained; splits: parents that were split; seconds by part.
    stored: bytes of open domains in memory; away: bytes spilled so far.
    """

    bound: float = float("-inf")
    open: int = 0
    visited: int = 0
    rounds: int = 0
    depth: int = 0
    gained: Sums = NOTHING
    splits: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    stored: int = 0
    away: int = 0


@dataclass(frozen=True)
class SearchOutcome:
    """How a search ended, and where it stood then. why: what a person needs to know beyond the status."""

    status: Status
    progress: SearchProgress = field(default_factory=SearchProgress)
    why: str = ""

    @property
    def message(self) -> str:
        """The status for people."""
        return self.status.message.format(why=self.why)
