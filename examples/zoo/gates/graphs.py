"""Attention between the neighbours of a graph."""

from __future__ import annotations

import functools

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.data import digits
from zoo.family import Family, Recipe


def grid(side: int) -> Tensor:
    """Which points of a square grid touch, or are the same, (side^2, side^2)."""
    place = torch.cartesian_prod(torch.arange(side), torch.arange(side))
    return (place[:, None] - place).abs().sum(2) <= 1


class GraphAttention(nn.Module):
    """elu(sum over neighbours j of a_ij W h_j), a_i the softmax of leaky_relu(l . W h_i + r . W h_j)."""

    apart: Tensor

    def __init__(self, inputs: int, width: int, touching: Tensor) -> None:
        super().__init__()
        self.register_buffer("apart", ~touching)
        self.weight = nn.Linear(inputs, width, bias=False)
        self.left, self.right = nn.Linear(width, 1, bias=False), nn.Linear(width, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        h = self.weight(x)
        scores = functional.leaky_relu(self.left(h) + self.right(h).transpose(1, 2), 0.2)
        shares = torch.softmax(scores.masked_fill(self.apart, float("-inf")), 2)
        return functional.elu(shares @ h)


def network() -> nn.Module:
    """Pixels as nodes that know their brightness and place; two heads in one layer, one in the next."""
    return nn.Sequential(Pixels(4), Heads(3, 3, grid(4)), nn.Flatten(), nn.Linear(96, 10))


class Pixels(nn.Module):
    """Brightness, row and column of every pixel, (B, pixels, 3)."""

    place: Tensor

    def __init__(self, side: int) -> None:
        super().__init__()
        line = torch.linspace(0, 1, side)
        self.register_buffer("place", torch.cartesian_prod(line, line)[None])

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x[:, :, None], self.place.expand(x.shape[0], -1, -1)], 2)


class Heads(nn.Module):
    """Two graph attentions side by side."""

    def __init__(self, inputs: int, width: int, touching: Tensor) -> None:
        super().__init__()
        self.heads = nn.ModuleList(GraphAttention(inputs, width, touching) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([head(x) for head in self.heads], 2)


FAMILIES = (
    Family(
        "graph_attention",
        "graph attention",
        "Velickovic et al., Graph attention networks, ICLR 2018 (arXiv 1710.10903)",
        network,
        functools.partial(digits, 4),
        Recipe(rate=1e-2),
    ),
)
