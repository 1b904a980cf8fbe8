"""Experts mixed by a gate: all of them, or the one that the gate prefers."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.data import digits
from zoo.family import Family


class SoftMixture(nn.Module):
    """sum over the experts e of softmax(G x)_e E_e(x)."""

    def __init__(self, inputs: int, outputs: int, experts: int = 4, hidden: int = 8) -> None:
        super().__init__()
        self.gate = nn.Linear(inputs, experts)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, outputs))
            for _ in range(experts)
        )

    def shares(self, x: Tensor) -> Tensor:
        """What each expert counts, (B, experts)."""
        return torch.softmax(self.gate(x), 1)

    def forward(self, x: Tensor) -> Tensor:
        answers = torch.stack([expert(x) for expert in self.experts], 1)
        return (self.shares(x)[:, :, None] * answers).sum(1)


class Switch(SoftMixture):
    """softmax(G x)_e E_e(x) for the expert e whose share is largest."""

    def shares(self, x: Tensor) -> Tensor:
        shares = super().shares(x)
        return shares * functional.one_hot(shares.argmax(1), shares.shape[1])


FAMILIES = (
    Family(
        "experts_soft",
        "mixture of experts, soft",
        "Jacobs et al., Adaptive mixtures of local experts, Neural Computation 1991",
        lambda: SoftMixture(64, 10),
        digits,
    ),
    Family(
        "experts_top1",
        "mixture of experts, the first only (switch)",
        "Fedus, Zoph and Shazeer, Switch transformers, JMLR 2022 (arXiv 2101.03961)",
        lambda: Switch(64, 10),
        digits,
    ),
)
