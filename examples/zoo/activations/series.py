"""Activations that are sums of shifted ones."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zoo.data import digits
from zoo.family import Family


class SeriesActivation(nn.Module):
    """sum over i of a_i act(x + b_i), the scales and shifts learnt for each channel."""

    def __init__(self, width: int, terms: int = 4) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.randn(terms, width) / terms)
        self.shift = nn.Parameter(torch.linspace(-1.5, 1.5, terms)[:, None].repeat(1, width))

    def forward(self, x: Tensor) -> Tensor:
        return (self.scale * torch.relu(x[:, None] + self.shift)).sum(1)


def vanilla() -> nn.Module:
    """Three layers without shortcuts, as VanillaNet has them."""
    return nn.Sequential(
        nn.Linear(64, 24), SeriesActivation(24), nn.Linear(24, 16), SeriesActivation(16), nn.Linear(16, 10)
    )


FAMILIES = (
    Family(
        "vanilla_series",
        "series activation (VanillaNet)",
        "Chen et al., VanillaNet: the power of minimalism in deep learning, 2023 (arXiv 2305.12972)",
        vanilla,
        digits,
    ),
)
