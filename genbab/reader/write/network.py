"""A network as a self-contained ONNX model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from genbab.errors import UnsupportedError
from genbab.network import Affine, Grouped, Input, Meaning, Network, Nonlinear
from genbab.nonlinear import Gate, Nonlinearity, Product
from genbab.nonlinear.composed.defined import keeps_domain
from genbab.nonlinear.expressions.expression import Expression
from genbab.nonlinear.expressions.steps import Apply, Argument
from genbab.nonlinear.groups.softmax import Softmax
from genbab.reader.onnx.custom_operators import FunctionWriter
from genbab.reader.write.maps import mapped

OPSET, IR = 17, 8

Shapes = Sequence[tuple[str, Sequence[int]]]
"""Names and shapes of tensors."""

Kinds = Sequence[np.dtype[np.generic]]
"""Types of tensors."""


def written(
    network: Network, inputs: Shapes, outputs: Shapes, elem: int = TensorProto.DOUBLE, given: Kinds = ()
) -> ModelProto:
    """The network as a graph in numbers of this type, its inputs and outputs divided into these tensors.

    given: the types of the inputs, where they are others.

    What only keeps domains is left out, as nothing needs to compute it. Raises `UnsupportedError` where ONNX
    has no operators for a function.
    """
    made = NetworkWriter(network, elem, {name for name, _ in (*inputs, *outputs)})
    kinds = [int(helper.np_dtype_to_tensor_dtype(kind)) for kind in given] or [elem] * len(inputs)
    made.read(inputs, kinds)
    for i in sorted(network.ancestors[network.output] | {network.output}):
        if i:
            made.tensors[i] = network.nodes[i].meet(made, i, None)
    made.give(outputs)
    graph = helper.make_graph(
        made.nodes,
        "genbab",
        [
            helper.make_tensor_value_info(name, kind, list(shape))
            for (name, shape), kind in zip(inputs, kinds, strict=True)
        ],
        [helper.make_tensor_value_info(name, elem, list(shape)) for name, shape in outputs],
        made.constants,
    )
    opsets = [helper.make_opsetid("", OPSET)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=IR, producer_name="genbab")


class NetworkWriter(Meaning[None, str]):
    """Each node as operators on flat tensors; `tensors` are the names of those of nodes that came before."""

    def __init__(self, network: Network, elem: int, taken: set[str]) -> None:
        self.network, self.elem = network, elem
        self.dtype = helper.tensor_dtype_to_np_dtype(elem)
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self.tensors: dict[int, str] = {}
        self._taken, self._known = set(taken), dict[tuple[str, bytes], str]()

    def read(self, inputs: Shapes, kinds: Sequence[int]) -> None:
        """The input, of these tensors, of these types, one after the other."""
        parts = []
        for (name, _), kind in zip(inputs, kinds, strict=True):
            held = name if kind == self.elem else self.node("Cast", name, to=self.elem)
            parts.append(self.node("Reshape", held, self.places([-1])))
        self.tensors[0] = parts[0] if len(parts) == 1 else self.node("Concat", *parts, axis=0)

    def give(self, outputs: Shapes) -> None:
        """The output, divided into these tensors."""
        start, whole = 0, self.tensors[self.network.output]
        for name, shape in outputs:
            end, part = start + math.prod(shape), whole
            if len(outputs) > 1:
                part = self.node("Slice", whole, self.places([start]), self.places([end]))
            self.nodes.append(helper.make_node("Reshape", [part, self.places(list(shape))], [name], name))
            start = end

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """The name of the output of a new operator."""
        name = self._fresh(kind.lower())
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name, **attributes))
        return name

    def numbers(self, value: npt.NDArray[np.float64]) -> str:
        """The name of a constant in the graph's type."""
        return self._constant(np.ascontiguousarray(value, self.dtype))

    def places(self, value: Sequence[int] | npt.NDArray[np.int64]) -> str:
        """The name of a constant of whole numbers."""
        return self._constant(np.asarray(value, np.int64))

    def input(self, i: int, node: Input, x: None) -> str:
        """The input's name."""
        return self.tensors[0]

    def affine(self, i: int, node: Affine, x: None) -> str:
        """The sum of the maps and the bias."""
        total = ""
        for source, one in node.terms:
            if self._vanishes(source):
                continue
            term = mapped(self, one, self.tensors[source])
            total = self.node("Add", total, term) if total else term
        if not total:
            return self.numbers(node.bias.numpy())
        bias = node.bias.numpy()
        return self.node("Add", total, self.numbers(bias)) if bias.any() else total

    def nonlinear(self, i: int, node: Nonlinear, x: None) -> str:
        """The function's operators."""
        first = self.tensors[node.args[0]]
        if keeps_domain(node.fn):
            return self.numbers(np.zeros(node.size))
        if isinstance(node.fn, Product):
            return self.node("Mul", first, self.tensors[node.args[1]])
        if isinstance(node.fn, Gate):
            return self.node("Mul", first, self._function(i, node.fn.g, self.tensors[node.args[1]]))
        return self._function(i, node.fn, first)

    def grouped(self, i: int, node: Grouped, x: None) -> str:
        """A softmax by rows."""
        if not isinstance(node.fn, Softmax):
            raise UnsupportedError(
                "the graph", [(self.network.name(i), node.fn.name, "it cannot be written")]
            )
        rows = self.node("Reshape", self.tensors[node.args[0]], self.places([-1, node.fn.length]))
        return self.node("Reshape", self.node("Softmax", rows, axis=-1), self.places([-1]))

    def _vanishes(self, source: int) -> bool:
        node = self.network.nodes[source]
        return isinstance(node, Nonlinear) and keeps_domain(node.fn)

    def _function(self, i: int, fn: Nonlinearity, x: str) -> str:
        name = self._fresh(fn.name.split(" ")[0])
        model = NodeProto(name=name, input=[x], output=[name])
        program = fn.written if isinstance(fn.written, Expression) else Expression((Argument(), Apply(fn, 0)))
        self.nodes += FunctionWriter(model, OPSET, self._taken, self.elem).written(program)
        return name

    def _constant(self, array: npt.NDArray[np.generic]) -> str:
        key = f"{array.dtype}{array.shape}", array.tobytes()
        if key not in self._known:
            name = self._known[key] = self._fresh("constant")
            self.constants.append(numpy_helper.from_array(array, name))
        return self._known[key]

    def _fresh(self, name: str) -> str:
        found, count = name, 1
        while found in self._taken:
            found, count = f"{name}_{count}", count + 1
        self._taken.add(found)
        return found
