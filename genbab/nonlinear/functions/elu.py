"""elu(x) = x for x > 0, alpha*(exp(x) - 1) otherwise."""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

from genbab.errors import UsageError
from genbab.nonlinear import extended
from genbab.nonlinear.record import Nonlinearity
from genbab.nonlinear.registry import register


def _value(x: Tensor, alpha: float) -> Tensor:
    return x.clamp_min(0.0) + alpha * torch.expm1(x.clamp_max(0.0))


def _derivative(x: Tensor, alpha: float) -> Tensor:
    return torch.where(x > 0, 1.0, alpha * torch.exp(x.clamp_max(0.0)))


def _stationary(k: Tensor, segment: int, alpha: float) -> Tensor:
    return extended.log(k / alpha)


def elu(alpha: float = 1.0) -> Nonlinearity:
    """UsageError unless alpha is positive and finite."""
    alpha = float(alpha)
    if not 0.0 < alpha < math.inf:
        raise UsageError(f"elu({alpha:g}): alpha must be positive and finite")
    return Nonlinearity(
        "elu",
        functools.partial(_value, alpha=alpha),
        functools.partial(_derivative, alpha=alpha),
        params=(alpha,),
        breaks=(0.0,),
        curvature=(1, 0),
        kinks=() if alpha == 1.0 else (0.0,),
        stationary=functools.partial(_stationary, alpha=alpha),
        bounds=(-alpha, math.inf),
        noise=8.0 * max(1.0, alpha),
    )


register("elu", elu, [(1.0,), (0.5,), (1.7,)])
