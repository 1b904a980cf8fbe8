"""Whether all numbers that an execution computes are finite."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from genbab.network.roundoff import Interval, magnitude
from genbab.network.uncertainty import ErrorBound


@dataclass(frozen=True)
class AllFinite:
    """An error bound of so many numbers: 0 where every source is sure to stay below `largest`, else infinite.

    A number that is lost may become any other, or none, wherever it is used.
    """

    size: int
    largest: float

    def __call__(self, intervals: Sequence[Interval]) -> Tensor:
        """Distances (B, size)."""
        batch = max(len(low) for low, _ in intervals)
        lost = torch.zeros(batch, dtype=torch.bool, device=intervals[0][0].device)
        for interval in intervals:
            lost = lost | ~(magnitude(interval) < self.largest).all(-1)
        return torch.where(lost, math.inf, 0.0).double()[:, None].expand(-1, self.size)

    def to(self, device: torch.device) -> AllFinite:
        """Itself."""
        return self


@dataclass(frozen=True, eq=False)
class NothingLost:
    """An error bound of so many numbers: 0 where `error` is finite, whatever its size, else infinite."""

    size: int
    error: ErrorBound

    def __call__(self, intervals: Sequence[Interval]) -> Tensor:
        """Distances (B, size)."""
        lost = ~torch.isfinite(self.error(intervals)).all(-1)
        return torch.where(lost, math.inf, 0.0).double()[:, None].expand(-1, self.size)

    def to(self, device: torch.device) -> NothingLost:
        """The same on another device."""
        return NothingLost(self.size, self.error.to(device))
