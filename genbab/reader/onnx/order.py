"""Nodes in the order in which they can be computed, whatever order a file lists them in."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from onnx import FunctionProto, GraphProto, ModelProto, NodeProto

from genbab.errors import ModelError
from genbab.reader.onnx.graphs import bodies, reads

SHOWN = 6
"""So many tensors of a circle are named."""


def sort_nodes(proto: ModelProto, name: str) -> None:
    """Put the nodes of the graph, its subgraphs and the model's functions in order, each after what it reads.

    Those that are in order stay where they are. Raises `ModelError`, which names them, for tensors that are
    made from themselves, and for one that two nodes make.
    """
    for body in bodies(proto):
        order = _order(body.node, name)
        if order != sorted(order):
            _rearrange(body, order)


def _rearrange(body: GraphProto | FunctionProto, order: Sequence[int]) -> None:
    kept = GraphProto()
    kept.node.extend(body.node[i] for i in order)
    del body.node[:]
    body.node.extend(kept.node)


def _order(nodes: Sequence[NodeProto], name: str) -> list[int]:
    """The numbers of the nodes in order; of those that could come next, the first of the list is."""
    maker: dict[str, int] = {}
    for i, node in enumerate(nodes):
        for made in filter(None, node.output):
            if made in maker:
                raise ModelError(f"{name}: two nodes make the tensor '{made}'")
            maker[made] = i
    before = [{maker[n] for n in reads(node) if n in maker} for node in nodes]
    after: list[list[int]] = [[] for _ in nodes]
    for i, sources in enumerate(before):
        for j in sources:
            after[j].append(i)
    waits = [len(sources) for sources in before]
    ready = [i for i, n in enumerate(waits) if not n]
    order: list[int] = []
    while ready:
        order.append(heapq.heappop(ready))
        for i in after[order[-1]]:
            waits[i] -= 1
            if not waits[i]:
                heapq.heappush(ready, i)
    if len(order) < len(nodes):
        raise ModelError(f"{name}: {_circle(nodes, before, {i for i, n in enumerate(waits) if n})}")
    return order


def _circle(nodes: Sequence[NodeProto], before: Sequence[set[int]], left: set[int]) -> str:
    """What is made from itself, in words; every node left waits for another one that is left."""
    path = [min(left)]
    while True:
        source = min(before[path[-1]] & left)
        if source in path:
            break
        path.append(source)
    names = [next(filter(None, nodes[i].output)) for i in path[path.index(source) :]]
    shown = [f"'{n}'" for n in names[:SHOWN]] + (["…"] if len(names) > SHOWN else [])
    return f"tensors are made from themselves: {' from '.join([*shown, shown[0]])}"
