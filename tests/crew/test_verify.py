"""Verifications by several processes: the same verdicts, time limits that hold, losses that are said."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Any

import numpy as np
import pytest
import torch

from genbab.api import verify
from genbab.attack import Challenge
from genbab.branch.regions import search as search_module
from genbab.config import Config
from genbab.driver.crew import crew as crew_module
from genbab.driver.crew import local as local_module
from genbab.driver.crew import workers_of
from genbab.driver.crew.local import LocalMember
from genbab.errors import ResourceError, UsageError
from genbab.network import Nonlinear, evaluate
from genbab.nonlinear import make
from genbab.result import Progress, Verdict
from genbab.specs import Clause, Spec
from tests.test_driver import below, dense, hard, layered, random_spec, tiny


@pytest.fixture(autouse=True)
def _shared_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Searches that are too short to be worth it are shared, too."""
    monkeypatch.setattr(crew_module, "ALONE", 0.0)
    monkeypatch.setattr(search_module, "FIRST", 0.01)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[LocalMember]:
    """The members of all crews."""
    found: list[LocalMember] = []

    class Noted(LocalMember):
        def __init__(self, *given: object) -> None:
            super().__init__(*given)  # type: ignore[arg-type]
            found.append(self)

    monkeypatch.setattr(local_module, "LocalMember", Noted)
    return found


@pytest.mark.parametrize("mode", ("auto", "neuron", "mixed"))
def test_verdicts_agree_with_a_grid(mode: Any, started: list[LocalMember]) -> None:
    decided = 0
    for seed in range(4):
        model, network = tiny(seed)
        spec, violated = random_spec(seed, network)
        seconds = 30.0 if violated is False else 1.0
        result = verify(model, spec, Config(timeout=seconds, branching=mode, workers=2, attack_restarts=0))
        assert result.verdict != ("verified" if violated else "falsified"), (seed, result.reason)
        decided += result.verdict is Verdict.VERIFIED
    assert decided >= 1
    assert not any(member.process.is_alive() for member in started)


@pytest.mark.parametrize(("mode", "room"), [("input", 0.01), ("neuron", 0.03)])
def test_a_crew_proves_what_one_process_proves(mode: Any, room: float, started: list[LocalMember]) -> None:
    random = np.random.default_rng(3)
    rows = tuple(tuple(float(np.float32(w)) for w in row) for row in 3 * random.normal(size=(8, 2)))
    model = layered(dense(0, *rows), Nonlinear(make("sin"), (1,), 8), dense(2, (1.0,) * 8), inputs=2)
    grid = torch.cartesian_prod(*2 * [torch.linspace(-1.0, 1.0, 401, dtype=torch.float64)])
    spec = below(float(evaluate(model.network, grid).min()) - room, (-1.0,) * 2, (1.0,) * 2)
    results = [verify(model, spec, Config(timeout=60, branching=mode, workers=n)) for n in (1, 3)]
    assert [r.verdict for r in results] == [Verdict.VERIFIED] * 2
    assert started and all(r.bound is not None and r.bound > 0 for r in results)
    assert results[1].statistics["domains"] >= 3


def test_a_member_finds_the_counterexample(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only members attack: what they find is what the crew says, replayed."""
    model, network = tiny(2)
    low, high = np.full(2, -0.75), np.full(2, 0.75)
    grid = torch.cartesian_prod(*2 * [torch.linspace(-0.75, 0.75, 201, dtype=torch.float64)])
    values = evaluate(network, grid)[:, 0]
    level = float(values.min()) + 1e-3 * float(values.max() - values.min())
    spec = Spec(low[None], high[None], (Clause(0, np.array([[1.0, 0.0]]), None, np.array([level])),), 2)
    mine, attack, refine = os.getpid(), Challenge.attack, Challenge.refine

    def elsewhere(function: Any) -> Any:
        return lambda *given: None if os.getpid() == mine else function(*given)

    monkeypatch.setattr(Challenge, "attack", elsewhere(attack))
    monkeypatch.setattr(Challenge, "refine", elsewhere(refine))
    result = verify(model, spec, Config(timeout=60, branching="input", workers=2))
    assert result.verdict is Verdict.FALSIFIED and result.counterexample is not None
    assert spec.violation(result.counterexample.x, result.counterexample.y) is not None


def test_the_time_limit_holds_for_all(started: list[LocalMember]) -> None:
    began = time.monotonic()
    result = verify(
        hard(), below(-15.0, (-1.0,) * 8, (1.0,) * 8), Config(timeout=3, workers=2, attack_restarts=0)
    )
    assert result.verdict is Verdict.TIMEOUT and result.bound is not None
    assert time.monotonic() - began < 30 and len(started) == 2, "a busy machine takes longer, not forever"
    assert not any(member.process.is_alive() for member in started)


def test_a_worker_that_is_killed_is_an_error_and_no_verdict(started: list[LocalMember]) -> None:
    def kill(progress: Progress) -> None:
        if started and progress.stage == "branching":
            os.kill(started[-1].process.pid or 0, signal.SIGKILL)

    with pytest.raises(ResourceError, match="was ended by signal 9; memory may have run out"):
        verify(
            hard(),
            below(-15.0, (-1.0,) * 8, (1.0,) * 8),
            Config(timeout=60, workers=2, attack_restarts=0),
            kill,
        )
    assert not any(member.process.is_alive() for member in started)


def test_auto_means_the_cores_where_they_can_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew_module, "available_cores", lambda: 6)
    cpu, cuda = torch.device("cpu"), torch.device("cuda", 0)
    assert [workers_of(Config(workers=n), cpu) for n in (1, 3, None)] == [1, 3, 6]
    assert [workers_of(Config(workers=n), cuda) for n in (1, None)] == [1, 1]
    assert workers_of(Config(workers=None, deterministic=True), cpu) == 1
    with pytest.raises(UsageError, match="workers = 3: they share the cores of a CPU, not cuda:0; use 1"):
        workers_of(Config(workers=3), cuda)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert workers_of(Config(workers=None), cpu) == 1
    with pytest.raises(UsageError, match="processes cannot be copied on darwin"):
        workers_of(Config(workers=2), cpu)
