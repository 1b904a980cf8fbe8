"""Powers with an exponent per entry: each entry's bounds are those of its own function."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from genbab.api import bounds
from genbab.reader import load_onnx

CASES = {
    "roots, cubes, poles": ([0.5, 3.0, -1.0], [0.0, -2.0, 0.25], [4.0, 2.0, 2.0], [0, -8, 0.5], [2, 8, 4]),
    "one, none, square": ([1.0, 0.0, 2.0], [-1.0, -1.0, -3.0], [1.0, 1.0, 2.0], [-1, 1, 0], [1, 1, 9]),
    "fractions": ([1.5, -0.5, 4.0], [0.0, 0.25, -1.0], [4.0, 4.0, 0.5], [0, 0.5, 0], [8, 2, 1]),
    "a column": ([2.0, 3.0, -3.0], [-1.0, -1.0, 1.0], [1.0, 1.0, 2.0], [0, -1, 0.125], [1, 1, 1]),
}


def model(exponents: list[float], column: bool) -> ModelProto:
    """x ** e of three numbers, in a row or in a column beside which the base is repeated."""
    shape = [3, 1] if column else [1, 3]
    e = numpy_helper.from_array(np.array(exponents, np.float32).reshape(shape), "e")
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n in ("x", "y"))
    graph = helper.make_graph([helper.make_node("Pow", ["x", "e"], ["y"])], "g", [x], [y], [e])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("method", ["interval", "backward", "optimised"])
@pytest.mark.parametrize("name", CASES)
def test_an_exponent_per_entry(name: str, method: str) -> None:
    exponents, low, high, least, most = CASES[name]
    loaded = load_onnx(model(exponents, name == "a column"))
    lower, upper = (end[0].numpy() for end in bounds(loaded, low, high, method))
    size = 1e-9 * (1 + np.abs(most))
    assert (lower <= np.array(least)).all() and (np.array(most) <= upper).all()
    assert (np.array(least) - lower <= size).all() and (upper - np.array(most) <= size).all()
