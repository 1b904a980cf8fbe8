"""Loops that stop by themselves without having settled: refused, or bounded as what they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from genbab.errors import UnsupportedError
from genbab.reader.models.model import load_onnx

SIZE = 4
STOP = (
    ("Sub", "new z", "change"),
    ("Abs", "change", "size"),
    ("ReduceMax", "size", "far"),
    ("Greater", "far tolerance", "go"),
)
TURN = (("MatMul", "z W", "moved"), ("Add", "moved x", "a"), ("Tanh", "a", "new"))
LATE = (
    ("Cast", "i", "number"),
    ("Mul", "number step", "shift"),
    ("MatMul", "z W", "moved"),
    ("Add", "moved x", "a"),
    ("Add", "a shift", "b"),
    ("Tanh", "b", "new"),
)
OTHER = (("MatMul", "w W", "moved"), ("Add", "moved x", "new"), ("Tanh", "new", "image"))


def nodes(lines: Sequence[tuple[str, str, str]]) -> list[NodeProto]:
    """Nodes of (operator, inputs, output)."""
    more = {"ReduceMax": ("keepdims", 0), "Cast": ("to", TensorProto.DOUBLE)}
    made = [helper.make_node(op, read.split(), [left]) for op, read, left in lines]
    for node in made:
        if node.op_type in more:
            node.attribute.append(helper.make_attribute(*more[node.op_type]))
    return made


def loop(lines: Sequence[tuple[str, str, str]], states: str = "z:new") -> ModelProto:
    """A model of float64 that is a loop with this body and these states; its first state is the output."""
    pairs = [pair.split(":") for pair in states.split()]

    def numbers(name: str) -> ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.DOUBLE, [1, SIZE])

    body = helper.make_graph(
        nodes(lines),
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("c", TensorProto.BOOL, []),
            *(numbers(before) for before, _ in pairs),
        ],
        [
            helper.make_tensor_value_info("go", TensorProto.BOOL, None),
            *(numbers(after) for _, after in pairs),
        ],
    )
    starts = ["zero", "x"][: len(pairs)]
    left = ["y", *(f"rest{k}" for k in range(1, len(pairs)))]
    one = helper.make_node("Loop", ["", "yes", *starts], left, "loop", body=body)
    constants = {
        "W": 0.5 * np.eye(SIZE),
        "zero": np.zeros((1, SIZE)),
        "tolerance": np.array(1e-3),
        "step": np.array(0.0),
        "yes": np.array(True),
    }
    tensors = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph([one], "graph", [numbers("x")], [numbers("y")], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def refused(model: ModelProto) -> None:
    """Fails where the loop is not refused by its name."""
    with pytest.raises(UnsupportedError, match=r"'loop' \(Loop\): the condition of its body depends"):
        load_onnx(model)


def test_a_loop_of_one_state_is_read() -> None:
    assert load_onnx(loop((*TURN, *STOP))).network.implicit


def test_turns_that_know_their_number_are_refused() -> None:
    refused(loop((*LATE, *STOP)))


def test_a_state_that_is_where_it_was_while_another_moves_is_refused() -> None:
    refused(loop((*OTHER, *STOP), "z:new w:image"))
