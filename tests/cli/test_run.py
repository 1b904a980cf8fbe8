"""`genbab run`: lists, the journal and resuming, with children that are stand-ins."""

from __future__ import annotations

import ast
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from genbab.cli import main
from genbab.cli.many import child, order
from genbab.cli.many.child import ChildOutcome, Children, run_child, understood
from genbab.cli.many.instances import read_instances
from genbab.errors import UsageError
from genbab.result import Result, Verdict
from genbab.studies.records.store import Study

Calls = list[tuple[list[str], float | None]]


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    path = tmp_path / "instances.csv"
    path.write_text("a.onnx,p.vnnlib,20\nb.onnx,q.vnnlib,300.0\nb.onnx,r.vnnlib,5\n")
    return path


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Children that answer at once; those for b.onnx q.vnnlib fail."""
    made: Calls = []

    def verify_apart(words: Sequence[str], timeout: float | None, children: Children) -> ChildOutcome:
        made.append((list(words), timeout))
        failed = "q.vnnlib" in words[1]
        verdict = "error" if failed else "verified"
        return ChildOutcome(verdict, 1.0, None if failed else 0.5, "why", 10**8, 2 if failed else 0, None)

    monkeypatch.setattr(order, "verify_apart", verify_apart)
    return made


def kept(path: Path) -> list[dict[str, Any]]:
    """What the study beside the list holds."""
    with Study(path.with_name("instances.study.db")) as study:
        return study.records()


def test_lists_with_and_without_header(tmp_path: Path, listed: Path) -> None:
    plain = read_instances(listed)
    assert [(i.model, i.spec, i.timeout) for i in plain][1] == ("b.onnx", "q.vnnlib", 300.0)
    assert plain[0].model_path == tmp_path / "a.onnx"
    other = tmp_path / "other.csv"
    other.write_text("\ufeffvnnlib, onnx ,timeout\n\np.vnnlib,a.onnx,20\n", encoding="utf-8")
    assert [(i.model, i.spec, i.timeout) for i in read_instances(other)] == [("a.onnx", "p.vnnlib", 20.0)]


def test_a_gzipped_file_stands_in(tmp_path: Path, listed: Path) -> None:
    (tmp_path / "a.onnx.gz").touch()
    assert read_instances(listed)[0].model_path.name == "a.onnx.gz"


SEVERAL = "[('f', 'a.onnx'), ('f2', 'a.onnx'), ('g', 'sub/-b.onnx')]"
QUERY = """(vnnlib-version <2.0>) ; (declare-network g (equal-to f))
(declare-network f (declare-input X float32 [1]) (declare-output Y float32 [1]))
(declare-network f2 (equal-to f) (declare-input U float32 [1]) (declare-output V float32 [1]))
(declare-network g (declare-input P float32 [1]) (declare-output Q float32 [1]))
"""


@pytest.mark.parametrize("written", [f'"{SEVERAL}",q.vnnlib,20', f"{SEVERAL},q.vnnlib,20"])
def test_several_networks_are_a_query(tmp_path: Path, written: str) -> None:
    (tmp_path / "q.vnnlib").write_text(QUERY)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "-b.onnx.gz").touch()
    (tmp_path / "list.csv").write_text(f"[0].onnx,p.vnnlib,5\n{written}\n")
    plain, one = read_instances(tmp_path / "list.csv")
    assert plain.words == [str(tmp_path / "[0].onnx"), str(tmp_path / "p.vnnlib")]
    models = ["--network", f"f={tmp_path}/a.onnx", "--network", f"g={tmp_path}/sub/-b.onnx.gz"]
    assert one.words == [str(tmp_path / "q.vnnlib"), "--over-reals", *models]
    assert (one.spec, one.timeout, ast.literal_eval(one.model)) == (
        "q.vnnlib",
        20.0,
        ast.literal_eval(SEVERAL),
    )


def test_a_name_is_not_taken_for_an_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("list.csv").write_text("-a.onnx,-p.vnnlib\n")
    assert read_instances(Path("list.csv"))[0].words == ["./-a.onnx", "./-p.vnnlib"]


def test_a_list_of_several_networks_is_run(
    tmp_path: Path, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = tmp_path / "instances.csv"
    (tmp_path / "x.vnnlib").write_text(QUERY)
    (tmp_path / "a.onnx").write_text("one")
    listed.write_text("\"[('f', 'a.onnx'), ('g', 'b.onnx')]\",x.vnnlib,20\n")
    words = ["run", str(listed), "--counterexamples", str(tmp_path / "found"), "--proofs", str(tmp_path)]
    assert main(words) == 0 and main(words) == 0
    assert len(calls) == 1 and calls[0][0][0] == str(tmp_path / "x.vnnlib")
    assert calls[0][0][-1] == str(tmp_path / "found" / "0001_a+b_x.counterexample")
    assert [r["verdict"] for r in kept(listed)] == ["verified"]
    (tmp_path / "b.onnx").write_text("two")
    assert main(words) == 0 and len(calls) == 2, "another file is another question"


def test_every_bad_line_is_named(tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text(
        "a.onnx,p.vnnlib,soon\na.onnx,p.vnnlib,-3\nc.onnx\na.onnx,p.vnnlib,0\nok.onnx,p.vnnlib,1\n"
    )
    with pytest.raises(UsageError) as caught:
        read_instances(bad)
    assert all(f"line {n}" in str(caught.value) for n in (1, 2, 3, 4)) and "line 5" not in str(caught.value)
    bad.write_text("onnx,vnnlib,timeout\n")
    with pytest.raises(UsageError, match="empty"):
        read_instances(bad)


def test_a_list_is_run_and_kept(
    listed: Path, tmp_path: Path, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(listed), "--timeout", "10", "--seed", "3"]) == 0
    assert [t for _, t in calls] == [10.0, 10.0, 5.0]
    assert calls[0][0] == [str(tmp_path / "a.onnx"), str(tmp_path / "p.vnnlib"), "--seed", "3"]
    records = kept(listed)
    assert [r["verdict"] for r in records] == ["verified", "error", "verified"]
    assert all(r["provenance"]["python"] and r["settings"] == {"seed": "3"} for r in records)
    lines = (tmp_path / "instances.results.csv").read_text().splitlines()
    assert lines[0] == f"{tmp_path.name},a.onnx,p.vnnlib,0,holds,1.0"
    assert "2 verified" in capsys.readouterr().out


def test_resuming_skips_what_has_a_verdict(listed: Path, tmp_path: Path, calls: Calls) -> None:
    main(["run", str(listed)])
    calls.clear()
    assert main(["run", str(listed)]) == 0
    assert [w[1][-8:] for w, _ in calls] == ["q.vnnlib"], "only the failed instance runs again"
    assert [r["attempts"] for r in kept(listed)] == [1, 2, 1]
    calls.clear()
    main(["run", str(listed), "--seed", "1"])
    assert len(calls) == 3, "other settings are another run"
    calls.clear()
    main(["run", str(listed), "--fresh"])
    assert len(calls) == 3 and len(kept(listed)) == 6


def test_an_interrupted_run_keeps_what_it_has(
    listed: Path, tmp_path: Path, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole: Callable[..., ChildOutcome] = getattr(order, "verify_apart")  # noqa: B009 - the stand-in

    def broken(words: Sequence[str], timeout: float | None, children: Children) -> ChildOutcome:
        if len(calls) == 1:
            os.kill(os.getpid(), signal.SIGINT)
            while not children.ended:
                time.sleep(0.01)
        return whole(words, timeout, children)

    with monkeypatch.context() as patch:
        patch.setattr(order, "verify_apart", broken)
        assert main(["run", str(listed)]) == 130
    assert [r["verdict"] for r in kept(listed)] == ["verified", None, None]
    calls.clear()
    assert main(["run", str(listed)]) == 0
    assert len(calls) == 2


def test_output_elsewhere(listed: Path, tmp_path: Path, calls: Calls) -> None:
    place = tmp_path / "out.csv"
    words = ["run", str(listed), "--output", str(place), "--counterexamples", str(tmp_path / "ce")]
    assert main([*words, "--proofs", str(tmp_path / "proofs")]) == 0
    assert place.exists() and (tmp_path / "out.study.db").exists() and (tmp_path / "ce").is_dir()
    assert calls[0][0][-2:] == ["--proof", str(tmp_path / "proofs" / "0001_a_p.proof")]
    assert main(["run", str(listed), "--output", str(tmp_path / "no" / "out.csv")]) == 2


def test_a_child_is_measured_and_killed() -> None:
    done = run_child(
        [sys.executable, "-c", "print('hi'); x = bytearray(50_000_000); x[::4096] = b'1' * len(x[::4096])"],
        20,
    )
    assert (done.code, done.stdout, done.killed) == (0, "hi\n", False)
    before_exec = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # a fork begins as large as this
    assert done.peak_memory is None or 50e6 < done.peak_memory < max(1e9, 1.5 * before_exec)
    late = run_child([sys.executable, "-c", "import time; time.sleep(30)"], 0.3)
    assert late.killed and late.code == -signal.SIGKILL and 0.3 <= late.seconds < 2


def test_a_killed_child_takes_its_children_along(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time\n"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(30)'])\n"
        "print(p.pid, flush=True)\ntime.sleep(30)"
    )
    done = run_child([sys.executable, "-c", code], 0.7)
    time.sleep(0.2)
    status = Path(f"/proc/{done.stdout.strip()}/stat")
    assert not status.exists() or " Z " in status.read_text()


def test_an_interruption_ends_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []
    real = child._wait

    def wait(process: object) -> int | None:
        started.append(process.pid)  # type: ignore[attr-defined]
        return real(process)  # type: ignore[arg-type]

    monkeypatch.setattr(child, "_wait", wait)
    timer = threading.Timer(0.4, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        run_child([sys.executable, "-c", "import time; time.sleep(30)"], 20)
    with pytest.raises(ProcessLookupError):
        os.kill(started[0], 0)


@pytest.mark.parametrize(
    ("code", "out", "verdict", "expected"),
    [
        (0, "verified\n", Verdict.VERIFIED, "verified"),
        (130, "unknown\n", Verdict.UNKNOWN, "unknown"),
        (0, "unsat\n", Verdict.VERIFIED, "verified"),
        (0, "timed-out\n", Verdict.TIMEOUT, "timeout"),
        (0, "sat\n", Verdict.VERIFIED, "error"),
        (0, "falsified\n", Verdict.VERIFIED, "error"),
        (0, "", Verdict.VERIFIED, "error"),
        (4, "verified\n", Verdict.VERIFIED, "error"),
        (-9, "verified\n", Verdict.VERIFIED, "error"),
        (2, "", None, "error"),
    ],
)
def test_outcomes_are_believed_only_when_all_agrees(
    tmp_path: Path, code: int, out: str, verdict: Verdict | None, expected: str
) -> None:
    file = tmp_path / "r.json"
    if verdict is not None:
        file.write_text(Result(verdict, 1.0, reason="r").to_json())
    outcome = understood(child.Exit(code, 1.0, 5, out, "genbab: error: bad", False), file)
    assert outcome.verdict == expected
    assert (outcome.bound is None) and (outcome.result is None) == (expected == "error")


def test_an_instance_that_cannot_be_read_is_an_error_in_the_table(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    listed = tmp_path / "instances.csv"
    listed.write_text("none.onnx,none.vnnlib,20\n")
    assert main(["run", str(listed)]) == 0
    out = capfd.readouterr().out
    assert "1 error" in out and "no such file" in out
