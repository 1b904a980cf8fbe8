"""Models of float32 with their tensors in another type."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import AttributeProto, GraphProto, ModelProto, TensorProto, helper, numpy_helper


def retyped(model: ModelProto, element: int) -> ModelProto:
    """The model with its float32 tensors in this type; numbers are rounded to float16 in any case."""
    made = ModelProto()
    made.CopyFrom(model)
    _graph(made.graph, element)
    return made


def _graph(graph: GraphProto, element: int) -> None:
    for tensor in graph.initializer:
        _tensor(tensor, element)
    for value in (*graph.input, *graph.output, *graph.value_info):
        kind = value.type.tensor_type
        kind.elem_type = element if kind.elem_type == TensorProto.FLOAT else kind.elem_type
    for node in graph.node:
        for attribute in node.attribute:
            _attribute(attribute, node.op_type, element)


def _attribute(attribute: AttributeProto, operator: str, element: int) -> None:
    if attribute.HasField("t"):
        _tensor(attribute.t, element)
    if attribute.HasField("g"):
        _graph(attribute.g, element)
    if attribute.name in ("to", "dtype") and attribute.i == TensorProto.FLOAT:
        attribute.i = element
    if operator == "Constant" and attribute.name in ("value_float", "value_floats"):
        numbers = attribute.f if attribute.name == "value_float" else list(attribute.floats)
        made = numpy_helper.from_array(_numbers(np.array(numbers, np.float32), element))
        attribute.CopyFrom(helper.make_attribute("value", made))


def _tensor(tensor: TensorProto, element: int) -> None:
    if tensor.data_type == TensorProto.FLOAT:
        numbers = numpy_helper.to_array(tensor)
        tensor.CopyFrom(numpy_helper.from_array(_numbers(numbers, element), tensor.name))


def _numbers(numbers: Any, element: int) -> Any:
    with np.errstate(over="ignore"):
        return numbers.astype(np.float16).astype(helper.tensor_dtype_to_np_dtype(element))
