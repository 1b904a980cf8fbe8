"""Weights that are powers of two."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.data import digits
from zoo.family import Family


class DenseShift(nn.Linear):
    """A linear layer whose weights are sign * 2^s, s = 0, -1, ..., -7, never 0, times a scale."""

    def powers(self) -> Tensor:
        """The weights, rounded to powers of two."""
        scale = self.weight.abs().amax()
        shift = torch.log2(self.weight.abs() / scale + 1e-9).round().clamp(-7, 0)
        sign = torch.where(self.weight >= 0, 1.0, -1.0).to(shift)
        return scale * sign * 2**shift

    def forward(self, x: Tensor) -> Tensor:
        weight = self.powers()
        if self.training:  # the slope of rounding is taken to be 1
            weight = self.weight + (weight - self.weight).detach()
        return functional.linear(x, weight, self.bias)


FAMILIES = (
    Family(
        "denseshift",
        "DenseShift (weights that are powers of two)",
        "Li et al., DenseShift: towards accurate and efficient low-bit power-of-two quantization, ICCV 2023",
        lambda: nn.Sequential(
            DenseShift(64, 24), nn.ReLU(), DenseShift(24, 16), nn.ReLU(), DenseShift(16, 10)
        ),
        digits,
    ),
)
