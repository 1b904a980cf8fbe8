"""Whole runs on tiny networks against brute force, and how runs end that cannot decide."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from genbab.amounts import SMALLEST_MEMORY
from genbab.api import verify
from genbab.attack import AttackEffort, Attacker, AttackOutcome, Replayer
from genbab.branch.open import pool
from genbab.branch.open.spill import Spill, SpillFull
from genbab.config import Config
from genbab.network import Affine, Dense, Input, Network, Node, Nonlinear, evaluate
from genbab.nonlinear import Product, functions, make
from genbab.reader import Model, load_onnx
from genbab.result import Counterexample, Progress, Verdict
from genbab.specs import Clause, Spec
from tests.soundness.graphs import random_network, to_onnx

MODES = ("auto", "input", "neuron", "mixed", "none")
SECONDS = 1.5


@pytest.fixture
def no_attack(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The attack finds nothing."""

    def nothing(*_: object, **__: object) -> AttackOutcome:
        return AttackOutcome(None, np.zeros((0, 1)), np.zeros(0), np.zeros(0, dtype=np.int64))

    monkeypatch.setattr(Attacker, "run", nothing)
    monkeypatch.setattr(Attacker, "refine", nothing)
    yield


@cache
def tiny(seed: int) -> tuple[Model, Network]:
    """A model of two inputs and two outputs."""
    tame = [f for f in functions() if f.name in {"tanh", "relu", "sin", "gelu", "sigmoid"}]
    network = random_network(seed, inputs=2, outputs=2, depth=2, only=tame)
    return load_onnx(to_onnx(network)), network


def layered(*layers: Node, inputs: int = 1) -> Model:
    """A model whose nodes are these, in order."""
    network = Network((Input(inputs), *layers), len(layers))
    network.check()
    return load_onnx(to_onnx(network))


def dense(source: int, *rows: tuple[float, ...], bias: tuple[float, ...] | None = None) -> Affine:
    """An affine node of one term."""
    weight = torch.tensor(rows, dtype=torch.float64)
    return Affine(((source, Dense(weight)),), torch.tensor(bias or (0.0,) * len(rows), dtype=torch.float64))


def hard() -> Model:
    """sin(30 x_i) over products of 8 inputs, summed: nothing decides it soon."""
    random = np.random.default_rng(0)
    rows = tuple(tuple(float(np.float32(w)) for w in row) for row in 8 * random.normal(size=(16, 8)))
    sin = Nonlinear(make("sin"), (1,), 16)
    more = Nonlinear(make("sin"), (3,), 16)
    middle = tuple(tuple(float(np.float32(w)) for w in row) for row in 2 * random.normal(size=(16, 16)))
    return layered(dense(0, *rows), sin, dense(2, *middle), more, dense(4, (1.0,) * 16), inputs=8)


def below(side: float, low: tuple[float, ...] = (-1.0,), high: tuple[float, ...] = (1.0,)) -> Spec:
    """Unsafe: y_0 <= side, in one box."""
    return Spec(np.array([low]), np.array([high]), (Clause(0, np.ones((1, 1)), None, np.array([side])),), 1)


def random_spec(seed: int, network: Network) -> tuple[Spec, bool | None]:
    """Two boxes, clauses of one or two rows, some on inputs; and whether the grid says it is violated.

    None where the grid cannot tell: the least margin of a clause is near zero.
    """
    random = np.random.default_rng(seed)
    low = random.uniform(-1, 0, size=(2, 2)).astype(np.float32).astype(np.float64)
    high = low + np.float32(0.5)
    clauses: list[Clause] = []
    least = np.inf
    for _ in range(3):
        box, count = int(random.integers(2)), int(random.integers(1, 3))
        outputs = random.normal(size=(count, 2))
        inputs = random.normal(size=(count, 2)) if random.random() < 0.5 else None
        axes = (np.linspace(low[box, d], high[box, d], 41) for d in range(2))
        x = np.array(list(itertools.product(*axes)))
        values = evaluate(network, torch.from_numpy(x)).numpy() @ outputs.T
        values = values if inputs is None else values + x @ inputs.T
        spread = np.ptp(values, axis=0) + 1e-3
        rhs = values.min(0) + random.uniform(-0.6, 0.15, size=count) * spread
        clauses.append(Clause(box, outputs, inputs, rhs))
        least = min(least, float(((values - rhs) / spread).max(1).min()))
    spec = Spec(low, high, tuple(clauses), 2)
    return spec, (None if -1e-3 < least < 0.05 else least < 0)


@pytest.mark.parametrize("mode", MODES)
def test_verdicts_agree_with_a_grid(mode: Any) -> None:
    decided = 0
    for seed in range(8):
        model, network = tiny(seed % 4)
        spec, violated = random_spec(seed, network)
        result = verify(model, spec, Config(timeout=SECONDS, branching=mode))
        if violated is not None:
            assert result.verdict != ("verified" if violated else "falsified"), (seed, result.reason)
        if result.verdict == "falsified":
            assert result.counterexample is not None
            assert spec.violation(result.counterexample.x, result.counterexample.y) is not None
        if result.verdict == "verified":
            assert result.bound is None or result.bound > 0
        decided += result.verdict in ("verified", "falsified")
    assert decided >= (4 if mode == "none" else 7)


@pytest.mark.usefixtures("no_attack")
@pytest.mark.parametrize("mode", MODES)
def test_without_an_attack_the_bounds_prove_nothing_false(mode: Any) -> None:
    for seed in range(8):
        model, network = tiny(seed % 4)
        spec, violated = random_spec(seed, network)
        result = verify(model, spec, Config(timeout=0.4, branching=mode))
        assert result.verdict != "falsified"
        assert not (violated and result.verdict == "verified"), seed


@pytest.mark.parametrize("mode", ("auto", "input", "neuron", "mixed"))
def test_functions_of_the_input_itself_can_be_split(mode: Any) -> None:
    """y = 1/8 + sin(x) - x cos(x) on [1/8, 3], the input an argument of every function."""
    sin, cos, times = make("sin"), make("cos"), Product()
    nodes = (Nonlinear(sin, (0,), 1), Nonlinear(cos, (0,), 1), Nonlinear(times, (0, 2), 1))
    one = torch.ones(1, 1, dtype=torch.float64)
    last = Affine(((1, Dense(one)), (3, Dense(-one))), torch.tensor([0.125], dtype=torch.float64))
    result = verify(
        layered(*nodes, last), below(0.0625, (0.125,), (3.0,)), Config(timeout=60.0, branching=mode)
    )
    assert result.verdict == "verified", result.reason


def test_a_clause_without_rows_is_violated_by_any_point() -> None:
    spec = replace(below(0.0), clauses=(Clause(0, np.zeros((0, 1)), None, np.zeros(0)),))
    result = verify(layered(dense(0, (1.0,))), spec, Config(timeout=5.0))
    assert result.verdict == "falsified" and result.counterexample is not None


@pytest.mark.usefixtures("no_attack")
@pytest.mark.parametrize("mode", MODES)
def test_a_clause_without_rows_is_refuted_by_no_bound(mode: Any) -> None:
    spec = replace(below(0.0), clauses=(Clause(0, np.zeros((0, 1)), None, np.zeros(0)),))
    model = layered(dense(0, (1.0,)), Nonlinear(make("tanh"), (1,), 1))
    assert verify(model, spec, Config(timeout=0.5, branching=mode)).verdict in ("unknown", "timeout")


@pytest.mark.parametrize("mode", MODES)
def test_equalities_and_boxes_without_width(mode: Any) -> None:
    """y = tanh(x + 0.5): one point, and one free input among fixed ones."""
    model = layered(dense(0, (1.0, 1.0), bias=(0.5,)), Nonlinear(make("tanh"), (1,), 1), inputs=2)
    value = float(np.tanh(1.0))
    for high in ((0.25, 0.25), (0.25, 0.5)):
        for side, verdict in ((value - 1e-3, "verified"), (value + 1e-3, "falsified")):
            result = verify(model, below(side, (0.25, 0.25), high), Config(timeout=5.0, branching=mode))
            assert result.verdict == verdict, result.reason


@pytest.mark.parametrize("mode", MODES)
def test_boxes_that_hold_no_float32_number(mode: Any) -> None:
    """x = 0.1 in float64: what holds there is verified; what does not is replayed at the nearest float32, or,
    where witnesses must be exact, neither replayed nor verified.
    """
    model = layered(dense(0, (1.0,)), Nonlinear(make("tanh"), (1,), 1))
    for side, witness, verdicts in (
        (0.09, "nearest", ("verified",)),
        (0.11, "nearest", ("falsified",)),
        (0.11, "exact", ("unknown", "timeout")),
    ):
        config = Config(timeout=3.0, branching=mode).with_(witness=witness)
        result = verify(model, below(side, (0.1,), (0.1,)), config)
        assert result.verdict in verdicts, result.reason


@pytest.mark.usefixtures("no_attack")
@pytest.mark.parametrize("mode", ("input", "neuron"))
def test_what_touches_the_border_is_stuck(mode: Any) -> None:
    """Unsafe: |x - 1/2| <= 0, which x = 1/2 reaches: no split helps, and it is said so."""
    model = layered(dense(0, (1.0,), bias=(-0.5,)), Nonlinear(make("abs"), (1,), 1))
    result = verify(model, below(0.0), Config(timeout=5.0, branching=mode))
    assert result.verdict == "unknown" and "split" in result.reason
    assert result.bound is not None and result.bound <= 0


@pytest.mark.usefixtures("no_attack")
@pytest.mark.parametrize("mode", MODES)
def test_the_time_limit_is_kept(mode: Any) -> None:
    model, spec = hard(), below(-15.0, (-1.0,) * 8, (1.0,) * 8)
    begun = time.monotonic()
    result = verify(model, spec, Config(timeout=0.5, branching=mode))
    assert time.monotonic() - begun < 2.0
    assert result.verdict == "timeout" or (mode == "none" and result.verdict == "unknown"), result.reason
    assert result.counterexample is None and (result.bound is None or result.bound <= 0)


@pytest.mark.parametrize("seconds", (1e-9, 1e-3, 0.02))
def test_no_time_at_all(seconds: float) -> None:
    result = verify(hard(), below(-15.0, (-1.0,) * 8, (1.0,) * 8), Config(timeout=seconds))
    assert result.verdict == "timeout" and result.bound is None or float(result.bound or 0) <= 0


@pytest.mark.usefixtures("no_attack")
def test_a_full_disk_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Spill, packed: object) -> None:
        raise SpillFull("the disk of /tmp is nearly full")

    monkeypatch.setattr(Spill, "put", full)
    monkeypatch.setattr(pool, "FULL", 1e-4)
    model, spec = hard(), below(-15.0, (-1.0,) * 8, (1.0,) * 8)
    result = verify(model, spec, Config(timeout=20.0, memory=SMALLEST_MEMORY, branching="input"))
    assert result.verdict == "unknown" and "memory" in result.reason and "nearly full" in result.reason


@pytest.mark.usefixtures("no_attack")
@pytest.mark.parametrize("mode", ("input", "neuron"))
def test_the_verdict_is_the_same_when_domains_are_put_away(
    monkeypatch: pytest.MonkeyPatch, mode: Any
) -> None:
    model, network = tiny(2)
    for seed in range(4):
        spec, _ = random_spec(seed, network)
        config = Config(timeout=10.0, memory=SMALLEST_MEMORY, branching=mode, batch=2)
        usual = verify(model, spec, config)
        with monkeypatch.context() as patched:
            patched.setattr(pool, "FULL", 1e-5)
            patched.setattr(pool, "LARGEST", 1e-6)
            little = verify(model, spec, config)
        assert usual.verdict == little.verdict


def test_nothing_is_falsified_but_by_replay(monkeypatch: pytest.MonkeyPatch) -> None:
    """The network in memory is another than the file's: what its attack finds is not true of the file."""
    good = layered(dense(0, (1.0,), bias=(5.0,)), Nonlinear(make("tanh"), (1,), 1))
    bad = layered(dense(0, (1.0,), bias=(-5.0,)), Nonlinear(make("tanh"), (1,), 1))
    asked: list[np.ndarray[Any, Any]] = []
    confirm = Replayer.confirm

    def watched(self: Replayer, spec: Spec, x: np.ndarray[Any, Any], *more: Any) -> Counterexample | None:
        asked.append(x)
        return confirm(self, spec, x, *more)

    monkeypatch.setattr(Replayer, "confirm", watched)
    result = verify(replace(good, network=bad.network), below(-0.5), Config(timeout=1.0))
    assert result.verdict in ("unknown", "timeout") and asked
    result = verify(bad, below(-0.5), Config(timeout=1.0))
    assert result.verdict == "falsified" and result.counterexample is not None


@pytest.mark.usefixtures("no_attack")
@pytest.mark.parametrize("mode", MODES)
def test_the_bound_is_that_of_the_worst_box(mode: Any) -> None:
    """y = x + tanh(8 x) / 8 in boxes far apart: the bound is at most the least margin."""
    first = dense(0, (8.0,))
    last = Affine(
        ((2, Dense(torch.tensor([[0.125]]).double())), (0, Dense(torch.ones(1, 1).double()))),
        torch.zeros(1).double(),
    )
    model = layered(first, Nonlinear(make("tanh"), (1,), 1), last)
    low = np.array([[0.0], [5.0], [-3.0]])
    clauses = tuple(
        Clause(k, np.ones((1, 1)), None, np.array([side])) for k, side in enumerate((-0.5, 0.0, -3.25))
    )
    result = verify(model, Spec(low, low + 1, clauses, 1), Config(timeout=5.0, branching=mode))
    assert result.verdict == "verified" and result.bound is not None and 0 < result.bound <= 0.125
    hopeless = (*clauses[:1], Clause(1, np.ones((1, 1)), None, np.array([5.5])), clauses[2])
    result = verify(model, Spec(low, low + 1, hopeless, 1), Config(timeout=0.5, branching=mode))
    assert result.verdict in ("unknown", "timeout") and (result.bound is None or result.bound <= -0.25)


def test_progress_only_rises_to_what_is_reported_last() -> None:
    seen: list[Progress] = []
    model, network = tiny(1)
    spec, _ = random_spec(3, network)
    result = verify(model, spec, Config(timeout=SECONDS), seen.append)
    assert seen and {p.stage for p in seen} >= {"attacking"}
    assert all(p.bound is None or not np.isnan(p.bound) for p in seen)
    assert result.statistics["domains"] == max(p.domains for p in seen)


def test_the_verdict_is_the_same_every_time() -> None:
    model, network = tiny(2)
    spec, _ = random_spec(5, network)
    results = [verify(model, spec, Config(timeout=5.0)) for _ in range(2)]
    assert results[0].verdict == results[1].verdict != Verdict.TIMEOUT
    if results[0].counterexample is not None and results[1].counterexample is not None:
        assert results[0].counterexample.x.tolist() == results[1].counterexample.x.tolist()


@pytest.mark.parametrize("restarts", [0, 3])
def test_the_settings_bound_the_attack(monkeypatch: pytest.MonkeyPatch, restarts: int) -> None:
    efforts: list[AttackEffort] = []

    def note(_: Attacker, effort: AttackEffort, *__: object) -> AttackOutcome:
        efforts.append(effort)
        return AttackOutcome(None, np.zeros((0, 1)), np.zeros(0), np.zeros(0, dtype=np.int64))

    monkeypatch.setattr(Attacker, "run", note)
    model, _ = tiny(0)
    box = np.ones((1, 2))
    far = Spec(-box, box, (Clause(0, np.array([[1.0, 0.0]]), None, np.array([-1e6])),), 2)
    verify(model, far, Config(timeout=20, attack_restarts=restarts, attack_steps=5, seed=7))
    assert bool(efforts) == bool(restarts)
    assert all(e.restarts <= 3 and e.steps <= 5 and e.seed == 7 for e in efforts)
