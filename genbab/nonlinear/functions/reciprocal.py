"""1/x; a box with 0 inside is unbounded on both sides."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from genbab.kernels import Function
from genbab.nonlinear.facts import extended
from genbab.nonlinear.facts.record import Nonlinearity
from genbab.nonlinear.facts.registry import Operator, register


def _derivative(x: Tensor) -> Tensor:
    return -torch.reciprocal(x).square_()


def _second(x: Tensor) -> Tensor:
    return 2.0 * torch.reciprocal(x).pow_(3)


def _stationary(k: Tensor, segment: int) -> Tensor:
    x = extended.positive(-k).rsqrt_()
    return x.neg_() if segment == 0 else x


def reciprocal() -> Nonlinearity:
    """The facts of reciprocal."""
    return Nonlinearity(
        "reciprocal",
        torch.reciprocal,
        _derivative,
        breaks=(0.0,),
        curvature=(-1, 1),
        kinks=(0.0,),
        jumps=((0.0, 0.0, -math.inf, math.inf),),
        stationary=_stationary,
        symmetric=True,
        second=_second,
    )


register("reciprocal", reciprocal, onnx=[Operator("Reciprocal")], kernel=Function("reciprocal"))
