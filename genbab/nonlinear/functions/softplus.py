"""softplus(x) = log(1 + exp(x))."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from genbab.kernels import Function
from genbab.nonlinear.facts import extended
from genbab.nonlinear.facts.record import Nonlinearity
from genbab.nonlinear.facts.registry import Operator, register


def _value(x: Tensor) -> Tensor:
    return x.clamp_min(0.0) + torch.log1p(torch.exp(-x.abs()))


def _second(x: Tensor) -> Tensor:
    return torch.sigmoid(x) * torch.sigmoid(-x)


def _stationary(k: Tensor, segment: int) -> Tensor:
    """logit(k)."""
    inside = k.clamp(extended.TINY, extended.below(1.0, k))
    x = (inside / (1.0 - inside)).log_()
    return x.add_(k - k.clamp(0.0, 1.0), alpha=extended.FAR)


def softplus() -> Nonlinearity:
    """The facts of softplus."""
    return Nonlinearity(
        "softplus",
        _value,
        torch.sigmoid,
        stationary=_stationary,
        bounds=(0.0, math.inf),
        second=_second,
        turns=(0.0,),
    )


register(
    "softplus",
    softplus,
    onnx=[Operator("Softplus")],
    definition="max(x, 0) + log(1 + exp(-abs(x)))",
    kernel=Function("softplus"),
)
