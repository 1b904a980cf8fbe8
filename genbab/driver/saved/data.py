"""What a checkpoint says of a run: what is settled, what is open, how far the search at hand is."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor

from genbab.bounds import Engine
from genbab.branch.kept.data import SearchData, search_coder
from genbab.branch.tally import Sums
from genbab.driver.ledger import Ledger
from genbab.driver.root import RootFound, RootState
from genbab.system.coding import Coder


@dataclass(frozen=True, eq=False)
class LedgerData:
    """What a ledger knows that goes on: counts, times and sums of the whole run, what is told of the root."""

    domains: int
    earlier: int
    spent: dict[str, float]
    sums: Sums
    layers: list[dict[str, Any]]
    gap: dict[str, float]

    @staticmethod
    def of(ledger: Ledger) -> LedgerData:
        """What is known now."""
        spent, gap, layers = dict(ledger.spent), dict(ledger.gap), list(ledger.layers)
        return LedgerData(ledger.domains, ledger.earlier, spent, ledger.tally.sums, layers, gap)

    def tell(self, ledger: Ledger) -> None:
        """Let a new ledger know it."""
        ledger.domains, ledger.earlier = self.domains, self.earlier
        ledger.spent, ledger.gap, ledger.layers = dict(self.spent), dict(self.gap), list(self.layers)
        ledger.tally.sums = self.sums


@dataclass(eq=False)
class OpenBoxes:
    """The boxes that a plan has to decide, and what came of those before them.

    splits, retighten: of the plan, since what is open fits no other; decided: the least margin of the boxes
    that are done; reasons: why boxes could not be proved; finished: what names the boxes that are done
    (`names`); boxes: the others, the one at hand first. Of the one at hand: root: how far its root is;
    search: its search, if there is one; rounds: of attacks on it.
    """

    splits: str
    retighten: str
    decided: float
    finished: Tensor
    boxes: list[RootState]
    reasons: list[str] = field(default_factory=list)
    root: RootFound | None = None
    search: SearchData | None = None
    rounds: int = 0

    def copy(self) -> OpenBoxes:
        """The same as it is now, without lines, which are found again."""
        boxes = [replace(state, lines=None) for state in self.boxes]
        root = self.root and replace(self.root, state=replace(self.root.state, lines=None))
        return replace(self, boxes=boxes, reasons=list(self.reasons), root=root)


@dataclass(frozen=True, eq=False)
class RunData:
    """Where a run stands. settled: clauses that rational arithmetic refuted; open: None before the plan."""

    settled: list[int]
    ledger: LedgerData
    open: OpenBoxes | None


def run_coder(engine: Engine) -> Coder:
    """Writes and reads the data of runs with this engine."""
    return search_coder(engine, (LedgerData, OpenBoxes, RootFound, RootState, RunData))
