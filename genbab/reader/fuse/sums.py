"""Sums that a fused node is written out in, with the errors of their numbers."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from genbab.network import Affine, Compose, Diagonal, Identity, Index, LinearMap
from genbab.network.maps.roundings import LEAST, of_error
from genbab.network.uncertainty import Uncertainty, padded


@dataclass(frozen=True, eq=False)
class Numbers:
    """Real numbers within error (N,) of the float64 ones (N,)."""

    value: Tensor
    error: Tensor

    @property
    def some(self) -> bool:
        """Whether one of them may be another number than 0."""
        return bool(self.value.any()) or bool(self.error.any())

    def take(self, entries: Tensor) -> Numbers:
        """The numbers at these entries."""
        return Numbers(self.value[entries], self.error[entries])

    def where(self, kept: Tensor) -> Numbers:
        """The numbers, and exactly 1 in place of those that are not kept."""
        return Numbers(self.value.masked_fill(~kept, 1.0), self.error.masked_fill(~kept, 0.0))


@dataclass
class Sum:
    """shift + Σ weight · source[place], under construction."""

    shift: Numbers
    terms: list[tuple[int, LinearMap]] = field(default_factory=list)
    weights: list[tuple[int, LinearMap]] = field(default_factory=list)
    roundings: int = 0

    def add(self, source: int, place: Tensor | None, weight: Numbers, in_size: int) -> None:
        """Add weight · source[place] (None: the entry itself; -1: nothing)."""
        self.terms.append((source, _map(place, weight.value, in_size)))
        known = of_error(weight.value, weight.error)
        if known is None:
            error = weight.error * (1 + 2.0**-30) + LEAST
            self.weights.append((source, _map(place, error, in_size)))
        self.roundings = max(self.roundings, known or 0)

    def copies(self, node: int) -> bool:
        """Whether this is just the value of a node."""
        alone = len(self.terms) == 1 and self.terms[0][0] == node and isinstance(self.terms[0][1], Identity)
        return alone and not self.shift.some and not self.roundings and not self.weights

    def node(self) -> Affine:
        """The sum as a node."""
        uncertainty = Uncertainty(self.roundings, padded(self.shift.error), tuple(self.weights))
        return Affine(tuple(self.terms), self.shift.value, uncertainty)


def _map(place: Tensor | None, weight: Tensor, in_size: int) -> LinearMap:
    chain: list[LinearMap] = [] if place is None else [Index(place, in_size)]
    if bool((weight != 1.0).any()):
        chain.append(Diagonal(weight))
    if len(chain) == 2:
        return Compose(tuple(chain))
    return chain[0] if chain else Identity(in_size)
