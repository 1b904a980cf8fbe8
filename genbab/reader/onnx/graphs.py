"""Graphs of ONNX as they are written: which there are, what their nodes read, what their outputs need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from onnx import FunctionProto, GraphProto, ModelProto, NodeProto


def inner_graphs(node: NodeProto) -> Iterator[GraphProto]:
    """The graphs among a node's attributes."""
    for attribute in node.attribute:
        yield from [attribute.g] if attribute.HasField("g") else attribute.graphs


def nodes_within(nodes: Iterable[NodeProto]) -> Iterator[NodeProto]:
    """The nodes and those of their subgraphs."""
    for node in nodes:
        yield node
        for inner in inner_graphs(node):
            yield from nodes_within(inner.node)


def graphs(graph: GraphProto) -> Iterator[GraphProto]:
    """A graph and its subgraphs."""
    yield graph
    for node in graph.node:
        for inner in inner_graphs(node):
            yield from graphs(inner)


def bodies(proto: ModelProto) -> Iterator[GraphProto | FunctionProto]:
    """Everything in a model that lists nodes: its graph, its functions, and all their subgraphs."""
    yield from graphs(proto.graph)
    for function in proto.functions:
        yield function
        for node in function.node:
            for inner in inner_graphs(node):
                yield from graphs(inner)


def reads(node: NodeProto) -> set[str]:
    """The tensors that a node reads, those that its subgraphs take from outside included."""
    names = set(node.input)
    for graph in inner_graphs(node):
        own = {i.name for i in graph.input} | {t.name for t in graph.initializer}
        own |= {t.values.name for t in graph.sparse_initializer}
        own.update(*(inner.output for inner in graph.node))
        names |= {o.name for o in graph.output}.union(*(reads(inner) for inner in graph.node)) - own
    return names


def needed_names(graph: GraphProto) -> set[str]:
    """The tensors that the outputs of a graph depend on, whose nodes are in order."""
    names = {o.name for o in graph.output}
    for node in reversed(graph.node):
        if names.intersection(node.output):
            names.update(reads(node))
    names.discard("")  # how ONNX writes an input or output that is left out
    return names


def free_name(used: set[str], word: str) -> str:
    """A name that is not used, which is from now on: the word, or a longer one."""
    while word in used:
        word += "_"
    used.add(word)
    return word
