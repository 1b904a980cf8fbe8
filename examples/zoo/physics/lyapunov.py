"""A controller that is learnt together with a function that shows it to be stable."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zoo.family import Family, Recipe, Task
from zoo.formulas import asking, bound, drawn

STEP, TORQUE, RATE = 0.05, 6.0, 0.01


def states() -> Task:
    """Angles and speeds of an inverted pendulum; the Lyapunov function is to fall from each to the next."""
    x = drawn(4000, 2, -1, 1)
    falls = bound(f"the Lyapunov function falls by {RATE:.0%} in a step", [1.0])
    task = asking(
        "states of an inverted pendulum with a motor of bounded torque",
        f"V(next) - {1 - RATE:g} V, below 0; the upright rest, where it is 0, breaks it",
        x,
        torch.zeros(len(x), 1),
        falls,
        (-1.0, 1.0),
    )
    return Task(**{**task.__dict__, "loss": rise})


class ClosedLoop(nn.Module):
    """V(next(x)) - (1 - rate) V(x) with V(x) = |f(x) - f(0)| + |(e I + R'R) x|_1; the torque is clamped."""

    def __init__(self, hidden: int = 8) -> None:
        super().__init__()
        self.control = nn.Sequential(nn.Linear(2, hidden), nn.ReLU(), nn.Linear(hidden, 1))
        self.lyapunov = nn.Sequential(nn.Linear(2, hidden), nn.LeakyReLU(), nn.Linear(hidden, 1))
        self.root = nn.Parameter(torch.eye(2))

    def value(self, x: Tensor) -> Tensor:
        """The Lyapunov function, (B, 1), 0 at the origin only."""
        height: Tensor = (self.lyapunov(x) - self.lyapunov(torch.zeros_like(x))).abs()
        linear = x @ (0.05 * torch.eye(2).to(x) + self.root.T @ self.root)
        return height + linear.abs().sum(1, keepdim=True)

    def following(self, x: Tensor) -> Tensor:
        """The state one step later: angle'' = sin(angle) g / l + (u - friction speed) / (m l^2)."""
        u = (self.control(x) - self.control(torch.zeros_like(x))).clamp(-TORQUE, TORQUE)
        angle, speed = x[:, :1], x[:, 1:]
        push = 9.81 / 0.5 * torch.sin(angle) + (u - 0.1 * speed) / (0.15 * 0.5**2)
        return torch.cat([angle + STEP * speed, speed + STEP * push], 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.value(self.following(x)) - (1 - RATE) * self.value(x)


def rise(model: nn.Module, x: Tensor, _: Tensor) -> Tensor:
    """By how much the Lyapunov function misses its fall, beside its size; it is kept from shrinking."""
    assert isinstance(model, ClosedLoop)
    value = model.value(x)
    missed = torch.relu(model(x) + 0.02 * value).mean()
    return missed + 0.1 * torch.relu(x.abs().sum(1, keepdim=True) - value).mean()


FAMILIES = (
    Family(
        "lyapunov",
        "controller with a Lyapunov function",
        "Yang et al., Lyapunov-stable neural control for state and output feedback, ICML 2024",
        ClosedLoop,
        states,
        Recipe(steps=3000, rate=1e-2, decay=0.0, noise=0.0),
    ),
)
