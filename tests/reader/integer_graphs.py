"""Random graphs of integers, truth values and conversions whose numbers are all exact in float32.

Inputs are multiples of 1/4, factors are powers of 2 or small integers: onnxruntime rounds nothing but where a
conversion says so, and what it gives is the truth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Array = np.ndarray[Any, Any]

SIZE = 4
TYPES: dict[str, Any] = {
    "int8": np.int8,
    "uint8": np.uint8,
    "int16": np.int16,
    "uint16": np.uint16,
    "int32": np.int32,
    "int64": np.int64,
    "uint32": np.uint32,
}
WIDE = ("int32", "int64")
"""Types that onnxruntime has most operators for."""

CORNERS = (127, 128, 129, -127, -128, -129, -130, 255, 256, 257, 32767, 32768, -32769, 65535, 65536)


def number(kind: str) -> int:
    """ONNX's number of a type."""
    if kind in ("bool", "float", "double"):
        return int(getattr(TensorProto, kind.upper()))
    return int(helper.np_dtype_to_tensor_dtype(np.dtype(TYPES[kind])))


@dataclass
class Graph:
    """A graph that grows: nodes, constants, and tensors (name, type, length)."""

    random: np.random.Generator
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)
    tensors: list[tuple[str, str, int]] = field(default_factory=lambda: [("x", "float", SIZE)])

    def constant(self, value: Any) -> str:
        """The name of a constant."""
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def node(self, operator: str, inputs: list[str], kind: str, length: int, **attributes: Any) -> str:
        """The name of what a new node makes."""
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        self.tensors.append((name, kind, length))
        return name

    def pick(self, *kinds: str) -> tuple[str, str, int] | None:
        """A tensor of one of these types, recent ones more often."""
        found = [t for t in self.tensors if t[1] in kinds]
        return found[-1 - min(int(self.random.geometric(0.4)) - 1, len(found) - 1)] if found else None

    def chosen(self, options: tuple[Any, ...]) -> Any:
        """One of these."""
        return options[int(self.random.integers(len(options)))]


def _real(g: Graph) -> None:
    """A step on numbers that are not whole."""
    picked = g.pick("float")
    assert picked is not None
    x, _, n = picked
    kind = g.chosen(("Mul", "Add", "Clip", "Round", "Floor", "Neg", "Relu", "quantised"))
    if kind == "Mul":
        g.node("Mul", [x, g.constant(np.float32(g.chosen((-2, 0.5, 2, 4, -0.25, 64))))], "float", n)
    elif kind == "Add":
        shift = g.random.integers(-80, 80, n).astype(np.float32) / 4
        g.node("Add", [x, g.constant(shift)], "float", n)
    elif kind == "Clip":
        low, high = g.chosen(((0, 255), (-128, 127), (-3.5, 7.25), (0, 6), (-200, 100), (-0.75, 1000)))
        g.node("Clip", [x, g.constant(np.float32(low)), g.constant(np.float32(high))], "float", n)
    elif kind == "quantised":
        target = g.chosen(("int8", "uint8"))
        zero = g.constant(TYPES[target](g.random.integers(0, 100)))
        g.node("QuantizeLinear", [x, g.constant(np.float32(g.chosen((0.25, 0.5, 1, 4)))), zero], target, n)
    else:
        g.node(kind, [x], "float", n)


def _converted(g: Graph) -> None:
    picked = g.pick("float", "float", "bool", *TYPES)
    assert picked is not None
    x, kind, n = picked
    targets = [*TYPES, "int32", "int64", "bool", "float"]
    target = g.chosen(tuple(t for t in targets if t != kind))
    if target == "float" and kind == "int64" and g.random.random() < 0.5:
        target = "int8"
    if kind == "float" and target in TYPES and g.random.random() < 0.8:
        ends = np.iinfo(TYPES[target])
        low, high = np.float32(max(ends.min, -1000)), np.float32(min(ends.max, 1000))
        x = g.node("Clip", [x, g.constant(low), g.constant(high)], "float", n)
    if g.random.random() < 0.2 and target != "bool":
        like = g.constant(np.zeros(1, np.float32 if target == "float" else TYPES[target]))
        g.node("CastLike", [x, like], target, n)
        return
    g.node("Cast", [x], target, n, to=number(target))


def _pair(g: Graph) -> None:
    """An operator of two tensors of integers, or of one and a constant."""
    picked = g.pick(*TYPES)
    if picked is None:
        _converted(g)
        return
    x, kind, n = picked
    others = [t for t in g.tensors if t[1] == kind and t[2] in (n, 1)]
    if g.random.random() < 0.5:
        other = g.chosen(tuple(others))[0]
    else:
        ends = np.iinfo(TYPES[kind])
        small = g.random.random() < 0.7
        low, high = (max(-6, ends.min), 7) if small else (max(ends.min, -(2**40)), min(ends.max, 2**40))
        other = g.constant(g.random.integers(low, high, n).astype(TYPES[kind]))
    inputs = [x, other] if g.random.random() < 0.5 else [other, x]
    operator = g.chosen(("Add", "Sub", "Mul", "Max", "Min", "Equal", "Less", "Greater", "LessOrEqual"))
    truth = operator in ("Equal", "Less", "Greater", "LessOrEqual")
    g.node(operator, inputs, "bool" if truth else kind, n)


def _single(g: Graph) -> None:
    """An operator of one tensor of integers."""
    picked = g.pick(*WIDE) if g.random.random() < 0.7 else g.pick(*TYPES)
    if picked is None:
        _converted(g)
        return
    x, kind, n = picked
    operator = g.chosen(("Neg", "Abs", "Sign", "Relu", "Clip", "ReduceSum", "ReduceMax", "MatMul", "CumSum"))
    made: dict[str, Callable[[], str]] = {
        "Clip": lambda: g.node("Clip", [x, *(g.constant(TYPES[kind](v)) for v in (0, 100))], kind, n),
        "ReduceSum": lambda: g.node("ReduceSum", [x, g.constant(np.array([0]))], kind, 1),
        "ReduceMax": lambda: g.node("ReduceMax", [x, g.constant(np.array([0]))], kind, 1),
        "CumSum": lambda: g.node("CumSum", [x, g.constant(np.int64(0))], kind, n),
        "MatMul": lambda: g.node(
            "MatMul", [x, g.constant(g.random.integers(0, 40000, (n, 2)).astype(TYPES[kind]))], kind, 2
        ),
    }
    made.get(operator, lambda: g.node(operator, [x], kind, n))()


def _chosen(g: Graph) -> None:
    """ArgMax, OneHot and choices by truth values."""
    operator = g.chosen(("ArgMax", "ArgMin", "OneHot", "Where", "Not", "Concat"))
    if operator in ("ArgMax", "ArgMin"):
        x = g.pick("float", *WIDE)
        assert x is not None
        g.node(operator, [x[0]], "int64", 1, axis=0, keepdims=1, select_last_index=int(g.random.integers(2)))
    elif operator == "OneHot" and (index := g.pick("int64")) is not None:
        depth = int(g.random.integers(1, 6))
        kind = g.chosen(("float", "int64"))
        values = np.array([2, -3], np.float32 if kind == "float" else np.int64)
        hot = g.node("OneHot", [index[0], g.constant(np.int64(depth)), g.constant(values)], kind, 0)
        g.tensors.pop()
        g.node("Reshape", [hot, g.constant(np.array([-1]))], kind, depth * index[2])
    elif operator == "Not" and (truth := g.pick("bool")) is not None:
        g.node("Not", [truth[0]], "bool", truth[2])
    elif (truth := g.pick("bool")) is not None and (yes := g.pick(*WIDE, "float")) is not None:
        no = g.chosen(tuple(t for t in g.tensors if t[1] == yes[1]))
        if len({truth[2], yes[2], no[2]} - {1}) <= 1:
            g.node("Where", [truth[0], yes[0], no[0]], yes[1], max(truth[2], yes[2], no[2]))


def random_graph(seed: int) -> onnx.ModelProto:
    """A model of a few steps; its output is every integer and truth value that nothing reads, as doubles."""
    g = Graph(np.random.default_rng(seed))
    steps = (_real, _converted, _converted, _pair, _pair, _single, _chosen)
    for _ in range(int(g.random.integers(3, 10))):
        g.chosen(steps)(g)
    read = {name for node in g.nodes for name in node.input}
    last = [t for t in g.tensors if t[0] not in read] or [g.tensors[-1]]
    parts = []
    for name, kind, _ in last:
        value = name
        if g.random.random() < 0.5 and kind != "float":
            value = g.node("Cast", [name], "float", 0, to=TensorProto.FLOAT)
        parts.append(g.node("Cast", [value], "double", 0, to=TensorProto.DOUBLE))
    g.nodes.append(helper.make_node("Concat", parts, ["y"], axis=0, name="y"))
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [SIZE])
    y = helper.make_tensor_value_info("y", TensorProto.DOUBLE, None)
    graph = helper.make_graph(g.nodes, "integers", [x], [y], g.constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def points(seed: int, count: int) -> Array:
    """(count, SIZE) inputs: multiples of 1/4, small and large, many at jumps and at the limits of types."""
    random = np.random.default_rng(seed)
    width = 10.0 ** random.uniform(0, 3, (count, 1))
    x = np.round(random.uniform(-4, 4, (count, SIZE)) * width) / 4
    x = np.where(random.random(x.shape) < 0.3, np.round(x), x)
    corner = random.choice(CORNERS, x.shape) + random.choice([-0.25, 0.0, 0.25, 0.5], x.shape)
    return np.where(random.random(x.shape) < 0.15, corner, x).astype(np.float32).astype(np.float64)
