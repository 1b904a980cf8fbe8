"""A checked ONNX model to a network, node by node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, numpy_helper

from genbab.errors import ModelError, UnsupportedError, UsageError
from genbab.network import Index, LinearMap, Network
from genbab.reader.builder import Builder
from genbab.reader.fold import fold, literal, shape_of
from genbab.reader.lower import LOWERINGS, MOVES, move
from genbab.reader.values import Array, Op, Refused, Value, Var, count

DOMAINS = ("", "ai.onnx")


class Unknown:
    """What an unsupported node gives: its dependants are skipped without a further complaint."""


UNKNOWN = Unknown()
Known = Value | Unknown


@dataclass(frozen=True, eq=False)
class Converted:
    """The network as lowered, before any simplification, and the node that holds each ONNX tensor."""

    network: Network
    tensors: dict[str, Var]
    output_shapes: tuple[tuple[int, ...], ...]


@dataclass
class _Run:
    """The state of one conversion."""

    source: str
    opsets: dict[str, int]
    builder: Builder
    problems: list[tuple[str, str, str]] = field(default_factory=list)


def convert(proto: ModelProto, shapes: Sequence[tuple[str, tuple[int, ...]]], source: str) -> Converted:
    """The network of a model whose inputs have these names and shapes; outputs are concatenated in graph
    order.

    Raises `UnsupportedError` with every operator that has no rule, `ModelError` when the model contradicts
    itself.
    """
    builder = Builder(sum(count(s) for _, s in shapes))
    opsets = {("" if o.domain == "ai.onnx" else o.domain): o.version for o in proto.opset_import}
    run = _Run(source, opsets, builder)
    tensors: dict[str, Known] = {}
    _initialisers(run, proto.graph, tensors)
    _inputs(builder, shapes, tensors)
    _nodes(run, proto.graph.node, tensors, needed_names(proto.graph))
    if run.problems:
        raise UnsupportedError(source, run.problems)
    outputs = [_output(run, tensors, o.name) for o in proto.graph.output]
    output = outputs[0] if len(outputs) == 1 else _joined(builder, outputs)
    found = {name: value for name, value in tensors.items() if isinstance(value, Var)}
    return Converted(builder.network(output.node), found, tuple(o.shape for o in outputs))


def needed_names(graph: GraphProto) -> set[str]:
    """The tensors that the outputs depend on."""
    names = {o.name for o in graph.output}
    for node in reversed(graph.node):
        if names.intersection(node.output):
            names.update(_reads(node))
    names.discard("")  # how ONNX writes an input or output that is left out
    return names


def _reads(node: NodeProto) -> set[str]:
    """The tensors that a node reads, those that its subgraphs take from outside included."""
    names = set(node.input)
    for attribute in node.attribute:
        for graph in [attribute.g] if attribute.HasField("g") else attribute.graphs:
            own = {i.name for i in graph.input} | {t.name for t in graph.initializer}
            own.update(*(inner.output for inner in graph.node))
            names |= {o.name for o in graph.output}.union(*(_reads(inner) for inner in graph.node)) - own
    return names


def _initialisers(run: _Run, graph: GraphProto, tensors: dict[str, Known]) -> None:
    if graph.sparse_initializer:
        raise ModelError(f"{run.source}: sparse initialisers are not supported")
    for tensor in graph.initializer:
        tensors[tensor.name] = _array(run, tensor, tensor.name)


def _array(run: _Run, tensor: TensorProto, name: str) -> Array:
    try:
        array = numpy_helper.to_array(tensor)
    except (ValueError, TypeError, KeyError, OSError) as error:
        raise ModelError(f"{run.source}: the data of tensor '{name}' are damaged ({error})") from error
    if array.dtype.kind == "f" and bool(np.isnan(array).any()):
        raise ModelError(f"{run.source}: tensor '{name}' contains NaN")
    return array


def _inputs(
    builder: Builder, shapes: Sequence[tuple[str, tuple[int, ...]]], tensors: dict[str, Known]
) -> None:
    if len(shapes) == 1:
        tensors[shapes[0][0]] = Var(0, shapes[0][1])
        return
    start = 0
    for name, shape in shapes:
        builder.label = name
        index = torch.arange(start, start + count(shape))
        tensors[name] = builder.affine(shape, [(0, Index(index, builder.nodes[0].size))])
        start += count(shape)


def _nodes(run: _Run, nodes: Sequence[NodeProto], tensors: dict[str, Known], needed: set[str]) -> None:
    for node in nodes:
        if not needed.intersection(node.output):
            continue
        op = Op(node, run.opsets.get("" if node.domain in DOMAINS else node.domain, 0))
        missing = sorted(n for n in _reads(node) if n and n not in tensors)
        if missing:
            raise ModelError(
                f"{run.source}: node '{op.label}' ({op.kind}) reads '{missing[0]}', which nothing makes"
            )
        inputs = [tensors[n] if n else None for n in node.input]
        if any(isinstance(v, Unknown) for v in inputs):
            outputs: Sequence[Known] = []
        else:
            outputs = _lowered(run, op, [v for v in inputs if not isinstance(v, Unknown)], (tensors, needed))
        for i, name in enumerate(node.output):
            tensors[name] = outputs[i] if i < len(outputs) else UNKNOWN
        if len(outputs) < len(node.output) and outputs and needed.intersection(node.output[len(outputs) :]):
            run.problems.append((op.label, op.kind, f"its output {len(outputs)} is used"))


def _lowered(
    run: _Run, op: Op, inputs: list[Value | None], scope: tuple[dict[str, Known], set[str]]
) -> Sequence[Known]:
    """The outputs of one node; an empty list after noting down why it has no rule."""
    run.builder.label = op.label
    try:
        return _branch(run, op, inputs, scope) if op.kind == "If" else _outputs(run, op, inputs)
    except Refused as reason:
        run.problems.append((op.label, op.kind, str(reason)))
    except UsageError as error:
        run.problems.append((op.label, op.kind, str(error)))
    except ModelError:
        raise
    except (ValueError, IndexError, TypeError, RuntimeError) as error:
        raise ModelError(
            f"{run.source}: node '{op.label}' ({op.kind}) does not fit its inputs: {error}"
        ) from error
    return []


def _outputs(run: _Run, op: Op, inputs: list[Value | None]) -> Sequence[Value]:
    ours = op.node.domain in DOMAINS
    if ours and op.kind == "Constant":
        value = literal(op)
        if value.dtype.kind == "f" and bool(np.isnan(value).any()):
            raise ModelError(f"{run.source}: constant '{op.label}' contains NaN")
        return [value]
    if ours and op.kind in ("Shape", "Size") and inputs[0] is not None:
        return [shape_of(op, inputs[0])]
    constant = not any(isinstance(v, Var) for v in inputs)
    rule = MOVES.get(op.kind) if ours else None
    first_varies = bool(inputs) and isinstance(inputs[0], Var)
    if rule is not None and not (op.kind == "Where" and first_varies):
        return move(run.builder, op, rule, inputs)
    if constant:
        return fold(op, [v for v in inputs if not isinstance(v, Var)])
    lower = LOWERINGS.get(op.kind) if ours else None
    if lower is None:
        raise Refused("no rule for this operator" if ours else f"no rule for operators of '{op.node.domain}'")
    made = lower(run.builder, op, inputs)
    return made if isinstance(made, list) else [made]


def _branch(
    run: _Run, op: Op, inputs: list[Value | None], scope: tuple[dict[str, Known], set[str]]
) -> Sequence[Known]:
    """`If` on a constant condition: the branch that is taken."""
    if isinstance(inputs[0], Var) or inputs[0] is None:
        raise Refused("its condition depends on the network's input")
    graph = op.attributes["then_branch" if bool(inputs[0].reshape(-1)[0]) else "else_branch"]
    tensors = dict(scope[0])
    _initialisers(run, graph, tensors)
    _nodes(run, graph.node, tensors, needed_names(graph))
    return [tensors[o.name] for o in graph.output]


def _output(run: _Run, tensors: dict[str, Known], name: str) -> Var:
    value = tensors.get(name)
    if value is None or isinstance(value, Unknown):
        raise ModelError(f"{run.source}: nothing makes the output '{name}'")
    run.builder.label = name
    return run.builder.variable(value)


def _joined(builder: Builder, outputs: list[Var]) -> Var:
    """All outputs in one vector."""
    total = sum(o.size for o in outputs)
    start = 0
    terms: list[tuple[int, LinearMap]] = []
    builder.label = "outputs"
    for output in outputs:
        index = torch.full((total,), -1, dtype=torch.long)
        index[start : start + output.size] = torch.arange(output.size)
        terms.append((output.node, Index(index, output.size)))
        start += output.size
    return builder.affine((total,), terms)
