"""Small ONNX graphs written node by node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

KIND = {np.dtype(d): helper.np_dtype_to_tensor_dtype(np.dtype(d)) for d in (np.float32, np.float64)}


class Graph:
    """Nodes and constants of one type of float, inputs and outputs by name."""

    def __init__(self, dtype: Any = np.float32, opset: int = 20) -> None:
        self.dtype, self.opset = np.dtype(dtype), opset
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self.inputs: list[Any] = []

    @property
    def kind(self) -> int:
        """The element type's number."""
        return int(KIND[self.dtype])

    def input(self, name: str, *shape: int | str, kind: int | None = None) -> str:
        """A new input."""
        self.inputs.append(helper.make_tensor_value_info(name, kind or self.kind, shape))
        return name

    def constant(self, value: ArrayLike, dtype: Any = None) -> str:
        """The name of a new initialiser of the graph's own type, or of `dtype`."""
        name = f"c{len(self.constants)}"
        array: NDArray[Any] = np.asarray(value, dtype=self.dtype if dtype is None else dtype)
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def integers(self, *values: int) -> str:
        """The name of a new vector of int64."""
        return self.constant(values, np.int64)

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """The name of the output of a new node."""
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def model(self, outputs: Sequence[str], kinds: Sequence[int] = ()) -> ModelProto:
        """The model with these outputs, of the graph's own type unless `kinds` says others."""
        made = [
            helper.make_tensor_value_info(name, kinds[k] if kinds else self.kind, None)
            for k, name in enumerate(outputs)
        ]
        graph = helper.make_graph(self.nodes, "adversary", self.inputs, made, self.constants)
        model: ModelProto = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=10
        )
        return model
