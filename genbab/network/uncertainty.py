"""How far an affine node as it is written may be from the one that the file defines.

Constants that a rewriting makes (a quotient, a product of weights, a bias moved through a map) are float64
numbers near real ones. The distance stays with the node, and every bound that goes through the node pays
for it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from genbab.network.maps.base import LinearMap
from genbab.network.maps.roundings import LEAST


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """How far the true value of bias + Σ map(source) may lie from that of its numbers.

    It is within

        constant + Σ weight(|source|) + roundings · UNIT · (|bias| + Σ |map|(|source|))

    of the value over the reals that the float64 numbers give. constant (N,), or None for 0; weights: pairs
    (source, map without negative weights).
    """

    roundings: int = 0
    constant: Tensor | None = None
    weights: tuple[tuple[int, LinearMap], ...] = ()

    @property
    def exact(self) -> bool:
        """Whether the node is what the file defines."""
        return not self.roundings and self.constant is None and not self.weights

    def to(self, dtype: torch.dtype, device: torch.device) -> Uncertainty:
        """The same distances in another dtype (only float64 is for bounds that count), on another device."""
        if self.exact:
            return self
        constant = None if self.constant is None else self.constant.to(device, dtype)
        weights = tuple((source, one.to(dtype, device)) for source, one in self.weights)
        return Uncertainty(self.roundings, constant, weights)


EXACT = Uncertainty()
"""Nothing was rounded."""


def padded(error: Tensor) -> Tensor | None:
    """The distances (N,) with room for the rounding of their own sums; None where they are all 0."""
    return error * (1 + 2.0**-20) + LEAST if bool(error.any()) else None
