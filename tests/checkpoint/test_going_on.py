"""A run that is killed anywhere and taken up again ends as if nothing had happened; little is done twice."""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

import genbab
from genbab.attack import Attacker, AttackOutcome
from genbab.bounds import Engine
from genbab.checkpoint import AskedFiles, Checkpoint, read_checkpoint
from genbab.config import Config
from genbab.driver import prover
from genbab.driver.ledger import Ledger
from genbab.driver.root import optimised
from genbab.driver.saved.saver import Saver
from genbab.driver.turns import Turns
from genbab.result import Verdict
from genbab.system.deadline import Deadline
from tests.checkpoint.questions import WAYS, Files, Killed, Killer, config, small

MOST = 40
"""Runs after which a search that is killed ever again should have ended."""


def taken_up(question: Files, killer: Killer, monkeypatch: pytest.MonkeyPatch, way: str) -> genbab.Result:
    """The verdict of a run that is killed again and again."""
    for number in range(MOST):
        try:
            with killer.at_work(monkeypatch):
                return genbab.resume(question.kept) if number else question.begin(way)
        except Killed:
            assert question.kept.exists()
    return genbab.resume(question.kept)


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("seed", range(2))
def test_killed_after_any_round(files: Files, way: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    undisturbed = files.verify(way)
    killer = Killer(seed, 0.4)
    result = taken_up(files, killer, monkeypatch, way)
    assert result.verdict is undisturbed.verdict is Verdict.VERIFIED and killer.kills, result.reason
    assert result.bound is not None and result.bound > 0
    assert not files.kept.exists(), "a final verdict leaves nothing to go on with"
    if way == "inputs":  # which do not depend on the time
        lost = 4 * killer.kills  # the round after the last write
        assert killer.bounded <= 1.1 * undisturbed.statistics["domains"] + lost
        assert result.statistics["domains"] <= undisturbed.statistics["domains"] * 1.1


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("way", ("inputs", "neurons"))
def test_several_boxes_are_each_decided_once(files: Files, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    files.ask(0.06, boxes=3)
    killer = Killer(1, 0.3)
    assert taken_up(files, killer, monkeypatch, way).verdict is Verdict.VERIFIED and killer.kills
    before = killer.bounded
    undisturbed = files.verify(way).statistics["domains"]
    assert before <= 1.5 * undisturbed + 8 * killer.kills, "what was decided is decided again"


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("stage", (1, 2))
def test_a_stage_of_the_root_is_not_done_twice(
    files: Files, stage: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that dies in a stage of the root begins again with that stage."""
    done: list[int] = []
    dies = True

    def dying(*words: Any) -> Any:
        done.append(len(done))
        if dies and done[-1] == stage:
            raise Killed
        return optimised(*words)

    monkeypatch.setattr(prover, "PROMPT", 2.0)
    monkeypatch.setattr(prover, "optimised", dying)
    with pytest.raises(Killed):
        files.begin("neurons")
    done.clear()
    dies = False
    assert genbab.resume(files.kept).verdict is Verdict.VERIFIED
    assert len(done) == 3 - stage


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("way", ("inputs", "regions"))
def test_what_is_false_is_found_after_going_on(
    files: Files, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.ask(-0.01)
    nothing = AttackOutcome(None, np.zeros((0, 1)), np.zeros(0), np.zeros(0, dtype=np.int64))
    monkeypatch.setattr(Attacker, "run", lambda *_, **__: nothing)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Attacker, "refine", lambda *_, **__: nothing)
        with Killer(0, 0.5).at_work(monkeypatch):
            files.begin(way)
    result = genbab.resume(files.kept)
    assert result.verdict is Verdict.FALSIFIED and not files.kept.exists()


def test_a_time_limit_leaves_a_run_to_go_on_with(files: Files) -> None:
    """Each run has a time limit of its own; history and seconds go on."""
    seen: list[genbab.Result] = [files.begin(timeout=0.5)]
    assert seen[0].statistics["checkpoint"] == str(files.kept) and "earlier seconds" not in seen[0].statistics
    while seen[-1].verdict is Verdict.TIMEOUT and len(seen) < MOST:
        kept = read_checkpoint(files.kept)
        seen.append(genbab.resume(files.kept, timeout=0.5 + 0.2 * len(seen)))
        assert seen[-1].statistics["earlier seconds"] == pytest.approx(kept.seconds, abs=1e-3)
        history = seen[-1].statistics["history"]
        assert history[: len(kept.history)] == kept.history and history == sorted(history)
    assert seen[-1].verdict is Verdict.VERIFIED and len(seen) > 1
    assert "checkpoint" not in seen[-1].statistics
    earlier = [one.seconds for one in seen[:-1]]
    assert seen[-1].statistics["earlier seconds"] == pytest.approx(sum(earlier), abs=0.2)


def test_a_run_goes_on_with_other_settings(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    with Killer(1, 0.3).at_work(monkeypatch), pytest.raises(Killed):
        files.begin("neurons")
    changes: dict[str, Any] = {"batch": 9, "memory": 1 << 28, "child_steps": 2, "branching_score": "babsr"}
    result = genbab.resume(files.kept, seed=5, timeout=60.0, search_dtype="float64", **changes)
    assert result.verdict is Verdict.VERIFIED


def test_where_a_checkpoint_cannot_be_written_the_run_goes_on(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.kept.parent.joinpath("no").mkdir()
    gone = Files(files.model, files.spec, files.kept.parent / "no" / "where" / "x")
    assert gone.begin().verdict is Verdict.VERIFIED
    late = gone.begin(timeout=0.3)
    assert late.verdict is Verdict.TIMEOUT and late.statistics["checkpoint"].startswith("none: cannot write")


@pytest.mark.parametrize(("every", "cost"), [(60.0, 0.1), (60.0, 4.0), (0.5, 0.2)])
def test_writing_takes_a_small_share_of_the_time(
    every: float, cost: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock of our own: no more than 3 %, and no time limit is overrun by the last write."""
    clock, network = [100.0], small()
    asked = AskedFiles("m", "s", "", "")
    checkpoint = Checkpoint(Path("nowhere"), asked, config("inputs"), every)
    written: list[float] = []

    def write(*_: object) -> int:
        written.append(clock[0])
        clock[0] += cost
        return 1

    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(checkpoint, "write", write)
    ledger = Ledger(Deadline(1000.0), lambda _: None)
    turns = SimpleNamespace(challenge=SimpleNamespace(settled=frozenset()), rounds=0)
    saver = Saver(checkpoint, Config(), Engine(network, network, 1 << 28), ledger, cast(Turns, turns))
    while not ledger.deadline.expired:
        clock[0] += 0.05
        saver.due()
    assert len(written) * cost <= 0.03 * 1000 + cost
    assert all(b - a <= 1.01 * max(every, 37 * cost) + 0.05 for a, b in itertools.pairwise(written))
    assert clock[0] + cost <= 100.0 + 1000.0, "the last write is late"
