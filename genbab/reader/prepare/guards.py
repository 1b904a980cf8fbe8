"""Guards against NaN, as torch writes them after the softmax of masked scores, become part of the softmax.

    y = Where(IsNaN(Softmax(x)), 0, Softmax(x))

Over the real numbers a softmax is NaN in rows only that are masked altogether, and there y is 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from genbab.reader.convert.fold import literal
from genbab.reader.lower.layers.softmax import EMPTY_ROWS
from genbab.reader.tensors.values import Op, Refused

NUMBERS = ("value", "value_float", "value_floats", "value_int", "value_ints")


def without_guards(proto: ModelProto) -> ModelProto:
    """The model with each guarded softmax marked by `EMPTY_ROWS` and its guard taken away.

    The argument itself if there is none.
    """
    if not any(node.op_type == "IsNaN" for node in proto.graph.node):
        return proto
    made = ModelProto()
    made.CopyFrom(proto)
    maker = {name: node for node in made.graph.node for name in node.output}
    readers = Counter(name for node in made.graph.node for name in node.input)
    readers.update(o.name for o in made.graph.output)
    constants = {t.name: t for t in made.graph.initializer}
    for node in made.graph.node:
        soft = _guarded(node, maker, constants)
        if soft is not None and readers[soft.output[0]] == 2:
            soft.attribute.append(helper.make_attribute(EMPTY_ROWS, 1))
            guard = helper.make_node("Identity", [soft.output[0]], list(node.output), name=node.name)
            node.CopyFrom(guard)
    return made


def _guarded(
    node: NodeProto, maker: Mapping[str, NodeProto], constants: Mapping[str, TensorProto]
) -> NodeProto | None:
    """The softmax that this node guards."""
    if node.op_type != "Where" or len(node.input) != 3:
        return None
    test, zero, value = node.input
    asks, soft = maker.get(test), maker.get(value)
    if asks is None or asks.op_type != "IsNaN" or list(asks.input) != [value]:
        return None
    if soft is None or soft.op_type != "Softmax" or soft.domain not in ("", "ai.onnx"):
        return None
    return soft if _is_zero(zero, maker, constants) else None


def _is_zero(name: str, maker: Mapping[str, NodeProto], constants: Mapping[str, TensorProto]) -> bool:
    try:
        if name in constants:
            return not np.any(numpy_helper.to_array(constants[name]))
        node = maker.get(name)
        if node is None or node.op_type != "Constant" or any(a.name not in NUMBERS for a in node.attribute):
            return False
        return not np.any(literal(Op(node, 0)))
    except (ValueError, TypeError, LookupError, Refused):  # what is wrong with it is said when it is read
        return False
