"""Exact rewrites of a network: fuse chains of affine nodes, compose index maps, materialise small maps.

The function computed is the same over the reals; weights are combined in float64.
"""

from __future__ import annotations

import torch
from torch import Tensor

from genbab.network.graph import Affine, Input, Network, Node, Nonlinear
from genbab.network.maps import Adjoint, Compose, Dense, Diagonal, Identity, Index, LinearMap

DENSE_LIMIT = 4_000_000
"""Largest number of entries of a map that is multiplied out (32 MB in float64)."""

DENSE_WASTE = 8
"""A structured map is multiplied out when that costs at most this many times its own arithmetic: one GEMM beats many
small passes."""

DENSE_FREE = 65_536
"""Maps of at most this many entries are always multiplied out."""


def simplify(network: Network) -> Network:
    """An equivalent network with fewer nodes: dead nodes dropped, affine chains fused, small maps dense."""
    readers = _reader_counts(network)
    rewritten: list[Node] = []
    for i, node in enumerate(network.nodes):
        rewritten.append(_fuse(rewritten, node, readers) if isinstance(node, Affine) and readers[i] else node)
    fused = _renumber(Network(tuple(rewritten), network.output, network.names))
    nodes = tuple(_materialise(n) if isinstance(n, Affine) else n for n in fused.nodes)
    return Network(nodes, fused.output, fused.names)


def compose(then: LinearMap, first: LinearMap) -> LinearMap:
    """then ∘ first as one simple map where that is exact and no dearer, else a `Compose`."""
    left = list(first.maps) if isinstance(first, Compose) else [first]
    right = list(then.maps) if isinstance(then, Compose) else [then]
    for one in right:
        while left:
            joined = _join(one, left[-1])
            if joined is None:
                break
            left.pop()
            one = joined
        left.append(one)
    return left[0] if len(left) == 1 else Compose(tuple(left))


def _join(then: LinearMap, first: LinearMap) -> LinearMap | None:
    """then ∘ first as one map, or None where a composition is better."""
    if isinstance(first, Identity):
        return then
    if isinstance(then, Identity):
        return first
    if isinstance(then, Index) and isinstance(first, Index):
        return _join_index(then, first)
    if isinstance(then, Diagonal) and isinstance(first, Diagonal):
        return Diagonal(then.weight * first.weight)
    if isinstance(then, Dense) or isinstance(first, Dense):
        return _join_dense(then, first)
    return None


def _join_index(then: Index, first: Index) -> LinearMap:
    padded = torch.cat([first.index, first.index.new_full((1,), -1)])
    index = padded[then.index]
    if first.in_size == index.numel() and bool((index == torch.arange(index.numel())).all()):
        return Identity(first.in_size)
    return Index(index, first.in_size)


def _join_dense(then: LinearMap, first: LinearMap) -> LinearMap | None:
    entries = then.out_size * first.in_size
    if entries > DENSE_LIMIT or entries > max(DENSE_FREE, DENSE_WASTE * (then.cost + first.cost)):
        return None
    if isinstance(first, Dense):
        return Dense(then.apply(first.weight.mT).mT.contiguous())
    return Dense(first.pull(then.dense()).contiguous())


def _fuse(done: list[Node], node: Affine, readers: list[int]) -> Affine:
    """The node with every affine source that nobody else needs (or that only moves numbers) multiplied through."""
    terms: list[tuple[int, LinearMap]] = []
    bias = node.bias
    for source, one in node.terms:
        inner = done[source]
        if isinstance(inner, Affine) and (readers[source] == 1 or _only_moves(inner)):
            bias = bias + one.apply(inner.bias)
            terms += [(s, compose(one, m)) for s, m in inner.terms]
        else:
            terms.append((source, one))
    return Affine(_merge(terms), bias)


def _merge(terms: list[tuple[int, LinearMap]]) -> tuple[tuple[int, LinearMap], ...]:
    """Terms with the same source added up where both are (or are cheaply made) dense."""
    merged: list[tuple[int, LinearMap]] = []
    for source, one in terms:
        for place, (other_source, other) in enumerate(merged):
            if other_source != source:
                continue
            if one.in_size * one.out_size <= max(DENSE_FREE, DENSE_WASTE * (one.cost + other.cost)):
                merged[place] = (source, Dense(_dense(other) + _dense(one)))
                break
        else:
            merged.append((source, one))
    return tuple(merged)


def _dense(one: LinearMap) -> Tensor:
    return one.dense()


def _only_moves(node: Affine) -> bool:
    return len(node.terms) <= 64 and all(isinstance(one, Index | Identity) for _, one in node.terms)


def _materialise(node: Affine) -> Affine:
    terms = []
    for source, one in node.terms:
        entries = one.in_size * one.out_size
        simple = isinstance(one, Dense | Identity | Diagonal | Index)
        small = entries <= DENSE_LIMIT and entries <= DENSE_WASTE * one.cost + DENSE_FREE
        if isinstance(one, Index | Diagonal | Adjoint) and one.cost <= one.out_size and entries > 4096:
            small = False
        terms.append((source, Dense(_dense(one)) if small and not simple else one))
    return Affine(tuple(terms), node.bias)


def _reader_counts(network: Network) -> list[int]:
    """How many live nodes read each node; a live node is an ancestor of the output."""
    live = network.ancestors[network.output]
    counts = [0] * len(network.nodes)
    counts[network.output] = 1
    for i in live:
        for source in set(network.sources(i)):
            counts[source] += 1
    return counts


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
        else:
            nodes.append(Input(node.size))
    return Network(tuple(nodes), number[network.output], tuple(network.name(old) for old in keep))
