"""One search on a cluster: members that read the question elsewhere, which are threads here."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from genbab.api import answered
from genbab.branch.regions import search as search_module
from genbab.cluster import TaskShare, WorkerDied
from genbab.cluster.actors import ActorProcess, Mailbox
from genbab.cluster.connection import RayConnection
from genbab.cluster.workplace import TaskSetup, versions
from genbab.config import Config
from genbab.driver.crew import crew as crew_module
from genbab.driver.crew import sharing as sharing_module
from genbab.errors import ResourceError, UsageError
from genbab.remote.team import remote_crew
from genbab.result import Result, Verdict
from genbab.told import Told
from tests.checkpoint.questions import WAYS, Files


class ThreadActor:
    """An actor that is a thread here."""

    def __init__(self, function: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        self._process = ActorProcess(function, arguments, TaskSetup(1, "", versions()))
        self._sent, self.dead = 0, False
        self.waiting: list[bytes] = []

    def put(self, order: bytes) -> None:
        if not self.dead:
            self._process.put(self._sent, order)
        self._sent += 1

    def end(self) -> None:
        self.dead = True

    def said(self) -> list[bytes]:
        if self.dead:
            raise WorkerDied("it was killed")
        found, self.waiting = self.waiting, []
        return found

    def look(self) -> bool:
        """Whether it has said something, or died."""
        self.waiting += self._process.collect(0.0) if not self.dead else []
        return self.dead or bool(self.waiting)


class ThreadCluster:
    """A cluster whose actors are threads; dies: after how many looks the first `lost` are lost."""

    def __init__(self, cores: int = 2, dies: int = -1, lost: int = 1) -> None:
        self.cores, self.dies, self.lost = cores, dies, lost
        self.actors: list[ThreadActor] = []

    def room(self, share: TaskShare) -> int:
        return self.cores

    def actor(self, function: Any, arguments: Any, share: TaskShare) -> ThreadActor:
        self.actors.append(ThreadActor(function, arguments))
        return self.actors[-1]

    def ready(self, actors: Mapping[int, ThreadActor], seconds: float) -> list[int]:
        self.dies -= 1
        for actor in self.actors[: self.lost if self.dies == 0 else 0]:
            actor.end()
        late = time.monotonic() + seconds
        while not (found := [n for n, a in actors.items() if a.look()]) and time.monotonic() < late:
            time.sleep(0.005)
        return found


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """A question that takes some rounds and is `verified`."""
    return Files.asking(tmp_path, 0.1)


@pytest.fixture(autouse=True)
def _shared_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew_module, "ALONE", 0.0)
    monkeypatch.setattr(search_module, "FIRST", 0.01)
    monkeypatch.setattr(sharing_module, "EVERY", 0.1)


def asked(files: Files, cluster: ThreadCluster, way: str, **settings: Any) -> Result:
    """The answer of a search that is spread."""
    config = Config(**{**WAYS[way], "child_steps": 5, "root_steps": 3, "attack_restarts": 0, **settings})
    crew = remote_crew(cast(RayConnection, cluster), None)
    return answered(files.model, files.spec, config, Told(crew=crew))


@pytest.mark.parametrize("way", WAYS)
def test_members_elsewhere_prove_what_one_process_proves(files: Files, way: str) -> None:
    cluster = ThreadCluster()
    files.ask(0.03 if way == "inputs" else 0.1)
    result = asked(files, cluster, way, timeout=120.0)
    assert result.verdict is Verdict.VERIFIED and result.bound is not None and result.bound > 0
    assert way != "inputs" or len(cluster.actors) == 2


@pytest.mark.parametrize("dies", (3, 12))
def test_others_go_on_where_a_member_is_lost(files: Files, dies: int) -> None:
    files.ask(0.03)
    cluster = ThreadCluster(3, dies)
    result = asked(files, cluster, "inputs", timeout=120.0)
    assert result.verdict is Verdict.VERIFIED and len(cluster.actors) == 3


def test_without_any_member_there_is_no_verdict(files: Files) -> None:
    files.ask(0.03)
    with pytest.raises(ResourceError, match="a worker of the cluster is lost: it was killed"):
        asked(files, ThreadCluster(2, 2, 2), "inputs", timeout=120.0)


def test_a_cluster_without_room_is_refused() -> None:
    for cores, workers in ((0, None), (2, 3)):
        with pytest.raises(UsageError, match=f"the cluster has {cores} cores"):
            remote_crew(cast(RayConnection, ThreadCluster(cores)), workers)


def test_orders_are_read_in_their_order() -> None:
    mail = Mailbox()
    for number in (2, 0, 1, 4):
        mail.put(number, bytes([number]))
    assert [mail.receive(wait=False) for _ in range(4)] == [b"\0", b"\1", b"\2", None]
    mail.put(3, b"\3")
    assert [mail.receive(wait=True), mail.receive(wait=True)] == [b"\3", b"\4"]
    mail.send(b"a")
    mail.send(b"b")
    assert mail.collect(1.0) == [b"a", b"b"] and mail.collect(0.0) == []
