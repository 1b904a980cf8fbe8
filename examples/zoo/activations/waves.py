"""Features that are waves of the inputs."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from zoo.data import diabetes
from zoo.family import Family


class RandomFourierFeatures(nn.Module):
    """sqrt(2 / features) cos(W x + b) with W, b drawn once and kept: a Gaussian kernel of this width."""

    waves: Tensor
    phases: Tensor

    def __init__(self, inputs: int, features: int, width: float = 1.0) -> None:
        super().__init__()
        self.register_buffer("waves", torch.randn(inputs, features) / width)
        self.register_buffer("phases", 2 * torch.pi * torch.rand(features))

    def forward(self, x: Tensor) -> Tensor:
        return math.sqrt(2 / len(self.phases)) * torch.cos(x @ self.waves + self.phases)


FAMILIES = (
    Family(
        "random_fourier",
        "random Fourier features",
        "Rahimi and Recht, Random features for large-scale kernel machines, NeurIPS 2007",
        lambda: nn.Sequential(RandomFourierFeatures(10, 64), nn.Linear(64, 1)),
        diabetes,
    ),
)
