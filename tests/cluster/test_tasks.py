"""Addresses, tasks and packages, without Ray."""

from __future__ import annotations

import builtins
import os
import signal
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from genbab.cluster import (
    ClusterAddress,
    Tasks,
    TaskShare,
    WorkerDied,
    Workplace,
    interruptible,
    packed_file,
    unpacked,
)
from genbab.cluster.connection import connected
from genbab.cluster.tasks import TRIES
from genbab.cluster.workplace import TaskSetup, at_work, private_folder, versions
from genbab.errors import UsageError
from genbab.system.process import Ended
from tests.cluster.stand_in import StandInCluster


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("ray", ""),
        ("ray:local", "local"),
        ("ray:auto", "auto"),
        ("ray:10.0.0.1:6379", "10.0.0.1:6379"),
        ("ray://head.example:10001", "ray://head.example:10001"),
        ("ray:[::1]:6379", "[::1]:6379"),
    ],
)
def test_addresses_are_what_ray_takes(text: str, place: str) -> None:
    assert ClusterAddress.of(text).place == place


@pytest.mark.parametrize(
    "text",
    ["", "dask", "Ray", "ray:", "ray://", "ray:head", "ray:head:", "ray://head", "ray://h:0", "ray:h:65536"]
    + ["ray:h:6a", "ray:a b:6379", "ray:http://h:1", "ray:///h:1", "ray:local:1x", "ray:h:" + "9" * 5000],
)
def test_other_addresses_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"must be ray \(one that runs"):
        ClusterAddress.of(text)


def echo(place: Workplace, value: object) -> tuple[int, object]:
    return place.cpus, value


def test_a_task_whose_worker_dies_is_asked_again(tmp_path: Path) -> None:
    cluster = StandInCluster(tmp_path)
    tasks = Tasks(cluster, TaskShare(2))
    cluster.deaths = TRIES - 1
    assert tasks.ask(echo, "a") == (2, "a") and cluster.started == TRIES
    cluster.deaths = TRIES
    with pytest.raises(WorkerDied, match="died 3 times, the last one so: somebody killed it"):
        tasks.ask(echo, "b")
    assert cluster.started == 2 * TRIES


def test_bytes_are_sent_once(tmp_path: Path) -> None:
    cluster = StandInCluster(tmp_path)
    tasks = Tasks(cluster, TaskShare())
    names = {tasks.keep(data) for data in (b"a", b"b", b"a", b"")}
    assert len(names) == 3 and cluster.sent == [b"a", b"b", b""]


def waiting(place: Workplace, begun: threading.Event, over: threading.Event) -> None:
    begun.set()
    over.wait(20)


def test_who_waits_for_a_task_hears_of_the_end(tmp_path: Path) -> None:
    cluster = StandInCluster(tmp_path)
    tasks, begun, over = Tasks(cluster, TaskShare()), threading.Event(), threading.Event()
    ends: list[BaseException] = []

    def ask() -> None:
        try:
            tasks.ask(waiting, begun, over)
        except BaseException as error:
            ends.append(error)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    begun.wait()
    tasks.end()
    asking.join()
    over.set()
    assert isinstance(ends[0], Ended)
    with pytest.raises(Ended):
        tasks.ask(echo, "later")
    assert cluster.started == 1


def test_a_share_that_never_fits_is_refused(tmp_path: Path) -> None:
    assert Tasks(StandInCluster(tmp_path, 8), TaskShare(2)).at_a_time(None) == 4
    assert Tasks(StandInCluster(tmp_path, 8), TaskShare(2)).at_a_time(9) == 9
    for share in (TaskShare(9), TaskShare(1, 1)):
        with pytest.raises(UsageError, match="the largest has 8 cores and 0 GPUs"):
            Tasks(StandInCluster(tmp_path, 8), share).at_a_time(3)


def with_data(data: bytes, folder: Path) -> Sequence[Path]:
    """The file that a "model" names."""
    return [(folder / "sub" / "w.bin").resolve()] if data == b"model" else []


def test_packages_are_unpacked_once(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    (here / "sub").mkdir(parents=True)
    there.mkdir()
    (here / "m.onnx").write_bytes(b"model")
    (here / "sub" / "w.bin").write_bytes(b"weights")
    kept: dict[str, bytes] = {}
    tasks = Tasks(StandInCluster(there), TaskShare())

    def keep(data: bytes) -> str:
        kept[tasks.keep(data)] = data
        return tasks.keep(data)

    package = packed_file(here / "m.onnx", keep, with_data)
    fetched: list[str] = []

    def fetch(name: str) -> bytes:
        fetched.append(name)
        return kept[name]

    place = Workplace(1, there, fetch)
    file = unpacked(package, place)
    assert unpacked(package, place) == file and sorted(fetched) == sorted(kept)
    assert file.read_bytes() == b"model" and (file.parent / "sub" / "w.bin").read_bytes() == b"weights"
    with pytest.raises(OSError):
        packed_file(here / "none.onnx", keep, with_data)
    with pytest.raises(OSError):
        packed_file(Path(os.devnull), keep, with_data)


def test_other_bytes_than_were_sent_are_not_used(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"a")
    package = packed_file(
        tmp_path / "m.onnx", Tasks(StandInCluster(tmp_path), TaskShare()).keep, lambda *_: []
    )
    with pytest.raises(OSError, match="other bytes"):
        unpacked(package, Workplace(1, tmp_path, lambda _: b"b"))
    assert not (tmp_path / package.hash).exists()


def test_nodes_of_other_versions_are_refused() -> None:
    setup = TaskSetup(1, "genbab-ray-none", {**versions(), "genbab": "0.0.9"})
    with pytest.raises(UsageError, match=r"genbab is .* there and 0\.0\.9 here"):
        at_work(echo, ("a",), setup, {})


def test_the_folder_is_nobody_elses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert private_folder("mine") == private_folder("mine") == tmp_path / "mine"
    (tmp_path / "mine").chmod(0o755)
    (tmp_path / "link").symlink_to(tmp_path)
    for name in ("mine", "link"):
        with pytest.raises(UsageError, match="somebody else"):
            private_folder(name)


def test_an_interruption_ends_the_work() -> None:
    ended = threading.Event()

    def work() -> str:
        os.kill(os.getpid(), signal.SIGINT)
        return str(ended.wait(20))

    with pytest.raises(KeyboardInterrupt):
        interruptible(work, ended.set)
    assert ended.is_set() and interruptible(lambda: "done", ended.set) == "done"
    with pytest.raises(ZeroDivisionError):
        interruptible(lambda: str(1 / 0), ended.set)


def test_without_ray_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "ray":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError, match=r'pip install "genbab\[ray\]"'), connected(ClusterAddress()):
        pass
