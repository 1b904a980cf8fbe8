"""One member of a crew: a process that searches what it is given, and follows orders between two steps."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import torch

from genbab.attack import Falsified
from genbab.branch import DomainSearch, SearchProgress
from genbab.branch.open.domains import Domains
from genbab.branch.open.pool import Pool, SpillFull, keys_of
from genbab.branch.search import INF, DomainState
from genbab.driver.crew.messages import (
    Answer,
    Divide,
    Failed,
    Found,
    Give,
    Halved,
    Handed,
    Noted,
    Order,
    Parcel,
    Report,
    Reveal,
    Revealed,
    Sums,
    Take,
)
from genbab.driver.crew.proving import MemberNotes
from genbab.driver.endings import Hopeless
from genbab.errors import DeadlineReached

EVERY = 0.05
"""Least seconds between two reports of a member that has enough to do."""


class Post(Protocol):
    """A member's side of the way to its crew."""

    def receive(self, wait: bool) -> Order | None:
        """The next order; None where there is none and `wait` is False. Raises `EOFError` without a crew."""

    def send(self, message: Answer) -> None:
        """Send a message."""


def served(post: Post, work: Callable[[], None]) -> None:
    """Work until the crew is gone; whatever else ends the work is told."""
    try:
        work()
    except EOFError:
        return
    except Falsified as found:
        post.send(Found(found.counterexample))
    except Hopeless as found:
        post.send(Found(hopeless=str(found)))
    except (torch.OutOfMemoryError, MemoryError) as error:
        post.send(Failed(str(error), memory=True))
    except BaseException as error:
        short = "allocate memory" in str(error)
        post.send(Failed("".join(traceback.format_exception(error)), memory=short))


Scout = Callable[[], bool]
"""Makes one attack, if one is left to be made; whether it was."""

Divider = Callable[[Divide, Callable[[SearchProgress], None]], Halved]
"""Divides a region, and tells rounds of the searches that this takes."""


class Member:
    """Searches below `root`, and divides regions where there are any (`divide`); attacks before (`scout`).

    Whatever ends a step early, every domain that was taken is open, refuted or given up, and reported so.
    search: with the setup that is the member's own.
    """

    def __init__(
        self,
        post: Post,
        search: DomainSearch,
        root: Domains,
        scout: Scout | None = None,
    ) -> None:
        self.post, self.scout = post, scout
        self.divide: Divider | None = None
        self.taken, self.sums, self.last, self.stopped = 0, Sums(), 0.0, ""
        self.beside = 0
        self.search = replace(search, setup=replace(search.setup, report=self._note))
        self.state = DomainState(Pool.holding(root, (), search.setup.memory), INF)

    def run(self) -> None:
        """Follow orders and search, until the crew is gone or something is raised."""
        while True:
            self.turn()

    def turn(self) -> None:
        """Follow orders, after waiting for one where nothing else is to be done, and take one step."""
        self._follow()
        if self.scout is not None:
            self._attack(self.scout)
        elif self._busy:
            self._step()

    @property
    def _busy(self) -> bool:
        return not self.stopped and self.search.ended(self.state) is None

    def _follow(self) -> None:
        """Follow all orders that have come, after waiting for one where nothing is to be done."""
        while (order := self.post.receive(wait=self.scout is None and not self._busy)) is not None:
            if isinstance(order, Take):
                self._take(order.parcel)
            elif isinstance(order, Give):
                self._give(order)
            elif isinstance(order, Reveal):
                self._tell()  # what was given up: a picture without that would be a proof
                self.post.send(self._revealed())
            else:
                self._divide(order)

    def _take(self, parcel: Parcel) -> None:
        self.taken += 1
        try:
            self.state.pool.put(parcel.packed(self.state.pool.packing.root.bound.device))
        except SpillFull as full:  # they are in the pool
            self.stopped = f"memory: {full}"
        self._tell()

    def _give(self, order: Give) -> None:
        """Hand domains over; those of a step that was cut short stay, and so does what cannot be read.

        Then it is told before that this member has stopped.
        """
        pool = self.state.pool
        self._note_tree()
        try:
            packed = pool.drained() if order.everything else pool.share(order.count)
        except SpillFull as full:  # nothing was removed
            packed, self.stopped = None, f"memory: {full}"
            self._tell()
        self.post.send(Handed(None if packed is None else Parcel.of(packed, pool.packing)))
        self._tell()

    def _revealed(self) -> Revealed:
        state, packing = self.state, self.state.pool.packing
        try:
            parts = [packed for packed in state.pool.packed() if len(packed)]
        except SpillFull as full:
            return Revealed(self.taken, None, str(full))
        parts += [] if state.taken is None else [packing.pack(state.taken)]
        return Revealed(self.taken, Parcel.of(packing.join(parts), packing) if parts else None)

    def _divide(self, order: Divide) -> None:
        assert self.divide is not None, "a search that has no regions"
        if self.stopped:  # which the crew was told, and ends
            return
        try:
            halved = self.divide(order, self.note_beside)
        except DeadlineReached:  # the region is open; the crew has it
            self.stopped = "time"
            self._tell()
        else:
            self._tell()
            self.post.send(halved)

    def _attack(self, scout: Scout) -> None:
        """Make an attack; after the last one this member is as the others."""
        try:
            if scout():
                return
        except DeadlineReached:
            self.stopped = "time"
        self.scout = None
        self._tell()

    def _step(self) -> None:
        try:
            self.search.step(self.state)
        except DeadlineReached:
            self.stopped = "time"
        except SpillFull as full:
            self.stopped = f"memory: {full}"
        few = len(self.state.pool) <= self.search.setup.batch
        if few or not self._busy or time.monotonic() - self.last > EVERY:
            self._tell()

    def _note(self, progress: SearchProgress) -> None:
        self.sums.add(progress)

    def note_beside(self, progress: SearchProgress) -> None:
        """Count a round of a search that is another one: inside a region that is divided."""
        self.sums.add(progress)
        self.beside += 2 * progress.splits

    def _note_tree(self) -> None:
        """Send what a proof has to know, before anybody builds on it."""
        record = self.search.setup.record
        if isinstance(record, MemberNotes) and (notes := record.mine.taken()):
            self.post.send(Noted(notes, frozenset(record.unnamed)))

    def _tell(self) -> None:
        """Report where this part stands."""
        self._note_tree()
        state, sums, waiting = self.state, self.sums, self.state.taken
        bounds = [state.pool.worst] + ([] if waiting is None else [float(keys_of(waiting.bound).min())])
        progress = replace(
            state.progress,
            bound=min(bounds),
            visited=state.progress.visited + self.beside,
            open=len(state.pool) + (0 if waiting is None else len(waiting)),
            gained=sums.gained,
            splits=sums.splits,
            seconds=sums.seconds,
        )
        clauses = () if self.divide is None else tuple(state.pool.clauses.tolist())
        if waiting is not None and self.divide is not None:
            clauses += tuple(waiting.query.clauses())
        self.sums, self.last = Sums(), time.monotonic()
        scouting = self.scout is not None
        self.post.send(
            Report(self.taken, progress, state.least, state.given_up, self.stopped, clauses, scouting)
        )
