"""Small ONNX models: of one node, or written out in ONNX's text format."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from genbab.reader import Model, load_onnx


def node_model(
    operator: str, *inputs: Any, opset: int = 17, outputs: int = 1, **attributes: Any
) -> onnx.ModelProto:
    """A model of one node; inputs are shapes (variables), arrays (constants) or None (left out)."""
    names, variables, constants = [], [], []
    for i, value in enumerate(inputs):
        names.append("" if value is None else f"in{i}")
        if isinstance(value, tuple):
            variables.append(helper.make_tensor_value_info(f"in{i}", TensorProto.FLOAT, value))
        elif value is not None:
            constants.append(numpy_helper.from_array(np.asarray(value), f"in{i}"))
    made = [f"out{i}" for i in range(outputs)]
    node = helper.make_node(operator, names, made, name="the_node", **attributes)
    results = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in made]
    graph = helper.make_graph([node], "one", variables, results, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


@pytest.fixture
def lowered() -> Callable[..., Model]:
    """The model of one node, loaded with its self-check; arguments as in `node_model`."""

    def load(operator: str, *inputs: Any, **options: Any) -> Model:
        model = load_onnx(node_model(operator, *inputs, **options))
        assert model.notes == (), "the self-check compared nothing"
        return model

    return load


@pytest.fixture
def written() -> Callable[..., Model]:
    """The model of a graph body in ONNX's text format (input x, output y), loaded with its self-check."""

    def load(body: str, shape: str = "1,4", opset: int = 17) -> Model:
        head = f'<ir_version: 8, opset_import: ["" : {opset}]> agraph (float[{shape}] x) => (float y)'
        model = load_onnx(onnx.parser.parse_model(head + " {" + body + "}"))
        assert model.notes == (), "the self-check compared nothing"
        return model

    return load
