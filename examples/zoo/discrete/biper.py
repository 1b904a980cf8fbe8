"""Binary networks by a periodic function."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zoo.data import digits
from zoo.family import Family


def square_wave(x: Tensor, frequency: float) -> Tensor:
    """sign(sin(frequency x)), with the slope of the sine where gradients are asked for."""
    wave = torch.sin(frequency * x)
    square = torch.sign(wave)
    return square if torch.onnx.is_in_onnx_export() else wave + (square - wave).detach()


class BinaryLayer(nn.Module):
    """Scale times binary weights on binary inputs; both are square waves of real numbers."""

    def __init__(self, inputs: int, outputs: int, frequency: float = 2.0) -> None:
        super().__init__()
        self.frequency = frequency
        self.weight = nn.Parameter(0.5 * torch.randn(inputs, outputs))
        self.scale = nn.Parameter(torch.full((outputs,), inputs**-0.5))

    def forward(self, x: Tensor) -> Tensor:
        return square_wave(x, self.frequency) @ square_wave(self.weight, self.frequency) * self.scale


FAMILIES = (
    Family(
        "biper",
        "BiPer: weights and activations are sign(sin(w x))",
        "Vargas et al., BiPer: binary neural networks using a periodic function, CVPR 2024 "
        "(arXiv 2404.01278)",
        lambda: nn.Sequential(nn.Linear(64, 16), BinaryLayer(16, 16), nn.Tanh(), nn.Linear(16, 10)),
        digits,
    ),
)
