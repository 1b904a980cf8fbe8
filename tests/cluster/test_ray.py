"""Lists and studies on a Ray of this machine with two workers; skipped where Ray is not installed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import genbab
from genbab.cli import main
from genbab.cluster import ClusterAddress, Tasks, TaskShare, WorkerDied, Workplace
from genbab.cluster.connection import connected
from genbab.errors import UsageError
from genbab.studies.records.store import Study
from tests.cluster.local_ray import two_cores

ray: Any = pytest.importorskip("ray")
pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("controller_holds", "controller_violated", "digits_tanh_holds", "digits_tanh_violated")
PATIENCE = 60.0  # seconds for processes to appear or to go


@pytest.fixture(scope="module")
def two_workers() -> Iterator[None]:
    """A Ray that everything here connects to."""
    with two_cores():
        yield


def listed(folder: Path, times: int = 1) -> Path:
    """A list of four examples, so many times."""
    examples, rows = ROOT / "examples", []
    for n in range(times):
        for name in NAMES:
            spec = folder / f"{name}_{n}.vnnlib"
            spec.write_text((examples / "vnnlib" / f"{name}.vnnlib").read_text() + f"; {n}\n")
            rows.append(f"{examples / 'onnx' / name.rpartition('_')[0]}.onnx,{spec.name},120\n")
    (folder / "list.csv").write_text("".join(rows))
    return folder / "list.csv"


def records(path: Path) -> list[dict[str, Any]]:
    with Study(path.with_name("list.study.db")) as study:
        return study.records()


def processes() -> dict[int, tuple[int, str]]:
    """The parent and the words of every process that lives."""
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (place / "stat").read_text().rpartition(")")[2].split()[:2]
            words = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if state != "Z":
            found[int(place.name)] = (int(parent), words)
    return found


def descendants(ancestor: int) -> set[int]:
    """All processes that a process has started, and those that they have."""
    known, mine = processes(), {ancestor}
    while more := {pid for pid, (parent, _) in known.items() if parent in mine} - mine:
        mine |= more
    return mine - {ancestor}


def test_a_cluster_says_what_a_process_says(two_workers: None, tmp_path: Path) -> None:
    path = listed(tmp_path)
    keep = ["--counterexamples", str(tmp_path / "found"), "--proofs", str(tmp_path / "proofs")]
    assert main(["run", str(path), "--cluster", "ray", *keep]) == 0
    there = records(path)
    assert main(["run", str(path), "--cluster", "ray"]) == 0
    assert [r["attempts"] for r in records(path)] == [1] * len(NAMES), "nothing was asked again"
    assert [p.suffix for p in sorted((tmp_path / "found").iterdir())] == [".counterexample"] * 2
    told = [r["result"]["statistics"]["proof_check"]["outcome"] for r in there if r["verdict"] == "verified"]
    assert told == ["accepted"] * 2 and len(list((tmp_path / "proofs").iterdir())) == 2
    assert all(r["peak_memory"] > 50e6 and "genbab-ray-" not in str(r) for r in there)
    assert main(["run", str(path), "--study", str(tmp_path / "here.db"), "--workers", "2"]) == 0
    with Study(tmp_path / "here.db") as study:
        assert [r["verdict"] for r in study.records()] == [r["verdict"] for r in there]


def test_a_killed_worker_costs_what_it_was_at(two_workers: None, tmp_path: Path) -> None:
    path = listed(tmp_path, 2)
    killed: list[int] = []

    def kill() -> None:
        until = time.monotonic() + PATIENCE
        while not killed and time.monotonic() < until:
            time.sleep(0.05)
            for pid, (_, words) in processes().items():
                if words.startswith("ray::genbab.verify_on_node") and not killed:
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)

    killer = threading.Thread(target=kill)
    killer.start()
    assert main(["run", str(path), "--cluster", "ray"]) == 0
    killer.join()
    found = records(path)
    assert killed and [r["verdict"] for r in found] == ["verified", "falsified"] * 4
    assert [r["attempts"] for r in found] == [1] * 8


def killing(place: Workplace) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_task_that_kills_its_worker_is_given_up(two_workers: None) -> None:
    with connected(ClusterAddress()) as connection:
        assert connection.told.startswith("ray: already connected in ")
        assert connection.told.endswith("1 node, 2 CPUs")
        with pytest.raises(WorkerDied, match="died 3 times"):
            Tasks(connection, TaskShare()).ask(killing)


def test_studies_are_answered_there(two_workers: None, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.SiLU(), torch.nn.Linear(8, 3)).eval()
    x = torch.rand(6, 3)
    y = net(x).argmax(1)
    y[0] = (y[0] + 1) % 3
    how: dict[str, Any] = {"eps": 0.02, "timeout": 60}
    here = genbab.certified_accuracy(net, x, y, **how)
    seen: list[tuple[int, int]] = []
    how |= {"cluster": "ray", "study": tmp_path / "a.db", "follow": lambda *counts: seen.append(counts)}
    there = genbab.certified_accuracy(net, x, y, **how)
    assert [s.status for s in here.samples] == [s.status for s in there.samples]
    assert here.samples[0].status == "misclassified" and seen[-1] == (6, 6)
    seen.clear()
    again = genbab.certified_accuracy(net, x, y, **how)
    assert again.rows() == there.rows() and not seen, "nothing was asked again"


def test_a_cluster_that_does_not_run_is_a_message(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "genbab", "run", str(listed(tmp_path)), "--cluster", "ray:auto"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "RAY_ADDRESS": "127.0.0.1:9"}
    said = subprocess.run(words, capture_output=True, text=True, env=environment, timeout=200, cwd=tmp_path)
    assert said.returncode == 2 and "no connection to the cluster 127.0.0.1:9" in said.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_leaves_nobody_behind(tmp_path: Path, number: signal.Signals, code: int) -> None:
    path = listed(tmp_path, 3)
    words = [sys.executable, "-m", "genbab", "run", str(path), "--cluster", "ray:local"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 2 * PATIENCE
    while not any("genbab.cli.many.attached" in processes()[p][1] for p in descendants(process.pid)):
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.1)
    started = descendants(process.pid)
    process.send_signal(number)
    assert process.wait(PATIENCE) == code
    until = time.monotonic() + PATIENCE
    while started & processes().keys() and time.monotonic() < until:
        time.sleep(0.1)
    assert not started & processes().keys()
    open_ = [r for r in records(path) if r["verdict"] is None]
    assert open_ and len(records(path)) == 12


def test_an_error_of_a_share_names_the_nodes(two_workers: None) -> None:
    with connected(ClusterAddress()) as connection, pytest.raises(UsageError, match="largest has 2 cores"):
        Tasks(connection, TaskShare(3)).at_a_time(None)
