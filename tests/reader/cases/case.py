"""A model of one operator, and the same operator in the middle of a small network."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper


@dataclass(frozen=True, eq=False)
class Case:
    """One operator with given attributes, constants and input shapes, on inputs from `low` to `high`.

    `inputs` are shapes (variables), arrays (constants) and None (left out); `gives` is the element type of
    the output. With a `body` in ONNX's text format (from x to y) the operator is used in a graph of its own.
    `reference`: onnxruntime lacks the operator, so onnx's reference implementation stands in; `loose`: bounds
    may be infinite.
    """

    operator: str
    inputs: tuple[Any, ...] = ()
    attributes: dict[str, Any] = field(default_factory=dict)
    low: float = -1.0
    high: float = 1.0
    opset: int = 17
    outputs: int = 1
    gives: int = TensorProto.FLOAT
    reference: bool = False
    loose: bool = False
    body: str = ""

    def __str__(self) -> str:
        shown = [str(i) if isinstance(i, tuple) else "-" if i is None else "c" for i in self.inputs]
        names = [f"{k}={v}" for k, v in self.attributes.items() if not isinstance(v, onnx.GraphProto)]
        return f"{self.operator}-{self.opset}-{','.join(shown)}-{','.join(names)}".replace(" ", "")

    def model(self) -> ModelProto:
        """The operator alone."""
        graph = self._written() if self.body else self._graph()
        return _model(graph, self.opset)

    def composed(self) -> ModelProto:
        """sigmoid(z / 2) + mean(z) / 4 of the operator's outputs z at 0.9 x + 0.1 mean(tanh(x))."""
        graph = self._written() if self.body else self._graph()
        nodes: list[NodeProto] = []
        for value in graph.input:
            inner, outer = value.name, f"{value.name}_outside"
            value.name = outer
            nodes += _mixed(outer, inner)
        last = [node for o in graph.output for node in _squashed(o.name, self.gives)]
        made = [*nodes, *graph.node, *last]
        outputs = [
            helper.make_tensor_value_info(f"{o.name}_end", TensorProto.FLOAT, None) for o in graph.output
        ]
        numbers = {"tenth": 0.1, "most": 0.9, "half": 0.5, "quarter": 0.25}
        weights = [numpy_helper.from_array(np.array(v, np.float32), k) for k, v in numbers.items()]
        whole = helper.make_graph(
            made, "composed", list(graph.input), outputs, [*graph.initializer, *weights]
        )
        return _model(whole, self.opset)

    def _written(self) -> onnx.GraphProto:
        graph: onnx.GraphProto = onnx.parser.parse_graph(self.body)
        return graph

    def _graph(self) -> onnx.GraphProto:
        names, variables, constants = [], [], []
        for i, value in enumerate(self.inputs):
            names.append("" if value is None else f"in{i}")
            if isinstance(value, tuple):
                variables.append(helper.make_tensor_value_info(f"in{i}", TensorProto.FLOAT, value))
            elif value is not None:
                constants.append(numpy_helper.from_array(np.asarray(value), f"in{i}"))
        made = [f"out{i}" for i in range(self.outputs)]
        node = helper.make_node(self.operator, names, made, name="the_node", **self.attributes)
        results = [helper.make_tensor_value_info(n, self.gives, None) for n in made]
        return helper.make_graph([node], "one", variables, results, constants)


def case(operator: str, *inputs: Any, **options: Any) -> Case:
    """A case; options are fields of `Case` or attributes of the operator."""
    fields = {"low", "high", "opset", "outputs", "gives", "reference", "loose"}
    own = {k: v for k, v in options.items() if k in fields}
    return Case(operator, inputs, {k: v for k, v in options.items() if k not in fields}, **own)


def written(operator: str, body: str, shape: str = "1,4", **options: Any) -> Case:
    """A case whose graph is written out in ONNX's text format, from x of this shape to y."""
    kind = "int64" if options.get("gives") == TensorProto.INT64 else "float"
    return Case(operator, body=f"agraph (float[{shape}] x) => ({kind} y) {{ {body} }}", **options)


def ints(*values: int) -> Any:
    """An int64 array."""
    return np.array(values, dtype=np.int64)


def weights(*shape: int, seed: int = 1) -> Any:
    """Random normal float32 numbers."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def _model(graph: onnx.GraphProto, opset: int) -> ModelProto:
    model: ModelProto = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=11
    )
    return model


def _mixed(x: str, name: str) -> list[NodeProto]:
    return [
        helper.make_node("Tanh", [x], [f"{x}_tanh"]),
        helper.make_node("Mul", [x, "most"], [f"{x}_most"]),
        helper.make_node("ReduceMean", [f"{x}_tanh"], [f"{x}_mean"]),
        helper.make_node("Mul", [f"{x}_mean", "tenth"], [f"{x}_tenth"]),
        helper.make_node("Add", [f"{x}_most", f"{x}_tenth"], [name]),
    ]


def _squashed(z: str, kind: int) -> list[NodeProto]:
    number = z if kind == TensorProto.FLOAT else f"{z}_number"
    cast = [] if number == z else [helper.make_node("Cast", [z], [number], to=TensorProto.FLOAT)]
    return [
        *cast,
        helper.make_node("Mul", [number, "half"], [f"{z}_half"]),
        helper.make_node("Sigmoid", [f"{z}_half"], [f"{z}_sigmoid"]),
        helper.make_node("ReduceMean", [number], [f"{z}_mean"]),
        helper.make_node("Mul", [f"{z}_mean", "quarter"], [f"{z}_quarter"]),
        helper.make_node("Add", [f"{z}_sigmoid", f"{z}_quarter"], [f"{z}_end"]),
    ]
