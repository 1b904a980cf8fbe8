"""Which tensors hold integers: ONNX gives some operators another meaning there."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from onnx import defs, helper

from genbab.reader.values import Op, Refused, Var

ROUNDING = frozenset({"Div", "Pow", "ReduceMean", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp"})
"""Operators that round their results on integers."""


def is_whole(value: Any) -> bool:
    """Whether a tensor has an integer type."""
    return (
        value.whole
        if isinstance(value, Var)
        else getattr(value, "dtype", None) is not None and (value.dtype.kind in "iu")
    )


def refuse_rounding(op: Op, inputs: Sequence[Any]) -> None:
    """Raises `Refused` where an operator would round because its tensors hold integers."""
    if op.kind in ROUNDING and any(isinstance(v, Var) and v.whole for v in inputs[:1]):
        raise Refused("integers that depend on the network's input, which this operator rounds")
    if op.kind == "Div" and len(inputs) > 1 and isinstance(inputs[1], Var) and inputs[1].whole:
        raise Refused("integers that depend on the network's input, which this operator rounds")


def marked(op: Op, inputs: Sequence[Any], outputs: Sequence[Any]) -> list[Any]:
    """The outputs, marked where their ONNX type is an integer one."""
    return [
        Var(v.node, v.shape, v.boolean, True)
        if isinstance(v, Var) and not v.whole and _whole(op, inputs, i)
        else v
        for i, v in enumerate(outputs)
    ]


def _whole(op: Op, inputs: Sequence[Any], position: int) -> bool:
    if op.kind == "Cast":
        return helper.tensor_dtype_to_np_dtype(op.integer("to", 1)).kind in "iu"
    types = _types(op.kind, op.opset, op.node.domain)
    if types is None or not types[1]:
        return False
    takes, gives = types
    kind = gives[min(position, len(gives) - 1)]
    if kind.startswith("tensor("):
        return "int" in kind
    source = next((i for i, t in enumerate(takes) if t == kind and i < len(inputs)), None)
    return source is not None and is_whole(inputs[source])


@cache
def _types(kind: str, opset: int, domain: str) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """(types of the inputs, types of the outputs) by the names that the operator's schema gives them."""
    if not defs.has(kind, opset, domain):
        return None
    schema: Any = defs.get_schema(kind, opset, domain)
    return tuple(i.type_str for i in schema.inputs), tuple(o.type_str for o in schema.outputs)
