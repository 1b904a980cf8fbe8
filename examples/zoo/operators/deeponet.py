"""An operator as a product of what a branch makes of the function and a trunk of the place."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zoo.family import Family, Recipe, Task
from zoo.formulas import drawn, regression

SENSORS = 10


def antiderivative() -> Task:
    """A function u at ten places and a place t; the integral of u from 0 to t."""
    draws = drawn(1500, 5, 0, 1)
    weights, place = 2 * draws[:, :4] - 1, draws[:, 4:]
    waves = torch.pi * torch.arange(1, 5) / 2
    u = (weights[:, None] * torch.sin(waves * torch.linspace(0, 1, SENSORS)[:, None])).sum(2)
    integral = (weights * (1 - torch.cos(waves * place)) / waves).sum(1, keepdim=True)
    about = f"sums of four sines at {SENSORS} places, and their integral up to a place"
    return regression(about, torch.cat([u, place], 1), integral, 0.2, (-4.0, 4.0))


class DeepONet(nn.Module):
    """sum over i of branch_i(u) trunk_i(t) + bias."""

    def __init__(self, features: int = 8) -> None:
        super().__init__()
        self.branch = nn.Sequential(nn.Linear(SENSORS, 16), nn.Tanh(), nn.Linear(16, features))
        self.trunk = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, features), nn.Tanh())
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        u, place = x[:, :SENSORS], x[:, SENSORS:]
        total: Tensor = (self.branch(u) * self.trunk(place)).sum(1, keepdim=True) + self.bias
        return total


FAMILIES = (
    Family(
        "deeponet",
        "DeepONet (antiderivative)",
        "Lu et al., Learning nonlinear operators via DeepONet, 2021 (arXiv 1910.03193)",
        DeepONet,
        antiderivative,
        Recipe(steps=2000, rate=1e-2, decay=1e-4, noise=0.0),
    ),
)
