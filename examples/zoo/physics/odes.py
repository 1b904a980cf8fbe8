"""Networks whose depth is time: steps of a solver."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zoo.data import digits
from zoo.family import Family, Recipe, Task
from zoo.formulas import drawn, regression


def spiral() -> Task:
    """A place in the plane; where the cubic spiral has carried it after a while."""
    x = y = drawn(1500, 2, -1.5, 1.5)
    turn = torch.tensor([[-0.1, 2.0], [-2.0, -0.1]])
    for _ in range(200):  # small steps of Heun's method
        slope = y**3 @ turn.T
        y = y + 0.005 * (slope + (y + 0.005 * slope) ** 3 @ turn.T) / 2
    return regression("a place on a cubic spiral, and where it is 1 s later", x, y, 0.3, (-1.5, 1.5))


class Euler(nn.Module):
    """`steps` steps of x' = f(x) to time 1 by Euler's method."""

    def __init__(self, field: nn.Module, steps: int) -> None:
        super().__init__()
        self.field, self.steps = field, steps

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(self.steps):
            x = x + self.field(x) / self.steps
        return x


class RungeKutta(Euler):
    """`steps` steps by the classical method of order four."""

    def forward(self, x: Tensor) -> Tensor:
        step = 1 / self.steps
        for _ in range(self.steps):
            one = self.field(x)
            two = self.field(x + step / 2 * one)
            three = self.field(x + step / 2 * two)
            x = x + step / 6 * (one + 2 * two + 2 * three + self.field(x + step * three))
        return x


def field(width: int, hidden: int) -> nn.Module:
    """How fast a state moves: one hidden layer of tanh."""
    return nn.Sequential(nn.Linear(width, hidden), nn.Tanh(), nn.Linear(hidden, width))


SOURCE = "Chen et al., Neural ordinary differential equations, NeurIPS 2018 (arXiv 1806.07366)"
FAMILIES = (
    Family(
        "neural_ode_euler",
        "neural ODE, steps of Euler",
        SOURCE,
        lambda: nn.Sequential(nn.Linear(64, 10), Euler(field(10, 16), 8), nn.Linear(10, 10)),
        digits,
    ),
    Family(
        "neural_ode_rk4",
        "neural ODE, steps of Runge and Kutta",
        SOURCE,
        lambda: RungeKutta(field(2, 16), 3),
        spiral,
        Recipe(steps=2000, rate=2e-2, decay=0.0, noise=0.0),
    ),
)
