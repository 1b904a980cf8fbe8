"""Everything is finite: verdicts about random models agree with what onnxruntime gives at all points."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

import genbab
from genbab.result import Result
from genbab.specs import Input, Network, Spec, always, box
from tests.integers.graphs import Array, IntegerModel, box_of, enumerated, random_model

SETTINGS: list[dict[str, Any]] = [
    {},
    {"branching": "mixed"},
    {"branching": "mixed", "retighten": "frozen"},
    {"arithmetic": "float32"},
]


def limit(values: Array, number: int) -> float:
    """A limit that holds by little, does not by little, divides the values, or holds by more."""
    top, known = float(values.max()), np.unique(values.round(3))
    second = float(known[-2]) if len(known) > 1 else top - 1.0
    return (top + 1e-3 * (1 + abs(top)), (top + second) / 2, float(values.mean()) - 1e-3, top + 0.5)[number]


def asked(seed: int, settings: dict[str, Any]) -> tuple[bool, Result, Array, Array]:
    """(whether the property holds, the result, the box) of a random model and a limit of its output.

    The box is written with ends between integers.
    """
    random = np.random.default_rng(seed)
    proto, inputs = random_model(random)
    low, high = box_of(random, inputs)
    values = enumerated(proto, inputs, low, high)
    most = limit(values, seed % 4)
    x = Input(len(low))
    ends = (low - 0.9 * random.random(len(low))).tolist(), (high + 0.9 * random.random(len(low))).tolist()
    spec = always(Network(1)(x)[0] <= most, on=box(x, *ends))
    result = genbab.verify(proto.SerializeToString(), spec, genbab.Config(**{"timeout": 20.0, **settings}))
    return bool((values <= most).all()), result, low, high


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda s: "-".join(map(str, s.values())) or "default")
def test_verdicts_are_what_enumeration_says(settings: dict[str, Any]) -> None:
    """None is wrong, none is open, and counterexamples are integers of the box."""
    start, found = 1000 * SETTINGS.index(settings), []
    for seed in range(start, start + 20):
        holds, result, low, high = asked(seed, settings)
        assert result.verdict == ("verified" if holds else "falsified"), (seed, result.reason)
        found.append(holds)
        if (example := result.counterexample) is not None:
            assert example.x.dtype == np.int64 and example.integers is not None and example.integers.all()
            assert (low <= example.x).all() and (example.x <= high).all(), seed
            assert all(isinstance(v, int) for v in example.to_dict()["x"])
    assert 4 < sum(found) < 16


def test_bounds_alone_are_sound() -> None:
    """Without an attack what holds is verified, and nothing else."""
    for seed in range(9000, 9012):
        holds, result, _, _ = asked(seed, {"attack_restarts": 0})
        assert (result.verdict == "verified") == holds, (seed, result.reason)


def test_splits_of_neurons_alone_are_sound() -> None:
    """They may leave points between integers open."""
    for seed in range(2000, 2012):
        holds, result, _, _ = asked(seed, {"branching": "neuron", "timeout": 3.0})
        assert result.verdict != ("falsified" if holds else "verified"), seed


def bits(size: int) -> tuple[bytes, Spec]:
    """A model of truth values whose output is at most 0 but for one of 2^size points, where it is 0.5."""
    m = IntegerModel(np.random.default_rng(size))
    wanted = m.random.integers(0, 2, size)
    ones = m.node("Cast", ["b"], to=1)
    same = m.node("Mul", [ones, m.constant((2.0 * wanted - 1.0).astype(np.float32))])
    total = m.node("MatMul", [same, m.constant(np.ones((size, 1), np.float32))])
    y = m.node("Sub", [total, m.constant(np.array([wanted.sum() - 0.5], np.float32))])
    x = Input(size)
    spec = always(Network(1)(x)[0] <= 0, on=box(x, 0, 1))
    return m.proto({"b": ("bool", size)}, m.node("Identity", [y]), 1).SerializeToString(), spec


@pytest.mark.parametrize("size", [5, 40, 300])
def test_a_needle_among_truth_values_is_found(size: int) -> None:
    model, spec = bits(size)
    result = genbab.verify(model, spec, genbab.Config(timeout=20))
    assert result.verdict == "falsified"


def test_large_ranges_are_split_down_to_single_integers() -> None:
    """x · (x - 1) is never between -0.2 and 0 at integers, as it is between 0 and 1."""
    m = IntegerModel(np.random.default_rng(0))
    f = m.node("Cast", ["x"], to=1)
    y = m.node("Mul", [f, m.node("Sub", [f, m.constant(np.ones(1, np.float32))])])
    proto = m.proto({"x": ("int32", 1)}, y, 1).SerializeToString()
    x = Input(1)
    y0 = Network(1)(x)[0]
    holds = genbab.verify(proto, always(y0 >= -0.1, on=box(x, -4000, 4000)), genbab.Config(timeout=20))
    assert holds.verdict == "verified"
    fails = genbab.verify(proto, always((y0 <= 5.5) | (y0 >= 6.5), on=box(x, -4000, 4000)))
    assert fails.counterexample is not None and fails.counterexample.x[0] in (-2, 3)


def test_points_at_jumps_are_decided_exactly() -> None:
    """x - 2·floor(x / 2) is at a jump at every even number; at integers it is at most 1."""
    m = IntegerModel(np.random.default_rng(0))
    f = m.node("Cast", ["x"], to=1)
    half = m.node("Floor", [m.node("Mul", [f, m.constant(np.array([0.5], np.float32))])])
    y = m.node("Sub", [f, m.node("Mul", [half, m.constant(np.array([2.0], np.float32))])])
    x, proto = Input(1), m.proto({"x": ("int16", 1)}, y, 1).SerializeToString()
    spec = always(Network(1)(x)[0] <= 1.25, on=box(x, -60, 60))
    assert genbab.verify(proto, spec, genbab.Config(timeout=20)).verdict == "verified"


def test_limits_that_are_attained_are_decided_at_all_points() -> None:
    """|x - y| + floor(tanh |x - y|), is at most 4, and 4 somewhere."""
    m = IntegerModel(np.random.default_rng(0))
    f = m.node("Cast", ["x"], to=1)
    apart = m.node("Abs", [m.node("MatMul", [f, m.constant(np.array([[1.0], [-1.0]], np.float32))])])
    nothing = m.node("Floor", [m.node("Tanh", [m.node("Abs", [apart])])])
    proto = m.proto({"x": ("int32", 2)}, m.node("Add", [apart, nothing]), 1).SerializeToString()
    x = Input(2)
    y, region = Network(1)(x)[0], box(x, [0, 2], [5, 4])
    config = genbab.Config(timeout=20)
    assert genbab.verify(proto, always(y <= 4, on=region), config).verdict == "verified"
    assert genbab.verify(proto, always(y < 4, on=region), config).verdict == "falsified"
    assert genbab.verify(proto, always(y <= 3, on=region), config).verdict == "falsified"


def test_functions_of_constants_are_open_to_splits() -> None:
    """A step of an entry less itself, which no split changes, next to steps that are split."""
    head = '<ir_version: 8, opset_import: ["" : 18]> g (int64[1] x) => (float[1] y)'
    body = "c = Constant<value=float[3] {3.0, 8.0, -2.0}>() t = Gather(c, x) g = Greater(t, t) n = Not(g)"
    proto = onnx.parser.parse_model(f"{head} {{ {body} y = Cast<to=1>(n) }}").SerializeToString()
    x = Input(1)
    spec = always(Network(1)(x)[0] >= 1.25, on=box(x, 1, 2))
    config = genbab.Config(timeout=5, branching="neuron", attack_restarts=0)
    assert genbab.verify(proto, spec, config).verdict != "verified"
