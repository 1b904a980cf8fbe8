"""What nodes of a graph read, and which of them read the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from onnx import GraphProto, NodeProto

from genbab.reader.convert.forks import Forked
from genbab.reader.lower.numbers.reductions import reduced_axes
from genbab.reader.tensors.builder import Builder
from genbab.reader.tensors.casts import apart
from genbab.reader.tensors.values import Masked, Op, Refused, Var

ONCE = frozenset({"ReduceMean", "ReduceSum", "Sub"})
"""Operators that exporters write twice, where it matters that two tensors are the same numbers."""

SMALL = 64
"""Constants of so many numbers at most are compared."""


def needed_names(graph: GraphProto) -> set[str]:
    """The tensors that the outputs depend on."""
    names = {o.name for o in graph.output}
    for node in reversed(graph.node):
        if names.intersection(node.output):
            names.update(reads(node))
    names.discard("")  # how ONNX writes an input or output that is left out
    return names


def reads(node: NodeProto) -> set[str]:
    """The tensors that a node reads, those that its subgraphs take from outside included."""
    names = set(node.input)
    for attribute in node.attribute:
        for graph in [attribute.g] if attribute.HasField("g") else attribute.graphs:
            own = {i.name for i in graph.input} | {t.name for t in graph.initializer}
            own.update(*(inner.output for inner in graph.node))
            names |= {o.name for o in graph.output}.union(*(reads(inner) for inner in graph.node)) - own
    return names


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
        for attribute in node.attribute:
            for inner in [attribute.g] if attribute.HasField("g") else attribute.graphs:
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
