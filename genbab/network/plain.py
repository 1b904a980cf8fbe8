"""The network without what keeps the domains of its functions: what floating-point arithmetic computes."""

from __future__ import annotations

import torch

from genbab.network.graph import Network
from genbab.network.nodes import Affine
from genbab.nonlinear.composed.defined import keeps_domain


def without_domains(network: Network) -> Network:
    """The same values, also where the file's graph has none over the real numbers but an arithmetic with
    infinities goes on (exp(log(0)) is 0): for attacks and comparisons, never for bounds.
    """
    like = next((node.bias for node in network.affine.values()), torch.zeros(0, dtype=torch.float64))
    kept = {i: node for i, node in network.nonlinear.items() if keeps_domain(node.fn)}
    return network.with_nodes({i: Affine((), like.new_zeros(node.size)) for i, node in kept.items()})
