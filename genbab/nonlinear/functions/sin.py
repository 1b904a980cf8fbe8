"""sin(x) and cos(x)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from genbab.kernels import Function
from genbab.nonlinear.facts.record import Nonlinearity
from genbab.nonlinear.facts.registry import Operator, register


def _arcsin(k: Tensor) -> Tensor:
    return k.clamp(-1.0, 1.0).asin_()


def _minus_sin(x: Tensor) -> Tensor:
    return -torch.sin(x)


def _minus_cos(x: Tensor) -> Tensor:
    return -torch.cos(x)


def _sin_stationary(k: Tensor, segment: int) -> Tensor:
    """cos x = k: -arccos k on the convex segment (-pi, 0), arccos k on (0, pi)."""
    arccos = 0.5 * math.pi - _arcsin(k)
    return arccos.neg_() if segment == 0 else arccos


def _cos_stationary(k: Tensor, segment: int) -> Tensor:
    """-sin x = k: -arcsin k on the concave segment (-pi/2, pi/2), pi + arcsin k on the next."""
    return _arcsin(k).neg_() if segment == 0 else _arcsin(k).add_(math.pi)


def sin() -> Nonlinearity:
    """The facts of sin."""
    return Nonlinearity(
        "sin",
        torch.sin,
        torch.cos,
        breaks=(0.0, math.pi),
        curvature=(1, -1, 1),
        stationary=_sin_stationary,
        period=2.0 * math.pi,
        bounds=(-1.0, 1.0),
        second=_minus_sin,
        turns=(0.5 * math.pi, 1.5 * math.pi),
    )


def cos() -> Nonlinearity:
    """The facts of cos."""
    return Nonlinearity(
        "cos",
        torch.cos,
        _minus_sin,
        breaks=(0.5 * math.pi, 1.5 * math.pi),
        curvature=(-1, 1, -1),
        stationary=_cos_stationary,
        period=2.0 * math.pi,
        bounds=(-1.0, 1.0),
        second=_minus_cos,
        turns=(0.0, math.pi),
    )


register("sin", sin, onnx=[Operator("Sin")], kernel=Function("sin"))
register("cos", cos, onnx=[Operator("Cos")], kernel=Function("cos"))
