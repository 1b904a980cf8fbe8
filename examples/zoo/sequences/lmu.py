"""Recurrent cells whose memory is a window of the past in Legendre polynomials."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zoo.data import digits
from zoo.family import Family, Recipe


def legendre(order: int, window: float) -> tuple[Tensor, Tensor]:
    """The matrices of m' = A m + B u, one step, that hold the last `window` steps of u in `order` numbers."""
    i = torch.arange(order, dtype=torch.float64)
    lower = i[:, None] >= i
    signs = torch.where(lower, (-1.0) ** (i[:, None] - i + 1), -1.0)
    a, b = (2 * i + 1)[:, None] * signs / window, ((2 * i + 1) * (-1.0) ** i)[:, None] / window
    step = torch.linalg.matrix_exp(a)
    return step.float(), torch.linalg.solve(a, (step - torch.eye(order)) @ b).float()


class LMU(nn.Module):
    """u = e_x x + e_h h + e_m m, m' = A m + B u, h' = tanh(W_x x + W_h h + W_m m')."""

    memory: Tensor
    write: Tensor

    def __init__(self, inputs: int, width: int, order: int = 4, window: float = 8.0) -> None:
        super().__init__()
        self.width, self.order = width, order
        memory, write = legendre(order, window)
        self.register_buffer("memory", memory.T.contiguous())
        self.register_buffer("write", write.T.contiguous())
        self.encode = nn.Linear(inputs + width + order, 1, bias=False)
        self.hidden = nn.Linear(inputs + width + order, width)

    def forward(self, x: Tensor) -> Tensor:
        h, m = x.new_zeros(x.shape[0], self.width), x.new_zeros(x.shape[0], self.order)
        for step in range(x.shape[1]):
            u = self.encode(torch.cat([x[:, step], h, m], 1))
            m = m @ self.memory + u @ self.write
            h = torch.tanh(self.hidden(torch.cat([x[:, step], h, m], 1)))
        return h


def network(width: int = 12) -> nn.Module:
    """Reads an image row by row and names the digit."""
    return nn.Sequential(nn.Unflatten(1, (8, 8)), LMU(8, width), nn.Linear(width, 10))


FAMILIES = (
    Family(
        "lmu",
        "LMU (Legendre memory unit)",
        "Voelker, Kajic and Eliasmith, Legendre memory units, NeurIPS 2019",
        network,
        digits,
        Recipe(rate=1e-2),
    ),
)
