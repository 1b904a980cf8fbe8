"""A crew that only seems to search: the hub is that of `genbab verify --workers`, all times are simulated."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

from crew_scaling.costs import Costs, Place
from crew_scaling.members import INF, Grown, SimulatedParcel, SimulatedPool, SimulatedTurns, Worker
from crew_scaling.tree import RecordedTree
from genbab.branch import SearchProgress
from genbab.driver.crew.crew import ALONE
from genbab.driver.crew.messages import NOTHING, Answer, Handed, Order, Take
from genbab.driver.crew.part import MemberPart
from genbab.driver.crew.sharing import SharedSearch
from genbab.driver.turns import scouts


@dataclass(frozen=True)
class Simulated:
    """What a simulated run took.

    seconds: of the whole run; search: of its search; alone: of that before it was shared; work: processor
    seconds of all processes in the search; idle: the share of the workers' time in which they wait; hub: that
    of the hub in which it works; messages, bytes: to and from the hub; rounds: of all workers; moved: domains
    that were sent.
    """

    workers: int
    seconds: float
    search: float
    alone: float
    work: float
    idle: float
    hub: float
    messages: int
    bytes: float
    rounds: int
    moved: int


class SimulatedHub(SharedSearch):
    """The hub of a crew whose members are simulated: what it decides is what the real one does."""

    def __init__(self, batch: int, members: list[Any]) -> None:
        nothing = SearchProgress(bound=INF)
        self.search: Any = SimpleNamespace(setup=SimpleNamespace(batch=batch, report=lambda progress: None))
        self.base: Any = SimpleNamespace(progress=nothing, given_up=INF, least=INF)
        self.parts = [
            MemberPart(member, replace(NOTHING, scouting=scouts(place, len(members))))
            for place, member in enumerate(members)
        ]
        self.waiting = []

    def progress(self, last: SearchProgress | None = None) -> SearchProgress:
        """Where the search stands, which nobody is told: `HubCost` has what it takes to say it."""
        return SearchProgress()


class Simulation:
    """One run of a search over a recorded tree by so many workers."""

    def __init__(self, tree: RecordedTree, costs: Costs, place: Place, workers: int) -> None:
        self.grown, self.costs, self.place, self.count = Grown(tree), costs, place, workers
        self.events: list[tuple[float, int, Callable[[float], None]]] = []
        self.messages, self.bytes, self.moved, self.rounds, self.number = 0, 0.0, 0, 0, 0
        self.hub_work, self.hub_free, self.end = 0.0, True, INF

    def run(self) -> Simulated:
        """What it took."""
        attack = self.costs.attack
        turns = SimulatedTurns(attack.seconds, -attack.gone, attack.taken, attack.rounds)
        pool = SimulatedPool(self.grown.roots)
        alone = self._alone(pool, turns)
        if not len(pool):
            return self._result(alone, alone, [])
        began = alone + self.place.start * self.count
        self.workers = [self._worker(n, turns) for n in range(self.count)]
        self.hub = SimulatedHub(self.grown.batch, [self._postman(worker) for worker in self.workers])
        self.inboxes: list[deque[Answer]] = [deque() for _ in self.workers]
        self._deal(pool, began)
        while self.events and self.end == INF:
            now, _, do = heapq.heappop(self.events)
            do(now)
        assert self.end < INF, "nothing happens any more and the search has not ended"
        return self._result(self.end + self.place.end * self.count, alone, self.workers)

    def _alone(self, pool: SimulatedPool, turns: SimulatedTurns) -> float:
        """When the search is shared, or has ended."""
        now, enough = 0.0, self.place.enough * self.count if self.count > 1 else INF
        while len(pool) and not (now > ALONE and len(pool) >= enough):
            parents = pool.pop(self.grown.batch)
            now += self.costs.round(len(parents))
            children = self.grown.children(parents)
            held = self.count > 1 and now <= ALONE
            now += turns.falsify(now) if children and not held else 0.0
            pool.open += children
            self.rounds += 1
        return now

    def _worker(self, place: int, turns: SimulatedTurns) -> Worker:
        def say(now: float, message: Answer) -> None:
            self._send(now, lambda then: self._heard(then, place, message), message)

        own = turns.apart(place, self.count)
        stretch, first = self.place.stretch(self.count), scouts(place, self.count)
        return Worker(self.grown, self.costs, self.place, stretch, own, say, free=not first, scouting=first)

    def _postman(self, worker: Worker) -> Any:
        """What the hub sees of a worker; orders leave when the hub is done with what it does."""

        def send(order: Order) -> None:
            self._send(self.done, lambda then: self._ordered(then, worker, order), order)

        return SimpleNamespace(send=send)

    def _deal(self, pool: SimulatedPool, began: float) -> None:
        """Deal out what is open, as `SharedSearch` does."""
        self.done, each = began + self.place.apart, self.costs.wire.handling
        if not (scout := self.workers[-1]).free:
            self._at(self.done, lambda then: self._wake(then, scout))
        parts = [part for part in self.hub.parts if not part.report.scouting]
        for left, part in zip(range(len(parts), 0, -1), parts, strict=True):
            given = pool.share(len(pool) // left) if left > 1 else pool.drained()
            self.done, self.hub_work = self.done + each * len(given), self.hub_work + each * len(given)
            if given:
                part.take(SimulatedParcel(given))

    def _send(self, now: float, do: Callable[[float], None], message: Answer | Order) -> None:
        parcel = message.parcel if isinstance(message, Take | Handed) else None
        size, wire = self.costs.wire.report, self.costs.wire
        if parcel is not None:
            size, self.moved = size + wire.domain * len(parcel), self.moved + len(parcel)
        self.messages, self.bytes = self.messages + 1, self.bytes + size
        self._at(now + self.place.latency + size / self.place.bandwidth, do)

    def _at(self, when: float, do: Callable[[float], None]) -> None:
        self.number += 1
        heapq.heappush(self.events, (when, self.number, do))

    def _ordered(self, now: float, worker: Worker, order: Order) -> None:
        worker.inbox.append(order)
        if worker.free:
            self._wake(now, worker)

    def _wake(self, now: float, worker: Worker) -> None:
        ends = worker.woken(now)
        if ends is not None:
            self._at(ends, lambda then: self._stepped(then, worker))

    def _stepped(self, now: float, worker: Worker) -> None:
        self.rounds += not worker.scouting
        worker.stepped(now)
        self._wake(now, worker)

    def _heard(self, now: float, place: int, message: Answer) -> None:
        self.inboxes[place].append(message)
        if self.hub_free:
            self.hub_free = False
            self._at(now, self._look)

    def _look(self, now: float) -> None:
        """One turn of the hub: a message of each worker, and what follows from them."""
        ready = [(n, inbox.popleft()) for n, inbox in enumerate(self.inboxes) if inbox]
        if not ready:
            self.hub_free = True
            return
        seconds = self.costs.hub.seconds(self.count, len(ready)) + len(ready) * self.place.hub
        self.done, self.hub_work = now + seconds, self.hub_work + seconds
        for number, message in ready:
            self.hub.follow(self.hub.parts[number], message)
        self.hub.balance()
        if self.hub.ended() is not None:
            self.end = self.done
            return
        self._at(self.done, self._look)

    def _result(self, search: float, alone: float, workers: list[Worker]) -> Simulated:
        shared, work = search - alone, sum(worker.work for worker in workers)
        whole = shared * len(workers)
        return Simulated(
            workers=self.count,
            seconds=self.costs.serial + search,
            search=search,
            alone=alone,
            work=alone + work + self.hub_work,
            idle=1 - work / whole if whole else 0.0,
            hub=self.hub_work / shared if shared else 0.0,
            messages=self.messages,
            bytes=self.bytes,
            rounds=self.rounds,
            moved=self.moved,
        )


def simulated(tree: RecordedTree, costs: Costs, place: Place, workers: int) -> Simulated:
    """What a search over a recorded tree takes with so many workers; each of its domains is split once."""
    simulation = Simulation(tree, costs, place, workers)
    found = simulation.run()
    wrong = sum(
        n != (first >= 0) for n, first in zip(simulation.grown.split, simulation.grown.first, strict=True)
    )
    assert not wrong, f"{wrong} domains were not split as often as in the recorded run"
    return found
