"""Workers that only seem to search: what `Pool`, `Member` and `Turns` do, on a recorded tree."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from crew_scaling.costs import Costs, Place
from crew_scaling.tree import RecordedTree
from genbab.attack import FULL
from genbab.branch import SearchProgress
from genbab.driver.crew.member import EVERY
from genbab.driver.crew.messages import Answer, Give, Handed, Order, Report, Take
from genbab.driver.turns import LATE, scouts

INF = float("inf")
Opened = tuple[float, int]
"""An open domain: its bound and its number."""


class Grown:
    """A recorded tree, ready to be searched again; split: how many times each node was."""

    def __init__(self, tree: RecordedTree) -> None:
        self.first, self.second = tree.first_children().tolist(), tree.second_children().tolist()
        self.keys, self.batch = tree.keys().tolist(), tree.batch
        self.split = bytearray(tree.nodes)
        self.roots = self.opened(range(tree.roots))

    def opened(self, nodes: Iterable[int]) -> list[Opened]:
        """Those that are not refuted."""
        return [(self.keys[n], n) for n in nodes if self.first[n] >= 0]

    def children(self, parents: Iterable[Opened]) -> list[Opened]:
        """The children of domains, without those that are refuted."""
        found: list[int] = []
        for _, node in parents:
            self.split[node] += 1
            found += (self.first[node], self.second[node])
        return self.opened(found)


class SimulatedPool:
    """Open domains; gives and takes those that `Pool` does."""

    def __init__(self, open_: list[Opened]) -> None:
        self.open = open_

    def __len__(self) -> int:
        return len(self.open)

    @property
    def worst(self) -> float:
        """The least bound."""
        return min(self.open)[0] if self.open else INF

    def pop(self, size: int) -> list[Opened]:
        """The worst ones, removed."""
        self.open.sort()
        taken, self.open = self.open[:size], self.open[size:]
        return taken

    def share(self, count: int) -> list[Opened]:
        """Every other one in the order of bounds, at most half, removed."""
        self.open.sort()
        some = min(count, len(self.open) // 2)
        taken = self.open[1 : 2 * some : 2]
        self.open = self.open[: 2 * some : 2] + self.open[2 * some :]
        return taken

    def drained(self) -> list[Opened]:
        """All, removed."""
        taken, self.open = self.open, []
        return taken


class SimulatedParcel(list[Opened]):
    """Domains on their way."""

    @property
    def worst(self) -> float:
        """The least bound."""
        return min(self)[0]


@dataclass
class SimulatedTurns:
    """Attacks of one process since its clock began: how long they take, and when one is due."""

    seconds: float
    begun: float
    taken: float = 0.0
    round: int = 0
    stride: int = 1
    first: int = 0

    def falsify(self, now: float) -> float:
        """Seconds of the attacks that come now."""
        spent = 0.0
        for _ in range(FULL.rounds if self.seconds else 0):
            others = now + spent - self.begun - self.taken
            if self.taken > (1.0 if self.round < FULL.rounds else LATE) * others:
                break
            self.round += self.stride
            self.taken += self.seconds
            spent += self.seconds
        return spent

    def scout(self) -> float:
        """Seconds of one of the first attacks."""
        self.first, self.taken = self.first - 1, self.taken + self.seconds
        return self.seconds

    def apart(self, place: int, count: int) -> SimulatedTurns:
        """Those of one of `count` processes, of which the last one attacks first."""
        left = max(0, FULL.rounds - self.round) if count > 1 else 0
        first = left if scouts(place, count) else 0
        return SimulatedTurns(self.seconds, self.begun, self.taken, self.round + left + place, count, first)


@dataclass(eq=False)
class Worker:
    """One worker: follows orders between two rounds. Times are those at which it is done with something."""

    grown: Grown
    costs: Costs
    place: Place
    stretch: float
    turns: SimulatedTurns
    say: Callable[[float, Answer], None]
    pool: SimulatedPool = field(default_factory=lambda: SimulatedPool([]))
    inbox: deque[Order] = field(default_factory=deque)
    free: bool = True
    scouting: bool = False
    taken: int = 0
    visited: int = 0
    last: float = 0.0
    work: float = 0.0

    def woken(self, now: float) -> float | None:
        """Follow all orders; when the round ends that begins then, None where nothing is open."""
        while self.inbox:
            order = self.inbox.popleft()
            now = self._take(order, now) if isinstance(order, Take) else self._give(order, now)
        if self.scouting and self.turns.first:
            return now + self._worked(self.turns.scout())
        if self.scouting:
            self.scouting = False
            self._tell(now)
        self.free = not len(self.pool)
        if self.free:
            return None
        self.parents = self.pool.pop(self.grown.batch)
        done = now + self._worked(self.costs.round(len(self.parents)))
        self.children = self.grown.children(self.parents)
        return done + self._worked(self.turns.falsify(done) if self.children else 0.0)

    def stepped(self, now: float) -> None:
        """The round has ended, or an attack."""
        if self.scouting:
            return
        self.pool.open += self.children
        self.visited += 2 * len(self.parents)
        few = len(self.pool) <= self.grown.batch
        if few or now - self.last > EVERY:
            self._tell(now)

    def _take(self, order: Take, now: float) -> float:
        now += self._moving(len(order.parcel))
        self.taken += 1
        self.pool.open += order.parcel
        self._tell(now)
        return now

    def _give(self, order: Order, now: float) -> float:
        assert isinstance(order, Give)
        given = self.pool.share(order.count)
        now += self._moving(len(given))
        self.say(now, Handed(SimulatedParcel(given) if given else None))
        self._tell(now)
        return now

    def _moving(self, domains: int) -> float:
        return self._worked(domains * self.costs.wire.handling)

    def _worked(self, alone: float) -> float:
        """Seconds of what takes so long where nobody else works."""
        self.work += alone * self.place.slower
        return alone * self.place.slower * self.stretch

    def _tell(self, now: float) -> None:
        progress = SearchProgress(self.pool.worst, len(self.pool), self.visited)
        self.last = now
        self.say(now, Report(self.taken, progress, INF, INF, scouting=self.scouting))
