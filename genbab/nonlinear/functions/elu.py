"""Lines that bend into an exponential at 0: elu(alpha), selu(alpha, gamma) = gamma*elu, celu(alpha)."""

from __future__ import annotations

import functools
import math
from typing import Any

import torch
from torch import Tensor

from genbab.errors import UsageError
from genbab.nonlinear.facts import extended
from genbab.nonlinear.facts.record import Nonlinearity
from genbab.nonlinear.facts.registry import Operator, register

SELU_ALPHA, SELU_GAMMA = 1.67326319217681884765625, 1.05070102214813232421875
"""The defaults of ONNX."""


def _value(x: Tensor, size: float, rate: float, slope: float) -> Tensor:
    """slope*x right of 0, size*(exp(rate*x) - 1) left of it."""
    left, right = x.clamp_max(0.0), x.clamp_min(0.0)
    left = torch.expm1(left if rate == 1.0 else rate * left)
    return torch.add(right if slope == 1.0 else slope * right, left, alpha=size)


def _derivative(x: Tensor, size: float, rate: float, slope: float) -> Tensor:
    return torch.where(x > 0, slope, size * rate * torch.exp(rate * x.clamp_max(0.0)))


def _second(x: Tensor, size: float, rate: float, slope: float) -> Tensor:
    return torch.where(x > 0, 0.0, size * rate * rate * torch.exp(rate * x.clamp_max(0.0)))


def _stationary(k: Tensor, segment: int, size: float, rate: float) -> Tensor:
    return extended.log(k / (size * rate)).div_(rate)


def _bent(
    name: str, params: tuple[float, ...], size: float, rate: float = 1.0, slope: float = 1.0
) -> Nonlinearity:
    """UsageError unless all parameters are positive and finite."""
    if not all(0.0 < p < math.inf for p in (*params, size, rate)):
        text = ", ".join(f"{p:g}" for p in params)
        raise UsageError(f"{name}({text}): its parameters must be positive and finite")
    facts: dict[str, Any] = {"size": size, "rate": rate, "slope": slope}
    return Nonlinearity(
        name,
        functools.partial(_value, **facts),
        functools.partial(_derivative, **facts),
        params=params,
        breaks=(0.0,),
        curvature=(1, 0),
        kinks=() if name == "celu" or size == slope else (0.0,),
        stationary=functools.partial(_stationary, size=size, rate=rate),
        bounds=(math.nextafter(-size, -math.inf), math.inf),
        noise=8.0 * max(1.0, size, slope),
        second=functools.partial(_second, **facts),
    )


def elu(alpha: float = 1.0) -> Nonlinearity:
    """x for x > 0, alpha*(exp(x) - 1) otherwise."""
    return _bent("elu", (float(alpha),), float(alpha))


def selu(alpha: float = SELU_ALPHA, gamma: float = SELU_GAMMA) -> Nonlinearity:
    """gamma*elu(alpha)."""
    alpha, gamma = float(alpha), float(gamma)
    return _bent("selu", (alpha, gamma), gamma * alpha, slope=gamma)


def celu(alpha: float = 1.0) -> Nonlinearity:
    """x for x > 0, alpha*(exp(x/alpha) - 1) otherwise; its slope does not jump."""
    alpha = float(alpha)
    return _bent("celu", (alpha,), alpha, 1.0 / alpha if alpha else math.inf)


register(
    "elu",
    elu,
    [(1.0,), (0.5,), (1.7,)],
    onnx=[Operator("Elu", (("alpha", 1.0),))],
    definition="max(x, 0) + alpha*(exp(min(x, 0)) - 1)",
)
register(
    "selu",
    selu,
    [(), (1.0, 2.0)],
    onnx=[Operator("Selu", (("alpha", SELU_ALPHA), ("gamma", SELU_GAMMA)))],
    definition="gamma*elu(x, alpha)",
)
register(
    "celu",
    celu,
    [(1.0,), (0.4,), (2.5,)],
    onnx=[Operator("Celu", (("alpha", 1.0),))],
    definition="alpha*elu(x/alpha)",
)
