"""`genbab verify` with a stand-in engine: what is printed, what is written, and that a run ends on time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .conftest import FAKE, Command, environment

Pair = tuple[Path, Path]
EARLY = ("polite", "sleeps", "deaf", "stubborn")


def test_verified_is_the_first_line_and_in_every_file(fake: Command, pair: Pair, tmp_path: Path) -> None:
    said = fake(
        "verified", "verify", *pair, "--json", "r.json", "--result", "r.txt", "--counterexample", "c.txt"
    )
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines()[0] == "verified"
    assert "0.25" in said.out and "all rows are proved" in said.out
    data = json.loads((tmp_path / "r.json").read_text())
    assert {k: data[k] for k in ("verdict", "bound", "reason")} == {
        "verdict": "verified",
        "bound": 0.25,
        "reason": "all rows are proved",
    }
    assert data["statistics"]["peak_memory"] > 1e6 and 0 < data["seconds"] < 10
    assert (tmp_path / "r.txt").read_text() == "unsat\n"
    assert not (tmp_path / "c.txt").exists()


def test_falsified_leaves_a_witness(fake: Command, pair: Pair, tmp_path: Path) -> None:
    said = fake("falsified", "verify", *pair, "--counterexample", "c.txt", "--result", "r.txt")
    assert said.code == 0 and said.out.splitlines()[0] == "falsified"
    witness = "((X_0 0.10000000149011612)\n(Y_0 -1))\n"
    assert (tmp_path / "c.txt").read_text() == witness
    assert (tmp_path / "r.txt").read_text() == "sat\n" + witness


def test_quiet_prints_the_verdict_only(fake: Command, pair: Pair) -> None:
    assert fake("unknown", "verify", *pair, "--quiet").out == "unknown\n"


def test_an_unbounded_margin_is_strict_json(fake: Command, pair: Pair, tmp_path: Path) -> None:
    fake("unknown", "verify", *pair, "--json", "r.json")
    text = (tmp_path / "r.json").read_text()
    assert json.loads(text, parse_constant=pytest.fail)["bound"] == "-inf"


@pytest.mark.parametrize("how", EARLY)
def test_a_run_ends_on_time(fake: Command, pair: Pair, tmp_path: Path, how: str) -> None:
    files = ("--json", "r.json", "--result", "r.txt", "--trace", "t.jsonl")
    said = fake(how, "verify", *pair, "--timeout", "1", *files)
    assert said.code == 0 and said.out.splitlines()[0] == "timeout"
    assert 0.9 < said.seconds < 5, "those that never ask the deadline would go on for 20 s"
    data = json.loads((tmp_path / "r.json").read_text())
    assert (data["verdict"], data["bound"]) == ("timeout", -0.5)
    assert (tmp_path / "r.txt").read_text() == "timeout\n"
    first, *_, last = (json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines())
    assert (first["event"], last["event"], last["verdict"]) == ("run", "end", "timeout")


@pytest.mark.parametrize("how", EARLY)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_gives_the_result_so_far(
    pair: Pair, tmp_path: Path, how: str, number: signal.Signals, code: int
) -> None:
    words = [sys.executable, str(FAKE), how, "verify", *map(str, pair), "--json", "r.json"]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, cwd=tmp_path, env=environment(), text=True
    ) as process:
        late = time.monotonic() + 20
        while not (tmp_path / "begun").exists() and time.monotonic() < late:
            time.sleep(0.01)
        os.kill(process.pid, number)
        began = time.monotonic()
        out, _ = process.communicate(timeout=10)
    assert time.monotonic() - began < 5, "those that heed no signal would go on for 20 s"
    assert process.returncode == code and out.splitlines()[0] == "unknown"
    data = json.loads((tmp_path / "r.json").read_text())
    assert (data["verdict"], data["bound"]) == ("unknown", -0.5) and "interrupted" in data["reason"]


@pytest.mark.parametrize(
    ("how", "code", "words"),
    [
        ("memory", 2, ["out of memory", "--memory"]),
        ("torch_memory", 2, ["out of memory", "alloc_cpu"]),
        ("bug", 4, ["internal error: KeyError", "report"]),
        ("nan_bound", 4, ["verified with the bound nan"]),
        ("unsupported", 3, ["n1", "Foo", "n2", "Bar"]),
        ("vacuous", 2, ["the input set is empty: nothing to verify", "[1, 0]"]),
    ],
)
def test_failures_are_messages_and_never_verdicts(
    fake: Command, pair: Pair, tmp_path: Path, how: str, code: int, words: list[str]
) -> None:
    (tmp_path / "r.json").write_text('{"verdict": "verified"}')
    said = fake(how, "verify", *pair, "--json", "r.json", "--timeout", "20")
    assert (said.code, said.out) == (code, "")
    assert all(w in said.err for w in words) and "Traceback" not in said.err
    assert not (tmp_path / "r.json").exists(), "an older result must not survive a failed run"


def test_debug_shows_the_traceback(fake: Command, pair: Pair) -> None:
    said = fake("bug", "verify", *pair, "--debug")
    assert said.code != 0 and "Traceback" in said.err and said.out == ""


def test_a_closed_stdout_is_no_error(pair: Pair, tmp_path: Path) -> None:
    words = [sys.executable, str(FAKE), "verified", "verify", *map(str, pair), "--json", "r.json"]
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        words, stdout=write, stderr=subprocess.PIPE, cwd=tmp_path, env=environment(), timeout=20
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"") and (tmp_path / "r.json").exists()


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--json", "no/such/folder/r.json"], "no/such/folder"),
        (["--json", "model.onnx"], "must differ"),
        (["--json", "-"], "'-' is no file"),
        (["--json", "same", "--result", "same"], "must differ"),
    ],
)
def test_places_that_cannot_be_written_are_refused_first(
    fake: Command, pair: Pair, words: list[str], named: str
) -> None:
    said = fake("verified", "verify", *pair, *words)
    assert (said.code, said.out) == (2, "") and named in said.err
    assert pair[0].read_text() == "stand-in"
