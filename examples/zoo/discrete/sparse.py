"""Autoencoders that keep few of their features."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn

from zoo.data import digits
from zoo.family import Family, Recipe, Task, stays_within


def images(room: float = 0.2) -> Task:
    """Images of digits, 4 x 4 pixels, that are to come out as they went in."""
    task = digits(4)
    return dataclasses.replace(
        task,
        asked=f"the change of a pixel that comes out, at most {room:g}",
        targets=task.inputs,
        truths=task.unseen,
        loss=reconstruction,
        claim=stays_within(room),
    )


def reconstruction(model: nn.Module, x: Tensor, target: Tensor) -> Tensor:
    """The squared error, and what the model asks for its codes."""
    out = model(x)
    loss = nn.functional.mse_loss(out, target)
    price = getattr(model, "price", None)
    return loss if price is None else loss + price


class JumpReLU(nn.Module):
    """x where x is above a threshold of its channel, else 0; the threshold learns from a window around it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.threshold = nn.Parameter(torch.full((width,), 0.1))

    def gate(self, x: Tensor) -> Tensor:
        """1 where x is above the threshold; gradients are those of a steep sigmoid."""
        hard = (x > self.threshold).to(x)
        if torch.onnx.is_in_onnx_export():
            return hard
        soft = torch.sigmoid((x - self.threshold) / 0.1)
        return soft + (hard - soft).detach()

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)


class SparseAutoencoder(nn.Module):
    """D act(E (x - b) + c) + b."""

    price: Tensor | None = None

    def __init__(self, activation: nn.Module, features: int = 24) -> None:
        super().__init__()
        self.activation = activation
        self.middle = nn.Parameter(torch.full((16,), 0.3))
        self.encode, self.decode = nn.Linear(16, features), nn.Linear(features, 16, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        before = self.encode(x - self.middle)
        if isinstance(self.activation, JumpReLU):
            self.price = 3e-4 * self.activation.gate(before).sum(1).mean()
        out: Tensor = self.decode(self.activation(before)) + self.middle
        return out


FAMILIES = (
    Family(
        "sparse_jumprelu",
        "sparse autoencoder, JumpReLU",
        "Rajamanoharan et al., Jumping ahead: JumpReLU sparse autoencoders, 2024 (arXiv 2407.14435)",
        lambda: SparseAutoencoder(JumpReLU(24)),
        images,
        Recipe(steps=2000, rate=1e-2, decay=0.0, noise=0.0),
    ),
)
