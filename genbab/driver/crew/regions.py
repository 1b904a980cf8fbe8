"""A search over regions that is shared: some members search inside the root's region, others divide regions.

Whichever ends first decides, as when one process does both in turn; seconds are those of all members.
"""

from __future__ import annotations

import time
from dataclasses import replace

import torch

from genbab.branch import Region, RegionSearch, SearchOutcome, SearchProgress, Status
from genbab.branch.kept.data import DomainData, RegionData, SearchData, search_coder
from genbab.branch.regions.bounding import costliest_split
from genbab.branch.regions.forecast import needed_at_rate
from genbab.branch.regions.search import Divided, RegionState
from genbab.branch.regions.subsearch import TINY
from genbab.branch.search import INF, Report
from genbab.driver.crew.member import Member, Post
from genbab.driver.crew.messages import Answer, Baggage, Divide, Halved
from genbab.driver.crew.part import MemberPart
from genbab.driver.crew.sharing import SharedSearch
from genbab.driver.crew.team import TeamSize
from genbab.driver.turns import Turns


class SharedRegions(SharedSearch):
    """A search over regions, taken up by copies of this process."""

    def __init__(self, regions: RegionSearch, state: RegionState, turns: Turns, team: TeamSize) -> None:
        whole = state.whole
        assert whole.state is not None, "the search inside the root's region has begun"
        super().__init__(whole.search, whole.state, turns, team)
        self.regions, self.state = regions, state
        self.engine = regions.branching.engine
        self.device = whole.margins.device
        self.coder = search_coder(self.engine)
        self.clause = whole.region.query.clause[0]
        self.refuted = torch.zeros_like(self.clause[:0])
        self.unsplit: list[Region] = []
        self.before, state.joint.proved = whole.worst, INF

    def member(self, place: int, post: Post) -> Member:
        """The member that a copy becomes, which also divides regions."""
        member = super().member(place, post)
        setup = member.search.setup

        def divide(order: Divide, note: Report) -> Halved:
            began, region = time.monotonic(), order.region.value(self.coder, self.device)
            split = costliest_split(self.engine, region)
            if split is None:
                return Halved(None, 0.0)
            found = self.regions.divided(region, split, order.seconds, replace(setup, report=note))
            return Halved(Baggage.of(found, self.coder), time.monotonic() - began)

        member.divide = divide
        return member

    def follow(self, part: MemberPart, message: Answer) -> None:
        """Take a message in, the parts of a region among them."""
        if isinstance(message, Halved):
            self._halved(part, message)
        else:
            super().follow(part, message)

    def _halved(self, part: MemberPart, message: Halved) -> None:
        """Take the parts of a region in, without the clauses that are refuted meanwhile."""
        assert part.region is not None
        region, part.region = part.region, None
        self.state.forecast.spent += part.elapsed()
        part.free = True
        if message.divided is None:
            self.unsplit.append(region)
            return
        divided: Divided = message.divided.value(self.coder, self.device)
        self.state.replaced(region, divided)
        self.state.without(self.refuted, TINY)
        self.regions.told(self.proved)

    def abandon(self, part: MemberPart) -> None:
        """Take the region back that a member divided which is lost."""
        if part.region is not None:
            self.state.regions.append(part.region)
            part.region = None

    @property
    def proved(self) -> float:
        """The worst margin that is certified, by regions or by the search inside the root's."""
        return max(min([INF, *(r.worst for r in self._open())]), self.worst, self.state.progress.bound)

    def _open(self) -> list[Region]:
        """All regions that are not refuted."""
        divided = [part.region for part in self.parts if part.region is not None]
        return [*self.state.regions, *self.unsplit, *divided]

    def progress(self, last: SearchProgress | None = None) -> SearchProgress:
        """Where the whole search stands."""
        return replace(super().progress(last), bound=self.proved)

    def data(self, picture: DomainData) -> SearchData:
        """The search over regions, with what is open in the picture inside the root's."""
        found = RegionData.of(self.state)
        whole = replace(found.whole, state=picture)
        return replace(found, regions=self._open(), whole=whole, proved=self.proved)

    def balance(self) -> None:
        """Share domains, and send members whose turn is over where they are wanted."""
        self._leave_out_refuted()
        for _, part in self.searching():
            if part.asked is not None or part.away or part.waits:
                continue
            if part.free or time.monotonic() - part.since > self._turn:
                self._decide(part)
        super().balance()

    @property
    def _turn(self) -> float:
        """Seconds after which a member that searches domains may be wanted elsewhere."""
        busy = any(part.open or part.away for _, part in self.searching())
        return max(self.state.turn, self.state.spent / self.team.size / 2) if busy else 0.0

    def _decide(self, part: MemberPart) -> None:
        """A member goes on with domains or divides a region."""
        state, forecast = self.state, self.state.forecast
        if not part.free and state.stopped is None:
            self._account(part)
        part.free = False
        pays = forecast.pays(self._open(), self.regions.left() * self.team.size)
        behind = state.spent <= forecast.spent and forecast.needed(self._open()) > state.needed
        if not state.regions or not pays or (state.stopped is None and behind):
            return
        part.region = state.regions.pop()
        part.give_all()
        part.member.send(Divide(Baggage.of(part.region, self.coder), forecast.seconds))

    def _account(self, part: MemberPart) -> None:
        """Note what a turn of searching domains has gained."""
        seconds, before = part.elapsed(), self.before
        self.before, self.state.spent = self.worst, self.state.spent + seconds
        self.state.needed = needed_at_rate(before, self.before, seconds * len(self.searching()))

    def _leave_out_refuted(self) -> None:
        """Leave the clauses out that the search inside the root's region has refuted everywhere."""
        moving = self.waiting or any(part.away or part.asked is not None for part in self.parts)
        if moving or self.state.stopped is not None or self.given_up < INF:
            return
        known = sorted({c for part in self.parts for c in part.report.clauses})
        still = torch.tensor(known, dtype=self.clause.dtype, device=self.clause.device)
        refuted = self.clause[~torch.isin(self.clause, still) & (self.clause >= 0)]
        if refuted.numel() > self.refuted.numel():
            self.refuted = refuted
            self.state.without(refuted, TINY)
            self.state.least = min(self.state.least, self.least)

    def ended(self) -> SearchOutcome | None:
        """How the search ended: as one of both did that decides, or when neither can do any more."""
        if (short := self.cut_short()) is not None:
            return short
        if not self._open():
            return SearchOutcome(Status.VERIFIED, replace(self.progress(), bound=self.state.least))
        if self.state.stopped is None:
            self.state.stopped = self.closed()
        stopped = self.state.stopped
        if stopped is None or stopped.status is Status.VERIFIED:
            return stopped
        dividing = any(part.region is not None for part in self.parts)
        pays = self.state.forecast.pays(self._open(), self.regions.left() * self.team.size)
        return None if dividing or (self.state.regions and pays) else stopped
