"""Operators of users, spelled out in ONNX's own: so that onnxruntime can run what it does not know."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, defs, helper, numpy_helper

from genbab.errors import ModelError, UsageError
from genbab.nonlinear import Nonlinearity
from genbab.nonlinear.custom import CUSTOM
from genbab.nonlinear.expression import Apply, Combine, Expression, Multiply, Variable
from genbab.nonlinear.registry import OPERATORS
from genbab.reader.values import Op

_SPELLED = {name: (kind, operator) for (domain, kind), (name, operator) in OPERATORS.items() if not domain}


def spelled(proto: ModelProto, source: str) -> tuple[ModelProto, tuple[str, ...]]:
    """(the model with its users' operators written out, those of them that only genbab can evaluate).

    The model itself where there are none. Constants become float32, like all numbers of such a file. Raises
    ModelError where the model's opset has no operator for a part.
    """
    alone: set[str] = set()
    own = {(f.domain, f.name) for f in proto.functions}  # what the file defines itself is what it means
    known = {key: custom for key, custom in CUSTOM.items() if key not in own}
    if not any((node.domain, node.op_type) in known for node in proto.graph.node):
        return proto, ()
    opset = max((o.version for o in proto.opset_import if o.domain in ("", "ai.onnx")), default=0)
    copy = ModelProto()
    copy.CopyFrom(proto)
    del copy.graph.node[:]
    for node in proto.graph.node:
        custom = known.get((node.domain, node.op_type))
        if custom is None or custom.written is None:
            copy.graph.node.append(node)
            alone |= {f"{node.domain}::{node.op_type}"} if custom is not None else set()
            continue
        op = Op(node, opset)
        try:
            expression = custom.written(*(op.number(name, default) for name, default in custom.parameters))
            copy.graph.node.extend(_Writer(node, opset).written(expression))
        except (UsageError, ValueError, TypeError, IndexError) as error:
            raise ModelError(f"{source}: node '{op.label}' ({node.domain}::{op.kind}): {error}") from error
    return copy, tuple(sorted(alone))


@dataclass
class _Writer:
    """Writes the nodes that one node means."""

    node: NodeProto
    opset: int
    made: list[NodeProto] = field(default_factory=list)

    def written(self, expression: Expression) -> Iterator[NodeProto]:
        """The nodes, from the custom node's input to its output."""
        names: list[str] = []
        for step in expression.steps:
            if isinstance(step, Variable):
                names.append(self.node.input[0])
            elif isinstance(step, Apply):
                names.append(self._function(step.fn, names[step.a]))
            elif isinstance(step, Multiply):
                names.append(self._node("Mul", names[step.a], names[step.b]))
            else:
                names.append(self._sum(step, names))
        self._node("Identity", names[-1], output=self.node.output[0])
        yield from self.made

    def _node(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        if not defs.has(kind, max_inclusive_version=self.opset):
            raise UsageError(
                f"opset {self.opset} of the model has no operator {kind}, which this function needs"
            )
        name = output or f"{self.node.output[0]}/{len(self.made)}"
        label = self.node.name or self.node.output[0]
        label = f"{label}/{len(self.made)}/{kind}"
        self.made.append(helper.make_node(kind, list(inputs), [name], label, **attributes))
        return name

    def _constant(self, value: float) -> str:
        name = f"{self.node.output[0]}/{len(self.made)}"
        tensor = numpy_helper.from_array(np.array(value, dtype=np.float32))
        self.made.append(helper.make_node("Constant", [], [name], value=tensor))
        return name

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
            above = self._node("GreaterOrEqual", x, self._constant(0.0))
            return self._node("Cast", above, to=TensorProto.FLOAT)
        if fn.name in ("gelu", "gelu_tanh"):
            return self._node("Gelu", x, approximate="none" if fn.name == "gelu" else "tanh")
        if fn.name == "clip":
            return self._node("Clip", x, *map(self._constant, fn.params))
        if fn.name == "silu":
            return self._node("Mul", x, self._node("Sigmoid", x))
        if fn.name not in _SPELLED:
            raise UsageError(f"ONNX has no operator for '{fn.name}'")
        kind, operator = _SPELLED[fn.name]
        named: dict[str, Any] = dict(zip((name for name, _ in operator.attributes), fn.params, strict=True))
        return self._node(kind, x, **named)
