"""Constants that are not known exactly: what looks alike is not the same, decisions wait for certainty."""

from __future__ import annotations

import random
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from genbab import api
from genbab.config import Config
from genbab.errors import UnsupportedError
from genbab.network import Affine, Diagonal, Identity, Network, Nonlinear
from genbab.network.graph import Input
from genbab.network.interval import propagate
from genbab.network.lift import lifted
from genbab.network.uncertainty import Uncertainty
from genbab.nonlinear import make
from genbab.reader import load_onnx
from genbab.reader.implied import Implied
from genbab.specs import Clause, Run, Spec

from .adversary.writing import Graph


def loaded(graph: Graph, *outputs: str) -> Network:
    """The network of a graph."""
    return load_onnx(graph.model(outputs).SerializeToString(), check=False).network


def assert_holds(network: Network, x: Sequence[float], truth: Sequence[Fraction]) -> None:
    """Bounds at the point contain the exact outputs."""
    point = torch.tensor([list(x)], dtype=torch.float64)
    known = [propagate(network, (point, point))[network.output]]
    known += [api.bounds(network, point, point, method, Config(root_steps=1)) for method in api.METHODS]
    for lower, upper in known:
        ends = zip(lower.reshape(-1).tolist(), upper.reshape(-1).tolist(), truth, strict=True)
        assert all(low <= true <= high for low, high, true in ends), (lower, upper, list(map(float, truth)))


def lookalikes(seed: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Two different fractions of integers below 2^53 whose quotients are one float64 number."""
    rng = random.Random(seed)
    while True:
        a, b, c = (rng.randrange(2**50, 2**51) for _ in range(3))
        d = round(Fraction(a, b) * c)
        if Fraction(d, c) != Fraction(a, b) and d / c == a / b:
            return (a, b), (d, c)


def leftover(graph: Graph, numbers: Any, by: float) -> tuple[str, list[Fraction]]:
    """A constant numbers / by - (their float64 quotients), nothing but rounding, and what it is."""
    flat = np.asarray(numbers, dtype=np.float64)
    made = graph.op("Div", graph.constant(flat), graph.constant(by))
    made = graph.op("Sub", made, graph.constant(flat / by))
    return made, [Fraction(float(v)) / Fraction(by) - Fraction(float(v) / by) for v in flat.ravel()]


@pytest.mark.parametrize("function", ["Relu", "Abs", "Sigmoid", "Square", "Softplus"])
@pytest.mark.parametrize("seed", range(3))
def test_numbers_that_look_alike_do_not_cancel(function: str, seed: int) -> None:
    """f(p·x) - f(q·x) with p != q that round to one number, amplified."""
    (a, b), (c, d) = lookalikes(seed)
    g = Graph(np.float64)
    weights = g.op("Div", g.constant([[a, c]]), g.constant([[b, d]]))
    scaled = g.op("Mul", g.input("x", 1, 1), weights)
    made = g.op("Mul", scaled, scaled) if function == "Square" else g.op(function, scaled)
    made = g.op("Abs", g.op("Relu", made)) if function != "Softplus" else made
    first, second = (g.op("Gather", made, g.integers(k), axis=1) for k in (0, 1))
    network = loaded(g, g.op("Mul", g.op("Sub", first, second), g.constant(1e30)))
    p, q = Fraction(a, b), Fraction(c, d)
    if function == "Square":
        truth = (p * p - q * q) * 10**30
    elif function in ("Relu", "Abs"):
        truth = (p - q) * 10**30
    else:  # between half of the least and the whole of the largest slope on [p, q]
        slope = Fraction(1, 6) if function == "Sigmoid" else Fraction(2, 3)
        truth = (p - q) * slope * 10**30
    assert_holds(network, [1.0], [truth])


def test_runs_keep_the_nodes_that_uncertain_weights_read() -> None:
    g = Graph(np.float64)
    grown = g.op("Mul", g.op("Relu", g.input("x", 1, 2)), g.constant(1e12))
    weight, rest = leftover(g, [[1e12], [2e12]], 3.0)
    network = loaded(g, g.op("MatMul", grown, weight))
    assert any(n.uncertainty.weights for n in network.nodes if isinstance(n, Affine))
    each = np.array([0, 1])
    runs = tuple(Run(each, each + 2 * k, np.ones(2), np.zeros(2)) for k in range(3))
    clause = Clause(0, np.array([[1.0, 0.0, 0.0]]), None, np.array([0.0]))
    made = lifted(network, Spec(np.ones((1, 6)), np.ones((1, 6)), (clause,), 3, runs=runs))
    truth = (rest[0] * 1 + rest[1] * 1) * 10**12
    assert_holds(made, [1.0] * 6, [truth] * 3)


@pytest.mark.parametrize("kind", ["Equal", "bool", "NonZero", "ArgMax"])
def test_what_decides_on_constants_waits_for_certainty(kind: str) -> None:
    """a / b · b = a over the real numbers, not in float32."""
    rng = np.random.default_rng(0)
    while True:
        a, b = rng.uniform(1, 2, 2).astype(np.float32)
        if np.float32(a / b) * b != a:
            break
    g = Graph(np.float32)
    x = g.input("x", 1)
    back = g.op("Mul", g.op("Div", g.constant([a]), g.constant([b])), g.constant([b]))
    if kind == "ArgMax":
        found = g.op("ArgMax", g.op("Concat", g.constant([a]), back, axis=0), axis=0)
    elif kind == "Equal":
        found = g.op("Equal", back, g.constant([a]))
    else:
        rest = g.op("Sub", back, g.constant([a]))
        found = g.op("Cast", rest, to=9) if kind == "bool" else g.op("Size", g.op("NonZero", rest))
    made = g.op("Mul", x, g.op("Cast", found, to=1))
    try:
        network = loaded(g, made)
    except UnsupportedError as error:
        assert "rounds" in str(error)
        return
    assert_holds(network, [1.0], [Fraction(int(kind == "Equal"))])


def test_decisions_that_are_certain_are_made() -> None:
    g = Graph(np.float32)
    third = g.op("Div", g.constant([1.0, 2.0]), g.constant([3.0]))
    less = g.op("Greater", third, g.constant([0.5]))
    same = g.op("Equal", third, g.constant([0.5]))
    made = g.op("Add", *(g.op("Cast", v, to=1) for v in (less, same)))
    assert_holds(loaded(g, g.op("Mul", g.input("x", 2), made)), [1.0, 1.0], [Fraction(0), Fraction(1)])


def test_conditions_do_not_trust_numbers_that_are_not_known() -> None:
    """x / 3 >= c says x >= 3c, which is less than the next float64 number."""
    near = (1.5 + k * 2.0**-52 for k in range(9))
    c = next(c for c in near if 0 < Fraction(3 * c) - 3 * Fraction(c) < Fraction(1, 4 * 10**15))
    end = 3 * c
    assert Fraction(c) / Fraction(1 / 3) >= Fraction(end)
    third = Diagonal(torch.tensor([1 / 3], dtype=torch.float64))
    for roundings, expected in ((1, False), (0, True)):
        nodes = (
            Input(1),
            Affine(((0, third),), torch.tensor([-c], dtype=torch.float64), Uncertainty(roundings)),
            Nonlinear(make("step"), (1,), 1),
            Affine(((0, Identity(1)),), torch.tensor([-end], dtype=torch.float64)),
            Nonlinear(make("sqrt"), (3,), 1),
        )
        assert Implied(Network(nodes, 4)).holds((2, 0), True, make("sqrt"), (3, 0)) == expected
