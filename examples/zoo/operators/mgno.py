"""An operator whose linear part is a cycle through ever coarser grids."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.family import Family, Recipe, Task
from zoo.formulas import drawn, regression

POINTS = 16


def diffusion() -> Task:
    """A source f at 16 points; u with -(1 + u^2) u'' = f by its first two terms, zero at both ends."""
    gap = (torch.arange(POINTS)[:, None] - torch.arange(POINTS)).abs()
    waves = torch.sin(torch.pi * torch.outer(torch.arange(1, 5), torch.linspace(0.1, 0.9, POINTS)))
    source = drawn(1500, 4, -1, 1) @ waves
    solve = 10 * torch.linalg.inv((POINTS + 1) ** 2 * ((gap == 0) * 2.0 - (gap == 1) * 1.0))
    u = (source / (1 + (source @ solve) ** 2)) @ solve
    return regression("a source on a line, and what diffuses from it", source, u, 0.2, (-4.0, 4.0))


class MultigridCycle(nn.Module):
    """A linear map as one V-cycle: smooth and restrict down the grids, correct and smooth up again."""

    def __init__(self, inputs: int, width: int, levels: int = 3) -> None:
        super().__init__()
        self.lift = nn.Conv1d(inputs, width, 1)
        self.residual, self.before, self.after = (
            nn.ModuleList(nn.Conv1d(width, width, 3, padding=1, bias=False) for _ in range(levels))
            for _ in range(3)
        )
        self.coarser, self.source = (
            nn.ModuleList(nn.Conv1d(width, width, 4, 2, 1, bias=False) for _ in range(levels - 1))
            for _ in range(2)
        )
        self.finer = nn.ModuleList(
            nn.ConvTranspose1d(width, width, 4, 2, 1, bias=False) for _ in range(levels - 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        f = self.lift(x)
        u, kept = torch.zeros_like(f), []
        for level, (residual, before) in enumerate(zip(self.residual, self.before, strict=True)):
            u = u + before(f - residual(u))
            kept.append((f, u))
            if level < len(self.coarser):
                f, u = self.source[level](f - residual(u)), self.coarser[level](u)
        for level in reversed(range(len(self.finer))):
            f, before_u = kept[level]
            u = before_u + self.finer[level](u)
            u = u + self.after[level](f - self.residual[level](u))
        return u


class MgNO(nn.Module):
    """Two layers act(cycle(v) + B v + b), and a last sum of channels; x is (B, points)."""

    def __init__(self, width: int = 3) -> None:
        super().__init__()
        self.cycles = nn.ModuleList(MultigridCycle(inputs, width) for inputs in (1, width))
        self.points = nn.ModuleList(nn.Conv1d(inputs, width, 1) for inputs in (1, width))
        self.last = nn.Conv1d(width, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        v = x[:, None]
        for cycle, point in zip(self.cycles, self.points, strict=True):
            v = functional.gelu(cycle(v) + point(v))
        out: Tensor = self.last(v)
        return out[:, 0]


FAMILIES = (
    Family(
        "mgno",
        "MgNO (multigrid neural operator)",
        "He, Liu and Xu, MgNO: efficient parameterization of linear operators via multigrid, ICLR 2024",
        MgNO,
        diffusion,
        Recipe(steps=800, rate=5e-3, decay=1e-4, noise=0.0),
    ),
)
