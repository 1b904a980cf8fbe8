"""Layers that are at rest: fixed points, here by a number of steps towards them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zoo.data import digits
from zoo.family import Family, Recipe


class MonotoneEquilibrium(nn.Module):
    """z = relu(W z + U x + b) with W = (1 - m) I - A'A + B - B', by forward-backward steps from 0."""

    def __init__(self, inputs: int, width: int, steps: int = 12, pace: float = 0.4) -> None:
        super().__init__()
        self.steps, self.pace, self.margin = steps, pace, 0.5
        self.enter = nn.Linear(inputs, width)
        self.root, self.skew = (nn.Parameter(torch.randn(width, width) / width) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        eye = torch.eye(len(self.root)).to(x)
        inner = (1 - self.margin) * eye - self.root.T @ self.root + self.skew - self.skew.T
        drive = self.enter(x)
        z = torch.relu(self.pace * drive)
        for _ in range(self.steps - 1):
            z = torch.relu((1 - self.pace) * z + self.pace * (z @ inner.T + drive))
        return z


class BoltzmannMeanField(nn.Module):
    """A Boltzmann machine with layers x - g - h - label, x known: sweeps of the mean field, from 1/2.

    g = sigmoid(A x + B h + a), h = sigmoid(B' g + C y + c), y = softmax(C' h + d); the outputs are C' h + d.
    """

    def __init__(self, inputs: int, first: int, second: int, labels: int, sweeps: int = 4) -> None:
        super().__init__()
        self.sweeps, self.labels = sweeps, labels
        self.enter = nn.Linear(inputs, first)
        self.between = nn.Parameter(torch.randn(second, first) / 4)
        self.leave = nn.Linear(second, labels)
        self.rest = nn.Parameter(torch.zeros(second))

    def forward(self, x: Tensor) -> Tensor:
        drive, h = self.enter(x), torch.full_like(self.rest, 0.5)
        y = torch.full((self.labels,), 1 / self.labels).to(x)
        scores: Tensor = drive
        for _ in range(self.sweeps):
            g = torch.sigmoid(drive + h @ self.between)
            h = torch.sigmoid(g @ self.between.T + y @ self.leave.weight + self.rest)
            scores = self.leave(h)
            y = torch.softmax(scores, 1)
        return scores


FAMILIES = (
    Family(
        "monotone_equilibrium",
        "monotone equilibrium network, 12 steps",
        "Winston and Kolter, Monotone operator equilibrium networks, NeurIPS 2020 (arXiv 2006.08591)",
        lambda: nn.Sequential(MonotoneEquilibrium(64, 16), nn.Linear(16, 10)),
        digits,
    ),
    Family(
        "boltzmann_mean_field",
        "deep Boltzmann machine, 4 sweeps of the mean field",
        "Salakhutdinov and Hinton, Deep Boltzmann machines, AISTATS 2009; Feng, Winston and Kolter, Monotone "
        "deep Boltzmann machines, TMLR 2023",
        lambda: BoltzmannMeanField(64, 12, 8, 10),
        digits,
        Recipe(rate=1e-2),
    ),
)
