"""Loops that stop by themselves without having settled: refused, or bounded as what they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from genbab.errors import UnsupportedError
from genbab.network.interval import propagate
from genbab.reader.models.model import load_onnx

SIZE = 4
STOP = (
    ("Sub", "new z", "change"),
    ("Abs", "change", "size"),
    ("ReduceMax", "size", "far"),
    ("Greater", "far tolerance", "go"),
)
MEAN = ("ReduceMean", "size", "far")
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
    more = {"ReduceMax": ("keepdims", 0), "ReduceMean": ("keepdims", 0), "Cast": ("to", TensorProto.DOUBLE)}
    made = [helper.make_node(op, read.split(), [left]) for op, read, left in lines]
    for node in made:
        if node.op_type in more:
            node.attribute.append(helper.make_attribute(*more[node.op_type]))
    return made


def loop(
    lines: Sequence[tuple[str, str, str]], states: str = "z:new", start: tuple[int, ...] = (1, SIZE)
) -> ModelProto:
    """A model of float64 that is a loop with this body and these states; its first state is the output.

    start: the shape of the zeros that this is at first.
    """
    pairs = [pair.split(":") for pair in states.split()]

    def numbers(name: str) -> ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.DOUBLE, [1, None])

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
        "zero": np.zeros(start),
        "tolerance": np.array(1e-3),
        "step": np.array(0.0),
        "slow": 0.9 * np.eye(SIZE),
        "shape": np.array([1, SIZE]),
        "yes": np.array(True),
    }
    given = helper.make_tensor_value_info("x", TensorProto.DOUBLE, [1, SIZE])
    tensors = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph([one], "graph", [given], [numbers("y")], tensors)
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


def test_turns_that_are_several_of_a_chain_are_refused() -> None:
    """What a turn changes is more than a step of the chain does, and there are more steps than turns."""
    again = (("MatMul", "half W", "other"), ("Add", "other x", "b"), ("Tanh", "b", "new"))
    refused(loop((*TURN[:2], ("Tanh", "a", "half"), *again, *STOP)))


def test_a_condition_of_several_truth_values_is_refused() -> None:
    """Of which onnxruntime reads the first."""
    refused(loop((*TURN, *STOP[:2], ("Greater", "size tolerance", "go"))))


def test_a_mean_counts_the_numbers_of_a_state_that_grows_in_its_first_turn() -> None:
    turn = (
        ("Expand", "z shape", "wide"),
        ("MatMul", "wide slow", "moved"),
        ("MatMul", "x W", "given"),
        ("Add", "moved given", "a"),
        ("Relu", "a", "new"),
    )
    network = load_onnx(loop((*turn, *STOP[:2], MEAN, STOP[3]), start=(1, 1)), check=False).network
    x = torch.tensor([[3.0, 0.0, 0.0, 0.0]], dtype=torch.float64)
    z, change = torch.zeros(1, 1), torch.ones(1, 1)
    while change.mean() > 1e-3:
        new = (0.9 * z + 0.5 * x).relu()
        z, change = new, (new - z).abs()
    low, high = propagate(network, (x, x))[network.output]
    assert bool(((low <= z) & (z <= high)).all())
