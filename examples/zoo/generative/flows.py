"""Densities by invertible layers."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn

from zoo.data import diabetes
from zoo.family import Claim, Family, Recipe, Task

ROOM = 5.0


def patients() -> Task:
    """Measurements of patients, whose density is wanted."""
    asked = f"the fall of the logarithm of the density, at most {ROOM:g}"
    return dataclasses.replace(diabetes(), asked=asked, loss=unlikely, claim=stays_likely)


def stays_likely(outputs: Tensor, _: Tensor) -> Claim:
    """The logarithm of the density falls by less than ROOM."""
    words = f"the logarithm of the density falls by less than {ROOM:g}"
    return Claim(words, -torch.ones(1, 1), ROOM - outputs)


def unlikely(model: nn.Module, x: Tensor, _: Tensor) -> Tensor:
    """How little likely the data are, per number."""
    density: Tensor = model(x)
    return -density.mean() / x.shape[1]


class Coupling(nn.Module):
    """One half stays; the other becomes b e^s(a) + t(a), with s kept in (-1, 1) by tanh. The halves swap."""

    def __init__(self, size: int, hidden: int) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(size // 2, hidden), nn.ReLU(), nn.Linear(hidden, size))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = x.chunk(2, 1)
        scale, shift = self.net(a).chunk(2, 1)
        scale = torch.tanh(scale)
        return torch.cat([b * torch.exp(scale) + shift, a], 1), scale.sum(1, keepdim=True)


class RealNVP(nn.Module):
    """The logarithm of the density of x, up to a constant: -|z|^2 / 2 plus that of the changes of volume."""

    def __init__(self, size: int = 10, layers: int = 4, hidden: int = 8) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((size,), 1.5))
        self.couplings = nn.ModuleList(Coupling(size, hidden) for _ in range(layers))

    def forward(self, x: Tensor) -> Tensor:
        x, volume = (x - 0.5) * torch.exp(self.scale), self.scale.sum()
        for coupling in self.couplings:
            x, change = coupling(x)
            volume = volume + change
        return volume - (x**2).sum(1, keepdim=True) / 2


FAMILIES = (
    Family(
        "coupling_flow",
        "coupling flow (RealNVP)",
        "Dinh, Sohl-Dickstein and Bengio, Density estimation using Real NVP, ICLR 2017 (arXiv 1605.08803)",
        RealNVP,
        patients,
        Recipe(steps=1000, rate=5e-3, decay=1e-4, noise=0.05),
    ),
)
