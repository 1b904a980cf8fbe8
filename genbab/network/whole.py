"""Inputs that are whole numbers: what a box and a point of real numbers say of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class WholeInputs:
    """The inputs `columns` (n,) are whole numbers from low to high (n,), each in float64.

    What is known of a network with such inputs need hold there only.
    """

    columns: Tensor
    low: Tensor
    high: Tensor

    def to(self, device: torch.device) -> WholeInputs:
        """The same on another device."""
        return WholeInputs(self.columns.to(device), self.low.to(device), self.high.to(device))

    def between(self, lower: Tensor, upper: Tensor) -> WholeInputs:
        """The same inputs where all that counts is the box from lower to upper, both (D,)."""
        low, high = (end[self.columns].to(self.low) for end in (lower, upper))
        return replace(self, low=low, high=high)

    def hold(self, lower: Tensor, upper: Tensor) -> bool:
        """Whether the boxes (B, D) keep these inputs between low and high."""
        low, high = lower[..., self.columns], upper[..., self.columns]
        return bool((low >= self.low).all() and (high <= self.high).all())

    def cut(self, lower: Tensor, upper: Tensor) -> tuple[Tensor, Tensor]:
        """The boxes (..., D) between the outermost whole numbers in them; lower > upper where there are none.

        No point of a box is lost whose entries here are whole.
        """
        low, high = lower[..., self.columns].ceil(), upper[..., self.columns].floor()
        return lower.index_copy(-1, self.columns, low), upper.index_copy(-1, self.columns, high)

    def nearest(self, x: Tensor) -> Tensor:
        """x (..., D) with these entries rounded to whole numbers; gradients pass as if they were not."""
        mine = x[..., self.columns]
        return x.index_copy(-1, self.columns, mine + (mine.round() - mine).detach())

    def apart(self, point: Tensor) -> Tensor:
        """Where to split the inputs (..., D) instead of at `point`: halfway between two whole numbers.

        Next to a point that is strictly inside an interval with whole ends: both parts keep one of them.
        """
        return point.index_copy(-1, self.columns, point[..., self.columns].floor() + 0.5)

    def one_apart(self, point: Tensor, inputs: Tensor) -> Tensor:
        """The same for single inputs (P,) and their points (P,)."""
        return torch.where(torch.isin(inputs, self.columns), point.floor() + 0.5, point)
