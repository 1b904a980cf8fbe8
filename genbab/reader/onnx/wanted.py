"""What of a model is read: which of its outputs, and how long axes of its inputs are that it leaves open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto

from genbab.errors import UsageError
from genbab.reader.onnx.graphs import needed_names

HOW_SHAPES = '--shape {0}={1}, or genbab.load(..., shapes={{"{0}": ({2})}})'
"""How the shape of an input is given."""

HOW_OUTPUTS = '--output {0}, or genbab.load(..., outputs=["{0}"])'
"""How an output is chosen."""


@dataclass(frozen=True)
class Wanted:
    """The outputs that are read, in this order (none: all of them), and the shapes of inputs by name."""

    outputs: tuple[str, ...] = ()
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @classmethod
    def of(
        cls, outputs: str | Sequence[str] | None = None, shapes: Mapping[str, Sequence[int]] | None = None
    ) -> Wanted:
        """What people say; raises `UsageError` for what is no list of names, or no shapes by name."""
        names = (outputs,) if isinstance(outputs, str) else tuple(outputs or ())
        if not all(isinstance(name, str) for name in names):
            raise UsageError(f"outputs: expected the names of outputs, found {names!r}")
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise UsageError(f"outputs: named twice: {', '.join(twice)}")
        found: dict[str, tuple[int, ...]] = {}
        for name, shape in (shapes or {}).items():
            try:
                found[name] = tuple(int(n) for n in shape)
            except (TypeError, ValueError) as error:
                raise UsageError(
                    f"shapes: the shape of '{name}' is no row of whole numbers: {shape!r}"
                ) from error
            if min(found[name], default=1) < 1 or list(found[name]) != list(shape):
                raise UsageError(f"shapes: the shape of '{name}' needs whole numbers from 1, found {shape!r}")
        return cls(names, found)

    def __bool__(self) -> bool:
        return bool(self.outputs or self.shapes)


ALL = Wanted()
"""Everything, as the model has it."""


def narrow(proto: ModelProto, wanted: Wanted) -> None:
    """Leave of a model, its nodes in order, what is wanted: outputs, what they need, inputs of these shapes.

    Raises `UsageError` for outputs and inputs that are not there, and shapes that the model does not allow.
    """
    if wanted.shapes:
        _set_shapes(proto.graph, wanted.shapes)
    if wanted.outputs:
        _keep_outputs(proto.graph, wanted.outputs)


def _keep_outputs(graph: GraphProto, names: Sequence[str]) -> None:
    known = {o.name: o for o in graph.output}
    if missing := [name for name in names if name not in known]:
        raise UsageError("; ".join(_missing("output", name, list(known)) for name in missing))
    kept = GraphProto()
    kept.output.extend(known[name] for name in names)
    del graph.output[:]
    graph.output.extend(kept.output)
    needed = needed_names(graph)
    nodes: list[NodeProto] = [node for node in graph.node if needed.intersection(node.output)]
    if len(nodes) < len(graph.node):
        kept.node.extend(nodes)
        del graph.node[:]
        graph.node.extend(kept.node)


def _set_shapes(graph: GraphProto, shapes: Mapping[str, tuple[int, ...]]) -> None:
    stored = {t.name for t in graph.initializer}
    inputs = {i.name: i for i in graph.input if i.name not in stored}
    if missing := [name for name in shapes if name not in inputs]:
        raise UsageError("; ".join(_missing("input", name, list(inputs)) for name in missing))
    symbols: dict[str, tuple[int, str]] = {}
    wrong: list[str] = []
    for name, shape in shapes.items():
        wrong += _fit(inputs[name], shape, symbols)
    if wrong:
        raise UsageError("; ".join(wrong))
    for name, value in inputs.items():
        axes = value.type.tensor_type.shape.dim
        if name in shapes:
            for _ in range(len(shapes[name]) - len(axes)):  # those of an input of which nothing is known
                axes.add()
            value.type.tensor_type.shape.SetInParent()
        for i, axis in enumerate(axes):
            if name in shapes:
                axis.dim_value = shapes[name][i]
            elif axis.dim_param in symbols:
                axis.dim_value = symbols[axis.dim_param][0]


def _fit(value: ValueInfoProto, shape: tuple[int, ...], symbols: dict[str, tuple[int, str]]) -> list[str]:
    """What is wrong with this shape of an input; symbols: what axes of these names are, and where."""
    kind = value.type.tensor_type
    axes = kind.shape.dim
    if kind.HasField("shape") and len(axes) != len(shape):
        declared = [axis.dim_value or axis.dim_param or "?" for axis in axes]
        return [f"input '{value.name}' has {len(axes)} axes ({declared}), not {len(shape)}: {list(shape)}"]
    wrong = []
    for i, (axis, n) in enumerate(zip(axes, shape, strict=False)):
        place = f"axis {i} of input '{value.name}'"
        if axis.dim_value > 0 and axis.dim_value != n:
            wrong.append(f"{place} is {axis.dim_value}, not {n}")
        elif axis.dim_param:
            known, where = symbols.setdefault(axis.dim_param, (n, place))
            if known != n:
                wrong.append(f"{place} is '{axis.dim_param}' like {where}, which is {known}, not {n}")
    return wrong


def _missing(what: str, name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name, known, 1)
    hint = f" (did you mean '{near[0]}'?)" if near else ""
    return f"the model has no {what} '{name}'{hint}; its {what}s are {', '.join(known)}"
