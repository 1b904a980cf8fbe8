"""The values of nodes at points."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from genbab.network.graph import Network
from genbab.network.nodes import Affine, Grouped, Input, Meaning, Nonlinear
from genbab.network.walk import forward


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
