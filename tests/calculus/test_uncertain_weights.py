"""Derivatives of graphs whose weights are no floats: their bounds at points hold the exact numbers."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

import genbab
from genbab.reader import Model

Row = list[Fraction]
Matrix = list[Row]
Known = tuple[list[onnx.NodeProto], dict[str, np.ndarray], Matrix]
"""Nodes that compute t from x of three numbers, their constants, and the exact matrix of t."""

node = helper.make_node


def diagonal(numbers: Row) -> Matrix:
    """The matrix of a product with numbers."""
    return [[w if i == j else Fraction(0) for j in range(len(numbers))] for i, w in enumerate(numbers)]


def quotient() -> Known:
    """x / [3, 7, 9]: one rounding each."""
    by = np.array([3.0, 7.0, 9.0])
    return [node("Div", ["x", "by"], ["t"])], {"by": by}, diagonal([1 / Fraction(b) for b in by])


def remainder() -> Known:
    """x times [100/3 - 33, ...]: what was rounded is up to 64 roundings of what is left."""
    tops, wholes = np.array([100.0, 200.0, 500.0]), np.array([33.0, 66.0, 166.0])
    nodes = [
        node("Div", ["tops", "three"], ["thirds"]),
        node("Sub", ["thirds", "wholes"], ["left"]),
        node("Mul", ["x", "left"], ["t"]),
    ]
    exact = [Fraction(a) / 3 - Fraction(b) for a, b in zip(tops, wholes, strict=True)]
    return nodes, {"tops": tops, "three": np.array(3.0), "wholes": wholes}, diagonal(exact)


def nothing_left(shape: tuple[int, ...], multiply: str) -> Known:
    """x times 2^60 (k/3 - fl(k/3)), which floats find to be 0: only its distance from that is known."""
    tops = np.arange(1.0, 1.0 + np.prod(shape)).reshape(shape)
    nodes = [
        node("Div", ["tops", "three"], ["thirds"]),
        node("Sub", ["thirds", "near"], ["left"]),
        node("Mul", ["left", "large"], ["weight"]),
        node(multiply, ["x", "weight"], ["t"]),
    ]
    constants = {"tops": tops, "three": np.array(3.0), "near": tops / 3.0, "large": np.array(2.0**60)}
    exact = [2**60 * (Fraction(a) / 3 - Fraction(a / 3.0)) for a in tops.reshape(-1).tolist()]
    if len(shape) == 1:
        return nodes, constants, diagonal(exact)
    return nodes, constants, [exact[j :: shape[1]] for j in range(shape[1])]


def mean() -> Known:
    """The mean of three numbers."""
    return [node("ReduceMean", ["x"], ["t"], axes=[1], keepdims=1)], {}, [[Fraction(1, 3)] * 3]


def normalised() -> Known:
    """Batch normalisation whose variances are squares: scale/sqrt(variance), with factors far apart."""
    scale, roots = np.array([1e5, 1.0, 1e-3]), np.array([2.0**-20 * 3, 7.0, 9.0])
    constants = {"scale": scale, "shift": np.zeros(3), "mean": np.zeros(3), "variance": roots**2}
    made = node("BatchNormalization", ["x", "scale", "shift", "mean", "variance"], ["t"], epsilon=0.0)
    return [made], constants, diagonal([Fraction(s) / Fraction(r) for s, r in zip(scale, roots, strict=True)])


KINDS: dict[str, Callable[[], Known]] = {
    "quotient": quotient,
    "remainder": remainder,
    "nothing left, times": lambda: nothing_left((3,), "Mul"),
    "nothing left, matrix": lambda: nothing_left((3, 2), "MatMul"),
    "mean": mean,
    "normalised": normalised,
}


def model_of(known: Known, last: list[onnx.NodeProto]) -> Model:
    """The model from x (1, 3) to y in float64."""
    nodes, constants, matrix = known
    ends = [
        helper.make_tensor_value_info(name, TensorProto.DOUBLE, [1, size])
        for name, size in (("x", 3), ("y", len(matrix)))
    ]
    made = [numpy_helper.from_array(a, name) for name, a in constants.items()]
    whole = helper.make_graph([*nodes, *last], "g", ends[:1], ends[1:], made)
    proto = helper.make_model(whole, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    return genbab.load(proto.SerializeToString())


def holds(made: Model, x: list[float], exact: Row) -> bool:
    """Whether bounds at a point hold these numbers."""
    low, high = genbab.output_bounds(made, x, x, method="backward")
    return all(
        Fraction(a) <= e <= Fraction(b)
        for a, b, e in zip(low[0].tolist(), high[0].tolist(), exact, strict=True)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_slopes_of_weights_that_are_no_floats(kind: str) -> None:
    """Of W·x and of (W·x)²: forward and in reverse, to the first and the second order."""
    known = KINDS[kind]()
    matrix, x = known[2], [1.5, -0.75, 0.25]
    plain = model_of(known, [node("Identity", ["t"], ["y"])])
    assert holds(genbab.derivative(plain), x, [w for row in matrix for w in row])
    for i in range(len(matrix)):
        assert holds(genbab.vjp(plain, np.eye(len(matrix))[i]), x, matrix[i])
    for j in range(3):
        assert holds(genbab.jvp(plain, np.eye(3)[j]), x, [row[j] for row in matrix])
    squared = model_of(known, [node("Mul", ["t", "t"], ["y"])])
    inner = [sum((w * Fraction(v) for w, v in zip(row, x, strict=True)), Fraction(0)) for row in matrix]
    first = [2 * t * w for t, row in zip(inner, matrix, strict=True) for w in row]
    assert holds(genbab.derivative(squared), x, first)
    assert holds(genbab.vjp(squared, np.eye(len(matrix))[0]), x, first[:3])
    second = [2 * w * w for row in matrix for w in row]
    assert holds(genbab.derivative(squared, 2), x, second)
    assert bool(torch.isfinite(torch.cat(genbab.output_bounds(genbab.derivative(squared, 2), x, x))).all())
