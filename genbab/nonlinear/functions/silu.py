"""silu(x) = x*sigmoid(x), also called swish."""

from __future__ import annotations

import torch
from torch import Tensor

from genbab.kernels import Function
from genbab.nonlinear.facts.record import Nonlinearity
from genbab.nonlinear.facts.registry import register

_INFLECTION, _TURN = 2.3993572805154675, 3.435840993535111


def _value(x: Tensor) -> Tensor:
    return x * torch.sigmoid(x)


def derivative(x: Tensor) -> Tensor:
    """silu'."""
    return torch.sigmoid(x) * (1.0 + x * torch.sigmoid(-x))


def second(x: Tensor) -> Tensor:
    """silu''."""
    return torch.sigmoid(x) * torch.sigmoid(-x) * (2.0 - x * torch.tanh(0.5 * x))


def silu() -> Nonlinearity:
    """The facts of silu."""
    return Nonlinearity(
        "silu",
        _value,
        derivative,
        breaks=(-_INFLECTION, _INFLECTION),
        curvature=(-1, 1, -1),
        second=second,
        turns=(-_TURN, 0.0, _TURN),
    )


register("silu", silu, definition="x*sigmoid(x)", kernel=Function("silu"))
