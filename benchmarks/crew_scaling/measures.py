"""What a domain, a message, a worker's start and a look of the hub cost here, measured."""

from __future__ import annotations

import multiprocessing
import pickle
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from multiprocessing.connection import wait
from typing import Any
from unittest import mock

import numpy as np

from crew_scaling.costs import HubCost, Linear
from crew_scaling.crew import SimulatedHub
from genbab.branch import DomainSearch, SearchProgress
from genbab.branch.search import DomainState
from genbab.cli import main
from genbab.driver.crew.local import LocalMember
from genbab.driver.crew.member import Post, served
from genbab.driver.crew.messages import Parcel, Report, Take
from genbab.driver.crew.sharing import SharedSearch
from genbab.errors import DeadlineReached

FIRST, LAST = 8, 1024
"""Open domains at which they are measured for the first time, and for the last."""

CREWS = (2, 8, 32, 96)
LOOKS = 40
PARTS = {"bounding": 0.1, "choosing": 0.0, "clipping": 0.01, "attack": 0.01, "pool": 0.001}
TOLD = Report(1, SearchProgress(-0.5, 900, 1800, 12, 9, (0.1, 0.2, 0.3, 0.4), 100, PARTS, 10**6), 0.5, 0.5)
"""A message as workers send it most."""

TOLD_BYTES = len(pickle.dumps(TOLD, protocol=5))


@dataclass(frozen=True)
class DomainSize:
    """Bytes of one domain of a search with so many open ones.

    whole: as it is bounded; memory: in the pool; file: in a checkpoint; wire: sent; handling: seconds of
    sending it, the mean of both sides; start, end: seconds of starting and of ending a worker.
    """

    count: int
    whole: float
    memory: float
    file: float
    wire: float
    handling: float
    start: float = 0.0
    end: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values."""
        return asdict(self)


def domain_size(words: list[str]) -> DomainSize:
    """The largest sample of a run of `genbab verify` with these words, which is cut short."""
    found: list[DomainSize] = []
    step = DomainSearch.step

    def sampling(search: DomainSearch, state: DomainState) -> None:
        step(search, state)
        if len(state.pool) >= max(FIRST, 2 * found[-1].count if found else 0):
            found.append(_sample(state))
        if found and found[-1].count >= LAST:
            raise DeadlineReached

    with mock.patch.object(DomainSearch, "step", sampling):
        main(["verify", *words, "--workers", "1", "--threads", "1"])
        if not found:
            raise SystemExit(f"never were {FIRST} domains open")
        start, end = _processes()
    return replace(found[-1], start=start, end=end)


def _sample(state: DomainState) -> DomainSize:
    """What domains in a pool take; it holds the same ones afterwards."""
    pool, count = state.pool, len(state.pool)
    file = sum(packed.nbytes for packed in pool.packed()) / count
    memory, began = pool.nbytes / count, time.process_time()
    packed = pool.share(count // 2)
    assert packed is not None
    data = pickle.dumps(Take(Parcel.of(packed, pool.packing)), protocol=5)
    again = pickle.loads(data).parcel.packed(pool.packing.root.bound.device)
    pool.put(again)
    handling = (time.process_time() - began) / len(packed) / 2
    whole = pool.packing.unpack(packed).nbytes / len(packed)
    return DomainSize(count, whole, memory, file, len(data) / len(packed), handling)


def _waiting(post: Post) -> None:
    def nothing() -> None:
        post.receive(wait=True)  # which ends when the crew does

    served(post, nothing)


def _processes(count: int = 4) -> tuple[float, float]:
    """Seconds of starting a copy of this process, and of ending it."""
    before, members = time.perf_counter(), []
    for _ in range(count):
        members.append(LocalMember(_waiting))
    start = (time.perf_counter() - before) / count
    time.sleep(0.2)
    before = time.perf_counter()
    for member in members:
        member.end()
    return start, (time.perf_counter() - before) / count


class _Reader:
    """The hub's end of a pipe, and the worker's."""

    def __init__(self) -> None:
        self.connection, self.theirs = multiprocessing.Pipe()
        self.receive = partial(LocalMember.receive, self)  # type: ignore[arg-type]

    def say(self, report: Report) -> None:
        """What a worker does."""
        self.theirs.send_bytes(pickle.dumps(report, protocol=5))


class _MeasuredHub(SimulatedHub):
    progress = SharedSearch.progress


def hub_cost() -> HubCost:
    """The cost of looks and messages of the hub, with pipes, and workers that have enough to do."""
    alone = [_look_seconds(n, 1) for n in CREWS]
    many = [_look_seconds(n, n) for n in CREWS]
    each = np.array([(m - a) / (n - 1) for n, a, m in zip(CREWS, alone, many, strict=True)])
    look = np.array(alone) - each
    crews = np.array(CREWS)
    return HubCost(Linear.fitted(crews, np.maximum(look, 1e-7)), Linear.fitted(crews, np.maximum(each, 1e-7)))


def _look_seconds(workers: int, messages: int) -> float:
    """Seconds of one look at so many workers, of whom some have sent a message; the median of many."""
    readers = [_Reader() for _ in range(workers)]
    hub = _MeasuredHub(100, readers)
    for part in hub.parts:
        part.sent = 1
        part.reported(TOLD)
    times = []
    for number in range(LOOKS):
        told = replace(TOLD, progress=replace(TOLD.progress, visited=2000 + number))
        for reader in readers[:messages]:
            reader.say(told)
        times.append(_seconds(lambda: _look(hub, readers)))
    for reader in readers:
        reader.connection.close()
        reader.theirs.close()
    return statistics.median(times)


def _seconds(do: Callable[[], object]) -> float:
    began = time.process_time()
    do()
    return time.process_time() - began


def _look(hub: SharedSearch, readers: Any) -> None:
    ready = wait([reader.connection for reader in readers], timeout=1.0)
    for number, reader in enumerate(readers):
        if reader.connection in ready:
            hub.follow(hub.parts[number], reader.receive())
    hub.balance()
    assert hub.ended() is None
