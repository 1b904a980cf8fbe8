"""Specs with a planted counterexample are never verified; specs that hold with room are never falsified."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from genbab.network import Affine, Dense, Input, Network, Nonlinear, evaluate
from genbab.nonlinear import Nonlinearity
from genbab.specs import Clause, Spec

from .graphs import functions, grid, random_box, random_network, to_onnx

api = pytest.importorskip("genbab.api", reason="verify is not there yet")
attack = pytest.importorskip("genbab.attack")
config = pytest.importorskip("genbab.config")
reader = pytest.importorskip("genbab.reader")
errors = pytest.importorskip("genbab.errors")

COUNT = 5
"""Random networks per mode; multiply it for a long run."""

SECONDS = 0.6
"""Time for each run without an attack."""

MODES = ("auto", "input", "neuron", "mixed", "none")


@pytest.fixture
def no_attack(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The bounds and the branching stand alone: the attack finds nothing."""

    def nothing(self: object, *_: object, **__: object) -> object:
        return attack.AttackOutcome(None, np.zeros((0, 1)), np.zeros(0), np.zeros(0, dtype=np.int64))

    monkeypatch.setattr(attack.Attacker, "run", nothing)
    monkeypatch.setattr(attack.Attacker, "refine", nothing)
    yield


def planted(network: Network, low: Tensor, high: Tensor, seed: int) -> Spec:
    """A spec whose unsafe set holds the image of one float32 point of the box, by a tiny margin."""
    random = np.random.default_rng(seed)
    weight = random.random((400, network.input_size))
    x = (low.numpy() + weight * (high - low).numpy()).astype(np.float32).astype(np.float64)
    x = np.clip(x, low.numpy(), high.numpy())
    y = evaluate(network, torch.from_numpy(x)).numpy()
    rows = random.normal(size=(2, network.output_size))
    on_input = random.normal(size=(2, network.input_size)) if seed % 4 == 3 else None
    value = y @ rows.T + (0 if on_input is None else x @ on_input.T)
    best = int(value[:, 0].argmin())
    slack = 1e-4 * np.ptp(value, axis=0) + 1e-6 * (1 + np.abs(y[best]).max())
    side = value[best] + slack
    count = 2 if seed % 4 == 1 else 1
    hidden = Clause(0, rows[:count], None if on_input is None else on_input[:count], side[:count])
    far = Clause(0, rows[:1], None, np.array([value[:, 0].min() - 1e6 * (1 + np.ptp(value[:, 0]))]))
    clauses = (far, hidden) if seed % 4 == 2 else (hidden,)
    spec = Spec(low.numpy()[None], high.numpy()[None], clauses, network.output_size)
    assert spec.violation(x[best], y[best]) is not None
    return spec


@pytest.mark.usefixtures("no_attack")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("seed", range(COUNT))
def test_planted_counterexamples_are_never_verified(seed: int, mode: str) -> None:
    network = random_network(seed + 100, inputs=1 + seed % 3, depth=1 + seed % 4)
    low, high = random_box(seed, network.input_size)
    result = api.verify(
        reader.load_onnx(to_onnx(network)),
        planted(network, low, high, seed),
        config.Config(timeout=SECONDS, branching=mode),
    )
    assert result.verdict != "verified", result.reason


@pytest.mark.usefixtures("no_attack")
@pytest.mark.parametrize("fn", functions(), ids=str)
def test_planted_in_every_function(fn: Nonlinearity) -> None:
    network = random_network(3, inputs=2, depth=2, only=[fn])
    low, high = random_box(4, 2)
    spec = planted(network, low, high, 0)
    result = api.verify(reader.load_onnx(to_onnx(network)), spec, config.Config(timeout=0.4))
    assert result.verdict != "verified", result.reason


@pytest.mark.parametrize("seed", range(COUNT))
def test_what_is_falsified_is_so(seed: int) -> None:
    network = random_network(seed + 200, inputs=2, depth=3)
    low, high = random_box(seed, 2)
    spec = planted(network, low, high, seed)
    result = api.verify(reader.load_onnx(to_onnx(network)), spec, config.Config(timeout=5.0))
    assert result.verdict != "verified"
    if result.verdict == "falsified":
        found = result.counterexample
        assert found is not None and spec.violation(found.x, found.y) is not None
        exact = evaluate(network, torch.from_numpy(found.x).double()).numpy()
        np.testing.assert_allclose(found.y, exact, rtol=1e-3, atol=1e-3)


def test_nothing_is_falsified_that_onnxruntime_does_not_confirm() -> None:
    """The network in memory reaches the unsafe set, the file it came from does not."""
    tanh = next(f for f in functions() if f.name == "tanh")
    good = reader.load_onnx(to_onnx(scalar(tanh, 1.0, 5.0)))
    spec = Spec(-np.ones((1, 1)), np.ones((1, 1)), (Clause(0, np.ones((1, 1)), None, np.array([-0.5])),), 1)
    assert verdict(good, spec) == "verified"
    assert verdict(replace(good, network=scalar(tanh, 1.0, -5.0)), spec) in ("unknown", "timeout")


def test_properties_that_hold_with_room() -> None:
    """Never falsified; most of them verified."""
    verified = 0
    for seed in range(COUNT):
        network = random_network(seed + 300, inputs=1 + seed % 2, outputs=1, depth=2)
        low, high = random_box(seed, network.input_size)
        y = evaluate(network, grid(low, high, 2001 if seed % 2 == 0 else 101)).numpy()
        side = y.min() - 0.1 * np.ptp(y) - 1e-2
        clause = Clause(0, np.ones((1, 1)), None, np.array([side]))
        spec = Spec(low.numpy()[None], high.numpy()[None], (clause,), 1)
        result = api.verify(reader.load_onnx(to_onnx(network)), spec, config.Config(timeout=2.0))
        assert result.verdict != "falsified"
        verified += result.verdict == "verified"
    assert verified >= COUNT // 2


def scalar(fn: Nonlinearity, weight: float, bias: float = 0.0) -> Network:
    """y = fn(weight x + bias) + 0 on one input."""
    one = torch.ones(1, 1).double()
    before = Affine(((0, Dense(weight * one)),), torch.tensor([bias]).double())
    return Network(
        (Input(1), before, Nonlinear(fn, (1,), 1), Affine(((2, Dense(one)),), torch.zeros(1).double())), 3
    )


def far_away() -> Spec:
    """Unsafe: y <= -1e9, for x in [-1, 1]."""
    clause = Clause(0, np.ones((1, 1)), None, np.array([-1e9]))
    return Spec(-np.ones((1, 1)), np.ones((1, 1)), (clause,), 1)


def verdict(model: object, spec: Spec) -> str:
    """The verdict, or "error" where the model or the box was refused."""
    try:
        return str(api.verify(model, spec, config.Config(timeout=1.0)).verdict)
    except errors.GenbabError:
        return "error"


@pytest.mark.parametrize("name", ("log", "sqrt", "reciprocal"))
def test_leaving_the_domain_is_never_verified(name: str) -> None:
    fn = next(f for f in functions() if f.name == name)
    assert verdict(to_onnx(scalar(fn, 1.0)), far_away()) != "verified"


def test_overflow_is_never_verified() -> None:
    """y = -exp(1000 x) reaches -1e9; y = exp(1000 x) - exp(1000 x + 1) as well, through inf - inf."""
    exp = next(f for f in functions() if f.name == "exp")
    one = torch.ones(1, 1).double()
    falling = scalar(exp, 1000.0)
    falling = Network((*falling.nodes[:3], Affine(((2, Dense(-one)),), torch.zeros(1).double())), 3)
    assert verdict(to_onnx(falling), far_away()) != "verified"
    shifted = Affine(((1, Dense(one)),), torch.ones(1).double())
    nodes = (*falling.nodes[:3], shifted, Nonlinear(exp, (3,), 1))
    output = Affine(((2, Dense(one)), (4, Dense(-one))), torch.zeros(1).double())
    assert verdict(to_onnx(Network((*nodes, output), 5)), far_away()) != "verified"


@pytest.mark.parametrize("value", (np.nan, np.inf, -np.inf))
@pytest.mark.parametrize("place", ("weight", "bias"))
def test_weights_that_are_not_numbers_are_never_verified(place: str, value: float) -> None:
    tanh = next(f for f in functions() if f.name == "tanh")
    network = scalar(tanh, value if place == "weight" else 1.0, value if place == "bias" else 0.0)
    assert verdict(to_onnx(network), far_away()) == "error"


@pytest.mark.parametrize("value", (np.nan, np.inf, -np.inf))
@pytest.mark.parametrize("where", ("value", "derivative"))
def test_functions_that_give_no_number_are_never_verified(where: str, value: float) -> None:
    """A broken record (no facts of it are true right of 0.2) in the place of a good one."""
    tanh = next(f for f in functions() if f.name == "tanh")

    def broken(x: Tensor) -> Tensor:
        return torch.where(x > 0.2, value, getattr(tanh, where)(x))

    changes: dict[str, Any] = {"name": f"bad {where} {value}", where: broken, "bounds": (-np.inf, np.inf)}
    bad = replace(tanh, **changes)
    good = reader.load_onnx(to_onnx(scalar(tanh, 1.0)))
    if where == "value":
        assert verdict(replace(good, network=scalar(bad, 1.0)), far_away()) != "verified"
    else:
        near = Spec(
            -np.ones((1, 1)), np.ones((1, 1)), (Clause(0, np.ones((1, 1)), None, np.array([-0.5])),), 1
        )
        assert verdict(replace(good, network=scalar(bad, 1.0)), near) != "verified"
