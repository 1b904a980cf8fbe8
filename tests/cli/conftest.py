"""The command line as a subprocess: the real one, and one with an engine that misbehaves on request."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from genbab.cli import main

ROOT = Path(__file__).resolve().parents[2]
FAKE = Path(__file__).with_name("fake_cli.py")
BOX = (
    "(declare-const X_0 Real)(declare-const Y_0 Real)"
    "(assert (>= X_0 0))(assert (<= X_0 1))(assert (<= Y_0 0))"
)


@dataclass(frozen=True)
class Said:
    """What a command said: exit code, stdout, stderr, wall seconds."""

    code: int
    out: str
    err: str
    seconds: float


Command = Callable[..., Said]


def environment() -> dict[str, str]:
    """The environment with this checkout importable, quiet threads."""
    path = os.pathsep.join(p for p in (str(ROOT), os.environ.get("PYTHONPATH", "")) if p)
    return {**os.environ, "PYTHONPATH": path, "OMP_WAIT_POLICY": "PASSIVE", "OMP_NUM_THREADS": "1"}


def run(words: list[str], cwd: Path) -> Said:
    """Run a command to its end."""
    began = time.monotonic()
    done = subprocess.run(words, capture_output=True, text=True, cwd=cwd, env=environment(), timeout=60)
    return Said(done.returncode, done.stdout, done.stderr, time.monotonic() - began)


@pytest.fixture
def genbab(tmp_path: Path) -> Command:
    """`genbab WORD...` in an empty folder."""
    return lambda *words: run([sys.executable, "-m", "genbab", *map(str, words)], tmp_path)


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """`genbab WORD...` in an empty folder, in this process: torch is loaded once for all such tests.

    Each command is told that it has a process of its own, which starts with it.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("genbab.cli.verify.verify.process_start", time.monotonic)

    def said(*words: object) -> Said:
        began = time.monotonic()
        capsys.readouterr()
        code = main([str(word) for word in words])
        return Said(code, *capsys.readouterr(), time.monotonic() - began)

    return said


@pytest.fixture
def fake(tmp_path: Path) -> Command:
    """`genbab WORD...` with the stand-in engine told how to behave: fake(behaviour, *words)."""
    return lambda how, *words: run([sys.executable, str(FAKE), how, *map(str, words)], tmp_path)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A model file (not really one) and a specification, for the stand-in engine."""
    model, spec = tmp_path / "model.onnx", tmp_path / "spec.vnnlib"
    model.write_text("stand-in")
    spec.write_text(BOX)
    return model, spec
