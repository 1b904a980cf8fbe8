"""A cluster without Ray: tasks are threads of this process, and die as often as a test says."""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from genbab.cluster import TaskShare, WorkerDied, Workplace
from genbab.system.process import Ended


class StandInTask:
    """A task that was begun; `cancelled` is set when it is interrupted."""

    def __init__(self, future: concurrent.futures.Future[Any]) -> None:
        self.future, self.cancelled = future, threading.Event()

    def result(self, seconds: float) -> Any:
        """What came of it."""
        done, _ = concurrent.futures.wait([self.future], min(seconds, 0.05))
        if done:
            return self.future.result()
        if self.cancelled.is_set():
            raise Ended
        raise TimeoutError

    def cancel(self, force: bool) -> None:
        """Let who waits go on."""
        self.cancelled.set()


class StandInCluster:
    """As many workers as wanted on one node; `deaths`: how many tasks die before the next one lives."""

    def __init__(self, folder: Path, cpus: int = 2, gpus: int = 0) -> None:
        self.folder, self.cpus, self.gpus = folder, cpus, gpus
        self.pool = concurrent.futures.ThreadPoolExecutor(8)
        self.deaths = self.started = 0
        self.sent: list[bytes] = []
        self.fetched: list[bytes] = []

    def put(self, data: bytes) -> bytes:
        """The bytes themselves."""
        self.sent.append(data)
        return data

    def start(
        self,
        function: Callable[..., Any],
        arguments: tuple[Any, ...],
        data: Mapping[str, Any],
        share: TaskShare,
    ) -> StandInTask:
        """Call the function in a thread, or die."""
        self.started += 1
        if self.deaths:
            self.deaths -= 1
            dead: concurrent.futures.Future[Any] = concurrent.futures.Future()
            dead.set_exception(WorkerDied("somebody killed it"))
            return StandInTask(dead)

        def fetch(name: str) -> bytes:
            self.fetched.append(data[name])
            return bytes(data[name])

        return StandInTask(self.pool.submit(function, Workplace(share.cpus, self.folder, fetch), *arguments))

    def room(self, share: TaskShare) -> int:
        """How many fit."""
        return min(self.cpus // share.cpus, self.gpus // share.gpus if share.gpus else self.cpus)

    def largest(self) -> TaskShare:
        """Its only node."""
        return TaskShare(self.cpus, self.gpus)
