"""A power grid: a network proposes the voltages, the flows in the lines follow by sines."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zoo.family import Claim, Family, Recipe, Task
from zoo.formulas import asking, drawn

BUSES = 5  # bus 0 feeds the others
LINES = ((0, 1), (0, 2), (1, 2), (1, 3), (2, 4), (3, 4))
RATING = 0.75


def loads() -> Task:
    """What four buses draw, active and reactive power; no flow is given, for physics says what is right."""
    x = drawn(3000, 8, 0, 1) * torch.tensor([0.5] * 4 + [0.25] * 4)
    task = asking(
        f"random loads of a grid of {BUSES} buses and {len(LINES)} lines",
        f"the active power in a line, below its rating of {RATING:g}",
        x,
        torch.zeros(len(x), 1),
        within_rating,
        (0.0, 0.5),
    )
    return Task(**{**task.__dict__, "loss": imbalance})


def within_rating(outputs: Tensor, _: Tensor) -> Claim:
    """No line carries more than its rating, either way."""
    identity = torch.eye(len(outputs))
    rows = torch.cat([identity, -identity])
    return Claim("no line carries more than its rating", rows, torch.full((len(rows),), RATING))


class PowerFlow(nn.Module):
    """Loads to angles and voltages by a network, and flows V_i V_j (g cos + b sin) of what angles differ."""

    line: Tensor
    start: Tensor
    end: Tensor

    def __init__(self, hidden: int = 16) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(8, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh(), nn.Linear(hidden, 8)
        )
        self.register_buffer(
            "line", torch.tensor([[0.4, 0.5, 0.3, 0.4, 0.4, 0.3], [3.0, 4.0, 2.0, 3.0, 3.0, 2.0]])
        )
        self.register_buffer("start", torch.tensor([line[0] for line in LINES]))
        self.register_buffer("end", torch.tensor([line[1] for line in LINES]))

    def flows(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Active and reactive power into each line at its start, then at its end, (B, lines) each."""
        angle, rise = self.net(x).chunk(2, 1)
        angle, volts = (nn.functional.pad(part, (1, 0)) for part in (0.5 * angle, 0.2 * rise))
        volts, (g, b) = 1 + volts, self.line
        turn, one, two = angle[:, self.start] - angle[:, self.end], volts[:, self.start], volts[:, self.end]
        along, across = one * two * torch.cos(turn), one * two * torch.sin(turn)
        there = g * (one**2 - along) + b * across, b * (one**2 - along) - g * across
        return *there, g * (two**2 - along) - b * across, b * (two**2 - along) + g * across

    def forward(self, x: Tensor) -> Tensor:
        return self.flows(x)[0]


def imbalance(model: nn.Module, x: Tensor, _: Tensor) -> Tensor:
    """The mean square of what goes into the buses 1, 2, ... less what they draw."""
    assert isinstance(model, PowerFlow)
    flows, total = model.flows(x), torch.tensor(0.0).to(x)
    for kind, drawn_power in enumerate(x.chunk(2, 1)):
        into = x.new_zeros(len(x), BUSES)
        into = into.index_add(1, model.start, flows[kind]).index_add(1, model.end, flows[kind + 2])
        total = total + ((into[:, 1:] + drawn_power) ** 2).mean()
    return total


FAMILIES = (
    Family(
        "power_flow",
        "power flow with sines",
        "Donti, Rolnick and Kolter, DC3: a learning method for optimization with hard constraints, ICLR 2021 "
        "(the task); the equations are those of alternating current",
        PowerFlow,
        loads,
        Recipe(steps=2000, rate=1e-2, decay=0.0, noise=0.0),
    ),
)
