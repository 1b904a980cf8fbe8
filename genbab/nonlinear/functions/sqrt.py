"""sqrt(x) on x >= 0."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from genbab.nonlinear.facts.record import Nonlinearity
from genbab.nonlinear.facts.registry import Operator, register


def _derivative(x: Tensor) -> Tensor:
    return 0.5 / torch.sqrt(x)


def _second(x: Tensor) -> Tensor:
    return -0.25 / (x * torch.sqrt(x))


def _stationary(k: Tensor, segment: int) -> Tensor:
    return k.clamp_min(1e-15).reciprocal_().mul_(0.5).square_()


def sqrt() -> Nonlinearity:
    """The facts of sqrt."""
    return Nonlinearity(
        "sqrt",
        torch.sqrt,
        _derivative,
        curvature=(-1,),
        stationary=_stationary,
        domain=(0.0, math.inf),
        bounds=(0.0, math.inf),
        second=_second,
    )


register("sqrt", sqrt, onnx=[Operator("Sqrt")])
