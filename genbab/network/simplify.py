"""Rewrites of a network: fuse chains of affine nodes, compose index maps, materialise small maps.

The function is the same over the reals. Weights are combined in float64, and what that rounds off is added to
the uncertainty of the node.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from genbab.error_free import sum_error
from genbab.network.graph import Network
from genbab.network.maps.algebra import Adjoint, Compose, Identity
from genbab.network.maps.base import LinearMap
from genbab.network.maps.composition import DENSE_FREE, DENSE_LIMIT, DENSE_WASTE, composed, multiplied
from genbab.network.maps.index import Index
from genbab.network.maps.roundings import LEAST, UNIT, relative
from genbab.network.maps.weighted import Dense, Diagonal, TokenDense
from genbab.network.nodes import Affine
from genbab.network.uncertainty import Uncertainty, padded

GATHERED = 64
"""A concatenation of at most this many parts is looked through by those that slice it."""


DENSE_TINY = 4096
"""Maps that only move, scale or add numbers, or multiply each token by the same matrix, are multiplied out up
to this many entries.
"""


Term = tuple[int, LinearMap, int]
"""(source, map, roundings of its weights)"""


def simplify(network: Network, written: bool = False, keep: frozenset[int] = frozenset()) -> Network:
    """An equivalent network with fewer nodes: dead nodes dropped, affine chains fused, small maps dense.

    Equivalent means: the true value of a node stays within its uncertainty. written: nodes of the network as
    it was first written are fused into such nodes only, and these of them (by their origin) into none.
    """
    readers = _reader_counts(network)
    affine = dict(network.affine)
    for i, node in network.affine.items():
        if readers[i] and node.uncertainty.roundoff is None:
            alone = written and network.origin(i) < 0
            kept = {j for j in affine if network.origin(j) in keep or (alone and network.origin(j) >= 0)}
            affine[i] = _fuse({j: one for j, one in affine.items() if j not in kept}, node, readers)
    fused = _only_live(_without_copies(network.with_nodes(affine)))
    return fused.with_nodes({i: _materialise(node) for i, node in fused.affine.items()})


def _fuse(affine: Mapping[int, Affine], node: Affine, readers: list[int]) -> Affine:
    """The node with every affine source that nobody else needs, or that costs nothing, multiplied through.

    Other sources that are read twice stay nodes: multiplied through, their work would be done twice. So do
    sums that are read by anything but a gather (a residual stream would become as many terms as it has
    layers), and all where weights are uncertain by more than roundings.
    """
    own = node.uncertainty
    terms: list[Term] = []
    moved = Moved(node.bias)
    merged = _merge([(source, one, own.roundings) for source, one in node.terms])
    times = Counter(source for source, _, _ in merged)
    for source, one, roundings in merged:
        inner = affine.get(source)
        alone = readers[source] == 1 and times[source] == 1
        if inner is not None and _fusible(own, inner) and (alone or _passes_through(inner, one)):
            moved.add(one, inner, roundings)
            roundings += inner.uncertainty.roundings
            terms += [(s, *composed(one, m, roundings)) for s, m in inner.terms]
        else:
            terms.append((source, *composed(one, Identity(one.in_size), roundings)))
    if moved.biases and own.roundings:  # what they are relative to is no longer there
        moved.error = moved.error + own.roundings * (UNIT * node.bias.abs() + LEAST * (node.bias != 0))
    return _assembled(_merge(terms), moved, own)


def _fusible(own: Uncertainty, inner: Affine) -> bool:
    """Whether weights are uncertain by roundings alone, and nobody's program rounds the source."""
    return not (own.weights or inner.uncertainty.weights or inner.uncertainty.roundoff)


@dataclass
class Moved:
    """The bias of a node to which biases of its sources are added, and what that is uncertain by."""

    bias: Tensor
    error: Tensor | float = 0.0
    biases: bool = False

    def add(self, one: LinearMap, inner: Affine, roundings: int) -> None:
        """Add what the bias of `inner` becomes under a map whose weights went through so many roundings."""
        constant, more = inner.uncertainty.constant, inner.uncertainty.roundings
        if constant is not None:
            spread = one.absolute().apply(constant) * (1 + (one.terms + roundings + 8) * UNIT)
            self.error = self.error + spread + (one.terms + 8) * LEAST * one.gain
        if not bool(inner.bias.any()):
            return
        image = one.apply(inner.bias)
        total = self.bias + image
        self.error = self.error + sum_error(self.bias, image, total).abs()
        if not (one.cost == 0 and one.terms <= 1 and one.some_weight is None and not roundings and not more):
            mass = one.absolute().apply(inner.bias.abs())
            self.error = self.error + (one.terms + roundings + more + 2) * (UNIT * mass + LEAST * one.gain)
        self.bias, self.biases = total, True


def _assembled(terms: Sequence[Term], moved: Moved, own: Uncertainty) -> Affine:
    """The node with these terms, whose bias was put together from several."""
    roundings = max([own.roundings, *(k for _, _, k in terms)])
    error = moved.error
    if own.constant is not None:
        error = error + own.constant
    constant = padded(error) if isinstance(error, Tensor) else None
    uncertainty = Uncertainty(roundings, constant, own.weights)
    return Affine(tuple((s, one) for s, one, _ in terms), moved.bias, uncertainty)


def _merge(terms: Sequence[Term]) -> list[Term]:
    """Terms with the same source added up, zero maps left out.

    Only where both are dense or cheaply made so, and the sum is accurate.
    """
    merged: list[Term] = []
    for source, one, roundings in terms:
        if vanishes(one):
            continue
        for place, (other_source, other, more) in enumerate(merged):
            total = _sum(other, one, max(roundings, more)) if other_source == source else None
            if total is not None:
                merged[place] = (source, *total)
                break
        else:
            merged.append((source, one, roundings))
    return merged


def vanishes(one: LinearMap) -> bool:
    """Whether the map is seen at a glance to be 0."""
    if isinstance(one, Compose):
        return any(vanishes(part) for part in one.maps)
    if isinstance(one, Index):
        return not bool((one.index >= 0).any())
    small = isinstance(one, Diagonal) or (isinstance(one, Dense) and one.weight.numel() <= DENSE_FREE)
    return small and not bool(one.some_weight.any())  # type: ignore[union-attr]


def _sum(one: LinearMap, other: LinearMap, roundings: int) -> tuple[LinearMap, int] | None:
    """(one + other as one map, its roundings), or None where two maps are better."""
    if isinstance(one, Diagonal | Identity) and isinstance(other, Diagonal | Identity):
        a, b = _weights(one), _weights(other)
        mass, known = a.abs() + b.abs(), 0
        total: Diagonal | Dense = Diagonal(a + b)
    elif one.in_size * one.out_size <= max(DENSE_FREE, DENSE_WASTE * (one.cost + other.cost)):
        first, then = multiplied(one), multiplied(other)
        if first is None or then is None:
            return None
        (left, size, known), (right, reach, more) = first, then
        a, b, mass, known = left.weight, right.weight, size + reach, max(known, more)
        total = Dense(a + b)
    else:
        return None
    before = known + roundings
    found = (
        relative(total.weight, mass, before + 1) if before else int(bool(sum_error(a, b, total.weight).any()))
    )
    return None if found is None else (total, found)


def _weights(one: Diagonal | Identity) -> Tensor:
    return one.weight if isinstance(one, Diagonal) else torch.ones(one.in_size, dtype=torch.float64)


def _passes_through(inner: Affine, reader: LinearMap) -> bool:
    """Whether a reader may read the sources of `inner`: its only one, or the parts that it gathers from."""
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
    """The node with small structured maps multiplied out, which its uncertainty pays for."""
    own = node.uncertainty
    if own.roundoff is not None:
        return node
    terms, weights, roundings = [], list(own.weights), own.roundings
    for source, one in node.terms:
        made = multiplied(one) if _worth_multiplying(one) else None
        if made is None:
            terms.append((source, one))
            continue
        matrix, mass, known = made
        before = known + own.roundings
        found = relative(matrix.weight, mass, before)
        if found is None:
            weights.append((source, Dense(mass * (before * UNIT * (1 + 2.0**-20)))))
        roundings = max(roundings, found or 0)
        terms.append((source, matrix))
    uncertainty = Uncertainty(roundings, own.constant, tuple(weights))
    return Affine(tuple(terms), node.bias, uncertainty)


def _worth_multiplying(one: LinearMap) -> bool:
    entries = one.in_size * one.out_size
    small = entries <= DENSE_LIMIT and entries <= DENSE_WASTE * one.cost + DENSE_FREE
    simple = isinstance(one, Dense | Identity | Diagonal | Index)
    return small and not simple and not (entries > DENSE_TINY and _quick(one))


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
    for i, node in network.affine.items():
        alone = len(node.terms) == 1 and isinstance(node.terms[0][1], Identity)
        if alone and not bool(node.bias.any()) and node.uncertainty.exact:
            origin[i] = origin[node.terms[0][0]]
    nodes = tuple(node.renumbered(origin) for node in network.nodes)
    return replace(network, nodes=nodes, output=origin[network.output])


def _only_live(network: Network) -> Network:
    """Only the ancestors of the output (and the input), numbered afresh."""
    keep = sorted(network.ancestors[network.output] | {0})
    number = {old: new for new, old in enumerate(keep)}
    nodes = tuple(network.nodes[old].renumbered(number) for old in keep)
    names, origins = tuple(map(network.name, keep)), tuple(map(network.origin, keep))
    return Network(nodes, number[network.output], names, origins=origins)
