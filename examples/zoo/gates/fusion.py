"""Two sources of features, multiplied."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zoo.data import cancer
from zoo.family import Family


class BilinearFusion(nn.Module):
    """P (tanh(U a) * tanh(V b)) of low rank, for the mean values a and the worst values b of the cells."""

    def __init__(self, rank: int = 16) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(15, rank), nn.Linear(15, rank)
        self.head = nn.Linear(rank, 2)

    def forward(self, x: Tensor) -> Tensor:
        a, b = x.chunk(2, 1)
        scores: Tensor = self.head(torch.tanh(self.first(a)) * torch.tanh(self.second(b)))
        return scores


FAMILIES = (
    Family(
        "bilinear_fusion",
        "bilinear fusion of low rank",
        "Kim et al., Hadamard product for low-rank bilinear pooling, ICLR 2017 (arXiv 1610.04325)",
        BilinearFusion,
        cancer,
    ),
)
