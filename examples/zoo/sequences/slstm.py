"""Recurrent cells with exponential gates."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zoo.data import cancer
from zoo.family import Family, Recipe


class SLSTM(nn.Module):
    """Scalar LSTM: the input and forget gates are exponentials, kept small by m, and n counts what was kept.

    m' = max(f + m, i), c' = e^(f + m - m') c + e^(i - m') tanh(z), n' likewise of 1, h' = sigmoid(o) c' / n'
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.width = width
        self.gates = nn.Linear(inputs + width, 4 * width)

    def forward(self, x: Tensor) -> Tensor:
        h = c = n = m = x.new_zeros(x.shape[0], self.width)
        for step in range(x.shape[1]):
            i, f, z, o = self.gates(torch.cat([x[:, step], h], 1)).chunk(4, 1)
            top = torch.maximum(f + m, i)
            keep, write = torch.exp(f + m - top), torch.exp(i - top)
            c, n, m = keep * c + write * torch.tanh(z), keep * n + write, top
            h = torch.sigmoid(o) * c / n
        return h


def network(width: int = 6) -> nn.Module:
    """Reads the means, the errors and the worst of ten measurements, one after the other."""
    return nn.Sequential(nn.Unflatten(1, (3, 10)), SLSTM(10, width), nn.Linear(width, 2))


FAMILIES = (
    Family(
        "slstm",
        "sLSTM (exponential gates)",
        "Beck et al., xLSTM: extended long short-term memory, 2024 (arXiv 2405.04517)",
        network,
        cancer,
        Recipe(decay=0.5),
        note="Three steps of ten measurements. On rows of digits the quotient c / n of wide gates is not "
        "bounded well enough: the parts of n are bounded one by one, and n comes near 0.",
    ),
)
