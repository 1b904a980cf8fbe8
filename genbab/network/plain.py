"""The network without what keeps the domains of its functions: what floating-point arithmetic computes."""

from __future__ import annotations

from dataclasses import replace

import torch

from genbab.network.graph import Network
from genbab.network.nodes import Affine, Node, Nonlinear
from genbab.nonlinear.composed.defined import keeps_domain


def without_domains(network: Network) -> Network:
    """The same values, also where the file's graph has none over the real numbers but an arithmetic with
    infinities goes on (exp(log(0)) is 0): for attacks and comparisons, never for bounds.
    """
    nodes = tuple(_plain(network, i) for i in range(len(network.nodes)))
    changed = any(new is not old for new, old in zip(nodes, network.nodes, strict=True))
    return replace(network, nodes=nodes) if changed else network


def _plain(network: Network, i: int) -> Node:
    node = network.nodes[i]
    if not isinstance(node, Nonlinear) or not keeps_domain(node.fn):
        return node
    known = next(
        (n.bias for n in network.nodes if isinstance(n, Affine)), torch.zeros(0, dtype=torch.float64)
    )
    return Affine((), known.new_zeros(node.size))
