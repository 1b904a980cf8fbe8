"""Layers that normalise and activate at once, as evolution found them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zoo.data import digits
from zoo.family import Family

SOURCE = "Liu et al., Evolving normalization-activation layers, NeurIPS 2020 (arXiv 2004.02967)"


class EvoNormS0(nn.Module):
    """gamma x sigmoid(v x) / sqrt(var + eps) + beta, the variance that of a group of channels of a sample."""

    def __init__(self, channels: int, groups: int = 2, eps: float = 1e-2) -> None:
        super().__init__()
        self.groups, self.eps = groups, eps
        self.v, self.gamma = (nn.Parameter(torch.ones(1, channels, 1, 1)) for _ in range(2))
        self.beta = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        grouped = x.reshape(x.shape[0], self.groups, -1)
        centred = grouped - grouped.mean(2, keepdim=True)
        spread = torch.rsqrt((centred**2).mean(2, keepdim=True) + self.eps)
        gated = (x * torch.sigmoid(self.v * x)).reshape(x.shape[0], self.groups, -1)
        return self.gamma * (gated * spread).reshape(x.shape) + self.beta


class EvoNormB0(nn.Module):
    """gamma x / max(sqrt(batch var + eps), v x + sqrt(instance var + eps)) + beta; the first is kept."""

    kept: Tensor

    def __init__(self, channels: int, eps: float = 1e-2) -> None:
        super().__init__()
        self.eps = eps
        self.v, self.gamma = (nn.Parameter(torch.ones(1, channels, 1, 1)) for _ in range(2))
        self.beta = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.register_buffer("kept", torch.ones(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        spread = self.kept
        if self.training:
            spread = x.var((0, 2, 3), unbiased=False, keepdim=True)
            self.kept = 0.95 * self.kept + 0.05 * spread.detach()
        centred = x - x.mean((2, 3), keepdim=True)
        own = torch.sqrt((centred**2).mean((2, 3), keepdim=True) + self.eps)
        return self.gamma * x / torch.maximum(torch.sqrt(spread + self.eps), self.v * x + own) + self.beta


def network(norm: type[EvoNormS0] | type[EvoNormB0]) -> nn.Module:
    """Two convolutions on 8 x 8 pixels, a norm after each."""
    return nn.Sequential(
        nn.Unflatten(1, (1, 8, 8)),
        nn.Conv2d(1, 4, 3, stride=2, padding=1),
        norm(4),
        nn.Conv2d(4, 8, 3, stride=2, padding=1),
        norm(8),
        nn.Flatten(),
        nn.Linear(32, 10),
    )


FAMILIES = (
    Family("evonorm_s0", "EvoNorm-S0", SOURCE, lambda: network(EvoNormS0), digits),
    Family("evonorm_b0", "EvoNorm-B0", SOURCE, lambda: network(EvoNormB0), digits),
)
