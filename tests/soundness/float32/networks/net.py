"""A random ONNX graph that grows from one input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike
from onnx import NodeProto, TensorProto, helper, numpy_helper

from tests.soundness.float32.styles import Array

OPSET = 20
MOST_WIDTH = 24


class Net:
    """Nodes, constants, and the tensor (1, size) that the next layer takes; chance comes from the seed."""

    def __init__(self, seed: Any, inputs: int) -> None:
        self.random = np.random.default_rng(seed)
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self.name, self.size, self.inputs = "x", inputs, inputs
        self.wild = self.chance(0.4)

    def chance(self, share: float) -> bool:
        """True with this probability."""
        return bool(self.random.random() < share)

    def draw(self, *choices: Any) -> Any:
        """One of these."""
        return choices[int(self.random.integers(len(choices)))]

    def whole(self, low: int, high: int) -> int:
        """An integer in [low, high]."""
        return int(self.random.integers(low, high + 1))

    def log_uniform(self, low: float, high: float) -> float:
        """A number whose logarithm is uniform."""
        return float(np.exp(self.random.uniform(np.log(low), np.log(high))))

    def width(self) -> int:
        """A size of a layer, small ones preferred."""
        return round(self.log_uniform(2, MOST_WIDTH))

    def scale(self) -> float:
        """A scale of weights: from 1e-6 to 1e4 in a wild graph, now and then; about 1 otherwise."""
        wild = self.wild and self.chance(0.5)
        return self.log_uniform(1e-6, 1e4) if wild else float(self.random.uniform(0.5, 2.0))

    def constant(self, value: ArrayLike, kind: Any = np.float32) -> str:
        """The name of a constant, now and then one that the graph computes or a node holds."""
        array: Array = np.asarray(value, dtype=kind)
        name = f"c{len(self.constants)}"
        if array.dtype == np.float32 and self.chance(0.05):
            tensor = numpy_helper.from_array(array, name)
            return self.op("Constant", value=tensor)
        self.constants.append(numpy_helper.from_array(array, name))
        if array.dtype == np.float32 and array.ndim == 2 and self.chance(0.1):
            return self.op(self.draw("Mul", "Div"), name, self.constant(self.random.uniform(0.3, 3.0)))
        return name

    def numbers(self, *shape: int, scale: float = 1.0) -> str:
        """A constant of normal random numbers."""
        return self.constant(self.random.normal(size=shape) * scale)

    def integers(self, *values: int) -> str:
        """A vector of integers."""
        return self.constant(values, np.int64)

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """The name of the one output of a new node."""
        return self.several(kind, 1, *inputs, **attributes)[0]

    def several(self, kind: str, count: int, *inputs: str, **attributes: Any) -> list[str]:
        """The names of the outputs of a new node."""
        names = [f"t{len(self.nodes)}" + (f"_{k}" if k else "") for k in range(count)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names

    def to(self, name: str, size: int | None = None) -> None:
        """Go on from this tensor (1, size)."""
        self.name, self.size = name, self.size if size is None else size

    def affine(self, size: int, scale: float | None = None) -> str:
        """A fully connected layer of the tensor that the graph is at, in one of the spellings."""
        scale = self.scale() if scale is None else scale
        weight = self.random.normal(size=(self.size, size)) * scale / np.sqrt(self.size)
        bias = self.numbers(size, scale=self.draw(1.0, scale, 0.1, 0.0))
        spelling = self.draw("gemm", "gemm", "transposed", "scaled", "matmul", "matmul", "no bias")
        if spelling == "matmul":
            return self.op("Add", *self.shuffled(self.op("MatMul", self.name, self.constant(weight)), bias))
        if spelling == "no bias":
            return self.op("MatMul", self.name, self.constant(weight))
        if spelling == "transposed":
            return self.op("Gemm", self.name, self.constant(weight.T), bias, transB=1)
        options = {"alpha": 0.7, "beta": self.draw(1.0, 1.3)} if spelling == "scaled" else {}
        return self.op("Gemm", self.name, self.constant(weight), bias, **options)

    def dense(self, size: int | None = None, scale: float | None = None) -> str:
        """Go on from a fully connected layer."""
        size = self.width() if size is None else size
        self.to(self.affine(size, scale), size)
        return self.name

    def shuffled(self, *names: str) -> list[str]:
        """The names in any order."""
        return [names[k] for k in self.random.permutation(len(names))]

    def mul(self, name: str, value: ArrayLike) -> str:
        """A tensor times a constant."""
        return self.op("Mul", *self.shuffled(name, self.constant(value)))

    def add(self, name: str, value: ArrayLike) -> str:
        """A tensor plus a constant."""
        return self.op("Add", *self.shuffled(name, self.constant(value)))

    def reshape(self, name: str, *shape: int) -> str:
        """A tensor of another shape."""
        return self.op("Reshape", name, self.integers(*shape))

    def model(self, shape: Sequence[int]) -> onnx.ModelProto:
        """The model; its input has this shape, its output is the tensor that the graph is at."""
        ends = (("x", shape), (self.name, [1, self.size]))
        given, made = ([helper.make_tensor_value_info(n, TensorProto.FLOAT, s)] for n, s in ends)
        graph = helper.make_graph(self.nodes, "random", given, made, self.constants)
        found: onnx.ModelProto = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10
        )
        return found
