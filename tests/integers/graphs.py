"""Random small models with inputs of integers or truth values, and what onnxruntime gives at all of them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from genbab.reader.onnx.runtime import session

Array = np.ndarray[Any, Any]

KINDS: dict[str, Any] = {
    "int8": np.int8,
    "uint8": np.uint8,
    "int16": np.int16,
    "int32": np.int32,
    "int64": np.int64,
    "bool": np.bool_,
}


def code(kind: str) -> int:
    """ONNX's number of a type."""
    return int(helper.np_dtype_to_tensor_dtype(np.dtype(KINDS.get(kind, np.float32))))


@dataclass
class IntegerModel:
    """A model under construction: nodes, constants, and the tensor that was made last."""

    random: np.random.Generator
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def constant(self, value: Array) -> str:
        """The name of a new constant."""
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def node(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        """The output of a new node."""
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def proto(self, inputs: dict[str, tuple[str, int]], output: str, size: int) -> onnx.ModelProto:
        """The model; inputs: type and size of each."""
        values = [helper.make_tensor_value_info(n, code(kind), [k]) for n, (kind, k) in inputs.items()]
        last = helper.make_tensor_value_info(output, TensorProto.FLOAT, [size])
        graph = helper.make_graph(self.nodes, "g", values, [last], self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def arithmetic(m: IntegerModel, x: str, kind: str, n: int) -> str:
    """One operator on integers of a type, which may wrap around."""
    few = m.random.integers(-3, 4, n) if kind not in ("uint8",) else m.random.integers(0, 4, n)
    other = m.constant(few.astype(KINDS[kind]))
    chosen = str(m.random.choice(["Add", "Sub", "Mul", "Neg", "Abs", "Where", "none"]))
    if (
        kind == "uint8"
        and chosen in ("Neg", "Abs")
        or kind in ("int8", "int16")
        and chosen in ("Add", "Sub", "Mul")
    ):
        return x  # onnxruntime has no kernel
    if chosen in ("Add", "Sub", "Mul"):
        return m.node(chosen, [x, other])
    if chosen == "Where":
        return m.node("Where", [m.node("Less", [x, other]), x, other])
    return x if chosen == "none" else m.node(chosen, [x])


def random_model(random: np.random.Generator) -> tuple[onnx.ModelProto, dict[str, tuple[str, int]]]:
    """A model of one to three integers, truth values among them or not, and what its inputs are."""
    m = IntegerModel(random)
    kind, n = str(random.choice([k for k in KINDS if k != "bool"])), int(random.integers(1, 4))
    inputs = {"x": (kind, n)}
    x = arithmetic(m, "x", kind, n) if kind != "int16" else "x"
    value = m.node("Cast", [x], to=TensorProto.FLOAT)
    if random.random() < 0.4:
        inputs["b"] = ("bool", n)
        if random.random() < 0.5:
            value = m.node("Mul", [value, m.node("Cast", ["b"], to=TensorProto.FLOAT)])
        else:
            value = m.node("Where", ["b", value, m.constant(random.normal(size=n).astype(np.float32))])
    width = int(random.integers(2, 5))
    value = m.node("MatMul", [value, m.constant(random.normal(size=(n, width)).astype(np.float32))])
    value = m.node("Add", [value, m.constant(random.normal(size=width).astype(np.float32))])
    value = m.node(str(random.choice(["Relu", "Tanh", "Sigmoid", "Floor", "Abs"])), [value])
    value = m.node("MatMul", [value, m.constant(random.normal(size=(width, 1)).astype(np.float32))])
    return m.proto(inputs, value, 1), inputs


def enumerated(proto: onnx.ModelProto, inputs: dict[str, tuple[str, int]], low: Array, high: Array) -> Array:
    """The model's output at every point of a box of integers, (P,)."""
    one = session(proto.SerializeToString())
    found = []
    for point in itertools.product(
        *(range(a, b + 1) for a, b in zip(low.tolist(), high.tolist(), strict=True))
    ):
        feed, start = {}, 0
        for name, (kind, n) in inputs.items():
            feed[name] = np.array(point[start : start + n]).astype(KINDS[kind])
            start += n
        found.append(float(np.asarray(one.run([proto.graph.output[0].name], feed)[0]).reshape(-1)[0]))
    return np.array(found)


def box_of(random: np.random.Generator, inputs: dict[str, tuple[str, int]]) -> tuple[Array, Array]:
    """A box of a few hundred integers that the types hold."""
    low, high = [], []
    total = sum(n for _, n in inputs.values())
    most = max(1, int(600 ** (1 / total)) - 1)
    for kind, n in inputs.values():
        for _ in range(n):
            if kind == "bool":
                low.append(int(random.integers(0, 2)))
                high.append(max(low[-1], int(random.integers(0, 2))))
                continue
            ends = np.iinfo(KINDS[kind])
            start = int(random.integers(-8, 5))
            if kind in ("int8", "uint8") and random.random() < 0.2:  # where sums leave the type
                start = int(ends.max) - most
            start = max(start, int(ends.min))
            low.append(start)
            high.append(min(start + int(random.integers(0, most + 1)), int(ends.max)))
    return np.array(low), np.array(high)
