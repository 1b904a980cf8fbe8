"""Verifications by portfolios: the same verdicts, other settings where the planned ones get nowhere."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from genbab.api import verify
from genbab.attack import Challenge
from genbab.bounds import Engine
from genbab.branch import DomainSearch
from genbab.cli.options.parser import parse
from genbab.cli.options.settings import settings_of
from genbab.cli.verify.spread import ClusterWords
from genbab.config import Config
from genbab.driver import prover as prover_module
from genbab.driver.crew import ATTACK, Rival, check_portfolio, rivals
from genbab.driver.crew import crew as crew_module
from genbab.driver.strategy import Strategy, strategy
from genbab.driver.turns import Turns
from genbab.errors import UsageError
from genbab.network import Nonlinear, evaluate
from genbab.nonlinear import make
from genbab.problem import queries
from genbab.reader import Model
from genbab.result import Verdict
from genbab.specs import Clause, Spec
from tests.test_driver import below, dense, hard, layered, random_spec, tiny

OTHERS = [
    Rival("neurons split", {"branching": "neuron"}),
    Rival("no regions", {"branching": "neuron", "retighten": "clipped"}),
    Rival("inputs split", {"branching": "input"}),
    Rival("either split", {"branching": "mixed"}),
]


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others help with searches that are too short to be worth it, too."""
    monkeypatch.setattr(crew_module, "ALONE", 0.0)


def _sines(room: float) -> tuple[Model, Spec]:
    """A sum of eight sines of two inputs, and that it is above its least value, less some room."""
    random = np.random.default_rng(3)
    rows = tuple(tuple(float(np.float32(w)) for w in row) for row in 3 * random.normal(size=(8, 2)))
    model = layered(dense(0, *rows), Nonlinear(make("sin"), (1,), 8), dense(2, (1.0,) * 8), inputs=2)
    ends = (-1.0,) * 2, (1.0,) * 2
    return model, below(_least(model, *ends) - room, *ends)


def _least(model: Model, low: Sequence[float], high: Sequence[float]) -> float:
    """The least output on a grid."""
    axes = [torch.linspace(*ends, 401, dtype=torch.float64) for ends in zip(low, high, strict=True)]
    return float(evaluate(model.network, torch.cartesian_prod(*axes)).min())


def _without_planned(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search as planned gets nowhere: only other settings can decide."""
    step, made, main = DomainSearch.step, prover_module.Prover._by_rival, [True]

    def by_rival(*given: Any) -> Any:
        main.clear()
        return made(*given)

    def slow(search: DomainSearch, state: Any) -> None:
        if main and os.getpid() != parent:
            time.sleep(600)
        step(search, state)

    parent = os.getpid()
    monkeypatch.setattr(prover_module.Prover, "_by_rival", by_rival)
    monkeypatch.setattr(DomainSearch, "step", slow)


@pytest.mark.parametrize("mode", ("input", "neuron", "mixed"))
def test_verdicts_agree_with_a_grid(mode: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prover_module, "rivals", lambda plan, config: OTHERS if config.portfolio else [])
    decided = 0
    for seed in range(2):
        model, network = tiny(seed)
        spec, violated = random_spec(seed, network)
        config = Config(timeout=4.0, branching=mode, workers=5, portfolio=True, attack_restarts=0)
        result = verify(model, spec, config)
        assert result.verdict != ("verified" if violated else "falsified"), (seed, result.reason)
        decided += result.verdict is Verdict.VERIFIED
    assert decided >= 1


@pytest.mark.parametrize(
    ("mode", "rival"),
    [("input", OTHERS[0]), ("input", OTHERS[3]), ("neuron", OTHERS[1]), ("neuron", OTHERS[2])],
)
def test_others_decide_where_the_plan_gets_nowhere(
    mode: Any, rival: Rival, monkeypatch: pytest.MonkeyPatch
) -> None:
    _without_planned(monkeypatch)
    monkeypatch.setattr(prover_module, "rivals", lambda plan, config: [rival] if config.portfolio else [])
    model, spec = _sines(0.1)
    result = verify(model, spec, Config(timeout=120, branching=mode, workers=2, portfolio=True))
    assert result.verdict is Verdict.VERIFIED and result.bound is not None and result.bound > 0
    assert result.statistics["portfolio"][rival.name]["decided"] == 1


@pytest.mark.parametrize("rival", OTHERS[:2] + OTHERS[3:])
def test_who_splits_neurons_decides_every_box(rival: Rival, monkeypatch: pytest.MonkeyPatch) -> None:
    """Splits of inputs take all boxes at once; the second one reaches the level, or does not."""
    _without_planned(monkeypatch)
    monkeypatch.setattr(Challenge, "refine", lambda *given: None)
    monkeypatch.setattr(prover_module, "rivals", lambda plan, config: [rival] if config.portfolio else [])
    model, _ = _sines(0.1)
    low, high = np.array([(-1.0, -1.0), (-0.5, -1.0)]), np.array([(-0.5, 1.0), (1.0, 1.0)])
    least = [_least(model, *ends) for ends in zip(low, high, strict=True)]
    for room, seconds in ((0.1, 120.0), (-1e-2, 5.0)):
        sides = least[0] - 0.1, least[1] - room
        clauses = [Clause(n, np.ones((1, 1)), None, np.array([side])) for n, side in enumerate(sides)]
        config = Config(timeout=seconds, branching="input", workers=2, portfolio=True, attack_restarts=0)
        result = verify(model, Spec(low, high, clauses, 1), config)
        assert (result.verdict is Verdict.VERIFIED) == (room > 0), (result.reason, result.statistics)


@pytest.mark.parametrize("mode", ("input", "neuron"))
def test_others_prove_nothing_false(mode: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same with a level that is just reached, and no attack."""
    monkeypatch.setattr(prover_module, "rivals", lambda plan, config: OTHERS if config.portfolio else [])
    model, spec = _sines(-1e-3)
    config = Config(timeout=4, branching=mode, workers=5, portfolio=True, attack_restarts=0)
    assert verify(model, spec, config).verdict in (Verdict.UNKNOWN, Verdict.TIMEOUT)


def test_one_that_only_attacks_finds_the_counterexample(monkeypatch: pytest.MonkeyPatch) -> None:
    attack, persist, only = Challenge.attack, Turns.persist, [False]

    def persistent(turns: Turns, clauses: Any) -> None:
        only[0] = True
        persist(turns, clauses)

    monkeypatch.setattr(Turns, "persist", persistent)
    monkeypatch.setattr(Challenge, "attack", lambda *given: attack(*given) if only[0] else None)
    monkeypatch.setattr(Challenge, "refine", lambda *given: None)
    monkeypatch.setattr(prover_module, "rivals", lambda plan, config: [ATTACK] if config.portfolio else [])
    model, spec = _sines(-1e-3)
    result = verify(model, spec, Config(timeout=120, branching="input", workers=2, portfolio=True))
    assert result.verdict is Verdict.FALSIFIED and result.counterexample is not None
    assert spec.violation(result.counterexample.x, result.counterexample.y) is not None
    assert result.statistics["portfolio"][ATTACK.name]["decided"] == 1


def test_some_workers_share_the_search_as_planned() -> None:
    model, spec = _sines(0.01)
    result = verify(model, spec, Config(timeout=120, branching="input", workers=4, portfolio=True))
    assert result.verdict is Verdict.VERIFIED and len(result.statistics["portfolio"]) == 3


def test_the_time_limit_holds_for_all() -> None:
    began = time.monotonic()
    spec = below(-15.0, (-1.0,) * 8, (1.0,) * 8)
    result = verify(hard(), spec, Config(timeout=3, workers=4, portfolio=True, attack_restarts=0))
    assert result.verdict is Verdict.TIMEOUT and result.bound is not None
    assert time.monotonic() - began < 60, "a busy machine takes longer, not forever"


def _plan(**settings: Any) -> tuple[Strategy, Config]:
    config, (model, spec) = Config(portfolio=True, **settings), _sines(0.1)
    engine = Engine.of(model.network, config, torch.device("cpu"), lambda: None)
    return strategy(engine, [queries(spec, engine.exact, torch.device("cpu"))], config), config


@pytest.mark.parametrize("mode", ("auto", "input", "neuron", "mixed"))
def test_at_most_half_of_the_workers_have_other_settings_each_its_own(mode: str) -> None:
    for workers in (2, 3, 4, 8, 64):
        plan, config = _plan(branching=mode, workers=workers)
        found = rivals(plan, config)
        assert 1 <= len(found) <= workers // 2 and len({rival.name for rival in found}) == len(found)
        for rival in found:
            own = rival.settings(config)
            assert own.workers == 1 and not own.portfolio and own.memory * workers <= config.memory
            planned = {"branching": plan.splits, "retighten": plan.retighten}
            now = {name: getattr(own, name) for name in planned}
            assert rival is ATTACK or {**planned, **rival.changes} != planned, now
    assert ATTACK not in rivals(plan, replace(config, attack_restarts=0)), "nobody is to attack"
    assert rivals(plan, replace(config, portfolio=False)) == []


def test_what_can_be_no_portfolio_is_refused() -> None:
    model, spec = _sines(0.1)
    with pytest.raises(UsageError, match="portfolio: workers = 1 leaves nobody"):
        verify(model, spec, Config(portfolio=True))
    with pytest.raises(UsageError, match="branching = none leaves nothing to search"):
        verify(model, spec, Config(portfolio=True, workers=2, branching="none"))
    with pytest.raises(UsageError, match="a proof is the record of one search"):
        check_portfolio(Config(portfolio=True, workers=2), proved=True)
    with pytest.raises(UsageError, match="searches that race are not deterministic"):
        verify(model, spec, Config(portfolio=True, deterministic=True))
    check_portfolio(Config(workers=2), proved=True)


def test_the_command_line_takes_it_without_a_value() -> None:
    words = ["verify", "model.onnx", "spec.vnnlib", "--workers", "2"]
    assert Config.from_text(settings_of(parse([*words, "--portfolio"]))).portfolio
    assert not Config.from_text(settings_of(parse(words))).portfolio
    options = parse([*words, "--portfolio", "--cluster", "ray:local"])
    with pytest.raises(UsageError, match="share one search: not --portfolio"):
        ClusterWords.of(options, Config.from_text(settings_of(options)))
    with pytest.raises(UsageError, match="--portfolio maybe: must be True or False"):
        Config.from_text({"portfolio": "maybe"})
