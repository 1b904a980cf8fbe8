"""Constants that are not known exactly: what looks alike is not the same, decisions wait for certainty."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from genbab import api
from genbab.bounds import Engine, Tightening, tighten_all
from genbab.config import Config
from genbab.errors import UnsupportedError
from genbab.network import Affine, Diagonal, Identity, Index, Network, Nonlinear
from genbab.network.interval import propagate
from genbab.network.lift import lifted
from genbab.network.nodes import Input
from genbab.network.uncertainty import Uncertainty
from genbab.nonlinear import make
from genbab.nonlinear.facts.real import Real
from genbab.reader import load_onnx
from genbab.reader.domains.implied import Implied
from genbab.reader.tensors.exact import ball, product, times
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


@pytest.mark.parametrize("by", [2.0**54, 2.0**45])
def test_a_cast_rounds_the_number_that_is_not_known(by: float) -> None:
    g = Graph(np.float64)
    rest, true = leftover(g, [0.7, 1.3, 1.9], 3.0)
    grown = g.op("Cast", g.op("Mul", rest, g.constant(by)), to=1)
    made = g.op("Mul", g.input("x", 3), g.op("Cast", grown, to=11))
    truth = [Fraction(float(np.float32(float(t * Fraction(by))))) for t in true]
    assert_holds(loaded(g, made), [1.0, -1.0, 2.0], [truth[0], -truth[1], 2 * truth[2]])


@pytest.mark.parametrize(("alpha", "beta"), [(0.1, 1.0), (-0.1, -3.3), (1.0, 0.1)])
def test_gemm_scales_weights_that_are_not_known(alpha: float, beta: float) -> None:
    g = Graph(np.float64)
    weight, w = leftover(g, [[0.7, 1.3], [1.9, 1.1]], 3.0)
    offset, c = leftover(g, [0.3, 1.7], 7.0)
    made = g.op("Gemm", g.input("x", 1, 2), weight, offset, alpha=alpha, beta=beta)
    by, more = (Fraction(float(np.float32(v))) for v in (alpha, beta))
    x = [Fraction(3, 2), Fraction(-5, 4)]
    truth = [by * (x[0] * w[j] + x[1] * w[2 + j]) + more * c[j] for j in range(2)]
    assert_holds(loaded(g, made), [float(v) for v in x], truth)


def test_rows_that_look_alike_are_bounded_one_by_one() -> None:
    """Two entries with one number, of which only the second may be another."""
    pair = torch.tensor([0, 0])
    off = torch.tensor([0.0, 0.1], dtype=torch.float64)
    nodes = (
        Input(1),
        Nonlinear(make("tanh"), (0,), 1),
        Affine(((1, Index(pair, 1)),), torch.zeros(2, dtype=torch.float64), Uncertainty(0, off)),
        Nonlinear(make("relu"), (2,), 2),
    )
    engine = Engine.of(Network(nodes, 3), Config(), torch.device("cpu"), lambda: None)
    box = (torch.tensor([[-1.0]], dtype=torch.float64), torch.tensor([[2.0]], dtype=torch.float64))
    low, high = tighten_all(engine, box, propagate(engine.exact, box), Tightening()).intervals[2]
    reach = torch.tanh(torch.cat(box)).squeeze(-1)
    assert float(low[0, 1]) <= float(reach[0]) - 0.1 and float(high[0, 1]) >= float(reach[1]) + 0.1


def test_products_of_constants_that_underflow_are_not_0() -> None:
    value, error = product(ball(np.full((1, 3), 1e-170)), ball(np.full((3, 1), 1e-170)))
    assert abs(Fraction(float(value[0, 0])) - 3 * Fraction(1e-170) ** 2) <= Fraction(float(error[0, 0]))
    small = np.zeros(1), np.full(1, 2.0**-600)
    value, error = times(small, ball(np.array([2.0**-600])))
    assert Fraction(float(error[0])) >= Fraction(2) ** -1200
    assert (Real(0.0, 1e-200, 1) * 1e-200).error > 0.0


@pytest.mark.parametrize("mode", ["linear", "cubic"])
def test_weights_of_interpolation(mode: str) -> None:
    """Places, coefficients and grids of every size, against rational numbers."""
    steep = -1e6 if mode == "cubic" else -0.75
    g = Graph(np.float64)
    options = {"cubic_coeff_a": steep} if mode == "cubic" else {}
    scales = g.constant([1.0, 1.0, 7 / 3], np.float32)
    made = g.op("Resize", g.input("x", 1, 1, 5), "", scales, mode=mode, **options)
    x = [Fraction(v) for v in (1, -3, 2, 7, -5)]
    factor, a = Fraction(float(np.float32(7 / 3))), Fraction(steep)
    truth = []
    for i in range(int(5 * np.float32(7 / 3))):
        at = (i + Fraction(1, 2)) / factor - Fraction(1, 2)
        at = min(max(at, Fraction(0)), Fraction(4)) if mode == "linear" else at
        low = at.__floor__()
        total = Fraction(0)
        for k in range(low - 1, low + 3):
            t = abs(at - k)
            if mode == "linear":
                weight = max(1 - t, Fraction(0))
            elif t <= 1:
                weight = ((a + 2) * t - (a + 3)) * t * t + 1
            else:
                weight = ((a * t - 5 * a) * t + 8 * a) * t - 4 * a if t < 2 else Fraction(0)
            total += weight * x[min(max(k, 0), 4)]
        truth.append(total)
    assert_holds(loaded(g, made), [float(v) for v in x], truth)


def test_a_product_that_only_uncertain_weights_read() -> None:
    """Backward bounds where nothing but a rounding error is left of a product."""
    g = Graph(np.float64)
    x = g.input("x", 2)
    weight, rest = leftover(g, [0.7, 1.3], 3.0)
    made = g.op("Mul", g.op("Mul", x, g.op("Gather", x, g.integers(1, 0))), weight)
    assert_holds(loaded(g, made), [3.0, 5.0], [15 * v for v in rest])


def test_a_divisor_that_may_be_0_is_refused() -> None:
    g = Graph(np.float64)
    rest, _ = leftover(g, [0.7, 1.3], 3.0)
    with pytest.raises(UnsupportedError, match="may be 0"):
        loaded(g, g.op("Div", g.input("x", 2), rest))


def test_steps_of_constants_are_whole_where_they_are_certain() -> None:
    """Sizes that shapes are divided into, as exporters compute them."""
    for kind, size in (("Ceil", 2), ("Floor", 1), ("Round", 1)):
        g = Graph(np.float32)
        x = g.input("x", 9)
        length = g.op("Cast", g.op("Shape", x), to=1)
        steps = g.op(kind, g.op("Div", length, g.constant(7.0)))
        made = g.op("Slice", x, g.integers(0), g.op("Cast", steps, to=7))
        assert_holds(loaded(g, made), range(9), [Fraction(k) for k in range(size)])


@pytest.mark.parametrize("slope", [2.0**30, 2.0**54])
def test_layers_take_parameters_that_are_not_known(slope: float) -> None:
    """PRelu, RotaryEmbedding, InstanceNormalization and GroupNormalization."""
    x = [Fraction(-3, 2), Fraction(5, 4), Fraction(7, 8), Fraction(-2)]
    for kind in ("PRelu", "RotaryEmbedding", "InstanceNormalization", "GroupNormalization"):
        g = Graph(np.float64, opset=23 if kind == "RotaryEmbedding" else 20)
        count = 4 if kind == "PRelu" else 2
        found = [leftover(g, [0.7 + 0.1 * k + 0.3 * j for j in range(count)], 3.0) for k in range(2)]
        names = [g.op("Mul", name, g.constant(slope)) for name, _ in found]
        (p, q) = ([v * Fraction(slope) for v in true] for _, true in found)
        flat = g.input("x", 4)
        if kind == "PRelu":
            made = g.op(kind, flat, names[0])
            truth = [v if v > 0 else v * s for v, s in zip(x, p, strict=True)]
        elif kind == "RotaryEmbedding":
            image = g.op("Reshape", flat, g.integers(1, 1, 1, 4))
            cos, sin = (g.op("Reshape", name, g.integers(1, 1, 2)) for name in names)
            made = g.op("Reshape", g.op(kind, image, cos, sin), g.integers(4))
            truth = [x[j] * p[j] - x[2 + j] * q[j] for j in range(2)]
            truth += [x[j] * q[j] + x[2 + j] * p[j] for j in range(2)]
        else:
            image = g.op("Reshape", flat, g.integers(1, 2, 2))
            more = {"num_groups": 2} if kind[0] == "G" else {}
            made = g.op("Reshape", g.op(kind, image, *names, epsilon=0.75, **more), g.integers(4))
            truth = []
            for j in range(2):
                half = (x[2 * j] - x[2 * j + 1]) / 2
                root = math.sqrt(half * half + Fraction(3, 4))  # the rest is far from the last digits
                truth += [sign * half / Fraction(root) * p[j] + q[j] for sign in (1, -1)]
            if slope > 2.0**40:
                assert_holds(loaded(g, made), [float(v) for v in x], truth)
            continue
        assert_holds(loaded(g, made), [float(v) for v in x], truth)


def test_resize_by_scales_that_are_not_known() -> None:
    """Bilinear interpolation by 7 / 3, which float32 does not hold."""
    g = Graph(np.float32)
    third = g.op("Div", g.constant([7.0]), g.constant([3.0]))
    scales = g.op("Concat", g.constant([1.0, 1.0]), third, axis=0)
    image = g.op("Mul", g.input("x", 1, 1, 3), g.constant(1e9))
    made = g.op("Resize", image, "", scales, mode="linear")
    x = [Fraction(v) * Fraction(10**9) for v in (1, -3, 2)]
    truth = []
    for i in range(7):
        at = min(max((i + Fraction(1, 2)) * Fraction(3, 7) - Fraction(1, 2), Fraction(0)), Fraction(2))
        low = min(at.__floor__(), 1)
        truth.append(x[low] + (x[low + 1] - x[low]) * (at - low))
    assert_holds(loaded(g, made), [1.0, -3.0, 2.0], truth)
