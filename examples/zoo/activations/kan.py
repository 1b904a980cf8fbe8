"""Kolmogorov-Arnold networks: a learnt function of one variable on every edge, sums at the nodes."""

from __future__ import annotations

import functools

import torch
from torch import Tensor, nn

from zoo.data import diabetes, digits
from zoo.family import Family

SPLINES = "Liu et al., KAN: Kolmogorov-Arnold networks, ICLR 2025 (arXiv 2404.19756)"


class SplineLayer(nn.Module):
    """Edges w silu(x) + sum of c_i B((x - t_i) / h), B the cubic B-spline of equal knots t_i, h apart.

    B(u) = (relu(2 - |u|)^3 - 4 relu(1 - |u|)^3) / 6. The grid has `knots` intervals on [-1, 1], and 3 more
    splines that reach into it from outside.
    """

    centres: Tensor

    def __init__(self, inputs: int, outputs: int, knots: int) -> None:
        super().__init__()
        self.step = 2 / knots
        self.register_buffer("centres", self.step * torch.arange(-1, knots + 2) - 1)
        self.base = nn.Linear(inputs, outputs)
        self.splines = nn.Linear(inputs * (knots + 3), outputs, bias=False)
        nn.init.normal_(self.splines.weight, std=0.1)

    def forward(self, x: Tensor) -> Tensor:
        far = ((x[..., None] - self.centres) / self.step).abs()
        bumps = (torch.relu(2 - far) ** 3 - 4 * torch.relu(1 - far) ** 3) / 6
        summed: Tensor = self.base(nn.functional.silu(x)) + self.splines(bumps.flatten(1))
        return summed


class FourierLayer(nn.Module):
    """Edges that are sums of a_k cos(k x) + b_k sin(k x)."""

    def __init__(self, inputs: int, outputs: int, waves: int = 3) -> None:
        super().__init__()
        self.waves = torch.arange(1, waves + 1)
        self.mix = nn.Linear(2 * waves * inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        angles = x[..., None] * self.waves
        mixed: Tensor = self.mix(torch.cat([torch.cos(angles), torch.sin(angles)], -1).flatten(1))
        return mixed


FAMILIES = (
    Family(
        "kan_5",
        "KAN, cubic splines on 5 knots",
        SPLINES,
        lambda: nn.Sequential(SplineLayer(16, 8, 5), SplineLayer(8, 10, 5)),
        functools.partial(digits, 4),
    ),
    Family(
        "kan_20",
        "KAN, cubic splines on 20 knots",
        SPLINES,
        lambda: nn.Sequential(SplineLayer(10, 5, 20), SplineLayer(5, 1, 20)),
        diabetes,
    ),
    Family(
        "kan_fourier",
        "KAN, Fourier series",
        "Xu et al., FourierKAN-GCF: Fourier Kolmogorov-Arnold network for graph collaborative filtering, "
        "2024 (arXiv 2406.01034)",
        lambda: nn.Sequential(FourierLayer(16, 8), FourierLayer(8, 10)),
        functools.partial(digits, 4),
    ),
)
