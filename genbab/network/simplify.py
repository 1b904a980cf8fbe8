"""Exact rewrites of a network: fuse chains of affine nodes, compose index maps, materialise small maps.

The function computed is the same over the reals; weights are combined in float64.
"""

from __future__ import annotations

from collections import Counter

import torch
from torch import Tensor

from genbab.network.graph import Affine, Grouped, Input, Network, Node, Nonlinear
from genbab.network.index import Index
from genbab.network.joins import DENSE_FREE, DENSE_LIMIT, DENSE_WASTE, compose
from genbab.network.maps import Adjoint, Compose, Dense, Diagonal, Identity, LinearMap, TokenDense

GATHERED = 64
"""A concatenation of at most this many parts is looked through by those that slice it."""


DENSE_TINY = 4096
"""Maps that only move, scale or add numbers, or multiply each token by the same matrix, are multiplied out up
to this many entries.
"""


def simplify(network: Network) -> Network:
    """An equivalent network with fewer nodes: dead nodes dropped, affine chains fused, small maps dense."""
    readers = _reader_counts(network)
    rewritten: list[Node] = []
    for i, node in enumerate(network.nodes):
        rewritten.append(_fuse(rewritten, node, readers) if isinstance(node, Affine) and readers[i] else node)
    fused = _renumber(_without_copies(Network(tuple(rewritten), network.output, network.names)))
    nodes = tuple(_materialise(n) if isinstance(n, Affine) else n for n in fused.nodes)
    return Network(nodes, fused.output, fused.names)


def _fuse(done: list[Node], node: Affine, readers: list[int]) -> Affine:
    """The node with every affine source that nobody else needs, or that costs nothing, multiplied through.

    Other sources that are read twice stay nodes: multiplied through, their work would be done twice. So do
    sums that are read by anything but a gather: a residual stream would become as many terms as it has
    layers.
    """
    terms: list[tuple[int, LinearMap]] = []
    bias = node.bias
    merged = _merge(list(node.terms))
    times = Counter(source for source, _ in merged)
    for source, one in merged:
        inner = done[source]
        alone = readers[source] == 1 and times[source] == 1
        if isinstance(inner, Affine) and (alone or _passes_through(inner, one)):
            bias = bias + one.apply(inner.bias)
            terms += [(s, compose(one, m)) for s, m in inner.terms]
        else:
            terms.append((source, compose(one, Identity(one.in_size))))
    return Affine(_merge(terms), bias)


def _merge(terms: list[tuple[int, LinearMap]]) -> tuple[tuple[int, LinearMap], ...]:
    """Terms with the same source added up where both are dense or cheaply made so; zero maps are left out."""
    merged: list[tuple[int, LinearMap]] = []
    for source, one in terms:
        if _vanishes(one):
            continue
        for place, (other_source, other) in enumerate(merged):
            total = _sum(other, one) if other_source == source else None
            if total is not None:
                merged[place] = (source, total)
                break
        else:
            merged.append((source, one))
    return tuple(merged)


def _vanishes(one: LinearMap) -> bool:
    """Whether the map is seen at a glance to be 0."""
    if isinstance(one, Compose):
        return any(_vanishes(part) for part in one.maps)
    if isinstance(one, Index):
        return not bool((one.index >= 0).any())
    small = isinstance(one, Diagonal) or (isinstance(one, Dense) and one.weight.numel() <= DENSE_FREE)
    return small and not bool(one._weight().any())  # type: ignore[union-attr]


def _sum(one: LinearMap, other: LinearMap) -> LinearMap | None:
    """one + other as one map, or None where two maps are better."""
    if isinstance(one, Diagonal | Identity) and isinstance(other, Diagonal | Identity):
        return Diagonal(_weights(one) + _weights(other))
    if one.in_size * one.out_size <= max(DENSE_FREE, DENSE_WASTE * (one.cost + other.cost)):
        return Dense(one.dense() + other.dense())
    return None


def _weights(one: Diagonal | Identity) -> Tensor:
    return one.weight if isinstance(one, Diagonal) else torch.ones(one.in_size, dtype=torch.float64)


def _passes_through(inner: Affine, reader: LinearMap) -> bool:
    """Whether a reader may read the sources of `inner` instead: its only one, or the parts that it gathers
    from.
    """
    if not all(_moves(one) for _, one in inner.terms):
        return False
    if len(inner.terms) <= 1:
        return True
    parts = len(inner.terms) <= GATHERED and isinstance(reader, Index)
    return parts and sum(_filled(one) for _, one in inner.terms) <= inner.size


def _filled(one: LinearMap) -> int:
    """An upper bound on the outputs of a moving map that are not always 0."""
    if isinstance(one, Compose):
        scaled_at_last = len(one.maps) == 2 and isinstance(one.maps[1], Diagonal)
        return _filled(one.maps[0] if scaled_at_last else one.maps[-1])
    return int((one.index >= 0).sum()) if isinstance(one, Index) else one.out_size


def _moves(one: LinearMap) -> bool:
    """Whether the map only moves and scales numbers."""
    if isinstance(one, Compose):
        return all(_moves(part) for part in one.maps)
    return isinstance(one, Index | Identity | Diagonal)


def _materialise(node: Affine) -> Affine:
    terms = []
    for source, one in node.terms:
        entries = one.in_size * one.out_size
        simple = isinstance(one, Dense | Identity | Diagonal | Index)
        small = entries <= DENSE_LIMIT and entries <= DENSE_WASTE * one.cost + DENSE_FREE
        if entries > DENSE_TINY and _quick(one):
            small = False
        terms.append((source, Dense(one.dense()) if small and not simple else one))
    return Affine(tuple(terms), node.bias)


def _quick(one: LinearMap) -> bool:
    """Whether the map as it is takes no more calls than a dense one: each does one thing."""
    if isinstance(one, TokenDense):
        return one.weight.shape[0] == 1
    return _moves(one) or (isinstance(one, Adjoint) and one.cost == 0)


def _reader_counts(network: Network) -> list[int]:
    """How many live nodes read each node; a live node is an ancestor of the output."""
    live = network.ancestors[network.output]
    counts = [0] * len(network.nodes)
    counts[network.output] = 1
    for i in live:
        for source in set(network.sources(i)):
            counts[source] += 1
    return counts


def _without_copies(network: Network) -> Network:
    """Nodes that only copy another node are passed by."""
    origin = list(range(len(network.nodes)))
    nodes: list[Node] = []
    for i, node in enumerate(network.nodes):
        if isinstance(node, Affine):
            copies = (
                len(node.terms) == 1 and isinstance(node.terms[0][1], Identity) and not bool(node.bias.any())
            )
            origin[i] = origin[node.terms[0][0]] if copies else i
            node = Affine(tuple((origin[s], one) for s, one in node.terms), node.bias)
        elif isinstance(node, Nonlinear):
            node = Nonlinear(node.fn, tuple(origin[a] for a in node.args), node.size)
        elif isinstance(node, Grouped):
            node = Grouped(node.fn, tuple(origin[a] for a in node.args), node.size)
        nodes.append(node)
    return Network(tuple(nodes), origin[network.output], network.names)


def _renumber(network: Network) -> Network:
    """Only the ancestors of the output (and the input), numbered afresh."""
    keep = sorted(network.ancestors[network.output] | {0})
    number = {old: new for new, old in enumerate(keep)}
    nodes: list[Node] = []
    for old in keep:
        node = network.nodes[old]
        if isinstance(node, Affine):
            nodes.append(Affine(tuple((number[s], m) for s, m in node.terms), node.bias))
        elif isinstance(node, Nonlinear):
            nodes.append(Nonlinear(node.fn, tuple(number[a] for a in node.args), node.size))
        elif isinstance(node, Grouped):
            nodes.append(Grouped(node.fn, tuple(number[a] for a in node.args), node.size))
        else:
            nodes.append(Input(node.size))
    return Network(tuple(nodes), number[network.output], tuple(network.name(old) for old in keep))
