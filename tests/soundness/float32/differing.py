"""Ten small networks with properties that hold over the reals, and that float32 breaks.

Each has one input number and one output number; that the output stays above a limit is true of real numbers.
The boxes hold so few float32 numbers that all can be tried.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from .styles import Array

Nodes = Sequence[tuple[str, Sequence[str]]]


@dataclass(frozen=True)
class Differing:
    """A model, the interval of its input, and what its output is above over the reals."""

    name: str
    model: onnx.ModelProto
    low: float
    high: float
    limit: float

    def inputs(self) -> Array:
        """All float32 numbers of the interval (P, 1)."""
        ends = np.array([self.low, self.high], np.float32)
        found = [ends[0]]
        while found[-1] < ends[1] and len(found) < 5000:
            found.append(np.nextafter(found[-1], ends[1]))
        return np.array(found, np.float32)[:, None]


def chain(nodes: Nodes, constants: Mapping[str, Array | float]) -> onnx.ModelProto:
    """A model from x (1, 1) to y; node k makes "k", the last one y."""
    names = [*(str(k) for k in range(len(nodes) - 1)), "y"]
    made = [
        helper.make_node(kind, list(read), [name]) for (kind, read), name in zip(nodes, names, strict=True)
    ]
    tensors = [numpy_helper.from_array(np.asarray(v, np.float32), name) for name, v in constants.items()]
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 1]) for n in ("x", "y"))
    graph = helper.make_graph(made, "g", [x], [y], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


def _tie() -> Differing:
    """x · (0.3 - 0.1 - 0.2), with float32's tenths: 7e-9 · x."""
    nodes = [("Mul", "xa"), ("Mul", "xb"), ("Add", "01"), ("Mul", "xc"), ("Sub", "32")]
    return Differing("tenths", chain(nodes, {"a": 0.1, "b": 0.2, "c": 0.3}), 1.0, 1.00001, 1e-9)


def _accumulation() -> Differing:
    """1e8 + 64 numbers of 1 - 1e8, added one by one by a matrix product."""
    first = np.concatenate([[1e8], np.ones(64), [-1e8]])[None]
    nodes = [("MatMul", "xw"), ("MatMul", "0v")]
    return Differing("accumulation", chain(nodes, {"w": first, "v": np.ones((66, 1))}), 1.0, 1.0001, 60.0)


def _order() -> Differing:
    """1e8 · x + x - 1e8 · x: 0 or x, as the terms are ordered."""
    nodes = [("MatMul", "xw"), ("MatMul", "0v")]
    constants = {"w": np.array([[1e8, 1.0, -1e8]]), "v": np.ones((3, 1))}
    return Differing("order of terms", chain(nodes, constants), 1.0, 1.0001, 0.5)


def _residual() -> Differing:
    """1e4 · (tanh(x + 1e-6) - tanh(x)) at x = 0."""
    nodes = [("Add", "xe"), ("Tanh", "0"), ("Tanh", "x"), ("Sub", "12"), ("Mul", "3f")]
    return Differing("cancelling residual", chain(nodes, {"e": 1e-6, "f": 1e4}), 0.5, 0.5001, 7e-3)


def _gate() -> Differing:
    """sigmoid(1e9 · (x + 8 - 8 - 1)) just above x = 1: next to 9 there is no number for it."""
    nodes = [("Add", "xe"), ("Sub", "0e"), ("Sub", "1i"), ("Mul", "2k"), ("Sigmoid", "3")]
    return Differing("sharp gate", chain(nodes, {"e": 8.0, "i": 1.0, "k": 1e9}), 1.0000001, 1.0000003, 0.999)


STEPS = 24


def _logistic(x: float) -> float:
    """The real value, to 200 bits."""
    value, rate = Fraction(x), Fraction(float(np.float32(3.9)))
    for _ in range(STEPS):
        value = rate * value * (1 - value)
        value = Fraction(round(value * 2**200), 2**200)
    return float(value)


def _recurrence() -> Differing:
    """x -> 3.9·x·(1 - x), 24 times, from float32's 0.3: chaos."""
    nodes: list[tuple[str, list[str]]] = []
    state = "x"
    for k in range(STEPS):
        rest, product = str(3 * k), str(3 * k + 1)
        nodes += [("Sub", ["i", state]), ("Mul", [state, rest]), ("Mul", [product, "r"])]
        state = str(3 * k + 2)
    x = float(np.float32(0.3))
    return Differing("long recurrence", chain(nodes, {"i": 1.0, "r": 3.9}), x, x, _logistic(x) - 1e-4)


def _threshold() -> Differing:
    """1 where 0.1·x + 0.2·x < 0.3·x, which is true of float32's tenths."""
    nodes = [("Mul", "xa"), ("Mul", "xb"), ("Add", "01"), ("Mul", "xc"), ("Less", "23"), ("Where", "4iz")]
    constants: dict[str, Array | float] = {"a": 0.1, "b": 0.2, "c": 0.3}
    constants |= {"i": np.ones((1, 1)), "z": np.zeros((1, 1))}
    return Differing("threshold", chain(nodes, constants), 1.0, 1.00001, 0.5)


def _quantiser() -> Differing:
    """-floor(0.7 · x) at x = 10, with float32's 0.7, which is less than 7 / 10."""
    nodes = [("Mul", "xa"), ("Floor", "0"), ("Neg", "1")]
    return Differing("quantiser", chain(nodes, {"a": 0.7}), 10.0, 10.0, -6.5)


def _square() -> Differing:
    """(x + 1)² - x² - 2·x at x = 4097: 1."""
    nodes = [("Add", "xi"), ("Mul", "00"), ("Mul", "xx"), ("Sub", "12"), ("Mul", "xt"), ("Sub", "34")]
    return Differing("difference of squares", chain(nodes, {"i": 1.0, "t": 2.0}), 8191.0, 8191.5, 0.9)


def _norm() -> Differing:
    """The norm of three numbers about 3000 that differ by little: squares of these hide the variance."""
    nodes = [("MatMul", "xw"), ("LayerNormalization", "0s"), ("MatMul", "1v")]
    constants = {
        "w": np.array([[3000.0, 3000.1, 3000.0]]),
        "s": np.ones(3),
        "v": np.array([[0.0], [1.0], [0.0]]),
    }
    return Differing("norm of near equals", chain(nodes, constants), 1.0, 1.00001, 1.41)


MADE: tuple[Callable[[], Differing], ...] = (
    _tie,
    _accumulation,
    _order,
    _residual,
    _gate,
    _recurrence,
    _threshold,
    _quantiser,
    _square,
    _norm,
)


def differing() -> list[Differing]:
    """All ten."""
    return [make() for make in MADE]
