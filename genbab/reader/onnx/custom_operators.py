"""Operators of users, written out in ONNX's own: so that onnxruntime can run what it does not know."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, defs, helper, numpy_helper

from genbab.errors import ModelError, UsageError
from genbab.nonlinear import Nonlinearity
from genbab.nonlinear.composed.custom import CUSTOM, Custom
from genbab.nonlinear.composed.formula import definition
from genbab.nonlinear.expressions.expression import Expression
from genbab.nonlinear.expressions.steps import Apply, Argument, Combine, Multiply
from genbab.nonlinear.facts.registry import OPERATORS
from genbab.reader.onnx.graphs import graphs, inner_graphs, nodes_within

_STANDARD = {name: (kind, operator) for (domain, kind), (name, operator) in OPERATORS.items() if not domain}
_REAL = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16)

Known = Mapping[tuple[str, str], Custom]


def expanded(proto: ModelProto, source: str) -> tuple[ModelProto, tuple[str, ...]]:
    """(the model with its users' operators written out, those of them that only genbab can evaluate).

    The model itself where there are none; else functions that the model defines are written out as well,
    since they may hold some. Constants get the type of the operator's input. Raises ModelError listing every
    such node whose attributes, inputs or outputs are not the function's, or for which the model's opset lacks
    an operator.
    """
    own = {(f.domain, f.name) for f in proto.functions}  # what the file defines itself is what it means
    known = {key: custom for key, custom in CUSTOM.items() if key not in own}
    bodies = [proto.graph.node, *(f.node for f in proto.functions)]
    if not any((node.domain, node.op_type) in known for body in bodies for node in nodes_within(body)):
        return proto, ()
    copy = ModelProto()
    copy.CopyFrom(_without_functions(proto, known, source))
    opset = max((o.version for o in copy.opset_import if o.domain in ("", "ai.onnx")), default=0)
    writing = _Writing(known, opset, _names(copy), _types(copy, known))
    writing.graph(copy.graph)
    if writing.problems:
        raise ModelError("\n  ".join([f"{source}: operators of users", *writing.problems]))
    return copy, tuple(sorted(writing.alone))


def _without_functions(proto: ModelProto, known: Known, source: str) -> ModelProto:
    """The model without calls of functions that it defines; ModelError where one cannot be written out."""
    if not proto.functions:
        return proto
    from onnx import inliner

    try:
        plain: ModelProto = inliner.inline_local_functions(proto)
    except (RuntimeError, ValueError) as error:
        raise ModelError(f"{source}: its functions cannot be written out: {error}") from error
    left = [f for f in plain.functions if any((n.domain, n.op_type) in known for n in nodes_within(f.node))]
    if left:
        names = ", ".join(f"{f.domain}::{f.name}" for f in left)
        raise ModelError(
            f"{source}: the functions {names} use operators of users, but cannot be written out: "
            "they import another opset than the model"
        )
    return plain


def _names(proto: ModelProto) -> set[str]:
    """Every name of a tensor or node of the model, subgraphs included."""
    found: set[str] = set()
    for graph in graphs(proto.graph):
        found |= {v.name for v in (*graph.input, *graph.output, *graph.initializer, *graph.value_info)}
        found |= {t.values.name for t in graph.sparse_initializer}
        for node in graph.node:
            found |= {node.name, *node.input, *node.output}
    return found


def _types(proto: ModelProto, known: Known) -> dict[str, int]:
    """Element types of tensors, as far as onnx can infer them; users' operators keep that of their input."""
    from onnx import shape_inference

    plain = ModelProto()
    plain.CopyFrom(proto)
    for node in nodes_within(plain.graph.node):
        if (node.domain, node.op_type) in known:
            node.domain, node.op_type = "", "Identity"
            del node.attribute[:], node.input[1:], node.output[1:]
    try:
        plain = shape_inference.infer_shapes(plain)
    except (RuntimeError, ValueError, shape_inference.InferenceError):
        pass  # what is wrong with the model is said when it is read
    found: dict[str, int] = {}
    for graph in graphs(plain.graph):
        found |= {t.name: t.data_type for t in graph.initializer}
        for value in (*graph.value_info, *graph.output, *graph.input):
            found[value.name] = value.type.tensor_type.elem_type
    return found


@dataclass
class _Writing:
    """Writes out the operators of users in a graph and its subgraphs."""

    known: Known
    opset: int
    names: set[str]
    types: Mapping[str, int]
    alone: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)

    def graph(self, graph: GraphProto) -> None:
        """Changes the graph."""
        made: list[NodeProto] = []
        for node in graph.node:
            for body in inner_graphs(node):
                self.graph(body)
            kept = NodeProto()
            kept.CopyFrom(node)
            custom = self.known.get((node.domain, node.op_type))
            made += [kept] if custom is None else self.written(kept, custom)
        del graph.node[:]
        graph.node.extend(made)

    def written(self, node: NodeProto, custom: Custom) -> list[NodeProto]:
        """The nodes that one node of a user's operator means; itself where the function is known by facts."""
        kind = f"{node.domain}::{node.op_type}"
        place = f"node '{node.name or ', '.join(node.output)}' ({kind})"
        wrong = _misused(node, custom)
        elem = self.types.get(node.input[0], 0) if node.input else 0
        if elem and elem not in _REAL:
            held = TensorProto.DataType.Name(elem)
            wrong.append(f"its input holds {held}; floating-point numbers are needed")
        if wrong:
            self.problems += [f"{place}: {what}" for what in wrong]
            return []
        if custom.written is None:
            self.alone.add(kind)
            return [node]
        given = {a.name: float(helper.get_attribute_value(a)) for a in node.attribute}
        try:
            expression = custom.written(*(given.get(name, default) for name, default in custom.parameters))
            return FunctionWriter(node, self.opset, self.names, elem or TensorProto.FLOAT).written(expression)
        except UsageError as error:
            self.problems.append(f"{place}: {error}")
            return []


def _misused(node: NodeProto, custom: Custom) -> list[str]:
    """What of a node does not fit its function: one sentence each."""
    wrong: list[str] = []
    names = [name for name, _ in custom.parameters]
    accepted = f"its attributes are {', '.join(names)}" if names else "it has no attributes"
    for attribute in node.attribute:
        if attribute.name not in names:
            near = difflib.get_close_matches(attribute.name, names, 1)
            hint = f" (did you mean '{near[0]}'?)" if near else ""
            wrong.append(f"unknown attribute '{attribute.name}'{hint}; {accepted}")
        elif attribute.type not in (AttributeProto.FLOAT, AttributeProto.INT):
            found = AttributeProto.AttributeType.Name(attribute.type)
            wrong.append(f"attribute '{attribute.name}' is of type {found}; one number is needed")
        elif not math.isfinite(helper.get_attribute_value(attribute)):
            wrong.append(f"attribute '{attribute.name}' is {attribute.f}; a finite number is needed")
    inputs = [name for name in node.input if name]
    if len(inputs) != 1 or len(node.input) != 1:
        wrong.append(f"it has {len(inputs)} inputs; '{custom.name}' takes one tensor, and {accepted}")
    if len(node.output) != 1:
        wrong.append(f"it has {len(node.output)} outputs; '{custom.name}' gives one")
    return wrong


@dataclass
class FunctionWriter:
    """Writes the nodes that one node means, with names that are not among `taken`, which it adds to."""

    node: NodeProto
    opset: int
    taken: set[str]
    elem: int
    made: list[NodeProto] = field(default_factory=list)

    def written(self, expression: Expression) -> list[NodeProto]:
        """The nodes, from the custom node's input to its output."""
        last = self._program(expression, self.node.input[0])
        self._node("Identity", last, output=self.node.output[0])
        return self.made

    def _program(self, expression: Expression, x: str) -> str:
        names: list[str] = []
        for step in expression.steps:
            if isinstance(step, Argument):
                names.append(x)
            elif isinstance(step, Apply):
                names.append(self._function(step.fn, names[step.a]))
            elif isinstance(step, Multiply):
                names.append(self._node("Mul", names[step.a], names[step.b]))
            else:
                names.append(self._sum(step, names))
        return names[-1]

    def _fresh(self, name: str) -> str:
        """The name, or the first of its numbered variants, that nothing in the model has."""
        found, i = name, 1
        while found in self.taken:
            found, i = f"{name}_{i}", i + 1
        self.taken.add(found)
        return found

    def _has(self, kind: str) -> bool:
        return bool(defs.has(kind, max_inclusive_version=self.opset))

    def _node(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        if not self._has(kind):
            raise UsageError(
                f"opset {self.opset} of the model has no operator {kind}, which this function needs"
            )
        name = output or self._fresh(f"{self.node.output[0]}/{len(self.made)}")
        label = self._fresh(f"{self.node.name or self.node.output[0]}/{len(self.made)}/{kind}")
        self.made.append(helper.make_node(kind, list(inputs), [name], label, **attributes))
        return name

    def _constant(self, value: float) -> str:
        array = np.array(value, dtype=helper.tensor_dtype_to_np_dtype(self.elem))
        if not np.isfinite(array):
            kind = TensorProto.DataType.Name(self.elem)
            raise UsageError(f"the constant {value:g} of the function is too large for the model's {kind}")
        return self._node("Constant", value=numpy_helper.from_array(array))

    def _sum(self, step: Combine, names: Sequence[str]) -> str:
        total = ""
        for source, factor in step.terms:
            term = (
                names[source] if factor == 1.0 else self._node("Mul", names[source], self._constant(factor))
            )
            total = self._node("Add", total, term) if total else term
        if not total:
            total = self._node("Mul", self.node.input[0], self._constant(0.0))
        return self._node("Add", total, self._constant(step.shift)) if step.shift else total

    def _function(self, fn: Nonlinearity, x: str) -> str:
        if fn.name == "power":
            return self._node("Pow", x, self._constant(fn.params[0]))
        if fn.name == "step":
            below = self._node("Less", x, self._constant(0.0))
            return self._node("Cast", self._node("Not", below), to=self.elem)
        if fn.name in ("gelu", "gelu_tanh") and self._has("Gelu"):
            return self._node("Gelu", x, approximate="none" if fn.name == "gelu" else "tanh")
        kind, operator = _STANDARD.get(fn.name, (None, None))
        plain = kind is not None and self._has(kind) and self.elem != TensorProto.DOUBLE
        meaning = None if plain else definition(fn)  # onnxruntime has many operators for float32 only
        if meaning is not None:
            return self._program(meaning, x)
        if kind is None or operator is None:
            raise UsageError(f"ONNX has no operator for '{fn.name}'")
        named: dict[str, Any] = dict(zip((name for name, _ in operator.attributes), fn.params, strict=True))
        return self._node(kind, x, **named)
