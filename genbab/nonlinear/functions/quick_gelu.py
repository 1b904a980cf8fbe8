"""quick_gelu(alpha) = x*sigmoid(alpha*x), which comes near gelu at alpha = 1.702; silu at alpha = 1."""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

from genbab.errors import UsageError
from genbab.nonlinear.facts.record import Nonlinearity
from genbab.nonlinear.facts.registry import Operator, register
from genbab.nonlinear.functions import silu

_FAR = 1e4
"""Beyond it, slope and bend of silu are those of its asymptotes."""
_LARGEST = 1e3


def _value(x: Tensor, alpha: float) -> Tensor:
    return x * torch.sigmoid(alpha * x)


def _derivative(x: Tensor, alpha: float) -> Tensor:
    return silu.derivative((alpha * x).clamp_(-_FAR, _FAR))


def _second(x: Tensor, alpha: float) -> Tensor:
    return alpha * silu.second((alpha * x).clamp_(-_FAR, _FAR))


def quick_gelu(alpha: float = 1.702) -> Nonlinearity:
    """silu(alpha*x)/alpha; UsageError unless 1/1000 <= |alpha| <= 1000."""
    alpha = float(alpha)
    if not 1.0 / _LARGEST <= abs(alpha) <= _LARGEST:
        raise UsageError(f"quick_gelu({alpha:g}): the factor must be from 1/1000 to 1000 in size")
    plain, bend = silu.silu(), int(math.copysign(1.0, alpha))
    return Nonlinearity(
        "quick_gelu",
        functools.partial(_value, alpha=alpha),
        functools.partial(_derivative, alpha=alpha),
        params=(alpha,),
        breaks=tuple(sorted(place / alpha for place in plain.breaks)),
        curvature=(-bend, bend, -bend),
        noise=8.0 * max(1.0, 1.0 / abs(alpha)),
        second=functools.partial(_second, alpha=alpha),
        turns=tuple(sorted(place / alpha for place in plain.turns)),
    )


register(
    "quick_gelu",
    quick_gelu,
    [(1.702,), (0.4,), (-3.0,)],
    onnx=[Operator("QuickGelu", (("alpha", 1.702),), domain="com.microsoft")],
    definition="x*sigmoid(alpha*x)",
)
