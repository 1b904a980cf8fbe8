"""The values of nodes at points."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from genbab.network.graph import Network
from genbab.network.nodes import Affine, Grouped, Input, Meaning, Nonlinear
from genbab.network.walk import forward
from genbab.nonlinear.composed.defined import keeps_domain


class _Value(Meaning[Sequence[Tensor], Tensor]):
    """The value (..., size) of each node at inputs (..., D)."""

    def __init__(self, x: Tensor) -> None:
        self.x = x

    def input(self, i: int, node: Input, x: Sequence[Tensor]) -> Tensor:
        return self.x

    def affine(self, i: int, node: Affine, x: Sequence[Tensor]) -> Tensor:
        total = node.bias.expand(*self.x.shape[:-1], node.size)
        for value, (_, one) in zip(x, node.terms, strict=False):  # then come uncertain weights
            total = total + one.apply(value)
        return total

    def function(self, i: int, node: Nonlinear | Grouped, x: Sequence[Tensor]) -> Tensor:
        found: Tensor = node.fn.value(*x)
        return found


def values(network: Network, x: Tensor) -> list[Tensor]:
    """The value of every node at inputs x (..., D), as a list of (..., size)."""
    return list(forward(network, _Value(x)).values())


def evaluate(network: Network, x: Tensor) -> Tensor:
    """The outputs (..., O) at inputs x (..., D)."""
    return values(network, x)[network.output]


def without_domains(network: Network) -> Network:
    """The network without what keeps the domains of its functions: what floating-point arithmetic computes.

    It has values also where the file's graph has none over the real numbers but an arithmetic with infinities
    goes on (exp(log(0)) is 0): for attacks and comparisons, never for bounds.
    """
    like = next((node.bias for node in network.affine.values()), torch.zeros(0, dtype=torch.float64))
    kept = {i: node for i, node in network.nonlinear.items() if keeps_domain(node.fn)}
    return network.with_nodes({i: Affine((), like.new_zeros(node.size)) for i, node in kept.items()})
