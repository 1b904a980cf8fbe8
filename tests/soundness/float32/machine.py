"""ONNX graphs executed in float32 in one of many styles, by code that shares nothing with genbab."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from .arithmetic import Arithmetic
from .call import Call, NotEmulated, Rule, aligned
from .layers import LAYERS, product_of
from .moving import MOVING
from .norms import NORMS
from .pointwise import POINTWISE
from .recurrent import RECURRENT
from .styles import Array, Style

RULES: dict[str, Rule] = {**POINTWISE, **MOVING, **LAYERS, **NORMS, **RECURRENT}
"""Operator to rule."""

Taken = Callable[[str, Array], Array]
"""What one reader takes for a tensor of this name that was computed as this array."""

Made = dict[str, tuple[str, list[Array | None]]]
"""Tensor to the operator that made it, and of what."""


@dataclass(frozen=True)
class Step:
    """A node, its attributes read."""

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class Program:
    """A graph that can be run: its constants as arrays (1, ...), its nodes, the names of its outputs."""

    constants: Mapping[str, Array]
    steps: tuple[Step, ...]
    outputs: tuple[str, ...]

    @classmethod
    def of(cls, model: onnx.ModelProto) -> Program:
        """The program of a model; raises `NotEmulated` for an operator that is not known."""
        constants = {t.name: numpy_helper.to_array(t)[None] for t in model.graph.initializer}
        steps = []
        for node in model.graph.node:
            attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
            if node.op_type == "Constant":
                constants[node.output[0]] = _constant(*attributes.items())
            elif node.op_type in RULES and node.domain in ("", "ai.onnx"):
                steps.append(Step(node.op_type, tuple(node.input), tuple(node.output), attributes))
            else:
                raise NotEmulated(f"operator {node.domain or 'ai.onnx'}.{node.op_type}")
        return cls(constants, tuple(steps), tuple(output.name for output in model.graph.output))


def run(model: onnx.ModelProto | Program, points: Mapping[str, Array], style: Style) -> list[Array]:
    """The outputs (P, ...) of the model at points (P, ...) by input, computed in the style.

    Every array has the axis of the points before the axes of the model's tensor. Raises `NotEmulated` for an
    operator, or a use of one, that is not known.
    """
    program = model if isinstance(model, Program) else Program.of(model)
    count = max((len(x) for x in points.values()), default=1)
    known = tensors(program, points, style)
    outputs = [known[name] for name in program.outputs]
    return [np.broadcast_to(y, (count, *y.shape[1:])) for y in outputs]


def tensors(
    program: Program,
    points: Mapping[str, Array],
    style: Style,
    nudges: Mapping[str, Array] | None = None,
    taken: Taken = lambda _, array: array,
) -> dict[str, Array]:
    """Every tensor at the points, (1, ...) for constants; `nudges` (P, ...) are added to what is computed.

    Nodes read what is `taken` for a tensor.
    """
    if np.float32(1e-39) * np.float32(1) == 0:
        raise RuntimeError("this process flushes subnormal numbers to zero")
    m = Arithmetic(style)
    with np.errstate(all="ignore"):
        known = {name: m.result(np.asarray(x)) for name, x in {**program.constants, **points}.items()}
        made: Made = {}
        for step in program.steps:
            m.tensor = step.outputs[0]
            own = {name: taken(name, known[name]) for name in step.inputs if name}
            given = [own.get(name) for name in step.inputs]
            joined = _contracted(m, step, made, given)
            call = Call(m, step.kind, given, step.attributes, len(step.outputs))
            found = RULES[step.kind](call) if joined is None else joined
            known |= zip(step.outputs, found if isinstance(found, list) else [found], strict=False)
            made[step.outputs[0]] = step.kind, given
            if nudges and step.outputs[0] in nudges:
                known[step.outputs[0]] = known[step.outputs[0]] + nudges[step.outputs[0]]
    return known


def _constant(attribute: tuple[str, Any]) -> Array:
    name, value = attribute
    if name == "value":
        return np.asarray(numpy_helper.to_array(value))[None]
    kind = name.removeprefix("value_").removesuffix("s")
    if kind not in ("float", "int"):
        raise NotEmulated(f"Constant with {name}")
    return np.asarray(value, dtype=np.float32 if kind == "float" else np.int64)[None]


def _contracted(m: Arithmetic, step: Step, made: Made, given: list[Array | None]) -> Array | None:
    """An Add together with the product, or sum of products, that one of its arguments is."""
    if step.kind != "Add" or "contracted" not in m.style.beyond:
        return None
    for place in (0, 1):
        kind, args = made.get(step.inputs[place], ("", []))
        shape, other = given[place], given[1 - place]
        if kind not in ("Mul", "MatMul") or other is None or shape is None or other.dtype != np.float32:
            continue
        a, b = (x for x in args if x is not None)
        if kind == "Mul":
            return m.multiply_add(*aligned(a, b, other))
        if a.ndim > 2 and b.ndim > 2 and other.ndim <= shape.ndim:
            return product_of(Call(m, kind, args, {}), a, b, aligned(other, shape)[0])
    return None
