"""`genbab verify --checkpoint` and `genbab resume`: processes that are killed, stopped, or out of time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.checkpoint.questions import FEW, WAYS, Files

from .conftest import Command, environment

ONE_ROUND = {**FEW, "batch": 1}


@pytest.fixture
def asked(tmp_path: Path) -> Files:
    """A question that takes some seconds."""
    return Files.asking(tmp_path, 0.03)


def words(files: Files, way: str) -> list[str]:
    """A command that keeps its run, writing whenever it may."""
    given = {**WAYS[way], **ONE_ROUND}
    settings = [f"--{name.replace('_', '-')}={value}" for name, value in given.items()]
    places = [str(files.model), str(files.spec), "--checkpoint", str(files.kept)]
    return [*places, "--checkpoint-every", "0.001", "--quiet", *settings]


def started(files: Files, way: str) -> subprocess.Popen[str]:
    """The command in a process of its own, once it has written a search."""
    command = [sys.executable, "-m", "genbab", "verify", *words(files, way)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(command, cwd=files.kept.parent, env=environment(), text=True, **pipes)  # type: ignore[call-overload]
    late = time.monotonic() + 60
    while time.monotonic() < late and process.poll() is None:
        if files.kept.exists() and files.kept.stat().st_size > 10_000:
            break
        time.sleep(0.005)
    found: subprocess.Popen[str] = process
    return found


@pytest.mark.parametrize(("way", "wait"), [("inputs", 0.0), ("inputs", 0.4), ("regions", 0.2)])
def test_a_process_that_is_killed_leaves_what_it_had(
    asked: Files, inside: Command, way: str, wait: float
) -> None:
    asked.ask(0.03 if way == "inputs" else 0.1)
    with started(asked, way) as process:
        time.sleep(wait)
        process.kill()
        process.communicate(timeout=20)
    assert process.returncode == -signal.SIGKILL and asked.kept.exists(), "it was too fast for this test"
    said = inside("resume", asked.kept, "--batch", "64", "--threads", "1", "--memory", "512MiB")
    assert (said.code, said.out.splitlines()[0], said.err) == (0, "verified", "")
    assert not asked.kept.exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_a_run_where_it_can_go_on(
    asked: Files, inside: Command, number: signal.Signals, code: int
) -> None:
    with started(asked, "inputs") as process:
        os.kill(process.pid, number)
        os.kill(process.pid, number)  # as `timeout` does
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (code, "unknown\n", "")
    said = inside("resume", asked.kept, "--json", "r.json", "--batch", "64", "--trace", "t.jsonl")
    assert said.code == 0 and said.out.splitlines()[0] == "verified"
    result = json.loads(asked.kept.with_name("r.json").read_text())
    assert result["statistics"]["earlier seconds"] > 0 and result["model"] == str(asked.model)
    lines = [json.loads(line) for line in asked.kept.with_name("t.jsonl").read_text().splitlines()]
    assert lines[0]["t"] >= result["statistics"]["earlier seconds"] - 5e-4 and lines[-1]["event"] == "end"


def test_the_time_limit_holds_and_says_how_to_go_on(asked: Files, inside: Command) -> None:
    began = time.monotonic()
    said = inside("verify", *words(asked, "inputs")[:-1], "--batch=1", "--timeout", "1.5")
    assert said.code == 0 and time.monotonic() - began < 10
    assert said.out == "timeout\n"
    said = inside("resume", asked.kept, "--timeout", "0.5")
    assert said.out.splitlines()[0] == "timeout" and f"genbab resume {asked.kept} goes on" in said.out
    moved = asked.kept.with_name("moved")
    asked.model.rename(asked.model.with_name("elsewhere.onnx"))
    said = inside("resume", asked.kept)
    assert said.code == 2 and "model.onnx" in said.err
    places = (asked.model.with_name("elsewhere.onnx"), asked.spec)
    said = inside("resume", asked.kept, *places, "--timeout", "120", "--batch", "64", "--checkpoint", moved)
    assert said.out.splitlines()[0] == "verified"
    assert asked.kept.exists() and not moved.exists(), "what another run goes on from is not its own"


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (["--proof", "p"], "runs that write a proof (--proof)"),
        (["--nap", "n", "--nap-class", "1"], "activation patterns (--nap)"),
        (["--checkpoint-every", "0"], "positive number of seconds"),
        (["--checkpoint-every", "soon"], "positive number of seconds"),
        (["--checkpoint", "no/where"], "cannot write"),
        (["--checkpoint", "."], "must name a file"),
        (["--checkpoint", "model.onnx"], "is there already"),
        (["--checkpoint", "r", "--json", "r"], "must differ"),
    ],
)
def test_what_cannot_be_kept_is_refused_first(
    fake: Command, pair: tuple[Path, Path], more: list[str], named: str
) -> None:
    said = fake("verified", "verify", *pair, "--checkpoint", "c", *more)
    assert (said.code, said.out) == (2, "") and named in said.err


def test_an_interval_without_a_checkpoint(fake: Command, pair: tuple[Path, Path]) -> None:
    said = fake("verified", "verify", *pair, "--checkpoint-every", "5")
    assert said.code == 2 and "without --checkpoint FILE" in said.err


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (["none"], "cannot read the checkpoint none"),
        (["model.onnx"], "model.onnx is no checkpoint, or it is damaged"),
        (["model.onnx", "model.onnx"], "SPEC is missing"),
        (["model.onnx", "--output", "y"], "unknown argument: --output"),
        (["model.onnx", "--timeout", "never"], "--timeout never"),
    ],
)
def test_what_cannot_be_taken_up(fake: Command, pair: tuple[Path, Path], more: list[str], named: str) -> None:
    said = fake("verified", "resume", *more)
    assert (said.code, said.out) == (2, "") and named in said.err
