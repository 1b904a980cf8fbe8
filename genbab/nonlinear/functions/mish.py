"""mish(x) = x*tanh(softplus(x))."""

from __future__ import annotations

import torch
from torch import Tensor

from genbab.nonlinear.facts.record import Nonlinearity
from genbab.nonlinear.facts.registry import Operator, register

_INFLECTIONS = (-2.256376396360793, 1.4905711794854284)
_TURNS = (-3.2673378465204044, -0.08793443131491421, 2.114842563020877)


def _value(x: Tensor) -> Tensor:
    return torch.nn.functional.mish(x)


def _gate(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """t = tanh(softplus(x)), t' and t'' as fractions in w = exp(-|x|), which neither overflow nor cancel."""
    w, right = torch.exp(-x.abs()), x > 0
    left_bottom, right_bottom = 2.0 + w * (2.0 + w), 1.0 + w * (2.0 + 2.0 * w)
    bottom = torch.where(right, right_bottom, left_bottom)
    gate = torch.where(right, 1.0 + 2.0 * w, w * (2.0 + w)) / bottom
    rise = torch.where(right, w, 1.0) * 4.0 * w * (1.0 + w) / bottom**2
    left_bend = 2.0 + w * (2.0 - w * (3.0 + 2.0 * w))
    right_bend = w * (w * (2.0 + 2.0 * w) - 3.0) - 2.0
    bend = 4.0 * w * torch.where(right, w * right_bend, left_bend) / bottom**3
    return gate, rise, bend


def _derivative(x: Tensor) -> Tensor:
    gate, rise, _ = _gate(x)
    return gate + x * rise


def _second(x: Tensor) -> Tensor:
    _, rise, bend = _gate(x)
    return 2.0 * rise + x * bend


def mish() -> Nonlinearity:
    """The facts of mish."""
    return Nonlinearity(
        "mish",
        _value,
        _derivative,
        breaks=_INFLECTIONS,
        curvature=(-1, 1, -1),
        second=_second,
        turns=_TURNS,
    )


register("mish", mish, onnx=[Operator("Mish")], definition="x*tanh(softplus(x))")
