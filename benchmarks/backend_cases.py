"""Node tests of ONNX as models whose inputs are tensors of floating-point numbers.

`spelled_out` holds inputs at the test's values, makes sequences and optional tensors of tensors by nodes in
front, and takes those that come out apart by nodes behind.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, ValueInfoProto, helper, numpy_helper

FLOATS = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16)  # what Python gives onnxruntime
FORMAT = 13  # the newest version of the file format that onnxruntime knows


def tests() -> list[Any]:
    """The node tests, by name."""
    from onnx.backend.test.case.node import collect_testcases

    from genbab.reader import opset_versions

    newest = opset_versions()[1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = sorted((t for t in collect_testcases(None) if t.model), key=lambda t: t.name)
    for one in found:
        one.model.ir_version = min(one.model.ir_version, FORMAT)
        for opset in one.model.opset_import:
            opset.version = opset.version if opset.domain else min(opset.version, newest)
    return found


@dataclass
class Written:
    """A model, and what its inputs are in the test."""

    model: ModelProto
    values: dict[str, Any] = field(default_factory=dict)


def as_array(value: Any) -> Any:
    """A value of a test, which newer tests keep as ONNX stores them."""
    return numpy_helper.to_array(value) if isinstance(value, TensorProto) else value


def kind_of(value: ValueInfoProto) -> tuple[str, int]:
    """("tensor", "sequence" or "optional ..."; the type of its numbers) of an input or output."""
    return _kind(value.type)


def _kind(made: Any) -> tuple[str, int]:
    which = made.WhichOneof("value")
    if which == "tensor_type":
        return "tensor", int(made.tensor_type.elem_type)
    if which == "sequence_type":
        return "sequence", _kind(made.sequence_type.elem_type)[1]
    if which == "optional_type":
        inner, kind = _kind(made.optional_type.elem_type)
        return f"optional {inner}", kind
    return str(which), 0


def spelled_out(proto: ModelProto, given: Sequence[Any], varying: Sequence[int]) -> Written:
    """The test's model with these of its inputs as inputs, and the others held at what the test has."""
    made = Written(ModelProto())
    made.model.CopyFrom(proto)
    graph = made.model.graph
    inputs = [i for i in proto.graph.input if i.name not in {t.name for t in proto.graph.initializer}]
    del graph.input[:]
    front = []
    for place, (one, value) in enumerate(zip(inputs, given, strict=True)):
        what, kind = kind_of(one)
        free = place in varying
        if what == "tensor":
            _place(made, one.name, np.asarray(value), kind, free)
        elif "sequence" in what:
            front += _sequence(made, one, value, free, "optional" in what)
        else:
            front += _optional(made, one, value, free)
    if not graph.input:
        _place(made, "spare", np.zeros(1, np.float32), TensorProto.FLOAT, True)
        front.append(helper.make_node("Identity", ["spare"], ["spare_too"]))
        graph.output.append(helper.make_tensor_value_info("spare_too", TensorProto.FLOAT, [1]))
    nodes = list(graph.node)
    del graph.node[:]
    graph.node.extend([*front, *nodes])
    return made


def _place(made: Written, name: str, value: Any, kind: int, free: bool) -> None:
    """The tensor as an input, or as an initialiser."""
    if free:
        made.model.graph.input.append(helper.make_tensor_value_info(name, kind, value.shape))
        made.values[name] = value
    else:
        dtype = helper.tensor_dtype_to_np_dtype(kind)
        made.model.graph.initializer.append(numpy_helper.from_array(value.astype(dtype), name))


def _sequence(made: Written, one: ValueInfoProto, value: Any, free: bool, wrapped: bool) -> list[Any]:
    """Nodes that make a sequence of tensors."""
    kind = kind_of(one)[1]
    name = f"{one.name}_bare" if wrapped else one.name
    if value is None or (isinstance(value, (list, tuple)) and len(value) == 1 and value[0] is None):
        return [helper.make_node("Optional", [], [one.name], type=one.type.optional_type.elem_type)]
    parts = [f"{one.name}_{i}" for i in range(len(value))]
    for part, number in zip(parts, value, strict=True):
        _place(made, part, np.asarray(number), kind, free)
    node = helper.make_node("SequenceConstruct", parts, [name])
    if not parts:
        node = helper.make_node("SequenceEmpty", [], [name], dtype=kind)
    return [node, helper.make_node("Optional", [name], [one.name])] if wrapped else [node]


def _optional(made: Written, one: ValueInfoProto, value: Any, free: bool) -> list[Any]:
    """Nodes that make an optional tensor."""
    if value is None:
        return [helper.make_node("Optional", [], [one.name], type=one.type.optional_type.elem_type)]
    _place(made, f"{one.name}_bare", np.asarray(value), kind_of(one)[1], free)
    return [helper.make_node("Optional", [f"{one.name}_bare"], [one.name])]


def taken_apart(made: Written, results: Sequence[Any]) -> None:
    """Outputs that are sequences or optional, given what they are once, as tensors."""
    graph = made.model.graph
    outputs, spare = list(graph.output)[: len(results)], list(graph.output)[len(results) :]
    del graph.output[:]
    graph.output.extend(spare)
    for one, result in zip(outputs, results, strict=True):
        what, kind = kind_of(one)
        name = one.name
        if what.startswith("optional") and result is not None:
            graph.node.append(helper.make_node("OptionalGetElement", [name], [f"{name}_bare"]))
            name, what = f"{name}_bare", what.removeprefix("optional ")
        if result is None or what == "tensor":
            graph.output.append(helper.make_tensor_value_info(name, kind, None) if name != one.name else one)
            continue
        for i in range(len(result)):
            graph.initializer.append(numpy_helper.from_array(np.array(i, np.int64), f"{name}_at_{i}"))
            graph.node.append(helper.make_node("SequenceAt", [name, f"{name}_at_{i}"], [f"{name}_{i}"]))
            graph.output.append(helper.make_tensor_value_info(f"{name}_{i}", kind, None))
