"""Several processes: the same answers as from one, and whatever ends them is never an acceptance."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genbab.check import VERSION
from genbab.check.__main__ import main
from genbab.check.several import processes
from genbab.check.tree import Check
from tests.check.files import network, specification, written
from tests.check.test_proofs import HIGH, LOW, SIZES, least, mutate
from tests.house.source import ROOT

DEEP = ("--extra-splits", "12")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A question whose answer is yes by a little, and one whose answer is no by a little."""
    data = network(SIZES, "Relu", seed=8)
    low = least(data)
    made = []
    for name, limit in (("true", low - 0.01), ("false", low + 0.001)):
        place = tmp_path_factory.mktemp(name)
        (place / "m.onnx").write_bytes(data)
        (place / "s.vnnlib").write_text(specification(LOW, HIGH, 1, f"(assert (<= Y_0 {limit!r}))"))
        written(place, LOW, HIGH)
        made.append(place)
    return made[0], made[1]


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes take turns after every few nodes, so that small proofs use them."""
    monkeypatch.setattr(processes, "MOMENT", 1e-3)


def words(folder: Path, *options: str) -> list[str]:
    return [str(folder / name) for name in ("m.onnx", "s.vnnlib", "proof")] + list(options)


def said(folder: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, dict[str, Any]]:
    """The exit code and the object."""
    code = main(words(folder, "--json", *options))
    out, err = capsys.readouterr()
    assert not err
    found: dict[str, Any] = json.loads(out)
    return code, found


def test_both_answers_are_those_of_one_process(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    for folder, expected in zip(folders, (0, 1), strict=True):
        for number in ("1", "2", "3"):
            code, found = said(folder, capsys, *DEEP, "--processes", number)
            assert code == expected and found["outcome"] == ("accepted", "rejected")[code]
            assert code == 0 or "node 0: disjunct 0 is not refuted" in found["reason"]
            assert code == 1 or found["extra"] > 10


def test_counts_are_added_up(folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """Every node of a tree whose leaves need no splits is counted once."""
    grid = [(0, -1, 0, 0.0), (1, -1, 1, 0.0), (2, -1, 1, 0.0)]
    written(folders[0], LOW, HIGH, grid)
    one, three = (said(folders[0], capsys, *DEEP, "--processes", n)[1] for n in ("1", "3"))
    written(folders[0], LOW, HIGH)
    for name in ("boxes", "nodes", "leaves"):
        assert one[name] == three[name]
    assert one["nodes"] == 7 and one["leaves"] == 4


def test_nothing_false_is_accepted_by_several(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    rng, codes = np.random.default_rng(1), []
    true, false = folders
    tree = [(0, -1, 0, 0.0), (1, -1, 1, 0.0), (2, -1, 1, 0.0), (3, -1, 0, -0.5), (6, -1, 1, 0.5)]
    for _ in range(12):
        changed, header, arrays, high = mutate(rng, list(tree))
        for place, wanted in ((true, (0, 1, 2)), (false, (1, 2))):
            written(place, LOW, high, changed, header, arrays)
            alone, several = (said(place, capsys, *DEEP, "--processes", n)[0] for n in ("1", "2"))
            assert alone == several and alone in wanted
            codes.append(alone)
    for place in folders:
        written(place, LOW, HIGH)
    assert {0, 1, 2} <= set(codes)


def killed(check: Check, pipe: object, others: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def dies_at_work(check: Check, pipe: Any, others: object) -> None:
    pipe.recv()
    os._exit(0)


def sends_half(check: Check, pipe: Any, others: object) -> None:
    pipe.recv()
    os.write(pipe.fileno(), (1000).to_bytes(4, "big") + b"half of it")
    os._exit(0)


def sleeps(check: Check, pipe: object, others: object) -> None:
    time.sleep(60)


def raises(check: Check, pipe: Any, others: object) -> None:
    pipe.recv()
    pipe.send(KeyError("a fault"))


@pytest.mark.parametrize(
    ("work", "reason"),
    [
        (killed, "ended early"),
        (dies_at_work, "ended early"),
        (sends_half, "ended early"),
        (sleeps, "time is up"),
        (raises, "KeyError"),
    ],
)
def test_a_process_that_fails_is_said_and_nothing_is_accepted(
    folders: tuple[Path, Path],
    work: Callable[..., None],
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(processes, "_work", work)
    began = time.monotonic()
    code, found = said(folders[0], capsys, *DEEP, "--processes", "2", "--limit-seconds", "1.5")
    assert code == 2 and found["outcome"] == "unfinished" and reason in found["reason"]
    assert time.monotonic() - began < 10


def test_a_system_without_copies_of_processes_says_so(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("multiprocessing.get_all_start_methods", lambda: ["spawn"])
    code, found = said(folders[0], capsys, *DEEP, "--processes", "2")
    assert code == 2 and "--processes" in found["reason"]


SLOW = """
import sys, time
from genbab.check import tree
from genbab.check.several import processes
from genbab.check.__main__ import main
def run(self, seconds):
    self.waiting = self.waiting or self._roots()
    time.sleep(0.1)
    return self.counts
tree.Check.run = run
print("begun", file=sys.stderr, flush=True)
sys.exit(main(sys.argv[1:]))
"""
"""The checker, with work that never ends."""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_processes_end_with_the_first_one(folders: tuple[Path, Path], number: signal.Signals) -> None:
    command = [sys.executable, "-c", SLOW, *words(folders[0], "--processes", "2")]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, env=env, start_new_session=True, stderr=subprocess.PIPE, text=True
    ) as begun:
        assert begun.stderr is not None and begun.stderr.readline() == "begun\n"
        time.sleep(1.0)
        begun.send_signal(number)
        begun.wait(10)
        assert begun.returncode == (130 if number == signal.SIGINT else -number)
        late = time.monotonic() + 10
        while time.monotonic() < late and there(begun.pid):
            time.sleep(0.05)
        assert not there(begun.pid) and "Traceback" not in begun.stderr.read()


def there(group: int) -> bool:
    """Whether any process of a group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_lines_of_progress_and_the_version(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("genbab.check.__main__.EVERY", 0.0)
    assert main(words(folders[0], *DEEP, "--progress")) == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines and all(" nodes, " in line and " open, " in line for line in lines)
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"genbab-check {VERSION}\n"


def test_what_is_refused_is_told_from_what_is_not_finished(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(folders[0], capsys, "--limit-seconds", "0")[1]["outcome"] == "unfinished"
    code = main(["--json", str(tmp_path / "none"), str(tmp_path / "none"), str(folders[0] / "proof")])
    found = json.loads(capsys.readouterr().out)
    assert code == 2 and found["outcome"] == "refused" and found["checker"] == VERSION
