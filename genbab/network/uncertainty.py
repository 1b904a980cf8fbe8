"""How far an affine node as it is written may be from the one that is spoken of.

Constants that a rewriting makes (a quotient, a product of weights, a bias moved through a map) are float64
numbers near real ones. Where bounds are about a program in floating-point numbers, what it computes is near
what its operators mean. The distance stays with the node, and every bound that goes through the node pays
for it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from genbab.network.maps.base import LinearMap
from genbab.network.maps.roundings import LEAST


class ErrorBound(Protocol):
    """How far numbers that a program computes may be from what its operators mean, on boxes."""

    def __call__(self, intervals: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        """Distances (B, N), infinite where there may be no number, for sources in these intervals (B, M)."""

    def to(self, device: torch.device) -> ErrorBound:
        """The same on another device."""


@dataclass(frozen=True, eq=False)
class LocalError:
    """An error that depends on where the values of `sources` lie, and goes through `spread`.

    spread: a map without negative weights, from the numbers of the error to those of the node.
    """

    sources: tuple[int, ...]
    error: ErrorBound
    spread: LinearMap


@dataclass(frozen=True, eq=False)
class Roundoff:
    """What a program's own arithmetic may add to the distance of an affine node.

    It is within

        relative · (|bias| + Σ |map|(|source|) + distance) + unit · |value| + Σ spread(error)

    with the distance that constants and weights have, and no number is lost on the way, unless a source or
    |bias| + Σ |map|(|source|) may reach `largest`: then nothing is known. relative (N,), unit (N,).
    """

    relative: Tensor
    unit: Tensor
    local: tuple[LocalError, ...] = ()
    largest: float = math.inf

    def to(self, dtype: torch.dtype, device: torch.device) -> Roundoff:
        """The same in another dtype, on another device."""
        local = tuple(
            LocalError(e.sources, e.error.to(device), e.spread.to(dtype, device)) for e in self.local
        )
        sums, unit = self.relative.to(device, dtype), self.unit.to(device, dtype)
        return Roundoff(sums, unit, local, self.largest)


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """How far the true value of bias + Σ map(source) may lie from that of its numbers.

    It is within

        constant + Σ weight(|source|) + roundings · UNIT · (|bias| + Σ |map|(|source|))

    of the value over the reals that the float64 numbers give, and within what `roundoff` says beside.
    constant (N,), or None for 0; weights: pairs (source, map without negative weights).
    """

    roundings: int = 0
    constant: Tensor | None = None
    weights: tuple[tuple[int, LinearMap], ...] = ()
    roundoff: Roundoff | None = None

    @property
    def exact(self) -> bool:
        """Whether the node is what the file defines."""
        return not self.roundings and not self.more

    @property
    def more(self) -> bool:
        """Whether there is a distance beside relative roundings of weights."""
        return self.constant is not None or bool(self.weights) or self.roundoff is not None

    @property
    def sources(self) -> tuple[int, ...]:
        """The nodes on whose values the distance depends, beside those of the terms."""
        local = () if self.roundoff is None else self.roundoff.local
        return (*(s for s, _ in self.weights), *(s for one in local for s in one.sources))

    def renumbered(self, number: Mapping[int, int] | Sequence[int]) -> Uncertainty:
        """The same where node i of the network has become node number[i]."""
        if not self.sources:
            return self
        weights = tuple((number[source], one) for source, one in self.weights)
        roundoff = self.roundoff
        if roundoff is not None:
            local = (replace(e, sources=tuple(number[s] for s in e.sources)) for e in roundoff.local)
            roundoff = replace(roundoff, local=tuple(local))
        return replace(self, weights=weights, roundoff=roundoff)

    def to(self, dtype: torch.dtype, device: torch.device) -> Uncertainty:
        """The same distances in another dtype (only float64 is for bounds that count), on another device."""
        if self.exact:
            return self
        constant = None if self.constant is None else self.constant.to(device, dtype)
        weights = tuple((source, one.to(dtype, device)) for source, one in self.weights)
        roundoff = None if self.roundoff is None else self.roundoff.to(dtype, device)
        return Uncertainty(self.roundings, constant, weights, roundoff)


EXACT = Uncertainty()
"""Nothing was rounded."""


def padded(error: Tensor) -> Tensor | None:
    """The distances (N,) with room for the rounding of their own sums; None where they are all 0."""
    return error * (1 + 2.0**-20) + LEAST if bool(error.any()) else None
