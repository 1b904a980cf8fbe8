"""Tensors inside a model as further outputs: properties can speak of them, and onnxruntime shows them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from difflib import get_close_matches

from onnx import ModelProto, ValueInfoProto, helper

from genbab.errors import SpecError
from genbab.reader.models.model import Model, build_model
from genbab.reader.onnx.files import Signature
from genbab.specs import Hidden

PREFIX = "genbab hidden "
"""What the names of these outputs begin with."""

SHOWN = 8
"""Names that are offered in place of one that is not there."""


def exposed(model: Model, hidden: Sequence[Hidden], ask: Callable[[], None] = lambda: None) -> Model:
    """The model whose outputs are followed by the values of these tensors, each flat, in this order.

    A name is that of a tensor of the graph, or of a node, which stands for its first output. The same model
    where they are its hidden outputs already. Raises `SpecError` naming every tensor that is not there or of
    another size, and `UnsupportedError` where a tensor cannot be followed through the network.
    """
    names = tuple(h.name for h in hidden)
    if model.hidden != names:
        if model.hidden:
            raise SpecError(f"the model already shows other hidden tensors: {', '.join(model.hidden)}")
        model = _with_outputs(model, names, ask)
    sizes = [_count(shape) for shape in model.output_shapes[len(model.output_shapes) - len(names) :]]
    wrong = [
        f"'{h.name}' has {size} numbers, the specification says {h.size}"
        for h, size in zip(hidden, sizes, strict=True)
        if size != h.size
    ]
    if wrong:
        raise SpecError(f"{model.source}: the hidden tensor {'; '.join(wrong)}")
    return model


def tensors(model: Model) -> tuple[str, ...]:
    """The names of the tensors that nodes of the model's graph compute, in order."""
    graph = ModelProto.FromString(model.proto).graph
    return tuple(name for node in graph.node for name in node.output if name)


def showing(model: Model, names: Sequence[str]) -> Model:
    """As `exposed`, for tensors of any size."""
    return model if model.hidden == tuple(names) else _with_outputs(model, tuple(names), lambda: None)


def _with_outputs(model: Model, names: tuple[str, ...], ask: Callable[[], None]) -> Model:
    if model.parts:
        raise SpecError(f"{model.source}: hidden tensors of several models at once are not supported")
    proto = ModelProto.FromString(model.proto)
    graph = proto.graph
    made = [name for node in graph.node for name in node.output if name]
    known = {node.name: node.output[0] for node in graph.node if node.name and node.output}
    known |= {name: name for name in (*model.input_names, *made)}
    if missing := [name for name in names if name not in known]:
        raise SpecError("; ".join(_missing(model.source, name, list(known)) for name in missing))
    for name in names:
        output = PREFIX + name
        graph.node.append(helper.make_node("Identity", [known[name]], [output], name=output))
        graph.output.append(ValueInfoProto(name=output))
    inputs = model.input_names, model.input_shapes, model.input_dtypes
    signature = Signature(model.source, *inputs, model.opset, whole=model.network.entry.whole)
    return replace(
        build_model(proto, signature, ask=ask, execution=model.execution),
        hidden=names,
        operators=model.operators,
    )


def _missing(source: str, name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, SHOWN, 0.4) or known[:SHOWN]
    return f"{source}: there is no tensor or node '{name}'; there are {', '.join(near)}"


def _count(shape: tuple[int, ...]) -> int:
    size = 1
    for n in shape:
        size *= n
    return size
