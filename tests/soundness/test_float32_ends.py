"""Faults that a second attack on float32 bounds found: types, recurrent gates, constants that are joined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from genbab import Config, api
from genbab.errors import UnsupportedError

from .float32 import Style, run, styles
from .float32.styles import SINGLE
from .float32.tables import InUlps

LIKE = Style(allowed=InUlps(4), whole=SINGLE)
Node = tuple[str, str, str] | tuple[str, str, str, dict[str, Any]]


def model(nodes: Sequence[Node], shape: Sequence[int], **constants: object) -> ModelProto:
    """Nodes as (operator, names it reads, names it makes, attributes) over x."""
    made = [
        helper.make_node(
            kind, ["" if n == "_" else n for n in read.split()], ["" if n == "_" else n for n in out.split()],
            **(rest[0] if rest else {}),
        )
        for kind, read, out, *rest in nodes
    ]  # fmt: skip
    tensors = [numpy_helper.from_array(np.asarray(v, np.float32), name) for name, v in constants.items()]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(made, "g", [x], [y], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def bounds(proto: ModelProto, x: np.ndarray, table: str = "4ulp") -> tuple[np.ndarray, np.ndarray]:
    """Bounds at one point."""
    config = Config(arithmetic="float32", elementary=table, root_steps=1)
    at = x.astype(np.float64).reshape(-1)
    lower, upper = api.bounds(proto.SerializeToString(), at, at, "backward", config)
    return lower.numpy()[0], upper.numpy()[0]


def by_onnxruntime(proto: ModelProto, x: np.ndarray) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options, ["CPUExecutionProvider"])
    return np.asarray(session.run(["y"], {"x": x})[0], np.float64).reshape(-1)


WEIGHTS = [[1e8], [-1e8], [1.0]]
ZERO_BESIDE: dict[str, tuple[list[Node], dict[str, object]]] = {
    "a product with 0": ([("Mul", "x z", "t"), ("Add", "t x", "s"), ("MatMul", "s w", "y")], {"z": 0.0}),
    "a power of 0": (
        [("Pow", "x z", "t"), ("Add", "t x", "s"), ("Sub", "s o", "r"), ("MatMul", "r w", "y")],
        {"z": 0.0, "o": 1.0},
    ),
    "zeros that are joined": (
        [
            ("Mul", "x z", "t"),
            ("Concat", "t x", "s", {"axis": 1}),
            ("MatMul", "s v", "r"),
            ("MatMul", "r w", "y"),
        ],
        {"z": 0.0, "v": np.concatenate([np.zeros((3, 3)), np.eye(3)])},
    ),
}


@pytest.mark.parametrize("name", ZERO_BESIDE)
def test_constants_that_rewriting_makes_have_no_type_of_their_own(name: str) -> None:
    """They are arrays of float64; the network computes in float32 nevertheless."""
    nodes, constants = ZERO_BESIDE[name]
    proto, x = model(nodes, [1, 3], w=WEIGHTS, **constants), np.ones((1, 3), np.float32)
    lower, upper = bounds(proto, x)
    for style in styles(1, 26, LIKE):
        y = run(proto, {"x": x}, style)[0].reshape(-1)
        assert bool(((y >= lower) & (y <= upper)).all())
    assert lower[0] <= 0.0 <= upper[0]  # 1e8 + 1 - 1e8


def gates(kind: str, many: int, wb: float, rb: float, inputs: int = 1) -> ModelProto:
    """One step of a recurrent operator of one neuron."""
    weights = {"W": np.ones((1, many, inputs)), "R": np.ones((1, many, 1)), "h": np.ones((1, 1, 1))}
    bias = np.concatenate([np.full((1, many), wb), np.full((1, many), rb)], 1)
    outs = "_ y"
    return model([(kind, "x W R B _ h", outs, {"hidden_size": 1})], [1, 1, inputs], B=bias, **weights)


@pytest.mark.parametrize("kind,many", [("RNN", 1), ("LSTM", 4)])
@pytest.mark.parametrize("biases", [(100.0, -99.5), (1e4, -1e4), (0.3, 0.1)])
def test_both_biases_of_a_gate_are_terms_of_its_sum(
    kind: str, many: int, biases: tuple[float, float]
) -> None:
    proto = gates(kind, many, *biases)
    f = np.float32
    for value in np.linspace(-1, 1, 21).astype(f):
        x = np.full((1, 1, 1), value)
        lower, upper = bounds(proto, x)
        for a, b, c, d in _orders(f(value), f(1.0), f(biases[0]), f(biases[1])):
            y = _one_step(kind, float(f(f(f(a + b) + c) + d)))
            assert lower[0] <= y <= upper[0]


def _orders(*terms: np.float32) -> list[list[np.float32]]:
    return [[terms[i] for i in order] for order in ([0, 1, 2, 3], [0, 2, 1, 3], [2, 0, 1, 3], [3, 2, 0, 1])]


def _one_step(kind: str, z: float) -> float:
    """The state after a step whose gates' sums are all z, from h = 1, c = 0, over the reals."""
    gate, new = 1.0 / (1.0 + np.exp(-z)), np.tanh(z)
    return float(new) if kind == "RNN" else float(gate * np.tanh(gate * new))


RECURRENT = [("RNN", 1), ("GRU", 3), ("LSTM", 4)]


@pytest.mark.parametrize("kind,many", RECURRENT)
def test_recurrent_operators_of_onnxruntime_have_functions_of_their_own(kind: str, many: int) -> None:
    proto = gates(kind, many, 0.0, 0.0)
    points = [4.26e-4, -18.99, 9.988, 16.44, 1e-6, *np.random.default_rng(0).normal(size=40) * 8]
    for value in points:
        x = np.full((1, 1, 1), value - 1.0, np.float32)
        lower, upper = bounds(proto, x, "onnxruntime")
        y = by_onnxruntime(proto, x)
        assert bool(((y >= lower) & (y <= upper)).all())


def test_a_function_that_was_not_measured_inside_is_refused() -> None:
    proto = model(
        [("RNN", "x W R", "_ y", {"hidden_size": 1, "activations": ["Softplus"]})],
        [1, 1, 1],
        W=np.ones((1, 1, 1)),
        R=np.ones((1, 1, 1)),
    )
    with pytest.raises(UnsupportedError, match="softplus of recurrent operators"):
        bounds(proto, np.ones((1, 1, 1), np.float32), "onnxruntime")
    assert np.isfinite(bounds(proto, np.ones((1, 1, 1), np.float32))).all()


NORM: Mapping[str, object] = {"b": [0.0], "m": [0.0]}
LOST: dict[str, tuple[list[Node], list[int], float, dict[str, object]]] = {
    "a batch normalisation's factor": (
        [("BatchNormalization", "x s b m v", "y", {"epsilon": 1e-12})],
        [1, 1],
        1e-30,
        {"s": [1e38], "v": [1e-10], **NORM},
    ),
    "a factor and weights": (
        [("MatMul", "x w", "t"), ("Mul", "t s", "y")],
        [1, 1],
        1e-25,
        {"w": [[1e20]], "s": 1e20},
    ),
    "a divisor and weights": (
        [("MatMul", "x w", "t"), ("Div", "t s", "y")],
        [1, 1],
        1e-25,
        {"w": [[1e20]], "s": 1e-20},
    ),
    "a constant below the normal numbers": ([("Mul", "x s", "y")], [1, 1], 1e30, {"s": 1e-40}),
    "a divisor below the normal numbers": ([("Div", "x s", "y")], [1, 1], 1e-3, {"s": 1e-40}),
    "the same at the end of a chain": (
        [("Mul", "x a", "t"), ("Mul", "t a", "u"), ("Mul", "u s", "y")],
        [1, 1],
        1e-2,
        {"a": 1e20, "s": 1e-40},
    ),
    "squares of a norm": (
        [("LayerNormalization", "x s", "y", {"epsilon": 1e38})],
        [1, 2],
        1e20,
        {"s": [1.0, 1.0]},
    ),
    "a norm's scale and root": (
        [("LayerNormalization", "x s", "y", {"epsilon": 1e-20})],
        [1, 2],
        1.0,
        {"s": [1e30, 1e30]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LOST)
def test_numbers_that_leave_the_range_when_constants_are_joined_are_unknown(name: str) -> None:
    nodes, shape, at, constants = LOST[name]
    x = np.full(shape, at, np.float32)
    x[0, -1] *= np.float32(0.5) if x.size > 1 else np.float32(1.0)
    try:
        lower, upper = bounds(model(nodes, shape, **constants), x)
    except UnsupportedError:
        return
    assert bool((np.isinf(lower) & np.isinf(upper)).all())


def test_small_factors_joined_with_weights_are_paid_for() -> None:
    """1e-20 · 1e-20 is no number of float32 to its full precision, and 0 where it is flushed."""
    proto = model([("MatMul", "x w", "t"), ("Mul", "t s", "y")], [1, 1], w=[[1e-20]], s=1e-20)
    lower, upper = bounds(proto, np.full((1, 1), 1e15, np.float32))
    joined = float(np.float32(np.float64(np.float32(1e-20)) ** 2)) * 1e15
    assert lower[0] <= min(0.0, joined) and upper[0] >= joined


@pytest.mark.parametrize("which", ["s", "b", "m", "v"])
def test_small_constants_of_a_batch_normalisation_are_paid_for(which: str) -> None:
    """Training leaves means of 5e-45: as they are or 0, they change next to nothing."""
    constants: dict[str, object] = {"s": [2.0], "b": [0.5], "m": [0.25], "v": [1.0]}
    proto = model(
        [("BatchNormalization", "x s b m v", "y", {"epsilon": 1e-5})], [1, 1], **{**constants, which: [5e-45]}
    )
    x = np.full((1, 1), 3.0, np.float32)
    lower, upper = bounds(proto, x)
    assert float(upper[0] - lower[0]) < (1e-4 if which != "v" else 1.0)
    for style in styles(1, 26, LIKE):
        y = run(proto, {"x": x}, style)[0].reshape(-1)
        assert bool(((y >= lower) & (y <= upper)).all())
