"""A checked ONNX model to a network, node by node."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, numpy_helper

from genbab.errors import ModelError, UnsupportedError, UsageError
from genbab.network import Index, Network, WholeInputs
from genbab.reader.convert.control import CONTROL
from genbab.reader.convert.dependencies import distinct, readers, repeated
from genbab.reader.convert.fold import literal
from genbab.reader.convert.forks import Forked, forked, merged
from genbab.reader.convert.integers import typed
from genbab.reader.convert.rules import DOMAINS, Known, as_nodes, outputs
from genbab.reader.domains.domains import Selection
from genbab.reader.lower.layers.softmax import EMPTY
from genbab.reader.lower.moving.joining import in_one_vector
from genbab.reader.onnx.graphs import needed_names, reads
from genbab.reader.tensors.builder import Builder
from genbab.reader.tensors.values import (
    Array,
    Masked,
    Op,
    Refused,
    TensorTooLarge,
    Unread,
    Var,
    count,
)

MISFITS = (
    ValueError,
    LookupError,
    TypeError,
    RuntimeError,
    ArithmeticError,
    AttributeError,
    AssertionError,
)
"""How a rule fails on a node whose inputs or attributes are not those of its operator."""


class Unknown:
    """What an unsupported node gives: its dependants are skipped without a further complaint."""


UNKNOWN = Unknown()


@dataclass(frozen=True, eq=False)
class Lowered:
    """What a node of the graph became: the network's nodes from `first` up to `last`, made of its inputs."""

    op: Op
    first: int
    last: int
    inputs: tuple[Known, ...]
    outputs: tuple[Known, ...]


@dataclass(frozen=True, eq=False)
class Converted:
    """The network as lowered, before any simplification, and the node that holds each ONNX tensor.

    steps: what the nodes of the graph became, in order; those whose outputs are constants too. copies: nodes
    that one of several readers of a tensor of a short type takes for it, and the type. ranged: some node
    means what it says only where whole inputs are between the numbers that were given for them. near: nodes
    that are near a tensor in value only.
    """

    network: Network
    tensors: dict[str, Var]
    output_shapes: tuple[tuple[int, ...], ...]
    selections: Mapping[int, Selection] = field(default_factory=dict)
    steps: tuple[Lowered, ...] = ()
    copies: Mapping[int, int] = field(default_factory=dict)
    ranged: bool = False
    near: frozenset[int] = frozenset()


@dataclass
class _Conversion:
    """The state of one conversion."""

    source: str
    opsets: dict[str, int]
    builder: Builder
    ask: Callable[[], None]
    problems: list[tuple[str, str, str]] = field(default_factory=list)
    made: dict[tuple[Any, ...], Sequence[Known]] = field(default_factory=dict)
    steps: list[Lowered] = field(default_factory=list)
    readers: Counter[str] = field(default_factory=Counter)

    def read(self, tensors: Mapping[str, Known], name: str) -> Known:
        """A tensor as the node that is lowered, or an output, takes it."""
        value, self.builder.label = tensors[name], name
        return distinct(self.builder, value) if self.readers[name] > 1 else value


def convert(
    proto: ModelProto,
    shapes: Sequence[tuple[str, tuple[int, ...]]],
    source: str,
    ask: Callable[[], None] = lambda: None,
    computed: bool = False,
    whole: WholeInputs | None = None,
) -> Converted:
    """The network of a model whose inputs have these names and shapes; whole: which are integers.

    Outputs are concatenated in graph order. `ask` is called before each node; what it raises ends the work.
    computed: constants that the graph computes are what a program makes of them, and tensors that several
    nodes compute in the same way are not taken to be the same.
    Raises `UnsupportedError` with every operator that has no rule, `ModelError` when the model contradicts
    itself.
    """
    builder = Builder(sum(count(s) for _, s in shapes), computed, whole)
    opsets = {("" if o.domain == "ai.onnx" else o.domain): o.version for o in proto.opset_import}
    run = _Conversion(source, opsets, builder, ask, readers=readers(proto.graph) if computed else Counter())
    tensors: dict[str, Known] = {}
    _initialisers(run, proto.graph, tensors)
    _inputs(builder, shapes, _elements(proto.graph), tensors)
    _nodes(run, proto.graph.node, tensors, needed_names(proto.graph))
    if run.problems:
        raise UnsupportedError(source, list(dict.fromkeys(run.problems)))
    results = [_output(run, tensors, o.name) for o in proto.graph.output]
    if not sum(o.size for o in results):
        raise ModelError(f"{source}: its outputs hold no numbers: shapes {[list(o.shape) for o in results]}")
    output = results[0] if len(results) == 1 else in_one_vector(builder, results)
    found = {name: value for name, value in tensors.items() if isinstance(value, Var)}
    shapes_out = tuple(o.shape for o in results)
    network = builder.network(output.node)
    steps, near = tuple(run.steps), frozenset(builder.near)
    marks = builder.selections, steps, builder.copies, builder.ranged, near
    return Converted(network, found, shapes_out, *marks)


def _initialisers(run: _Conversion, graph: GraphProto, tensors: dict[str, Known]) -> None:
    for tensor in graph.initializer:
        tensors[tensor.name] = _array(run, tensor, tensor.name)


def _array(run: _Conversion, tensor: TensorProto, name: str) -> Array:
    try:
        array = numpy_helper.to_array(tensor)
    except (ValueError, TypeError, KeyError, OSError) as error:
        raise ModelError(f"{run.source}: the data of tensor '{name}' are damaged ({error})") from error
    if "float" in array.dtype.name and bool(np.isnan(array).any()):
        raise ModelError(f"{run.source}: tensor '{name}' contains NaN")
    return array


def _elements(graph: GraphProto) -> dict[str, int]:
    """The ONNX types of the inputs."""
    return {i.name: int(i.type.tensor_type.elem_type) for i in graph.input}


def _inputs(
    builder: Builder,
    shapes: Sequence[tuple[str, tuple[int, ...]]],
    types: Mapping[str, int],
    tensors: dict[str, Known],
) -> None:
    start = 0
    for name, shape in shapes:
        builder.label = name
        entries = torch.arange(start, start + count(shape))
        made = Var(0, shape)
        if len(shapes) > 1:
            made = builder.affine(shape, [(0, Index(entries, builder.nodes[0].size))])
        tensors[name] = builder.whole_input(replace(made, element=types[name]), entries)
        start += count(shape)


def _nodes(run: _Conversion, nodes: Sequence[NodeProto], tensors: dict[str, Known], needed: set[str]) -> None:
    for node in nodes:
        if not needed.intersection(node.output):
            continue
        run.ask()
        op = Op(node, run.opsets.get("" if node.domain in DOMAINS else node.domain, 0))
        missing = sorted(n for n in reads(node) if n and n not in tensors)
        if missing:
            raise ModelError(
                f"{run.source}: node '{op.label}' ({op.kind}) reads '{missing[0]}', which nothing makes"
            )
        own = {n: run.read(tensors, n) for n in node.input if n}
        inputs = [own.get(n) for n in node.input]
        same = None if run.builder.computed else repeated(op, inputs)
        if any(isinstance(v, Unknown) for v in inputs):
            made: Sequence[Known] = []
        elif same is not None and same in run.made:
            made = run.made[same]
        else:
            made = _lowered(run, op, inputs, tensors)
        if same is not None and made:
            run.made[same] = made
        for i, name in enumerate(node.output):
            value = made[i] if i < len(made) else UNKNOWN
            if isinstance(value, Unread):
                run.problems += [(op.label, op.kind, value.reason)] if name in needed else []
                value = UNKNOWN
            tensors[name] = value
        if made and needed.intersection(node.output[len(made) :]):
            run.problems.append((op.label, op.kind, f"its output {len(made)} is used"))


def _lowered(run: _Conversion, op: Op, inputs: Sequence[Known], scope: dict[str, Known]) -> Sequence[Known]:
    """The outputs of one node; an empty list after noting down why it has no rule."""
    run.builder.label = op.label
    try:
        if op.kind in CONTROL and op.node.domain in DOMAINS:
            return CONTROL[op.kind](run.builder, op, as_nodes(run.builder, inputs), _Body(run, scope))
        if any(isinstance(v, Forked) for v in inputs):
            return forked(run.builder, inputs, lambda one: _typed_outputs(run, op, one), len(op.node.output))
        return _typed_outputs(run, op, inputs)
    except Refused as reason:
        run.problems.append((op.label, op.kind, str(reason)))
    except UsageError as error:
        run.problems.append((op.label, op.kind, str(error)))
    except ModelError:
        raise
    except (TensorTooLarge, MemoryError) as error:
        raise ModelError(f"{run.source}: node '{op.label}' ({op.kind}): {error}") from error
    except MISFITS as error:
        raise ModelError(
            f"{run.source}: node '{op.label}' ({op.kind}) does not fit its inputs: {error}"
        ) from error
    return []


def _typed_outputs(run: _Conversion, op: Op, inputs: Sequence[Known]) -> Sequence[Known]:
    constant = op.kind == "Constant" and op.node.domain in DOMAINS
    if constant:
        return typed(run.builder, op, inputs, [_literal(run, op)])
    first = len(run.builder.nodes)
    made = typed(run.builder, op, inputs, outputs(run.builder, op, inputs))
    run.steps.append(Lowered(op, first, len(run.builder.nodes), tuple(inputs), tuple(made)))
    return made


def _literal(run: _Conversion, op: Op) -> Array:
    value = literal(op)
    if "float" in value.dtype.name and bool(np.isnan(value).any()):
        raise ModelError(f"{run.source}: constant '{op.label}' contains NaN")
    return value


@dataclass(frozen=True, eq=False)
class _Body:
    """Makes the outputs of a subgraph that sees the tensors of `scope`."""

    run: _Conversion
    scope: dict[str, Known]

    def constant(self, name: str) -> object:
        """What is known of a tensor around it, None for nothing."""
        return self.scope.get(name)

    def __call__(self, graph: GraphProto, inputs: Mapping[str, Known]) -> list[Known]:
        tensors = {**self.scope, **inputs}
        label = self.run.builder.label
        _initialisers(self.run, graph, tensors)
        _nodes(self.run, graph.node, tensors, needed_names(graph))
        self.run.builder.label = label
        if any(isinstance(tensors.get(o.name, UNKNOWN), Unknown) for o in graph.output):
            raise Refused("its body has operators without a rule")
        return as_nodes(self.run.builder, [self.run.read(tensors, o.name) for o in graph.output])


def _output(run: _Conversion, tensors: dict[str, Known], name: str) -> Var:
    if isinstance(tensors.get(name, UNKNOWN), Unknown):
        raise ModelError(f"{run.source}: nothing makes the output '{name}'")
    value = run.read(tensors, name)
    if isinstance(value, Forked):
        if len({tuple(v.shape) for v in value.cases.values()}) > 1:
            raise UnsupportedError(run.source, [(name, "output", "its shape depends on the network's input")])
        value = merged(run.builder, value.cases)
    if isinstance(value, Masked | tuple):
        what = "a sequence of tensors" if isinstance(value, tuple) else "entries of minus infinity"
        if isinstance(value, Masked) and np.isnan(value.fill):
            what = EMPTY
        raise UnsupportedError(run.source, [(name, "output", what)])
    run.builder.label = name
    return run.builder.variable(value)
