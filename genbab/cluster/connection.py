"""Connections to Ray: begun where none runs, looked over, ended as they were found."""

from __future__ import annotations

import concurrent.futures
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

from genbab.cluster.actors import RayActor, ready
from genbab.cluster.address import ClusterAddress
from genbab.cluster.holder import RayHolder, brief
from genbab.cluster.tasks import TaskShare, WorkerDied
from genbab.cluster.workplace import TaskSetup, at_work, different, versions
from genbab.errors import GenbabError, UsageError
from genbab.system.process import Ended

PROBE = 60.0
"""Seconds within which every node must say which versions it has."""

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
            raise UsageError(f"a task of the cluster failed: {brief(cause or error)}") from error
        except self._ray.exceptions.RayError as error:
            raise WorkerDied(brief(error)) from error
        except ConnectionError as error:
            raise UsageError(f"the connection to the cluster is lost: {brief(error)}") from error

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

    def actor(self, function: Callable[..., None], arguments: tuple[Any, ...], share: TaskShare) -> RayActor:
        """Have the function called in an actor on some node, with a `Mailbox` and these arguments."""
        return RayActor(self._ray, (function, arguments), replace(self._setup, cpus=share.cpus), share)

    def ready(self, actors: Mapping[int, RayActor], seconds: float) -> list[int]:
        """The numbers of the actors that have said something, or died, after waiting so long for one."""
        return ready(self._ray, actors, seconds)

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
                wrong.append(f"{node.name}: {brief(error)}")
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
    holder = None if ray.is_initialized() else RayHolder(ray, address)
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
