"""Products with a function value become gates: x · g(y) is relaxed as one function of two arguments."""

from __future__ import annotations

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
    """The same network with `Product` nodes turned into `Gate` nodes where a factor is a function nobody else
    reads.
    """
    nodes = list(network.nodes)
    for i, node in enumerate(network.nodes):
        if isinstance(node, Nonlinear) and isinstance(node.fn, Product) and not keeps_domain(node.fn):
            _fuse(network, nodes, i, node)
    return Network(tuple(nodes), network.output, network.names)


def _fuse(network: Network, nodes: list[Node], i: int, node: Nonlinear) -> None:
    x, y = node.args
    found = [(a, _factor(network, nodes, a)) for a in (y, x)] if x != y else []
    ready = [(a, f) for a, f in found if f is not None]
    if not ready:
        return
    ready.sort(key=lambda pair: PREFERRED.index(pair[1][0].name) if pair[1][0].name in PREFERRED else 9)
    gated, (fn, argument, index) = ready[0]
    other = x if gated == y else y
    if index is not None:
        size = int(index.out_size)
        nodes[gated] = Affine(((argument, index),), torch.zeros(size, dtype=torch.float64))
        argument = gated
    nodes[i] = Nonlinear(Gate(fn), (other, argument), node.size)


def _factor(network: Network, nodes: list[Node], a: int) -> tuple[Nonlinearity, int, Index | None] | None:
    """(g, its argument, how its value is copied around) when node a is g(argument) and only one product reads
    it.
    """
    node, index = nodes[a], None
    if len(network.consumers[a]) != 1 or a == network.output:
        return None
    plain = isinstance(node, Affine) and not bool(node.bias.any()) and node.uncertainty.exact
    if plain and isinstance(node, Affine) and len(node.terms) == 1:
        source, one = node.terms[0]
        if isinstance(one, Index):
            if bool((one.index < 0).any()) or one.out_size > max(one.in_size, ROWS_LIMIT):
                return None
            index = one
        elif not isinstance(one, Identity):
            return None
        if len(network.consumers[source]) != 1 or source == network.output:
            return None
        node = nodes[source]
    if isinstance(node, Nonlinear) and isinstance(node.fn, Nonlinearity) and not keeps_domain(node.fn):
        return node.fn, node.args[0], index
    return None
