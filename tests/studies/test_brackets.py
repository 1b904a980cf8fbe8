"""Bisections against verifiers that are told where the truth lies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import genbab
from genbab import Config, Counterexample, Result, Spec, UsageError, Verdict
from genbab.errors import DeadlineReached
from genbab.nap import Pattern
from genbab.reader import Model
from genbab.studies.work import bisection, extremes

TOLERANCE, LARGEST = 0.02, 1.0
CENTRE = np.full(2, 0.5)
DETAILS = {"label": 0, "eps": LARGEST, "norm": "inf", "bounds": None, "tolerance": TOLERANCE}


@pytest.fixture(scope="module")
def model() -> Model:
    torch.manual_seed(0)
    return genbab.load(nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 2)).eval(), torch.zeros(1, 2))


def radius_in(spec: Spec) -> float:
    return float((spec.upper - spec.lower).max() / 2)


def oracle(truth: float, decided: Callable[[float], bool]) -> Callable[..., Result]:
    """A verifier that knows the radius `truth`, where it decides at all."""

    def verify(model: Model, spec: Spec, config: Config) -> Result:
        eps = radius_in(spec)
        if not decided(eps):
            return Result(Verdict.TIMEOUT, 0.0, None, "late")
        if eps <= truth:
            return Result(Verdict.VERIFIED, 0.0, 1.0, "proved")
        found = Counterexample((CENTRE + (truth + eps) / 2).astype(np.float32), np.zeros(2))
        return Result(Verdict.FALSIFIED, 0.0, None, "found", counterexample=found)

    return verify


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, model: Model) -> Callable[..., Any]:
    def ask(truth: float, warm: float, decided: Callable[[float], bool] = lambda eps: True) -> Any:
        monkeypatch.setattr(bisection, "warm", lambda *_: warm)
        monkeypatch.setattr(bisection, "verify", oracle(truth, decided))
        found = (
            Counterexample((CENTRE + LARGEST).astype(np.float32), np.zeros(2)) if truth < LARGEST else None
        )
        monkeypatch.setattr(bisection, "attack", lambda *_: found)
        return bisection.radius(model, CENTRE, DETAILS, Config(timeout=20), {})

    return ask


@pytest.mark.parametrize("truth", [0.0003, 0.01, 0.13, 0.5, 0.97])
@pytest.mark.parametrize("warm", [0.0, 0.05, 0.9, 1.0])
def test_a_bracket_is_closed_however_it_begins(told: Callable[..., Any], truth: float, warm: float) -> None:
    start = warm * truth
    answer = told(truth, start)
    certified, broken = answer.result["certified"], answer.result["broken"]
    assert certified <= truth < broken <= (1 + 1e-6) * certified / (1 - TOLERANCE)
    assert answer.verdict == "falsified"


def test_all_certified_and_nothing_certified(told: Callable[..., Any]) -> None:
    assert told(2.0, 0.01).verdict == "verified"
    nothing = told(0.0, 0.0)
    assert nothing.result["certified"] == 0.0 and nothing.result["broken"] <= 1e-3


def test_something_is_broken_where_the_middle_is_undecided(told: Callable[..., Any]) -> None:
    answer = told(0.3, 0.2, lambda eps: eps < 0.25)
    assert answer.verdict == "unknown" and "neither was shown" in answer.reason
    assert 0.24 < answer.result["certified"] <= 0.25
    assert answer.result["broken"] == LARGEST and answer.result["counterexample"]["x"] == [1.5, 1.5]


def test_a_sample_outside_of_its_pattern_is_said(
    told: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(DETAILS, "pattern", Pattern(0, 1.0, 1, ()).to_dict())
    for follows in (True, False):
        monkeypatch.setattr(Pattern, "follows", lambda *_, follows=follows: np.array([follows]))
        assert ("does not follow the pattern" in told(0.3, 0.1).reason) is not follows


@pytest.mark.parametrize("seed", range(20))
def test_ranges_close_on_both_sides_of_what_is_undecided(
    seed: int, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The truth is enclosed, and whatever is outside of the undecided values is decided."""
    random = np.random.default_rng(seed)
    truth, low, high = random.uniform(-1, 1), *np.sort(random.uniform(-1.5, 1.5, 2))
    low, high = (9.0, -9.0) if seed % 4 == 0 else (min(low, truth), max(high, truth))

    def verify(model: Model, spec: Spec, config: Config) -> Result:
        value = -float(spec.clauses[0].rhs[0])
        if low <= value <= high:
            return Result(Verdict.TIMEOUT, 0.0, None, "late")
        if value > truth:
            return Result(Verdict.VERIFIED, 0.0, 1.0, "proved")
        found = Counterexample(CENTRE.astype(np.float32), np.array([(value + min(truth, low)) / 2, 0.0]))
        return Result(Verdict.FALSIFIED, 0.0, None, "found", counterexample=found)

    monkeypatch.setattr(extremes, "verify", verify)
    monkeypatch.setattr(extremes, "_outer", lambda *_: 2.0)
    monkeypatch.setattr(extremes, "_start", lambda *_: (CENTRE, -2.0))
    details = {"output": 0, "sign": 1.0, "tolerance": 0.01}
    answer = extremes.extreme(model, np.zeros(2), np.ones(2), details, Config(timeout=20))
    certified, attained = answer.result["certified"], answer.result["attained"]
    assert attained <= truth <= certified
    room = 2 * 0.01 * 4.0
    assert certified <= max(truth, high) + room and attained >= min(truth, low) - room
    if low > high:
        assert answer.verdict == "verified" and certified - attained <= 0.01 * 4.0
    elif high - low > room:
        assert answer.verdict == "unknown" and "neither was shown" in answer.reason


def test_the_best_bound_proved_so_far_counts(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"interval": 9.0, "backward": 5.0}
    asked = []

    def bounds(model: Model, low: Any, high: Any, method: str, config: Config, **more: Any) -> Any:
        asked.append(method)
        if method not in values:
            raise DeadlineReached("late")
        return None, torch.tensor([[values[method]]])

    monkeypatch.setattr(extremes, "bounds", bounds)
    row, end = np.ones((1, 2)), float("inf")
    assert extremes._outer(model, (CENTRE, CENTRE), row, Config(), end) == 5.0
    assert asked == ["interval", "backward", "optimised"]
    del values["backward"]
    assert extremes._outer(model, (CENTRE, CENTRE), row, Config(), end) == 9.0


def test_a_range_in_no_time_is_still_certified(model: Model) -> None:
    low, high = -np.ones(2), np.ones(2)
    found = genbab.output_range(model, low, high, timeout=1e-6).outputs
    x = torch.rand(500, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    from genbab.network import evaluate

    y = evaluate(model.network, x).numpy()
    assert all(o.lower <= y[:, o.index].min() and y[:, o.index].max() <= o.upper for o in found)


@pytest.mark.parametrize("outputs", [[0.7], "1", 1, [2], [-1], []])
def test_outputs_are_whole_numbers(model: Model, outputs: Any) -> None:
    with pytest.raises(UsageError, match="outputs = "):
        genbab.output_range(model, np.zeros(2), np.ones(2), outputs)


def test_ends_of_ranges_are_read_or_refused(model: Model) -> None:
    low = torch.zeros(2, requires_grad=True)
    assert genbab.output_range(model, low, low).outputs[0].lower <= 1.0
    with pytest.raises(UsageError, match="upper: input 1 is not finite"):
        genbab.output_range(model, low, torch.tensor([0.0, np.inf]))
    with pytest.raises(UsageError, match="upper: expected 2 numbers, found 3"):
        genbab.output_range(model, low, torch.zeros(3))
