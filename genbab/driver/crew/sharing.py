"""A search that is shared: who has how much, who gives to whom, and when all is done.

Its law is that of every search: a domain that is open lies in a member's part, in a parcel that was sent and
not yet reported, or in one that waits here. Messages of one member come in the order in which they were
sent, so a member that reports nothing open after its last parcel has nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from genbab.attack import Falsified
from genbab.branch import DomainSearch, SearchOutcome, SearchProgress, Status
from genbab.branch.kept.data import DomainData, SearchData
from genbab.branch.open.pool import Pool
from genbab.branch.search import INF, DomainState
from genbab.driver.crew.member import Member, Post, served
from genbab.driver.crew.messages import (
    NOTHING,
    Answer,
    Failed,
    Found,
    Handed,
    Noted,
    Parcel,
    Report,
    Revealed,
)
from genbab.driver.crew.part import HERE, MemberPart, summed
from genbab.driver.crew.proving import MemberNotes, ProofMerge
from genbab.driver.crew.snapshot import Snapshot
from genbab.driver.crew.team import Pictures, Team, TeamSize, told_all
from genbab.driver.endings import Hopeless
from genbab.driver.record.proving import TreeNotes
from genbab.driver.turns import Turns, scouts
from genbab.errors import DeadlineReached
from genbab.system.deadline import Deadline

LITTLE = 8
"""Domains of which nobody who has some is given more."""

RATIO = 2
"""How many times as much the one must have who is asked to give to another one who still has some."""

MOST = 16_384
"""The most domains that are sent at once."""

EVERY = 20.0
"""Seconds between two copies of what all members have, where such are kept."""

PATIENCE = 2.0
"""Seconds that members have at the end to show what they have open."""

LOOK = 0.5
"""Seconds after which a crew that nobody writes to looks at the time."""


class SharedSearch:
    """A search over domains, taken up by the members of a team; turns: the attack that they share.

    What was open in `state` is dealt out, so that it holds nothing from then on. Raises `Falsified`,
    `Hopeless`, and `ResourceError` where a member is lost whose part nobody has.
    """

    def __init__(self, search: DomainSearch, state: DomainState, turns: Turns, team: TeamSize) -> None:
        self.search, self.base, self.turns, self.team = search, state, turns, team
        self.packing = state.pool.packing
        self.parts: list[MemberPart] = []
        self.waiting: list[Parcel] = []
        self.snapshot: Snapshot | None = None
        self.pictures: Pictures | None = None
        self.wrap: Callable[[DomainData], SearchData] = lambda picture: picture
        self.pictured = time.monotonic()
        record = search.setup.record
        self.merge = ProofMerge(record.notes) if isinstance(record, TreeNotes) else None

    def run(self, team: Team, deadline: Deadline) -> SearchOutcome:
        """How the search ends, by the members of this team."""
        try:
            if self.pictures is not None:
                self.pictures.shared(self.data(DomainData.of(self.base)))
            for place, link in enumerate(team.start(self)):
                begun = replace(NOTHING, scouting=scouts(place, team.size))
                self.parts.append(MemberPart(link, begun, keeps=team.restores))
            self._deal()
            while (outcome := self.ended()) is None:
                self._hear(team, min(LOOK, deadline.left()))
                self._picture()
                if self.snapshot is None:
                    self.balance()
                deadline.check()
            if outcome.status in (Status.TIMEOUT, Status.MEMORY):
                self._last_picture(team)
            return outcome
        except DeadlineReached:
            self._last_picture(team)
            return SearchOutcome(Status.TIMEOUT, self.progress())
        finally:
            for part in self.parts:
                part.member.end()

    def begun(self) -> SearchData:
        """The search that is shared, with nothing open."""
        return self.data(replace(DomainData.of(self.base), open=[]))

    def work(self, place: int, post: Post) -> None:
        """What a member does, until its crew is gone."""
        served(post, self.member(place, post).run)

    def member(self, place: int, post: Post) -> Member:
        """The member that a copy becomes."""
        turns = self.turns.apart(place, self.team.size)
        root = self.packing.began
        return Member(post, self.own_search(place, turns), root, turns.scouting(root.query.clauses()))

    def own_search(self, place: int, turns: Turns) -> DomainSearch:
        """The search of one copy, with its part of the memory."""
        setup = self.search.setup
        own = replace(setup, memory=setup.memory // self.team.together, falsify=turns.falsify)
        if isinstance(setup.record, TreeNotes):
            own = replace(own, record=MemberNotes(setup.record, place))
        return replace(self.search, setup=own)

    def _deal(self) -> None:
        """Deal out what is open, in parts that are about as hard, to those that do not attack first."""
        pool = self.base.pool
        parts = [part for part in self.parts if not part.report.scouting]
        for left, part in zip(range(len(parts), 0, -1), parts, strict=True):
            packed = pool.share(len(pool) // left) if left > 1 else pool.drained()
            if packed is not None:
                part.take(Parcel.of(packed, self.packing))
        if (taken := self.base.taken) is not None:  # by a step that found no room
            self.waiting, self.base.taken = [Parcel.of(self.packing.pack(taken), self.packing)], None
        self.base.pool = Pool.holding(self.packing.began, (), self.search.setup.memory)

    def _hear(self, team: Team, seconds: float) -> None:
        links = {n: part.member for n, part in enumerate(self.parts) if not part.lost}
        told_all(team.messages(links, seconds), lambda n, message: self.follow(self.parts[n], message))

    def follow(self, part: MemberPart, message: Answer) -> None:
        """Take a message in; raises what it says that ends all."""
        if isinstance(message, Report):
            before = part.report.progress
            part.reported(message)
            if message.progress.visited != before.visited:
                self.search.setup.report(self.progress(message.progress))
        elif isinstance(message, Handed):
            self._given(part, message.parcel)
        elif isinstance(message, Found):
            if message.counterexample is not None:
                raise Falsified(message.counterexample)
            raise Hopeless(message.hopeless)
        elif isinstance(message, Failed):
            self._failed(part, message)
        elif isinstance(message, Noted):
            self._note(message)
        else:
            assert isinstance(message, Revealed), "members of this crew say nothing else"
            if self.snapshot is not None:
                self.snapshot.tell(part, message)

    def _note(self, message: Noted) -> None:
        """Write a member's part of the tree into the proof."""
        record = self.search.setup.record
        if self.merge is not None and isinstance(record, TreeNotes):
            self.merge.add(message.notes)
            record.unnamed |= message.unnamed

    def _given(self, part: MemberPart, parcel: Parcel | None) -> None:
        to, part.asked = part.asked, None
        if to is not None and to != HERE:
            self.parts[to].waits = False
        if parcel is not None:
            self.waiting.append(parcel)

    def _failed(self, part: MemberPart, message: Failed) -> None:
        """A member is gone: others get what it had, where that is known, or this is the end."""
        others = [p for p in self.parts if not p.lost and p is not part]
        if not (self.team.restores and message.lost and others):
            raise message.error()
        self.abandon(part)
        if part.asked is not None and part.asked != HERE:
            self.parts[part.asked].waits = False
        progress = replace(part.report.progress, bound=INF, open=0)
        part.report = replace(part.report, taken=part.sent, progress=progress, clauses=())
        part.lost, part.asked, part.away = True, None, []
        self.waiting += part.held
        self.snapshot, part.held = None, []

    def abandon(self, part: MemberPart) -> None:
        """Take back what else a member had that is lost."""

    def _picture(self) -> None:
        """Now and then, have members show what they have open, where that is kept."""
        if self.snapshot is None:
            late = self.team.restores and time.monotonic() - self.pictured > EVERY
            if not late and not (self.pictures is not None and self.pictures.wanted()):
                return
            self.snapshot = Snapshot()
        self.snapshot.ask([part for part in self.parts if not part.lost])
        if self.snapshot.complete:
            data = self.picture_taken(self.snapshot)
            if self.pictures is not None and not self.snapshot.trouble:
                self.pictures.taken(self.data(data))
            self.snapshot, self.pictured = None, time.monotonic()

    def data(self, picture: DomainData) -> SearchData:
        """The search at hand, with what is open in the picture."""
        return self.wrap(picture)

    def picture_taken(self, snapshot: Snapshot) -> DomainData:
        """What is open everywhere, as the data of one search."""
        device = self.packing.root.bound.device
        open_ = [parcel.packed(device) for parcel in (*snapshot.parcels, *self.waiting)]
        return DomainData(self.packing.began, open_, self.least, self.given_up, self.progress())

    def _last_picture(self, team: Team) -> None:
        """A picture of what is open at the end, if that does not take long and somebody keeps it."""
        late, self.pictured = time.monotonic() + PATIENCE, -INF
        if self.pictures is None:
            return
        self.snapshot = self.snapshot or Snapshot()
        while self.snapshot is not None and time.monotonic() < late:
            self._picture()
            with suppress(DeadlineReached):  # who follows the rounds says so, which is known
                self._hear(team, LOOK)
            self._picture()

    def searching(self) -> Sequence[tuple[int, MemberPart]]:
        """The members that search domains, with their numbers, those who have least first."""
        some = [(n, p) for n, p in enumerate(self.parts) if p.searches]
        return sorted(some, key=lambda pair: pair[1].open + len(pair[1].away))

    def balance(self) -> None:
        """Let those who have much give to those who have little."""
        members = self.searching()
        while self.waiting and members:
            members[0][1].take(self.waiting.pop())
            members = self.searching()
        givers = sorted((p for _, p in members if p.asked is None and not p.waits), key=lambda p: p.open)
        for number, poor in members:
            if poor.waits or poor.asked is not None or poor.away:
                continue
            while givers and (givers[-1].asked is not None or givers[-1].waits):
                givers.pop()
            enough = max(LITTLE if poor.open else 1, RATIO * poor.open)
            if poor.open > self.search.setup.batch or not givers or givers[-1].open <= enough:
                return  # as little as for all that follow, who have more
            poor.waits = True
            rich = givers.pop()
            rich.give(min(MOST, (rich.open - poor.open) // 2), number)

    def cut_short(self) -> SearchOutcome | None:
        """How the search ended where a member can do no more, for lack of time or memory."""
        stopped = [part.report.stopped for part in self.parts if part.report.stopped]
        full = [text.removeprefix("memory: ") for text in stopped if text.startswith("memory")]
        if not stopped:
            return None
        status = Status.MEMORY if full else Status.TIMEOUT
        return SearchOutcome(status, self.progress(), full[0] if full else "")

    def ended(self) -> SearchOutcome | None:
        """How the search ended; None while something is open."""
        return self.cut_short() or self.closed()

    def closed(self) -> SearchOutcome | None:
        """How the search over domains ended; None while a domain is open."""
        if self.waiting or not all(part.done for part in self.parts):
            return None
        given_up = self.given_up
        progress = replace(self.progress(), bound=min(given_up, self.least))
        return SearchOutcome(Status.VERIFIED if given_up == INF else Status.STUCK, progress)

    @property
    def given_up(self) -> float:
        """The least bound of a domain that could not be split, +inf where there was none."""
        return min([self.base.given_up, *(part.report.given_up for part in self.parts)])

    @property
    def least(self) -> float:
        """The least finite bound of a refuted domain."""
        return min([self.base.least, *(part.report.least for part in self.parts)])

    @property
    def worst(self) -> float:
        """A bound below all that is open or given up."""
        waiting = [parcel.worst for parcel in self.waiting]
        return min([self.given_up, *waiting, *(part.worst for part in self.parts)])

    def progress(self, last: SearchProgress | None = None) -> SearchProgress:
        """Where the whole search stands; last: of the member that reported, for what is of the last round."""
        parts = [part.report.progress for part in self.parts]
        open_ = sum(p.open for p in parts) + sum(map(len, self.waiting))
        return summed(self.base.progress, parts, self.worst, open_, last or SearchProgress())
