"""Products with a function value become gates: x · g(y) is relaxed as one function of two arguments."""

from __future__ import annotations

from dataclasses import replace

import torch

from genbab.network import Affine, Identity, Index, Network, Node, Nonlinear
from genbab.nonlinear import Gate, Nonlinearity, Product
from genbab.nonlinear.composed.defined import keeps_domain

ROWS_LIMIT = 256
"""A factor that is broadcast is fused only when that makes at most this many copies of its argument's
entries.
"""

PREFERRED = ("reciprocal", "exp", "sigmoid")
"""Which factor is fused, if both could be: the first of these; else the second factor."""


def fuse_gates(network: Network) -> Network:
    """The same network with `Gate` nodes for products with a function that nobody else reads."""
    changed: dict[int, Node] = {}
    moved: set[int] = set()
    for i, node in network.nonlinear.items():
        if isinstance(node.fn, Product) and not keeps_domain(node.fn):
            found = _fused(network, i, node)
            changed |= found
            moved |= found.keys() - {i}
    origins = tuple(-1 if i in moved else network.origin(i) for i in range(len(network.nodes)))
    return replace(network.with_nodes(changed), origins=origins)


def _fused(network: Network, i: int, node: Nonlinear) -> dict[int, Node]:
    """The nodes that change where this product becomes a gate; none where it stays one."""
    x, y = node.args
    found = [(a, _factor(network, a)) for a in (y, x)] if x != y else []
    ready = [(a, f) for a, f in found if f is not None]
    if not ready:
        return {}
    ready.sort(key=lambda pair: PREFERRED.index(pair[1][0].name) if pair[1][0].name in PREFERRED else 9)
    gated, (fn, argument, index) = ready[0]
    other = x if gated == y else y
    if index is None:
        return {i: Nonlinear(Gate(fn), (other, argument), node.size)}
    copies = Affine(((argument, index),), torch.zeros(index.out_size, dtype=torch.float64))
    return {gated: copies, i: Nonlinear(Gate(fn), (other, gated), node.size)}


def _factor(network: Network, a: int) -> tuple[Nonlinearity, int, Index | None] | None:
    """(g, its argument, how its value is copied) where node a is g(argument), read by one product only."""
    if len(network.consumers[a]) != 1 or a == network.output:
        return None
    copies, index = network.affine.get(a), None
    if copies is not None:
        if bool(copies.bias.any()) or not copies.uncertainty.exact or len(copies.terms) != 1:
            return None
        source, one = copies.terms[0]
        if isinstance(one, Index):
            if bool((one.index < 0).any()) or one.out_size > max(one.in_size, ROWS_LIMIT):
                return None
            index = one
        elif not isinstance(one, Identity):
            return None
        if len(network.consumers[source]) != 1 or source == network.output:
            return None
        a = source
    node = network.nonlinear.get(a)
    if node is None or not isinstance(node.fn, Nonlinearity) or keeps_domain(node.fn):
        return None
    return node.fn, node.args[0], index
