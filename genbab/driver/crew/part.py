"""What a crew knows of one of its members."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from genbab.branch import Region, SearchProgress
from genbab.driver.crew.messages import NOTHING, Give, Parcel, Report, Take
from genbab.driver.crew.team import Link

HERE = -1
"""For whom a member gives that is to do something else: the crew keeps it until somebody can have it."""


@dataclass(eq=False)
class MemberPart:
    """One member and its part of what is open.

    sent: how many parcels went to it; waits: whether another one was asked on its behalf; asked: for whom it
    was asked to give, if it was; away: (number, worst bound) of parcels that it has not yet reported; region:
    that it divides, or will once it gave its domains; since: when it began what it does; free: whether it
    has just divided a region; held: copies of what it had open when it last showed that, and of what it was
    given since, where the crew `keeps` them; lost: whether it has died.
    """

    member: Link
    report: Report = NOTHING
    sent: int = 0
    waits: bool = False
    asked: int | None = None
    region: Region | None = None
    since: float = field(default_factory=time.monotonic)
    free: bool = False
    keeps: bool = False
    held: list[Parcel] = field(default_factory=list)
    lost: bool = False
    away: list[tuple[int, float]] = field(default_factory=list)

    @property
    def open(self) -> int:
        """How many domains it had open when it last reported."""
        return self.report.progress.open

    @property
    def searches(self) -> bool:
        """Whether it searches domains, or waits for some; its first attacks and a region come before that."""
        return self.region is None and not self.report.scouting and not self.lost

    @property
    def worst(self) -> float:
        """A bound below those of all that it has open; +inf where that is nothing."""
        return min([self.report.progress.bound, *(worst for _, worst in self.away)])

    @property
    def done(self) -> bool:
        """Whether nothing of its part is open: it said so after its last parcel."""
        return self.report.taken == self.sent and self.open == 0

    def take(self, parcel: Parcel) -> None:
        """Send it domains."""
        self.sent, self.waits = self.sent + 1, False
        self.away.append((self.sent, parcel.worst))
        if self.keeps:
            self.held.append(parcel)
        self.member.send(Take(parcel))

    def give(self, count: int, to: int) -> None:
        """Ask it for so many of its domains, for another member."""
        self.asked = to
        self.member.send(Give(count))

    def give_all(self) -> None:
        """Ask it for all of its domains, which the crew keeps."""
        self.asked = HERE
        self.member.send(Give(0, everything=True))

    def elapsed(self) -> float:
        """Seconds of what it did until now; it begins something else."""
        before, self.since = self.since, time.monotonic()
        return self.since - before

    def reported(self, report: Report) -> None:
        """It has told where it stands."""
        self.report = report
        self.away = [(number, worst) for number, worst in self.away if number > report.taken]


def summed(
    base: SearchProgress, parts: Sequence[SearchProgress], bound: float, open_: int, last: SearchProgress
) -> SearchProgress:
    """Where a search stands that had come as far as `base` and is shared since.

    bound, open_: of all; last: what the member did that reported last.
    """
    return SearchProgress(
        bound=bound,
        open=open_,
        visited=base.visited + sum(p.visited for p in parts),
        rounds=base.rounds + sum(p.rounds for p in parts),
        depth=max([base.depth, *(p.depth for p in parts)]),
        gained=last.gained,
        splits=last.splits,
        seconds=last.seconds,
        stored=sum(p.stored for p in parts),
        away=sum(p.away for p in parts),
    )
