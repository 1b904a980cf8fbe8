"""Studies after kill -9: nothing lost but what was running, nothing twice, nobody left behind."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from genbab import UsageError
from genbab.studies.records.questions import StudyAnswer, StudyQuestion
from genbab.studies.records.store import Study
from genbab.system.process import alive, identity

ROOT = Path(__file__).resolve().parents[2]
STAND_IN = Path(__file__).with_name("stand_in.py")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
COUNT = 28
KILLS = 5
MOST = 4  # outcomes between two kills, so that some are left at the end
WORKERS = 2


def started(folder: Path, *words: str) -> subprocess.Popen[bytes]:
    """`genbab run` on the list in this folder, with verifications that sleep."""
    command = [sys.executable, str(STAND_IN), "run", "list.csv", "--workers", str(WORKERS), *words]
    none = subprocess.DEVNULL
    return subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, stdout=none, stderr=none)


def listed(folder: Path) -> Path:
    folder.mkdir()
    path = folder / "list.csv"
    path.write_text("".join(f"m{i % 3}.onnx,p{i}.vnnlib,20\n" for i in range(COUNT)))
    return folder


def counted(folder: Path, table: str) -> int:
    """Rows of a table of the study, 0 while there is none."""
    try:
        place = f"file:{folder / 'list.study.db'}?mode=ro"
        with closing(sqlite3.connect(place, uri=True)) as db:
            return int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path) -> None:
    calm, wild = listed(tmp_path / "calm"), listed(tmp_path / "wild")
    assert started(calm).wait(60) == 0
    dice = random.Random(1)
    for _ in range(KILLS):
        process, wanted = started(wild), counted(wild, "outcome") + dice.randint(1, MOST)
        while counted(wild, "outcome") < wanted and process.poll() is None:
            time.sleep(0.005 * dice.random())
        assert process.poll() is None, "it ended although instances were left"
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert started(wild).wait(60) == 0
    tables = [(folder / "list.results.csv").read_text().split("\n") for folder in (calm, wild)]
    assert [line.partition(",")[2] for line in tables[0]] == [line.partition(",")[2] for line in tables[1]]
    assert counted(calm, "attempt") == COUNT
    assert counted(wild, "attempt") - COUNT <= WORKERS * KILLS


def test_a_process_ends_with_its_parent(tmp_path: Path) -> None:
    child = "import os; from genbab.system.process import end_with; end_with(os.getppid()); "
    child += "import pathlib, time; pathlib.Path('pid').write_text(str(os.getpid())); time.sleep(30)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, env=ENVIRONMENT)
    number, until = tmp_path / "pid", time.monotonic() + 20
    while not (number.exists() and number.read_text()) and time.monotonic() < until:
        time.sleep(0.02)
    parent.kill()
    parent.wait()
    status, until = Path(f"/proc/{number.read_text()}/stat"), time.monotonic() + 5
    while status.exists() and " Z " not in status.read_text() and time.monotonic() < until:
        time.sleep(0.02)
    assert not status.exists() or " Z " in status.read_text()


def question(number: int) -> StudyQuestion:
    return StudyQuestion("instance", "m", f"p{number}", timeout=3)


def test_a_question_is_answered_once_and_by_one(tmp_path: Path) -> None:
    with Study(tmp_path / "a.db") as one, Study(tmp_path / "a.db") as other:
        asked = [question(n) for n in range(3)]
        runs = [study.begin(asked) for study in (one, other)]
        claims = [one.claim(runs[0]), other.claim(runs[1]), one.claim(runs[0])]
        assert [c.question.spec for c in claims if c] == ["p0", "p1", "p2"]
        assert other.claim(runs[1]) is None
        assert claims[0] and claims[1] and claims[2]
        one.record(claims[0], StudyAnswer("verified", 1.0, float("inf"), "first"))
        one.record(claims[0], StudyAnswer("unknown", 1.0, None, "second"))
        other.record(claims[1], StudyAnswer("error", 0.1, None, "broken"))
        one.release(claims[2])
        assert [a and a.reason for a in other.answered(asked)] == ["first", "broken", None]
        again = other.begin(asked)
        assert [c.question.spec for _ in range(3) if (c := other.claim(again))] == ["p1", "p2"]
        assert one.answered(asked)[0] == StudyAnswer("verified", 1.0, float("inf"), "first")


def test_claims_of_the_dead_are_released_and_those_of_the_living_are_not(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", "pass"])
    dead.wait()
    machine, number, start = identity().split("|")
    assert alive(identity()) and alive(f"elsewhere|{number}|{start}") is None
    assert not alive(f"{machine}|{dead.pid}|1") and not alive(f"{machine}|{number}|1")
    with Study(tmp_path / "a.db") as study:
        run = study.begin([question(n) for n in range(3)])
        claims = [study.claim(run) for _ in range(3)]
        owners = (f"{machine}|{dead.pid}|1", f"elsewhere|{number}|{start}", identity())
        with sqlite3.connect(tmp_path / "a.db") as db:
            for claim, owner in zip(claims, owners, strict=True):
                assert claim
                db.execute("UPDATE instance SET claimed_by = ? WHERE id = ?", (owner, claim.instance))
        db.close()
        assert [c.question.spec for c in study.orphans(run)] == ["p0"]
        again = study.begin([question(n) for n in range(3)])
        assert (first := study.claim(again)) and first.question.spec == "p0"
        assert study.claim(again) is None


def test_files_that_are_no_studies_are_left_alone(tmp_path: Path) -> None:
    text, other, new = tmp_path / "text.db", tmp_path / "other.db", tmp_path / "new.db"
    text.write_text("x" * 5000)
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE t (a)")
    db.close()
    before = other.read_bytes()
    Study(new).close()
    with sqlite3.connect(new) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    for path, why in ((text, "not a study"), (other, "another program"), (new, "schema is 99")):
        with pytest.raises(UsageError, match=why):
            Study(path)
    with pytest.raises(UsageError, match="cannot use the study"):
        Study(tmp_path / "nowhere" / "a.db")
    assert other.read_bytes() == before and text.read_text() == "x" * 5000
