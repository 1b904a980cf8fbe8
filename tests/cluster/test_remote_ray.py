"""One search on a local Ray: the verdict of one process, also where a worker is killed."""

from __future__ import annotations

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
from tests.checkpoint.questions import Files
from tests.cluster.local_ray import two_cores

ray: Any = pytest.importorskip("ray")
pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own


@pytest.fixture(scope="module")
def connection() -> Iterator[RayConnection]:
    """The way to a Ray of this machine."""
    with two_cores(), connected(ClusterAddress.of("ray")) as found:
        yield found


@pytest.mark.parametrize("kills", (False, True))
def test_one_search_on_two_workers(
    connection: RayConnection, kills: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew_module, "ALONE", 0.0)
    monkeypatch.setattr(sharing_module, "EVERY", 0.2)
    files = Files.asking(tmp_path, 0.005 if kills else 0.03)
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
