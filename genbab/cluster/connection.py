"""Connections to Ray: begun where none runs, looked over, ended as they were found."""

from __future__ import annotations

import concurrent.futures
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

from genbab.cluster.address import ClusterAddress
from genbab.cluster.tasks import TaskShare, WorkerDied
from genbab.cluster.workplace import TaskSetup, at_work, different, versions
from genbab.errors import GenbabError, UsageError
from genbab.system.process import Ended

STORE = 200_000_000
"""Bytes of a local Ray's store of objects; more goes to the disk."""

PROBE = 60.0
"""Seconds within which every node must say which versions it has."""

REACH, MOST_TO_CONNECT, MOST_TO_START = 10.0, 60.0, 200.0
"""Seconds for a Ray to take a connection at all, to be connected to, to be started."""

LAST, SOON = 60.0, 3.0
"""Seconds that an interrupted start of Ray has to come to its end, and an interrupted connecting."""

CLEAR = 5.0
"""Seconds that nodes have to remove the files of a run."""

QUIET = {"RAY_USAGE_STATS_ENABLED": "0"}


class ClusterNode(NamedTuple):
    """A machine of a cluster that takes tasks."""

    name: str
    id: str
    cpus: int
    gpus: int


class RayTask:
    """A task of Ray, under way."""

    def __init__(self, ray: Any, reference: Any) -> None:
        self._ray, self._reference = ray, reference
        self._future: concurrent.futures.Future[Any] = reference.future()

    def result(self, seconds: float) -> Any:
        """What came of it.

        Raises `TimeoutError` after so long, `WorkerDied`, `Ended` once it was cancelled, what the function
        raised of genbab's errors, and `UsageError` where no worker could begin it.
        """
        if not concurrent.futures.wait([self._future], seconds).done:
            raise TimeoutError
        try:
            return self._future.result()
        except self._ray.exceptions.TaskCancelledError as error:
            raise Ended from error
        except self._ray.exceptions.RayTaskError as error:
            cause = getattr(error, "cause", None)
            if isinstance(cause, GenbabError):
                raise cause from error
            raise UsageError(f"a task of the cluster failed: {_brief(cause or error)}") from error
        except self._ray.exceptions.RayError as error:
            raise WorkerDied(_brief(error)) from error
        except ConnectionError as error:
            raise UsageError(f"the connection to the cluster is lost: {_brief(error)}") from error

    def cancel(self, force: bool) -> None:
        """Interrupt it, or (force) kill its process; nothing where it has ended."""
        try:
            self._ray.cancel(self._reference, force=force)
        except (ValueError, ConnectionError, self._ray.exceptions.RayError):
            pass  # it has ended, or so has the connection


class RayConnection:
    """A Ray in use: its nodes that take tasks, and how it came about, in a line for people.

    Raises `UsageError` that names every node of other versions.
    """

    def __init__(self, ray: Any, how: str, since: float) -> None:
        self._ray = ray
        alive = [n for n in ray.nodes() if n["Alive"]]
        self.nodes = [node for node in map(_node, alive) if node.cpus]
        self._setup = self._check()
        cpus, gpus = (sum(getattr(n, kind) for n in self.nodes) for kind in ("cpus", "gpus"))
        counted = [(len(self.nodes), "node"), (cpus, "CPU")] + ([(gpus, "GPU")] if gpus else [])
        told = ", ".join(f"{n} {what}{'' if n == 1 else 's'}" for n, what in counted)
        self.told = f"ray: {how} in {time.monotonic() - since:.1f} s, {told}"

    def put(self, data: bytes) -> Any:
        """A reference to these bytes in the cluster's store."""
        return self._ray.put(data)

    def start(
        self,
        function: Callable[..., Any],
        arguments: tuple[Any, ...],
        data: Mapping[str, Any],
        share: TaskShare,
    ) -> RayTask:
        """Have the function called with a `Workplace` and these arguments on some node, once."""
        where = {"num_cpus": share.cpus, "num_gpus": share.gpus, "max_retries": 0}
        call = self._ray.remote(at_work).options(**where, name=f"genbab.{function.__name__}")
        setup = replace(self._setup, cpus=share.cpus)
        return RayTask(self._ray, call.remote(function, arguments, setup, dict(data)))

    def room(self, share: TaskShare) -> int:
        """How many tasks of this share run at a time on the nodes that are there now."""
        return sum(
            min(n.cpus // share.cpus, n.gpus // share.gpus if share.gpus else n.cpus) for n in self.nodes
        )

    def largest(self) -> TaskShare:
        """The cores of the largest node, and its GPUs."""
        return max((TaskShare(n.cpus, n.gpus) for n in self.nodes), default=TaskShare(0, 0))

    def clear(self) -> None:
        """Remove what tasks have written on the nodes, as far as they answer soon."""
        calls = self._everywhere(_removing(self._setup.folder))
        self._ray.wait(calls, num_returns=len(calls), timeout=CLEAR) if calls else None

    def _check(self) -> TaskSetup:
        """What tasks are told; raises `UsageError` that names every node of other versions."""
        wanted, wrong = versions(), []
        calls = self._everywhere(_looking())
        self._ray.wait(calls, num_returns=len(calls), timeout=PROBE) if calls else None
        for node, call in zip(self.nodes, calls, strict=True):
            try:
                found = self._ray.get(call, timeout=1.0)
                wrong += [f"{node.name}: {told}"] if (told := different(found, wanted)) else []
            except (self._ray.exceptions.RayError, TimeoutError) as error:
                wrong.append(f"{node.name}: {_brief(error)}")
        if wrong:
            raise UsageError(
                f"nodes of the cluster cannot work with this genbab: {'; '.join(wrong)}; install the same "
                "genbab and Python on every node"
            )
        return TaskSetup(1, f"genbab-ray-{uuid.uuid4().hex}", wanted)

    def _everywhere(self, function: Callable[[], Any]) -> list[Any]:
        """The calls of a function, one on each node, whatever else runs there."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy as On

        call = self._ray.remote(function)
        usual = {"num_cpus": 0, "max_retries": 0}
        return [call.options(**usual, scheduling_strategy=On(n.id, soft=False)).remote() for n in self.nodes]


@contextmanager
def connected(address: ClusterAddress) -> Iterator[RayConnection]:
    """A connection, which ends with the block; so does a Ray that was started for it.

    A connection that this process has already is used and stays. Raises `UsageError` where Ray is not
    installed, does not run, or has nodes of other versions.
    """
    os.environ.update({name: os.environ.get(name, text) for name, text in QUIET.items()})
    since = time.monotonic()
    try:
        import ray
    except ImportError as error:
        raise UsageError('a cluster needs Ray: pip install "genbab[ray]"') from error
    holder = None if ray.is_initialized() else _Holder(ray, address)
    try:
        how = "already connected" if holder is None else holder.begin()
        connection = RayConnection(ray, how, since)
        try:
            yield connection
        finally:
            connection.clear()
    finally:
        if holder is not None:
            holder.end()


class _Holder:
    """A thread that connects, or starts a Ray, and lives as long as that.

    In a thread Ray leaves SIGTERM as it is; it has to live because a Ray that was started ends with it; and a
    start that is interrupted comes to its end before it is shut down, else some of its processes would stay.
    """

    def __init__(self, ray: Any, address: ClusterAddress) -> None:
        self._ray, self._address = ray, address
        self._begun, self._over, self._ended = (threading.Event() for _ in range(3))
        self._how = ""
        self._trouble: BaseException | None = None
        self._thread = threading.Thread(target=self._hold, name="genbab-ray", daemon=True)

    def begin(self) -> str:
        """Connect or start: which of both; raises `UsageError` where neither is possible."""
        starts = self._address.place in ("", "local")
        until = time.monotonic() + (MOST_TO_START if starts else MOST_TO_CONNECT)
        self._thread.start()
        while not self._begun.wait(0.1):
            if time.monotonic() > until:
                raise UsageError(
                    f"Ray does not answer ({self._address.place or 'ray'}); is it up, is it busy?"
                )
        if self._trouble is not None:
            raise self._trouble
        return self._how

    def end(self) -> None:
        """Let the connection end, with a Ray that was started."""
        self._over.set()
        starts = self._address.place in ("", "local")
        self._ended.wait(LAST if self._begun.is_set() or starts else SOON)

    def _hold(self) -> None:
        try:
            self._how = _begin(self._ray, self._address)
            self._begun.set()
            self._over.wait()
        except BaseException as error:
            self._trouble = error
        finally:
            self._ray.shutdown()
            self._begun.set()
            self._ended.set()


def _begin(ray: Any, address: ClusterAddress) -> str:
    """Connect, or start a Ray: which of both."""
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    usual = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    own = {"include_dashboard": False, "object_store_memory": STORE}
    place = address.place or "auto"
    try:
        if place != "local":
            _reach(os.environ.get("RAY_ADDRESS", place) if place == "auto" else place)
            ray.init(place, **usual)
            return "connected"
    except Exception as error:
        if address.place or os.environ.get("RAY_ADDRESS"):
            where = os.environ.get("RAY_ADDRESS", place) if place == "auto" else place
            raise UsageError(f"no connection to the cluster {where}: {_brief(error)}") from error
        ray.shutdown()
    _started(ray, {**usual, **own})
    return "started"


def _reach(place: str) -> None:
    """Raise OSError where nobody listens at HOST:PORT; Ray itself would try for minutes."""
    host, _, port = place.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), REACH).close()


def _started(ray: Any, options: Mapping[str, Any]) -> None:
    """Start a Ray; another time where it gives up, as on machines that have much to do."""
    for again in (True, False):
        try:
            ray.init("local", **options)
            return
        except Exception as error:
            ray.shutdown()
            if not again:
                raise UsageError(f"Ray cannot be started here: {_brief(error)}") from error


def _node(facts: Mapping[str, Any]) -> ClusterNode:
    resources = facts["Resources"]
    named = facts["NodeManagerHostname"] or facts["NodeManagerAddress"]
    return ClusterNode(named, facts["NodeID"], int(resources.get("CPU", 0)), int(resources.get("GPU", 0)))


def _looking() -> Callable[[], dict[str, str]]:
    """A function without a name, which travels as code: it is to run where there may be no genbab."""

    def look() -> dict[str, str]:
        import platform

        try:
            from genbab.version import __version__ as found
        except ImportError:
            found = ""
        return {"genbab": found, "python": ".".join(platform.python_version_tuple()[:2])}

    return look


def _removing(name: str) -> Callable[[], None]:
    def remove() -> None:
        import shutil
        import tempfile
        from pathlib import Path

        shutil.rmtree(Path(tempfile.gettempdir()) / name, ignore_errors=True)

    return remove


def _brief(error: BaseException) -> str:
    """The error in one line."""
    lines: Sequence[str] = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else 'no reason is known'}"[:300]
