"""Runs of several workers are kept and taken up again, too: by as many, by one, by others."""

from __future__ import annotations

from typing import Any

import pytest

import genbab
from genbab.branch.regions import search as search_module
from genbab.driver.crew import crew as crew_module
from genbab.driver.crew import sharing as sharing_module
from genbab.driver.saved.saver import Saver
from genbab.result import Verdict
from tests.checkpoint.questions import WAYS, Files, Killed, Killer

MOST = 6
"""Runs after which a search that is killed ever again is left alone."""


@pytest.fixture(autouse=True)
def pictures(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Searches that are too short to be worth it are shared, too; the data of all pictures."""
    found: list[Any] = []
    taken = sharing_module.SharedSearch.picture_taken

    def noted(self: Any, snapshot: Any) -> Any:
        found.append(taken(self, snapshot))
        return found[-1]

    monkeypatch.setattr(crew_module, "ALONE", 0.0)
    monkeypatch.setattr(search_module, "FIRST", 0.01)
    monkeypatch.setattr(sharing_module.SharedSearch, "picture_taken", noted)
    return found


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("way", WAYS)
def test_killed_after_any_round(
    files: Files, way: str, pictures: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = files.verify(way)
    killer, result = Killer(1, 0.2), None
    for number in range(MOST):
        try:
            with killer.at_work(monkeypatch):
                workers = 2 - number % 2
                if number == 0:
                    result = files.begin(way, workers=2)
                else:
                    result = genbab.resume(files.kept, workers=workers)
            break
        except Killed:
            assert files.kept.exists()
    if result is None:
        result = genbab.resume(files.kept, workers=2)
    assert result.verdict is undisturbed.verdict is Verdict.VERIFIED, result.reason
    assert result.bound is not None and result.bound > 0
    assert pictures or way != "inputs", "some picture was kept"


def test_the_time_limit_leaves_all_that_is_open(files: Files) -> None:
    files.ask(0.01)
    result = files.begin("inputs", workers=2, timeout=2.0)
    rounds = 0
    while result.verdict is Verdict.TIMEOUT and rounds < 6:
        rounds += 1
        result = genbab.resume(files.kept, timeout=60.0, workers=rounds % 2 + 1)
    assert result.verdict is Verdict.VERIFIED and result.bound is not None and result.bound > 0


@pytest.mark.usefixtures("always")
def test_after_a_shared_search_the_next_box_is_written_from_its_root_on(
    files: Files, pictures: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not only when its search begins: its root may take long."""
    files.ask(0.1, boxes=2)
    done, found, written = Saver.done, Saver.root_found, list[tuple[int, bool]]()

    def after(saver: Saver, *what: Any) -> None:
        before = files.kept.stat().st_mtime_ns if files.kept.exists() else 0
        (done if len(what) == 2 else found)(saver, *what)
        assert saver.open is not None
        written.append((len(saver.open.finished), files.kept.stat().st_mtime_ns != before))

    monkeypatch.setattr(Saver, "done", after)
    monkeypatch.setattr(Saver, "root_found", after)
    assert files.begin("neurons", workers=2).verdict is Verdict.VERIFIED
    assert pictures is not None and all(new for _, new in written)
    assert {number for number, _ in written} == {0, 1, 2}
