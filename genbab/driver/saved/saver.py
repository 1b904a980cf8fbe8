"""Who writes a run to its checkpoint: now and then, and where it ends without a verdict."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from genbab.bounds import Engine
from genbab.branch import SearchProgress
from genbab.branch.kept.data import SearchData
from genbab.branch.open.pool import SpillFull
from genbab.checkpoint import AskedFiles, Checkpoint, KeptRun
from genbab.config import Config
from genbab.driver.ledger import Ledger
from genbab.driver.root import RootFound
from genbab.driver.saved.data import LedgerData, OpenBoxes, RunData, run_coder
from genbab.driver.saved.fits import fingerprint, names
from genbab.driver.turns import Turns
from genbab.errors import UsageError
from genbab.system.archive import Array
from genbab.system.coding import numbers

REST = 35
"""Seconds between two writes, at least, as a multiple of what a write took: it costs less than 3 %."""

SPARE = 0.25
"""Seconds of a time limit that are kept for the last write besides what it takes."""

PICTURE = 1.0
"""Seconds that are kept besides for the last picture of a search that is shared."""

MOST = 0.2
"""Of a time limit, the most that is kept for the last write."""


NOBODY = AskedFiles("", "", "", "")
"""What is asked of a run that is kept in no file."""


class Saver:
    """Writes where a run stands to its checkpoint; without one it only keeps account of it.

    open: what the plan has to decide, as it goes, None before there is a plan.
    """

    def __init__(
        self, checkpoint: Checkpoint | None, config: Config, engine: Engine, ledger: Ledger, turns: Turns
    ) -> None:
        self.checkpoint, self.config, self.engine = checkpoint, config, engine
        self.ledger, self.turns = ledger, turns
        self.open: OpenBoxes | None = None
        self._before: OpenBoxes | None = None
        self._search: Callable[[], SearchData] | None = None
        self._next = self._took = 0.0
        self._held = 0
        self._shared = False

    def go_on(self, data: RunData) -> None:
        """The run is taken up from this data."""
        data.ledger.tell(self.ledger)
        self.open = self._before = data.open
        if data.open is not None:
            self.turns.restart(data.open.rounds)

    def taken_up(self) -> OpenBoxes | None:
        """What the run that is taken up had left open, told once; after that nothing is known to be open."""
        self.open, self._before = self._before, None
        self._search = None
        return self.open

    def root_before(self) -> RootFound | None:
        """How far an earlier run was with the root of the box at hand."""
        return None if self.open is None else self.open.root

    def search_before(self) -> SearchData | None:
        """Where an earlier run left the search of the box at hand."""
        return None if self.open is None else self.open.search

    def root_found(self, found: RootFound) -> None:
        """The root of the box at hand is as far as that."""
        assert self.open is not None
        self.open.root = found
        self.due()

    def searching(self, search: Callable[[], SearchData]) -> None:
        """The box at hand is searched from now on, below its root; `search` says how far that is."""
        left = self.open
        assert left is not None
        if left.root is not None:
            left.boxes[0] = left.root.state
        left.root, left.search, self._search, self._shared = None, None, search, False

    def apart(self) -> None:
        """This is another process from now on: it writes nothing, and takes nothing up."""
        self.checkpoint = None
        if self.open is not None:
            self.open.root = self.open.search = None

    @property
    def keeps(self) -> bool:
        """Whether there is a checkpoint."""
        return self.checkpoint is not None

    def shared(self, data: SearchData) -> None:
        """The search at hand is shared from here on: what is written is the last picture of it."""
        self._search, self._shared = lambda: data, True

    def wanted(self) -> bool:
        """Whether it is time for a picture of a search that is shared."""
        return self.checkpoint is not None and time.monotonic() >= self._next

    def taken(self, data: SearchData) -> None:
        """Write a picture of a search that is shared."""
        self._search = lambda: data
        self.write()
        self._reserve(1.0)

    def done(self, reason: str, margin: float) -> None:
        """The box at hand is done: it has this margin, and is proved, or else it is said why not."""
        left = self.open
        assert left is not None
        left.decided = min(left.decided, margin if margin == margin else -math.inf)
        left.finished = torch.cat([left.finished, names(left.boxes.pop(0).query)])
        left.reasons += [reason] if reason else []
        left.root, left.search, left.rounds, self._search, self._shared = None, None, 0, None, False
        self.due()

    def follow(self, progress: SearchProgress) -> None:
        """A round of the search at hand ended: tell the ledger, write if it is time."""
        self.ledger.follow(progress)
        self.due(progress.stored)

    def due(self, held: int = 0) -> None:
        """Write if it is time; held: bytes of open domains, which say how long the last write may take."""
        if self.checkpoint is None or self._shared:
            return
        if time.monotonic() >= self._next:
            self._held = held
            self.write()
        self._reserve(max(1.0, held / max(self._held, 1 << 20)))

    def _reserve(self, more: float) -> None:
        """Keep time for the last write, which takes so many times as long as the one before."""
        deadline = self.ledger.deadline
        if deadline.seconds is not None:
            picture = PICTURE if self._shared else 0.0
            deadline.reserve = min(SPARE + picture + 2 * more * self._took, MOST * deadline.seconds)

    def kept(self, search: SearchData) -> KeptRun:
        """What a checkpoint of the search at hand would hold if that were so far."""
        return KeptRun(NOBODY, self.config, 0.0, [], *self._encoded(self.data(search)))

    def _encoded(self, data: RunData) -> tuple[str, Any, list[Array]]:
        """(network, run, arrays) of where the run stands, as `KeptRun` has them."""
        tensors: list[Tensor] = []
        run = run_coder(self.engine).write(data, tensors)
        return fingerprint(self.engine.exact), run, [numbers(t) for t in tensors]

    def write(self) -> None:
        """Write now. Where that fails the run goes on, and the checkpoint says why."""
        checkpoint = self.checkpoint
        if checkpoint is None:
            return
        began = time.monotonic()
        seconds = checkpoint.seconds_before + self.ledger.deadline.elapsed()
        try:
            checkpoint.write(seconds, *self._encoded(self.data()))
            checkpoint.failed, checkpoint.known = "", True
        except (UsageError, SpillFull) as error:
            checkpoint.failed = str(error)
        now = time.monotonic()
        self._took = now - began
        self._next = now + max(checkpoint.every, REST * self._took)

    def data(self, search: SearchData | None = None) -> RunData:
        """Where the run stands; its search must be between two steps, or ended by one that was cut short.

        search: where that is, if not where the search at hand says it is.
        """
        settled, ledger = sorted(self.turns.challenge.settled), LedgerData.of(self.ledger)
        if self.open is None:
            return RunData(settled, ledger, None)
        if search is None:
            search = self.open.search if self._search is None else self._search()
        left = replace(self.open.copy(), search=search, rounds=self.turns.rounds)
        return RunData(settled, ledger, left)
