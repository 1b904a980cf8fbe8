"""The record of a run: true, whole whatever ends the run, read back or refused with a reason, and drawn."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

import genbab
from genbab import Config, UsageError
from genbab.api import verify
from genbab.driver.ledger import Ledger
from genbab.errors import DeadlineReached
from genbab.plot.trace import seconds
from genbab.result import Progress, Result, Verdict
from genbab.trace import TraceFile, read_trace
from tests.test_driver import below, hard, random_spec, tiny

MODES: Any = ("input", "neuron", "mixed")


def lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a trace, each strict JSON."""
    text = path.read_text()
    assert text.endswith("\n")
    return [json.loads(line, parse_constant=pytest.fail) for line in text.splitlines()]


def traced(path: Path, mode: Any = "auto", limit: float = 1.5) -> Result:
    """A run that branches, recorded in the file."""
    spec = below(-15.0, (-1.0,) * 8, (1.0,) * 8)
    return verify(hard(), spec, Config(timeout=limit, branching=mode, attack_restarts=0), trace=path)


@pytest.mark.parametrize("mode", MODES)
def test_a_trace_agrees_with_the_result(tmp_path: Path, mode: Any) -> None:
    result = traced(tmp_path / "t.jsonl", mode)
    told = lines(tmp_path / "t.jsonl")
    assert [e["event"] for e in (told[0], told[-1])] == ["run", "end"]
    assert told[0]["settings"]["branching"] == mode
    assert told[-1]["verdict"] == result.verdict == "timeout" and told[-1]["bound"] == result.bound
    rounds = [e for e in told if e["event"] == "round"]
    assert rounds and rounds[-1]["visited"] == result.statistics["domains"] == told[-1]["domains"]
    assert sum(r["batch"] for r in rounds) == rounds[-1]["visited"]
    plan = next(e for e in told if e["event"] == "plan")
    assert plan["splits"] == mode and all(r["batch"] <= 2 * plan["batch"] for r in rounds)
    assert [e["t"] for e in told] == sorted(e["t"] for e in told)
    bounds = [r["bound"] for r in rounds]
    assert bounds == sorted(bounds) and bounds[-1] <= 0
    assert ("predicted" in rounds[0]) == (mode != "input")


@pytest.mark.parametrize("mode", MODES)
def test_the_parts_of_a_round_add_up_to_the_search(tmp_path: Path, mode: Any) -> None:
    result = traced(tmp_path / "t.jsonl", mode)
    record = read_trace(tmp_path / "t.jsonl")
    stages, parts = seconds(record)
    assert stages["search"] == pytest.approx(result.statistics["seconds search"], abs=1e-2)
    assert sum(parts.values()) <= stages["search"] + 1e-6 and all(p >= 0 for p in parts.values())
    assert set(parts) >= {"bounding", "pool", "attack"} | ({"choosing"} if mode != "input" else set())


def test_a_run_that_is_cut_short_leaves_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    count = 0

    def stop(progress: Progress) -> None:
        nonlocal count
        count += progress.stage == "branching"
        if count == 3:
            raise KeyboardInterrupt

    spec = below(-15.0, (-1.0,) * 8, (1.0,) * 8)
    with pytest.raises(KeyboardInterrupt):
        verify(hard(), spec, Config(timeout=20, attack_restarts=0), stop, trace=path)
    told = lines(path)
    assert [e["event"] for e in told].count("round") == 3 and told[-1]["event"] == "stage"
    record = read_trace(path)
    assert record.end is None and len(record.rounds) == 3
    assert isinstance(genbab.plot_trace(path, path=tmp_path / "t.svg"), Figure)


def test_the_bound_of_a_finished_run_is_the_last_known(tmp_path: Path) -> None:
    model, network = tiny(1)
    spec, _ = random_spec(3, network)
    result = verify(model, spec, Config(timeout=20), trace=tmp_path / "t.jsonl")
    record = read_trace(tmp_path / "t.jsonl")
    assert record.end is not None and record.end["verdict"] == result.verdict
    if result.bound is not None:
        assert record.bounds[-1][1] == result.bound
    genbab.plot_trace(record, path=tmp_path / "t.png")


def test_a_full_disk_ends_the_record_not_the_run(tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no device that is always full")
    trace = TraceFile(full)
    trace.begin("m", "s", {})
    assert "/dev/full" in trace.failed and "space" in trace.failed
    trace.write("round", bound=1.0)
    trace.end(Result(Verdict.UNKNOWN, 1.0))


def test_numbers_that_json_lacks_are_words(tmp_path: Path) -> None:
    trace = TraceFile(tmp_path / "t.jsonl")
    trace.begin("m", "s", {"timeout": None})
    trace.write("region", bound=-math.inf)
    trace.write("region", bound=math.nan)
    trace.close()
    record = read_trace(tmp_path / "t.jsonl")
    assert record.bounds[0][1] == -math.inf and math.isnan(record.bounds[1][1])
    genbab.plot_trace(record, path=tmp_path / "t.svg")


ROUND = {"bound": -1.0, "open": 1, "visited": 2, "depth": 1, "batch": 2, "seconds": {"bounding": 0.1}}
FIRST = {"t": 0, "event": "run", "trace": 1}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["no trace"]),
        (b"# Readme\n", ["no trace"]),
        (b"\xff\xfe\n", ["not text"]),
        (b'{"t": 0, "event": "stage", "stage": "a", "seconds": 1}\n', ["no trace"]),
        (json.dumps({**FIRST, "trace": 9}).encode() + b"\n", ["version 9"]),
        (json.dumps(FIRST).encode() + b"\n\n{oops\n", ["line 3", "not JSON"]),
        (json.dumps(FIRST).encode() + b"\n[1]\n", ["line 2", "event"]),
        (json.dumps(FIRST).encode() + b'\n{"t": 1, "event": "round"}\n', ["line 2", "bound", "depth"]),
        (
            (
                json.dumps(FIRST) + "\n" + json.dumps({"t": 1, "event": "round", **ROUND, "open": "x"}) + "\n"
            ).encode(),
            ["line 2", "open", "numbers"],
        ),
        (
            (
                json.dumps(FIRST)
                + "\n"
                + json.dumps({"t": 1, "event": "round", **ROUND, "seconds": 3})
                + "\n"
            ).encode(),
            ["line 2", "seconds"],
        ),
    ],
)
def test_what_is_no_trace_is_refused(tmp_path: Path, content: bytes, words: list[str]) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read_trace(path)
    assert str(path) in str(caught.value) and all(w in str(caught.value) for w in words), caught.value


def test_a_missing_file_and_a_missing_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="none.jsonl"):
        genbab.plot_trace(tmp_path / "none.jsonl")
    with pytest.raises(UsageError, match="no/t.jsonl"):
        traced(tmp_path / "no" / "t.jsonl")


def test_a_last_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(json.dumps(FIRST) + "\n" + json.dumps({"t": 1, "event": "round", **ROUND})[:-9])
    assert read_trace(path).rounds == ()
    genbab.plot_trace(path, path=tmp_path / "t.svg")


def test_time_counts_for_a_stage_however_it_ends() -> None:
    from genbab.system.deadline import Deadline

    ledger = Ledger(Deadline(), lambda _: None)
    with pytest.raises(DeadlineReached), ledger.timed("search"):
        raise DeadlineReached
    assert ledger.spent["search"] >= 0
