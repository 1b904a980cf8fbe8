"""What is told of the root: how wide its layers are, and where the bound of its worst box is lost."""

from __future__ import annotations

from contextlib import suppress

from genbab.bounds import WarmStart
from genbab.driver.context import Context
from genbab.driver.root import RootState
from genbab.errors import DeadlineReached

SHARE = 0.25
"""Of the time used so far, what must at least be left for an explanation."""


class RootAccount:
    """Notes in the ledger what is to be told of the least refuted box. explained: its margin."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.explained = float("inf")

    def note_widths(self, state: RootState) -> None:
        """Note how wide the layers are, until they are explained."""
        if not self.context.ledger.gap:
            self.context.ledger.layers = state.layers(self.context.engine.exact)

    def explain(self, state: RootState, warm: WarmStart | None = None) -> None:
        """Note where the bound of the worst box is lost, unless a worse one is known or time is short."""
        ledger, schedule, worst = self.context.ledger, self.context.schedule, state.worst()
        if worst < self.explained and schedule.left() > SHARE * schedule.elapsed():
            self.explained = worst
            with suppress(DeadlineReached):  # who needs the time says so himself
                ledger.layers, ledger.gap = state.explained(self.context.engine, warm or WarmStart())
