"""One search on a local Ray: the verdict of one process, also where a worker is killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from genbab.api import answered
from genbab.cluster import ClusterAddress
from genbab.cluster.connection import RayConnection, connected
from genbab.config import Config
from genbab.driver.crew import crew as crew_module
from genbab.driver.crew import sharing as sharing_module
from genbab.remote.team import RemoteTeam, remote_crew
from genbab.result import Progress, Verdict
from genbab.told import Told
from tests.checkpoint.questions import Files, small
from tests.soundness.graphs import to_onnx

ray: Any = pytest.importorskip("ray")
pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def connection() -> Iterator[RayConnection]:
    """A Ray of this machine with two cores."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", path)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        before = signal.getsignal(signal.SIGTERM)
        quiet = {"include_dashboard": False, "log_to_driver": False, "logging_level": "ERROR"}
        ray.init("local", num_cpus=2, object_store_memory=100_000_000, **quiet)
        signal.signal(signal.SIGTERM, before)
        with connected(ClusterAddress.of("ray")) as found:
            yield found
        ray.shutdown()


@pytest.mark.parametrize("kills", (False, True))
def test_one_search_on_two_workers(
    connection: RayConnection, kills: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew_module, "ALONE", 0.0)
    monkeypatch.setattr(crew_module, "ENOUGH", 1)
    monkeypatch.setattr(sharing_module, "EVERY", 0.2)
    files = Files(tmp_path / "model.onnx", tmp_path / "spec.vnnlib", tmp_path / "run.checkpoint")
    files.model.write_bytes(to_onnx(small()))
    files.ask(0.005 if kills else 0.03)
    started: list[Any] = []
    start = RemoteTeam.start

    def noted(team: RemoteTeam, shared: Any) -> Any:
        links = start(team, shared)
        started.extend(links)
        return links

    def killer(progress: Progress) -> None:
        if kills and len(started) == 2 and progress.domains > 60:
            ray.kill(started.pop().actor._actor)

    monkeypatch.setattr(RemoteTeam, "start", noted)
    config = Config(branching="input", batch=2, attack_restarts=0, timeout=240.0)
    result = answered(files.model, files.spec, config, Told(killer, crew=remote_crew(connection, 2)))
    assert result.verdict is Verdict.VERIFIED and result.bound is not None and result.bound > 0
    assert len(started) == (1 if kills else 2)
