"""Dictionaries of probabilities, as scikit-learn's exporter makes them, read as the tensors behind them."""

from __future__ import annotations

from onnx import ModelProto, NodeProto, TensorProto, helper

from genbab.reader.onnx.graphs import reads

ML = "ai.onnx.ml"


def without_dictionaries(proto: ModelProto) -> tuple[str, ...]:
    """Give the outputs that are made by `ZipMap` the tensor that it makes dictionaries of.

    Where nothing else reads them. What was done, for people.
    """
    graph, notes = proto.graph, []
    read = {name for node in graph.node for name in reads(node)}
    ends = {o.name: o for o in graph.output}
    for node in graph.node:
        if (node.domain, node.op_type) != (ML, "ZipMap") or len(node.input) != 1 or len(node.output) != 1:
            continue
        source, name = node.input[0], node.output[0]
        if name not in ends or name in read:
            continue
        made: NodeProto = helper.make_node("Identity", [source], [name], name=node.name)
        node.CopyFrom(made)
        ends[name].type.Clear()
        ends[name].type.tensor_type.elem_type = TensorProto.FLOAT
        notes.append(
            f"output '{name}' is the tensor '{source}', not the dictionaries that ZipMap makes of it"
        )
    return tuple(notes)
