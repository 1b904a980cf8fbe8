"""How often tensors of a graph are read, and which nodes read the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from onnx import GraphProto

from genbab.reader.convert.forks import Forked
from genbab.reader.lower.numbers.reductions import reduced_axes
from genbab.reader.onnx.graphs import inner_graphs
from genbab.reader.tensors.builder import Builder
from genbab.reader.tensors.casts import apart
from genbab.reader.tensors.values import Masked, Op, Refused, Var

ONCE = frozenset({"ReduceMean", "ReduceSum", "Sub"})
"""Operators that exporters write twice, where it matters that two tensors are the same numbers."""

SMALL = 64
"""Constants of so many numbers at most are compared."""


def readers(graph: GraphProto) -> Counter[str]:
    """How many nodes, and outputs, read a tensor, in subgraphs too; inputs of the graph do not count."""
    found = _readers(graph)
    for value in graph.input:
        del found[value.name]
    return found


def _readers(graph: GraphProto) -> Counter[str]:
    found = Counter(o.name for o in graph.output)
    for node in graph.node:
        found.update(set(node.input))
        for inner in inner_graphs(node):
            found += _readers(inner)
    return found


def distinct(b: Builder, value: Any) -> Any:
    """A tensor, or a sequence of them, as one of its readers takes it."""
    if isinstance(value, Var):
        return apart(b, value)
    if isinstance(value, Masked):
        return replace(value, value=apart(b, value.value))
    if isinstance(value, tuple):
        return tuple(distinct(b, one) for one in value)
    if isinstance(value, Forked):
        return Forked({case: distinct(b, one) for case, one in value.cases.items()})
    return value


def repeated(op: Op, inputs: Sequence[Any]) -> tuple[Any, ...] | None:
    """What two nodes have in common that give the same numbers; None where that is not asked."""
    if op.kind not in ONCE or op.node.domain not in ("", "ai.onnx") or not isinstance(inputs[0], Var):
        return None
    how: object = ()
    if op.kind != "Sub":
        try:
            axes, keep = reduced_axes(op, list(inputs))
        except (Refused, ValueError):  # said where it is lowered
            return None
        inputs, how = inputs[:1], (tuple(axes), keep)
    parts = [_identity(value) for value in inputs]
    return None if None in parts else (op.kind, op.opset, how, *parts)


def _identity(value: Any) -> tuple[Any, ...] | None:
    if value is None:
        return ()
    if isinstance(value, Var):
        return "node", value.node, value.shape, value.element
    if isinstance(value, np.ndarray) and value.size <= SMALL:
        return "numbers", value.dtype.str, value.shape, value.tobytes()
    return None
