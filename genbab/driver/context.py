"""What the stages of a verification share: settings, time, engine, what is known so far, the attack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from genbab.bounds import Engine
from genbab.config import Config
from genbab.driver.crew import SearchCrew, Serving
from genbab.driver.ledger import Ledger
from genbab.driver.record.proving import ProofRecord
from genbab.driver.saved.saver import Saver
from genbab.driver.turns import Turns
from genbab.driver.undefined import Undefined
from genbab.system.schedule import RunSchedule

OPEN_ENDED = 120.0
"""Seconds that a run without a time limit plans its root with."""


@dataclass(frozen=True, eq=False)
class Context:
    """The parts of one verification that its stages use."""

    config: Config
    schedule: RunSchedule
    engine: Engine
    ledger: Ledger
    turns: Turns
    undefined: Undefined
    saver: Saver
    crew: SearchCrew | Serving
    proof: ProofRecord | None = None

    def share(self, part: float) -> float:
        """Seconds: a part of the time left."""
        return part * min(self.schedule.left(), OPEN_ENDED)

    def attack(self, clauses: Sequence[int]) -> None:
        """The attack's turn on these clauses, if it has one; raises `Falsified` or `Hopeless`."""
        if self.turns.due():
            self.ledger.report("attacking", None)
            with self.ledger.timed("attack"):
                self.turns.take(clauses)
            self.turns.check()
