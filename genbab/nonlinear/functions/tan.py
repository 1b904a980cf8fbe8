"""tan(x); a box with a pole inside, or within a few units in the last place of one, is unbounded."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from genbab.nonlinear.facts.record import Nonlinearity
from genbab.nonlinear.facts.registry import Operator, register


def _derivative(x: Tensor) -> Tensor:
    return 1.0 + torch.tan(x).square_()


def _second(x: Tensor) -> Tensor:
    value = torch.tan(x)
    return 2.0 * value * (1.0 + value * value)


def _stationary(k: Tensor, segment: int) -> Tensor:
    """tan(x)**2 = k - 1, for k >= 1."""
    x = (k - 1.0).clamp_min_(0.0).sqrt_().atan_()
    return x.neg_() if segment == 0 else x


def tan() -> Nonlinearity:
    """The facts of tan."""
    half = 0.5 * math.pi
    return Nonlinearity(
        "tan",
        torch.tan,
        _derivative,
        breaks=(0.0, half),
        curvature=(-1, 1, -1),
        kinks=(half,),
        jumps=((half, half, math.inf, -math.inf),),
        stationary=_stationary,
        period=math.pi,
        second=_second,
    )


register("tan", tan, onnx=[Operator("Tan")])
