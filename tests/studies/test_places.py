"""Study files that cannot be written, cannot be read, or are in use."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import genbab
from genbab import UsageError
from genbab.studies.records import schema
from genbab.studies.records.questions import StudyAnswer, StudyQuestion
from genbab.studies.records.store import Study

QUESTION = StudyQuestion("instance", "m.onnx", "s.vnnlib")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A study with one answer."""
    path = tmp_path / "a study?.db"
    with Study(path) as study:
        claim = study.claim(study.begin([QUESTION]))
        assert claim is not None
        study.record(claim, StudyAnswer("verified", 1.0, 2.0, "proved"))
    return path


@pytest.fixture
def read_only(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a folder that cannot be written."""

    def refuse(name: str) -> sqlite3.Connection:
        raise sqlite3.OperationalError("attempt to write a readonly database")

    monkeypatch.setattr(schema, "_writable", refuse)


@pytest.mark.usefixtures("read_only")
def test_a_study_that_cannot_be_written_is_read(place: Path, tmp_path: Path) -> None:
    with Study(place) as study:
        assert [r["verdict"] for r in study.records()] == ["verified"]
        assert study.answered([QUESTION])[0] is not None
        with pytest.raises(UsageError, match="cannot write the study"):
            study.begin([QUESTION])
    pytest.importorskip("jinja2")
    assert genbab.report(place, tmp_path / "r.html").is_file()


@pytest.mark.usefixtures("read_only")
def test_answers_in_the_journal_are_not_overlooked(place: Path) -> None:
    place.with_name(place.name + "-wal").write_bytes(b"answers")
    with pytest.raises(UsageError, match="cannot use the study"):
        Study(place)


@pytest.mark.usefixtures("read_only")
def test_what_is_not_there_or_foreign_is_not_opened_for_reading(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.db"
    with sqlite3.connect(foreign) as other:
        other.execute("CREATE TABLE a (b)")
    other.close()
    for path, message in ((tmp_path / "none.db", "cannot use"), (foreign, "another program's database")):
        with pytest.raises(UsageError, match=message):
            Study(path)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"no such folder as {tmp_path / 'nowhere'}"):
        Study(tmp_path / "nowhere" / "s.db")


def test_a_study_in_use_is_said_to_be(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "BUSY", 0.05)
    holder = sqlite3.connect(place, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(UsageError, match="another program holds it; try again"):
            Study(place)
    finally:
        holder.close()


def damaged(place: Path, change: Callable[[bytearray], Any]) -> Path:
    data = bytearray(place.read_bytes())
    change(data)
    broken = place.with_name("broken.db")
    broken.write_bytes(data)
    return broken


def test_damage_is_said_wherever_it_is_met(place: Path, tmp_path: Path) -> None:
    def scramble(data: bytearray) -> None:
        data[4096:] = b"\xa5" * (len(data) - 4096)

    broken = damaged(place, scramble)
    uses: list[Callable[[Study], object]] = [
        lambda s: s.records(),
        lambda s: s.answered([QUESTION]),
        lambda s: s.begin([QUESTION]),
        lambda s: s.blob("hash"),
        lambda s: s.orphans("run"),
        lambda s: s.open("run"),
    ]
    for use in uses:
        with pytest.raises(UsageError, match="study"), Study(shutil.copy(broken, tmp_path / "b.db")) as study:
            use(study)


@pytest.mark.parametrize("result", ["{", "[1]", "3"])
def test_results_that_are_no_results_are_damage(place: Path, result: str) -> None:
    with sqlite3.connect(place) as direct:
        direct.execute("UPDATE outcome SET result = ?", (result,))
    direct.close()
    with Study(place) as study:
        for use in (study.records, lambda: study.answered([QUESTION])):
            with pytest.raises(UsageError, match="damaged"):
                use()


def test_a_closed_study_says_so() -> None:
    study = Study()
    study.close()
    for use in (study.records, lambda: study.begin([QUESTION])):
        with pytest.raises(UsageError, match="the study in memory.*closed"):
            use()
