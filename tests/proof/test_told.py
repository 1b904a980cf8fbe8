"""`genbab verify` and `genbab.prove` have proofs checked, and say what the checker said."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

import genbab
from genbab.cli import main
from genbab.errors import UsageError
from tests.cli.conftest import BOX, FAKE, Said, environment
from tests.cli.conftest import run as ran

LIE = """
import sys
from genbab.cli import main
from genbab.proof import ProofFile, Subject
finish = ProofFile.finish
def other(self):
    self.subject = Subject("0" * 64, self.subject.specification)
    return finish(self)
ProofFile.finish = other
sys.exit(main(sys.argv[1:]))
"""
"""The command line with a search that writes proofs of something else."""


def verify(asked: tuple[Path, Path], program: Sequence[str], *options: str) -> tuple[Said, dict[str, object]]:
    """What `genbab verify` says, and the statistics of its JSON."""
    folder = asked[0].parent
    words = [sys.executable, *program, "verify", *map(str, asked), "--proof", "a.proof", "--json", "r.json"]
    said = ran([*words, *options], folder)
    facts: dict[str, object] = json.loads((folder / "r.json").read_text())["statistics"]
    return said, facts


def test_a_verdict_comes_with_an_accepted_proof(asked: tuple[Path, Path]) -> None:
    said, facts = verify(asked, ["-m", "genbab"], "--timeout", "60")
    assert said.code == 0 and said.out.splitlines()[0] == "verified"
    assert "  proof    a.proof: accepted (genbab-check " in said.out and "rejects" not in said.err
    check = facts["proof_check"]
    assert isinstance(check, dict) and facts["proof"] == "a.proof"
    assert check["outcome"] == "accepted" and check["seconds"] > 0
    assert check["bytes"] == (asked[0].parent / "a.proof").stat().st_size
    said, facts = verify(asked, ["-m", "genbab"], "--timeout", "60", "--check-proof", "0")
    assert "a.proof: not checked (" in said.out


def test_a_rejected_proof_is_a_warning_and_changes_no_verdict(asked: tuple[Path, Path]) -> None:
    said, facts = verify(asked, ["-c", LIE], "--timeout", "60", "--quiet")
    assert said.code == 0 and said.out == "verified\n"
    assert "rejects the proof" in said.err and "the verdict is wrong" in said.err
    check = facts["proof_check"]
    assert isinstance(check, dict) and check["outcome"] == "rejected" and "another model" in check["reason"]
    said, _ = verify(asked, ["-c", LIE], "--timeout", "60")
    assert "a.proof: rejected (" in said.out and "another model" in said.out


def test_python_says_the_same(asked: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "a.proof"
    config = genbab.Config(timeout=60.0)
    for model in (asked[0], asked[0].read_bytes()):
        result = genbab.prove(model, asked[1], out, config)
        assert result.verdict == "verified" and result.statistics["proof_check"]["outcome"] == "accepted"
    result = genbab.prove(*asked, out, config, check=0)
    assert result.statistics["proof_check"]["outcome"] == "not checked"
    with pytest.raises(UsageError, match="--check-proof"):
        genbab.prove(*asked, out, config, check=-1)


def slow(tmp_path: Path, *options: str) -> list[str]:
    """The stand-in engine that proves at once, with a check that has no end."""
    (tmp_path / "model.onnx").write_text("stand-in")
    (tmp_path / "spec.vnnlib").write_text(BOX)
    files = ["model.onnx", "spec.vnnlib", "--proof", "a.proof", "--json", "r.json"]
    return [sys.executable, str(FAKE), "slowly_checked", "verify", *files, *options]


def test_a_check_has_a_limit_of_its_own(tmp_path: Path) -> None:
    """The time limit of the search passes meanwhile, and counts for nothing."""
    said = ran(slow(tmp_path, "--timeout", "1.5", "--check-proof", "1"), tmp_path)
    assert said.code == 0 and said.out.splitlines()[0] == "verified"
    assert "a.proof: not checked (" in said.out and "more than 1 s" in said.out and 2 < said.seconds < 20
    data = json.loads((tmp_path / "r.json").read_text())
    assert data["seconds"] < 1.5 and data["statistics"]["proof_check"]["outcome"] == "not checked"


@pytest.mark.parametrize(("number", "name"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM")])
def test_a_signal_ends_the_check_and_not_the_verdict(
    tmp_path: Path, number: signal.Signals, name: str
) -> None:
    words = slow(tmp_path, "--timeout", "60")
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, cwd=tmp_path, env=environment(), text=True, start_new_session=True
    ) as process:
        late = time.monotonic() + 20
        while not (tmp_path / "checking").exists() and time.monotonic() < late:
            time.sleep(0.01)
        os.kill(process.pid, number)
        out, _ = process.communicate(timeout=10)
    assert process.returncode == 0 and out.splitlines()[0] == "verified"
    assert "not checked" in out and f"interrupted by {name}" in out
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def test_options_that_make_no_sense(
    asked: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (
        ["verify", *map(str, asked), "--check-proof", "5"],
        ["verify", *map(str, asked), "--check-proof", "soon", "--proof", str(tmp_path / "a")],
    ):
        assert main(words) == 2
        assert "--check-proof" in capsys.readouterr().err
