"""Motion that a learnt energy drives."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zoo.family import Family, Recipe, Task
from zoo.formulas import asking, bound, drawn


def pendulum() -> Task:
    """A pendulum with friction and a push, (angle, speed, push): its motion, and the change of its energy."""
    angle, speed, push = (drawn(3000, 3, -1, 1) * torch.tensor([2.0, 2.0, 0.5])).T
    force = torch.sin(angle)
    change = torch.stack([speed, -force - 0.4 * speed + push, speed * (push - 0.4 * speed)], 1)
    falls = bound("the energy falls", [0.0, 0.0, 1.0])
    x = torch.stack([angle, speed, push], 1)
    return asking(
        "a pendulum with friction and a push",
        "the change of the energy, below 0",
        x,
        change,
        falls,
        (-2.0, 2.0),
    )


class PortHamiltonian(nn.Module):
    """x' = (J - R) dH(x) + G u, and H' = dH(x) . x', for H = w . softplus(A softplus(B x + b) + a).

    J is skew, R is positive semidefinite; dH is written out: B' (sigmoid(B x + b) * A' (sigmoid(...) * w)).
    """

    skew: Tensor

    def __init__(self, hidden: int = 12) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(2, hidden), nn.Linear(hidden, hidden)
        self.last = nn.Parameter(torch.randn(hidden) / hidden**0.5)
        self.friction, self.port = nn.Parameter(0.3 * torch.eye(2)), nn.Parameter(torch.tensor([[0.0, 1.0]]))
        self.register_buffer("skew", torch.tensor([[0.0, 1.0], [-1.0, 0.0]]))

    def slope(self, x: Tensor) -> Tensor:
        """The gradient of the energy, (B, 2)."""
        before = self.first(x)
        after = self.second(torch.nn.functional.softplus(before))
        back = (torch.sigmoid(after) * self.last) @ self.second.weight
        return (torch.sigmoid(before) * back) @ self.first.weight

    def forward(self, x: Tensor) -> Tensor:
        slope = self.slope(x[:, :2])
        motion = slope @ (self.skew - self.friction @ self.friction.T).T + x[:, 2:] @ self.port
        return torch.cat([motion, (slope * motion).sum(1, keepdim=True)], 1)


FAMILIES = (
    Family(
        "port_hamiltonian",
        "PHNN (port-Hamiltonian network)",
        "Desai et al., Port-Hamiltonian neural networks for learning explicit time-dependent dynamical "
        "systems, Physical Review E 2021",
        PortHamiltonian,
        pendulum,
        Recipe(steps=2500, rate=1e-2, decay=0.0, noise=0.0),
    ),
)
