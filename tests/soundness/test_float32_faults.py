"""Faults that attacks on float32 bounds found: executions are within the bounds, or the model is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from genbab import Config, api
from genbab.errors import ModelError, UnsupportedError

from .float32 import Style, run, styles
from .float32.styles import SINGLE
from .float32.tables import InUlps

FLOAT32 = Config(arithmetic="float32", elementary="4ulp", root_steps=1)
LIKE = Style(allowed=InUlps(4), whole=SINGLE)
Nodes = Sequence[tuple[str, str, str]]


def _model(nodes: Nodes, outputs: str = "y", **constants: object) -> ModelProto:
    """Nodes as (operator, names it reads, the name that it makes) over x (1, 2)."""
    made = [helper.make_node(kind, read.split(), [name]) for kind, read, name in nodes]
    tensors = [numpy_helper.from_array(np.asarray(v, np.float32), name) for name, v in constants.items()]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2])
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs.split()]
    graph = helper.make_graph(made, "g", [x], ends, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


def _bounds(model: ModelProto, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    found = api.bounds(model.SerializeToString(), [low] * 2, [high] * 2, "backward", FLOAT32)
    return found[0].numpy()[0], found[1].numpy()[0]


def _log_of_exp() -> ModelProto:
    return _model([("Exp", "x", "e"), ("Log", "e", "y")])


def _shifted_and_back() -> ModelProto:
    return _model([("Add", "x c", "t"), ("Sub", "t c", "y")], c=1e8)


def _in_two_forms() -> ModelProto:
    """A tensor is an output, and part of a function that is fused."""
    nodes = [("Tanh", "x", "t"), ("Max", "t c", "m"), ("MatMul", "m w", "y")]
    return _model(nodes, "y t", c=0.1, w=[[37.0], [-5.0]])


def _dropped_order() -> ModelProto:
    """A factor that is 3 or something else, as three numbers are added up."""
    return _model([("ReduceSum", "c", "s"), ("Mul", "x s", "y")], c=[1e8, 3.0, -1e8])


@pytest.mark.parametrize("make", [_log_of_exp, _shifted_and_back, _in_two_forms, _dropped_order])
def test_executions_are_within_the_bounds(make: Callable[[], ModelProto]) -> None:
    model = make()
    for low, high in ((0.25, 0.25), (0.25, 0.9375)):  # numbers that float32 has
        try:
            lower, upper = _bounds(model, low, high)
        except (ModelError, UnsupportedError):  # onnxruntime's own order gives another number
            continue
        x = np.random.default_rng(0).uniform(low, high, (40, 1, 2)).astype(np.float32).clip(low, high)
        for style in styles(1, 26, LIKE):
            y = np.concatenate([part.reshape(len(x), -1) for part in run(model, {"x": x}, style)], 1)
            assert bool(((y >= lower) & (y <= upper)).all())


OVERFLOWS: dict[str, tuple[ModelProto, float]] = {
    "hidden by a bounded function": (
        _model([("Exp", "x", "e"), ("Sub", "e e", "d"), ("Exp", "x", "f"), ("Tanh", "f", "y")]),
        100.0,
    ),
    "multiplied by 0": (_model([("Exp", "x", "e"), ("Mul", "e z", "n"), ("Add", "n x", "y")], z=0.0), 100.0),
    "clipped": (_model([("Exp", "x", "e"), ("Clip", "e a b", "y")], a=0.0, b=6.0), 100.0),
    "divided afterwards": (_model([("ReduceMean", "x", "y")]), 3e38),
    "scaled and back": (_model([("Mul", "x a", "t"), ("Mul", "t b", "y")], a=1e30, b=1e-30), 4e9),
}


@pytest.mark.parametrize("name", OVERFLOWS)
def test_numbers_that_may_be_lost_make_the_outputs_unknown(name: str) -> None:
    model, high = OVERFLOWS[name]
    try:
        lower, upper = _bounds(model, 0.0, high)
    except UnsupportedError:
        return
    assert not (np.isfinite(lower).any() or np.isfinite(upper).any())


def test_a_truth_that_depends_on_an_order_of_summation_is_refused() -> None:
    nodes = [("ReduceSum", "c", "s"), ("Greater", "s l", "g"), ("Where", "g x z", "y")]
    model = _model(nodes, c=[0.1] * 11, l=float(np.sum(np.full(11, 0.1, np.float32))), z=0.0)
    with pytest.raises(UnsupportedError, match="rounds the numbers"):
        _bounds(model, 0.0, 1.0)


def test_gates_that_are_one_less_a_sigmoid_have_its_error() -> None:
    """The update gate of a GRU, wide shut: 1 - sigmoid(12) is a multiple of 2^-24 in float32."""
    width = {"w": np.zeros((1, 3, 2)), "r": np.zeros((1, 3, 1)), "b": np.array([[12.0, 0, 1.0, 0, 0, 0]])}
    node = helper.make_node("GRU", ["u", "w", "r", "b"], ["y"], hidden_size=1)
    move = helper.make_node("Reshape", ["x", "s"], ["u"])
    tensors = [numpy_helper.from_array(v.astype(np.float32), name) for name, v in width.items()]
    tensors.append(numpy_helper.from_array(np.array([1, 1, 2]), "s"))
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([move, node], "g", [x], [y], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    lower, upper = _bounds(model, 0.0, 0.0)
    assert float(upper[0] - lower[0]) >= 2.0**-24 * np.tanh(1.0)
