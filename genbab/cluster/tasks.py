"""Tasks of a cluster: what is sent with them, asked again where a worker dies, ended with the run."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Protocol, TypeVar

from genbab.errors import UsageError
from genbab.system.process import Ended

T = TypeVar("T")
TRIES = 3
"""How often a task is begun whose workers die."""

LOOK = 1.0  # seconds after which a waiting thread looks whether all has ended
POLITE = 3.0  # seconds that ended tasks have for their processes; then their workers are killed
LAST = 3.0  # seconds after which what does not answer is given up


class WorkerDied(Exception):  # an event
    """A task's process or node has died, memory having run out, perhaps; its text says how."""


class TaskShare(NamedTuple):
    """What a task takes of its node: cores and GPUs."""

    cpus: int = 1
    gpus: int = 0


class ClusterTask(Protocol):
    """A task under way."""

    def result(self, seconds: float) -> Any:
        """What came of it; raises `TimeoutError` after so long, `WorkerDied`, `Ended`, or its own error."""

    def cancel(self, force: bool) -> None:
        """Interrupt it, or (force) kill its process."""


class Cluster(Protocol):
    """What tasks are started on."""

    def put(self, data: bytes) -> Any:
        """A reference to these bytes, by which tasks get them."""

    def start(
        self,
        function: Callable[..., Any],
        arguments: tuple[Any, ...],
        data: Mapping[str, Any],
        share: TaskShare,
    ) -> ClusterTask:
        """Have the function called with a `Workplace` and these arguments, where there is room for its share.

        data: references by hash.
        """

    def room(self, share: TaskShare) -> int:
        """How many tasks of this share run at a time; 0 where none ever does."""

    def largest(self) -> TaskShare:
        """The cores of the largest node, and its GPUs."""


class Tasks:
    """Calls of functions on a cluster, each answered once; any number of threads may ask."""

    def __init__(self, cluster: Cluster, share: TaskShare) -> None:
        self.cluster, self.share = cluster, share
        self._lock = threading.Lock()
        self._references: dict[str, Any] = {}
        self._running: set[ClusterTask] = set()
        self._end = float("inf")

    def at_a_time(self, wanted: int | None) -> int:
        """How many tasks to have under way: as many as wanted, else as many as the cluster has room for.

        Raises `UsageError` where no node ever has room for one.
        """
        room = self.cluster.room(self.share)
        if not room:
            most, (cpus, gpus) = self.cluster.largest(), self.share
            asked = f"{cpus} cores" + (f" and {gpus} GPU" if gpus else "")
            raise UsageError(
                f"no node of the cluster has {asked} for a task: the largest has {most.cpus} cores and "
                f"{most.gpus} GPUs; ask for fewer --threads or another --device"
            )
        return wanted or room

    def keep(self, data: bytes) -> str:
        """The SHA-256 of these bytes, which the cluster has from now on; they are sent there once."""
        name = hashlib.sha256(data).hexdigest()
        with self._lock:
            if name not in self._references:
                self._references[name] = self.cluster.put(data)
        return name

    def ask(self, function: Callable[..., T], *arguments: Any, needs: Iterable[str] = ()) -> T:
        """What the function says of a `Workplace` and these arguments on some node, once.

        needs: hashes of what was kept and the function fetches. A task whose worker dies is begun again,
        `TRIES` times in all, then that is raised as `WorkerDied`. Raises `Ended` after `end`, and what the
        function raises.
        """
        data = {name: self._references[name] for name in needs}
        told = ""
        for _ in range(TRIES):
            with self._lock:
                if self._end < float("inf"):
                    raise Ended
                task = self.cluster.start(function, arguments, data, self.share)
                self._running.add(task)
            try:
                found: T = self._awaited(task)
                return found
            except WorkerDied as error:
                told = str(error)
            finally:
                with self._lock:
                    self._running.discard(task)
        raise WorkerDied(f"its worker died {TRIES} times, the last one so: {told}; memory may have run out")

    def _awaited(self, task: ClusterTask) -> Any:
        while True:
            try:
                return task.result(LOOK)
            except TimeoutError:
                if time.monotonic() > self._end + POLITE + LAST:
                    raise Ended from None
            except WorkerDied:
                if self._end < float("inf"):
                    raise Ended from None
                raise

    def end(self) -> None:
        """Interrupt all tasks, and kill the workers of those that go on; who waits for one gets `Ended`."""
        with self._lock:
            again, self._end = self._end < float("inf"), min(self._end, time.monotonic())
            left = list(self._running)
        if again:
            return
        for task in left:
            task.cancel(force=False)
        while self._running and time.monotonic() < self._end + POLITE:
            time.sleep(0.02)
        for task in list(self._running):
            task.cancel(force=True)
