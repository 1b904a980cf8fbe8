"""Modules that iterate: equilibrium networks, mean fields, implicit steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn

from genbab.network import Network
from genbab.reader.models.executed import turn_by_turn
from genbab.reader.models.model import Model
from genbab.reader.modules.load import load_torch
from tests.implicit.weights import contracting


class Equilibrium(nn.Module):
    """z = f(W z + U x + b) by plain turns, or damped ones."""

    matrix: Tensor

    def __init__(
        self,
        norm: float,
        turns: int,
        f: Callable[[Tensor], Tensor] = torch.tanh,
        damped: float = 1.0,
        size: int = 6,
    ) -> None:
        super().__init__()
        self.turns, self.f, self.damped = turns, f, damped
        self.inner, self.head = nn.Linear(3, size), nn.Linear(size, 2)
        self.register_buffer("matrix", contracting(size, norm, 1))

    def forward(self, x: Tensor) -> Tensor:
        """The head of the last turn."""
        u = self.inner(x)
        z = torch.zeros_like(u)
        for _ in range(self.turns):
            new = self.f(z @ self.matrix.T + u)
            z = new if self.damped == 1.0 else (1 - self.damped) * z + self.damped * new
        return cast(Tensor, self.head(z))


class Splitting(nn.Module):
    """A monotone equilibrium network by Peaceman-Rachford turns (Winston and Kolter, NeurIPS 2020)."""

    resolvent: Tensor

    def __init__(self, turns: int, size: int = 6, monotone: float = 0.8) -> None:
        super().__init__()
        a, b = contracting(size, 1.0, 2), contracting(size, 1.0, 3)
        matrix = (1 - monotone) * torch.eye(size) - a.T @ a + b - b.T
        self.turns, self.inner, self.head = turns, nn.Linear(3, size), nn.Linear(size, 2)
        self.register_buffer("resolvent", torch.linalg.inv(2 * torch.eye(size) - matrix))

    def forward(self, x: Tensor) -> Tensor:
        """The head of the last turn."""
        bias = self.inner(x)
        z = u = torch.zeros_like(bias)
        for _ in range(self.turns):
            half = 2 * z - u
            u = 2 * (half + bias) @ self.resolvent.T - half
            z = torch.relu(u)
        return cast(Tensor, self.head(z))


class MeanField(nn.Module):
    """A Boltzmann machine of two hidden layers, one after the other or both at once."""

    matrix: Tensor

    def __init__(self, turns: int, at_once: bool) -> None:
        super().__init__()
        self.turns, self.at_once = turns, at_once
        self.first, self.head = nn.Linear(3, 5), nn.Linear(9, 2)
        self.register_buffer("matrix", 2 * torch.randn(5, 4, generator=torch.Generator().manual_seed(4)) / 3)

    def forward(self, x: Tensor) -> Tensor:
        """The head of both layers' probabilities."""
        v = self.first(x)
        upper, lower = torch.full((len(x), 4), 0.5), torch.zeros_like(v)
        for _ in range(self.turns):
            new = torch.sigmoid(v + upper @ self.matrix.T)
            upper = torch.sigmoid((lower if self.at_once else new) @ self.matrix)
            lower = new
        return cast(Tensor, self.head(torch.cat([lower, upper], -1)))


class ImplicitSteps(nn.Module):
    """Two steps of the implicit Euler method, y = y_0 + h·B sin(C y), solved by turns."""

    def __init__(self, turns: int) -> None:
        super().__init__()
        self.turns, self.inside, self.outside = turns, nn.Linear(3, 5), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        """The state after both steps."""
        for _ in range(2):
            y = x
            for _ in range(self.turns):
                y = x + 0.3 * self.outside(torch.sin(self.inside(y)))
            x = y
        return x


class TwoLoops(nn.Module):
    """The last turn of one loop is the first state of another, whose turns are longer."""

    matrix: Tensor

    def __init__(self, turns: int) -> None:
        super().__init__()
        self.turns, self.inner, self.head = turns, nn.Linear(3, 6), nn.Linear(6, 2)
        self.register_buffer("matrix", contracting(6, 0.4, 5))

    def forward(self, x: Tensor) -> Tensor:
        """The head of the second loop's last turn."""
        u = self.inner(x)
        z = torch.zeros_like(u)
        for _ in range(self.turns):
            z = torch.tanh(z @ self.matrix.T + u)
        for _ in range(self.turns):
            z = 0.25 * z + 0.75 * torch.sigmoid(z @ self.matrix.T - u)
        return cast(Tensor, self.head(z))


MODULES: dict[str, Callable[[], nn.Module]] = {
    "tanh": lambda: Equilibrium(0.7, 30),
    "damped": lambda: Equilibrium(0.6, 60, damped=0.5),
    "relu": lambda: Equilibrium(0.5, 20, torch.relu),
    "sine": lambda: Equilibrium(0.5, 20, torch.sin),
    "splitting": lambda: Splitting(60),
    "mean field": lambda: MeanField(15, False),
    "mean field at once": lambda: MeanField(15, True),
    "implicit steps": lambda: ImplicitSteps(15),
    "two loops": lambda: TwoLoops(15),
}


def loaded(module: nn.Module) -> tuple[Model, Network]:
    """The model, and its network turn by turn."""
    model = load_torch(module.eval(), torch.zeros(1, 3))
    return model, turn_by_turn(model).network


def seeded(make: Callable[[], nn.Module]) -> nn.Module:
    """The module with weights that are always the same."""
    torch.manual_seed(7)
    return make()
