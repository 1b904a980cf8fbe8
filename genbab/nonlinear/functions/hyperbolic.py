"""sinh(x) and cosh(x)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from genbab.nonlinear.facts.record import Nonlinearity
from genbab.nonlinear.facts.registry import Operator, register


def _sinh_stationary(k: Tensor, segment: int) -> Tensor:
    x = torch.acosh(k.clamp_min(1.0))
    return x.neg_() if segment == 0 else x


def _cosh_stationary(k: Tensor, segment: int) -> Tensor:
    return torch.asinh(k)


def sinh() -> Nonlinearity:
    """The facts of sinh."""
    return Nonlinearity(
        "sinh",
        torch.sinh,
        torch.cosh,
        breaks=(0.0,),
        curvature=(-1, 1),
        stationary=_sinh_stationary,
        symmetric=True,
        second=torch.sinh,
    )


def cosh() -> Nonlinearity:
    """The facts of cosh."""
    return Nonlinearity(
        "cosh",
        torch.cosh,
        torch.sinh,
        stationary=_cosh_stationary,
        bounds=(1.0, math.inf),
        second=torch.cosh,
        turns=(0.0,),
    )


register("sinh", sinh, onnx=[Operator("Sinh")], definition="(exp(x) - exp(-x))/2")
register("cosh", cosh, onnx=[Operator("Cosh")], definition="(exp(x) + exp(-x))/2")
