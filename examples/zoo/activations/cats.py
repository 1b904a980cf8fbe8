"""Gated layers in which small gates are set to 0."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zoo.data import digits
from zoo.family import Family


class CatsGate(nn.Module):
    """x + D(cats(silu(G x)) * U x), where cats(z) is z for |z| >= threshold, else 0."""

    def __init__(self, width: int, hidden: int, threshold: float = 0.15) -> None:
        super().__init__()
        self.threshold = threshold
        self.gate, self.up = nn.Linear(width, hidden), nn.Linear(width, hidden)
        self.down = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        gate = nn.functional.silu(self.gate(x))
        kept = torch.where(gate.abs() >= self.threshold, gate, torch.zeros(()))
        summed: Tensor = x + self.down(kept * self.up(x))
        return summed


FAMILIES = (
    Family(
        "cats_gate",
        "CATS: gates below a threshold are 0",
        "Lee et al., CATS: contextually-aware thresholding for sparsity in large language models, 2024 "
        "(arXiv 2404.08763)",
        lambda: nn.Sequential(nn.Linear(64, 16), CatsGate(16, 16), nn.Linear(16, 10)),
        digits,
    ),
)
