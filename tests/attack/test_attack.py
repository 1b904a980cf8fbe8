"""The attack: finds what is there, stays inside the boxes, repeats itself, stops on time."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from genbab.attack import FULL, QUICK, AttackEffort, Attacker
from genbab.attack.targets import Floats
from genbab.errors import DeadlineReached
from genbab.network import Affine, Dense, Input, Network, Nonlinear
from genbab.nonlinear import Nonlinearity, functions
from genbab.result import Counterexample
from genbab.specs import Clause, Spec
from genbab.system.deadline import Deadline

SMALL = AttackEffort(samples=256, clauses=16, restarts=8, steps=20, rounds=1, work=1e8)


def function(name: str) -> Nonlinearity:
    """The library's function of this name."""
    return next(fn for fn in functions() if fn.name == name)


def layered(seed: int, name: str, inputs: int = 4, width: int = 8, outputs: int = 3) -> Network:
    """A random network with one hidden layer."""
    random = torch.Generator().manual_seed(seed)

    def dense(rows: int, columns: int) -> Dense:
        return Dense(torch.randn(rows, columns, generator=random, dtype=torch.float64) / columns**0.5)

    bias = torch.randn(width, generator=random, dtype=torch.float64)
    hidden = Affine(((0, dense(width, inputs)),), bias)
    output = Affine(((2, dense(outputs, width)),), torch.zeros(outputs).double())
    return Network((Input(inputs), hidden, Nonlinear(function(name), (1,), width), output), 3)


class Judge:
    """Confirms by evaluating the network itself; remembers what it was asked."""

    def __init__(self, network: Network, spec: Spec) -> None:
        self.network, self.spec = network, spec
        self.asked: list[Floats] = []

    def __call__(self, x: Floats) -> Counterexample | None:
        self.asked.append(x)
        y = outputs(self.network, x)
        clause = self.spec.violation(x, y)
        return None if clause is None else Counterexample(x.astype(np.float32), y, clause)


def outputs(network: Network, x: Floats) -> Floats:
    """The network's outputs at x (..., D), by hand."""
    from genbab.network import evaluate

    return np.asarray(evaluate(network, torch.from_numpy(x)).numpy())


def cube(inputs: int, clauses: tuple[Clause, ...], outputs: int = 3) -> Spec:
    """A spec over [-1, 1]^D."""
    return Spec(-np.ones((1, inputs)), np.ones((1, inputs)), clauses, outputs)


def minimum(network: Network, row: Floats) -> float:
    """The least row·y over many random points and corners, and a little more."""
    random = np.random.default_rng(0)
    x = random.uniform(-1, 1, size=(20_000, network.input_size))
    x[:2000] = np.sign(x[:2000])
    return float((outputs(network, x) @ row).min()) + 1e-5


@pytest.mark.parametrize("name", ("relu", "sigmoid", "tanh", "sin", "silu", "abs"))
@pytest.mark.parametrize("seed", range(3))
def test_finds_what_sampling_knows(name: str, seed: int) -> None:
    network = layered(seed, name)
    row = np.array([1.0, -0.5, 0.25])
    spec = cube(4, (Clause(0, row[None], None, np.array([minimum(network, row)])),))
    judge = Judge(network, spec)
    found = Attacker(network, spec, judge).run(QUICK)
    assert found.counterexample is not None
    assert spec.violation(found.counterexample.x, found.counterexample.y) == 0


def test_without_a_violation_the_best_points_come_in_order() -> None:
    network = layered(0, "tanh")
    rows = np.eye(3)
    spec = cube(4, tuple(Clause(0, rows[k : k + 1], None, np.array([-50.0])) for k in range(3)))
    found = Attacker(network, spec, Judge(network, spec)).run(SMALL)
    assert found.counterexample is None
    assert sorted(found.clauses.tolist()) == [0, 1, 2] and bool((np.diff(found.margins) >= 0).all())
    values = outputs(network, found.points)[np.arange(3), found.clauses] + 50.0
    np.testing.assert_allclose(found.margins, values, rtol=1e-4)
    assert bool((np.abs(found.points) <= 1).all())


def test_conjunctions_need_all_their_rows() -> None:
    network = layered(1, "tanh")
    x = np.array([0.3, -0.9, 0.6, 0.1])
    y = outputs(network, x)
    clause = Clause(0, np.concatenate([np.eye(3), -np.eye(3)]), None, np.concatenate([y, -y]) + 0.02)
    spec = cube(4, (clause,))
    found = Attacker(network, spec, Judge(network, spec)).run(FULL)
    assert found.counterexample is not None
    np.testing.assert_allclose(found.counterexample.y, y, atol=0.021)


def test_rows_on_inputs_count() -> None:
    network = layered(2, "relu")
    on_input = np.array([[0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, -1.0]])
    spec = cube(4, (Clause(0, np.zeros((2, 3)), on_input, np.array([0.5001, -0.4999])),))
    found = Attacker(network, spec, Judge(network, spec)).run(SMALL)
    assert found.counterexample is not None and abs(float(found.counterexample.x[3]) - 0.5) <= 1.1e-4


def test_a_clause_without_rows_is_met_everywhere() -> None:
    network = layered(2, "relu")
    spec = cube(4, (Clause(0, np.zeros((0, 3)), None, np.zeros(0)),))
    assert Attacker(network, spec, Judge(network, spec)).run(SMALL).counterexample is not None


def test_sides_without_width_and_boxes_without_numbers() -> None:
    network = layered(3, "sin")
    low = np.array([[0.25, -1.0, 0.5, -1.0], [0.1, 0.0, 0.0, 0.0]])
    high = np.array([[0.25, 1.0, 0.5, 1.0], [0.1, 0.0, 0.0, 0.0]])
    clauses = tuple(Clause(k, np.eye(3)[:1], None, np.array([-60.0])) for k in range(2))
    attacker = Attacker(network, Spec(low, high, clauses, 3), lambda x: None)
    assert attacker.reachable == (0,)
    found = attacker.run(SMALL)
    assert found.clauses.tolist() == [0]
    assert found.points[:, 0].tolist() == [0.25] and found.points[:, 2].tolist() == [0.5]


def test_functions_without_a_gradient() -> None:
    network = layered(4, "floor")
    spec = cube(4, (Clause(0, np.eye(3)[:1], None, np.array([minimum(network, np.eye(3)[0])])),))
    assert Attacker(network, spec, Judge(network, spec)).run(QUICK).counterexample is not None


def test_points_without_an_output_are_passed_over() -> None:
    network = layered(5, "log")
    spec = cube(4, (Clause(0, np.eye(3)[:1], None, np.array([-1e30])),))
    judge = Judge(network, spec)
    assert Attacker(network, spec, judge).run(SMALL).counterexample is None


def test_the_same_seed_gives_the_same_points_and_leaves_torch_alone() -> None:
    network, row = layered(6, "tanh"), np.eye(3)[:1]
    spec = cube(4, (Clause(0, row, None, np.array([-50.0])),))
    before = torch.get_rng_state()
    runs = [Attacker(network, spec, lambda x: None).run(replace(SMALL, seed=s)) for s in (1, 1, 2)]
    assert bool((torch.get_rng_state() == before).all())
    assert np.array_equal(runs[0].points, runs[1].points)


def test_what_is_not_confirmed_is_not_found() -> None:
    network = layered(7, "relu")
    spec = cube(4, (Clause(0, np.eye(3)[:1], None, np.array([100.0])),))
    asked: list[Floats] = []
    found = Attacker(network, spec, asked.append).run(SMALL)
    assert found.counterexample is None and 0 < len(asked) <= 256


def test_the_deadline_is_kept() -> None:
    network = layered(8, "tanh", inputs=50, width=400)
    spec = cube(50, (Clause(0, np.eye(3)[:1], None, np.array([-50.0])),))
    started = time.monotonic()
    with pytest.raises(DeadlineReached):
        Attacker(network, spec, lambda x: None).run(replace(FULL, rounds=1000), Deadline(0.3))
    assert time.monotonic() - started < 2.0


def test_thousands_of_boxes() -> None:
    network = layered(9, "relu", inputs=1, outputs=1)
    edges = np.linspace(-1, 1, 4001).astype(np.float32).astype(np.float64)
    least = float(outputs(network, edges[:, None]).min()) + 1e-5
    clauses = tuple(Clause(k, np.ones((1, 1)), None, np.array([least])) for k in range(4000))
    spec = Spec(edges[:-1, None], edges[1:, None], clauses, 1)
    found = Attacker(network, spec, Judge(network, spec)).run(QUICK)
    assert found.counterexample is not None
    assert found.counterexample.clause in (spec.violation(found.counterexample.x, found.counterexample.y),)


def test_refining_given_points() -> None:
    network = layered(10, "tanh")
    row = np.eye(3)[0]
    low, high = np.array([[-1.0] * 4, [0.0] * 4]), np.array([[1.0] * 4, [0.5] * 4])
    clauses = (Clause(0, row[None], None, np.array([-50.0])), Clause(1, row[None], None, np.array([-50.0])))
    attacker = Attacker(network, Spec(low, high, clauses, 3), lambda x: None)
    starts = np.array([[0.3, 0.3, 0.3, 0.3], [2.0, 0.2, 0.2, 0.2], [0.4, 0.4, 0.4, 0.4]])
    found = attacker.refine(starts, [0, 1, 1], steps=10)
    assert found.points.shape == (3, 4)
    for point, clause, margin in zip(found.points, found.clauses, found.margins, strict=True):
        assert bool((low[clause] <= point).all() and (point <= high[clause]).all())
        assert (
            margin
            <= max(outputs(network, np.clip(s, low[clause], high[clause]))[0] for s in starts) + 50.0001
        )
    assert attacker.refine(np.zeros((0, 4)), []).points.shape == (0, 4)
