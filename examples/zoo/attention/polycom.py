"""Transformers whose feed-forward part composes polynomials."""

from __future__ import annotations

import functools

import torch
from torch import Tensor, nn

from zoo.attention.blocks import Transformer
from zoo.data import digits
from zoo.family import Family


class PolyReLU(nn.Module):
    """a_0 + a_1 relu(x) + a_2 relu(x)^2 + a_3 relu(x)^3, the scales learnt."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor([0.0, 1 / 3, 1 / 3, 1 / 3]))

    def forward(self, x: Tensor) -> Tensor:
        r = torch.relu(x)
        return self.scale[0] + self.scale[1] * r + self.scale[2] * r**2 + self.scale[3] * r**3


class PolyNorm(nn.Module):
    """a_0 + the sum over i of a_i x^i / rms(x^i), the scales learnt."""

    def __init__(self, floor: float = 0.1) -> None:
        super().__init__()
        self.floor = floor
        self.scale = nn.Parameter(torch.tensor([0.0, 1 / 3, 1 / 3, 1 / 3]))

    def forward(self, x: Tensor) -> Tensor:
        powers = (x, x**2, x**3)
        total = self.scale[0] + 0 * x
        for scale, power in zip(self.scale[1:], powers, strict=True):
            total = total + scale * power * torch.rsqrt((power**2).mean(-1, keepdim=True) + self.floor)
        return total


SOURCE = "Zhuo et al., Polynomial composition activations, ICLR 2025 (arXiv 2411.03884)"
FAMILIES = (
    Family(
        "polyrelu_transformer",
        "transformer with PolyReLU (PolyCom)",
        SOURCE,
        functools.partial(Transformer, PolyReLU),
        digits,
    ),
    Family(
        "polynorm_transformer",
        "transformer with PolyNorm (PolyCom)",
        SOURCE,
        functools.partial(Transformer, PolyNorm),
        digits,
    ),
)
