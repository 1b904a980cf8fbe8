"""Instances of a list as tasks of a cluster: `genbab verify` in a process of its own on some node."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

from genbab.cli.many.child import Children
from genbab.cli.many.here import Here
from genbab.cli.many.order import Order, Orders, carried_out
from genbab.cluster import (
    ClusterAddress,
    Package,
    Tasks,
    TaskShare,
    WorkerDied,
    Workplace,
    interruptible,
    packed_file,
    unpacked,
)
from genbab.errors import UsageError
from genbab.studies.records.provenance import companions, facts
from genbab.studies.records.questions import StudyAnswer, StudyQuestion
from genbab.system.files import replaceable, write_atomically


@dataclass(frozen=True)
class NodeOutcome:
    """What comes back from a node: the answer, the node's `facts`, the files written, by their place here."""

    answer: StudyAnswer
    facts: str
    files: Mapping[str, bytes]


class There:
    """Questions of a list, answered by tasks of a cluster; files that cannot be read are asked about here."""

    def __init__(self, orders: Orders, tasks: Tasks) -> None:
        self.orders, self.tasks, self.here = orders, tasks, Here(orders)
        self._packages: dict[str, Package] = {}
        self._packing = Lock()

    def ask(self, question: StudyQuestion) -> tuple[StudyAnswer, str]:
        """What came of `genbab verify` on a node; raises `Ended` after `end`, `UsageError`.

        "error" where the task's worker dies again and again.
        """
        order = self.orders(question)
        try:
            packages = {name: self._packed(name) for name in order.reads}
        except (OSError, ValueError):
            return self.here.ask(question)
        needs = {digest for one in packages.values() for digest in one.files.values()}
        try:
            found = self.tasks.ask(verify_on_node, order, packages, needs=needs)
        except WorkerDied as error:
            return StudyAnswer("error", 0.0, None, str(error)), facts()
        for name in order.writes:
            if name in found.files:
                write_atomically(Path(name), found.files[name])
            elif replaceable(Path(name)):
                Path(name).unlink(missing_ok=True)  # an earlier run's would mislead
        return found.answer, found.facts

    def _packed(self, name: str) -> Package:
        """The package of a file, which is read once."""
        with self._packing:
            if name not in self._packages:
                self._packages[name] = packed_file(Path(name), self.tasks.keep, companions)
            return self._packages[name]

    def end(self) -> None:
        """End the tasks that run, with their processes; no more are started."""
        self.tasks.end()
        self.here.end()


@contextmanager
def cluster_crew(
    cluster: ClusterAddress, workers: int | None, settings: Mapping[str, str], orders: Orders
) -> Iterator[tuple[There, int]]:
    """What answers on a cluster, and how many questions at a time; says on stderr what it is connected to.

    Raises `UsageError` where there is no such cluster, or no room on it for a task.
    """
    from genbab.cluster.connection import connected

    share = cluster_share(settings)
    orders.threads = None if "threads" in settings else share.cpus
    with connected(cluster) as connection:
        print(connection.told, file=sys.stderr, flush=True)
        tasks = Tasks(connection, share)
        yield There(orders, tasks), tasks.at_a_time(workers)


def cluster_share(settings: Mapping[str, str]) -> TaskShare:
    """What a task takes: as many cores as --threads says, or one; a GPU for --device cuda.

    Raises `UsageError` for a GPU by its number.
    """
    device = settings.get("device", "")
    if device.startswith("cuda:"):
        raise UsageError(f"--device {device}: on a cluster Ray chooses which GPU a task gets: --device cuda")
    return TaskShare(int(settings.get("threads", 1)), int(device == "cuda"))


def verify_on_node(place: Workplace, order: Order, packages: Mapping[str, Package]) -> NodeOutcome:
    """What comes of an order on this node; interrupted, it ends its processes first.

    "error" where this node cannot write.
    """
    try:
        places = {name: str(unpacked(one, place)) for name, one in packages.items()}
        with tempfile.TemporaryDirectory(dir=place.folder) as folder:
            written = {name: f"{folder}/{n}_{Path(name).name}" for n, name in enumerate(order.writes)}
            places |= written
            children = Children()
            work = partial(carried_out, order.moved(places), children)
            answer = interruptible(work, children.end).answer
            files = {name: Path(at).read_bytes() for name, at in written.items() if Path(at).is_file()}
    except OSError as error:
        return NodeOutcome(StudyAnswer("error", 0.0, None, f"on its node: {error}"), facts(), {})
    back = {at: name for name, at in places.items()}
    return NodeOutcome(
        replace(answer, reason=_told(answer.reason, back), result=_told(answer.result, back)), facts(), files
    )


def _told(value: Any, places: Mapping[str, str]) -> Any:
    """The value with the driver's names for files in its texts."""
    if isinstance(value, str):
        for there, here in places.items():
            value = value.replace(there, here)
        return value
    if isinstance(value, Mapping):
        return {key: _told(one, places) for key, one in value.items()}
    return [_told(one, places) for one in value] if isinstance(value, list | tuple) else value
