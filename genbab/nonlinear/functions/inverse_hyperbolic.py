"""asinh(x), acosh(x) on x >= 1, atanh(x) on [-1, 1] (infinite at both ends)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from genbab.nonlinear.facts import extended
from genbab.nonlinear.facts.record import Nonlinearity
from genbab.nonlinear.facts.registry import Operator, register


def _asinh_derivative(x: Tensor) -> Tensor:
    return torch.hypot(x, torch.ones_like(x)).reciprocal_()


def _asinh_second(x: Tensor) -> Tensor:
    slope = _asinh_derivative(x)
    return -(x * slope) * slope * slope


def _asinh_stationary(k: Tensor, segment: int) -> Tensor:
    """sqrt(1/k**2 - 1) for 0 < k <= 1."""
    inside = k.clamp(extended.TINY, 1.0)
    x = ((1.0 - inside) * (1.0 + inside)).sqrt_() / inside
    return x.neg_() if segment == 0 else x


def _acosh_derivative(x: Tensor) -> Tensor:
    return (x - 1.0).sqrt_().mul_((x + 1.0).sqrt_()).reciprocal_()


def _acosh_second(x: Tensor) -> Tensor:
    slope = _acosh_derivative(x)
    return -(x * slope) * slope * slope


def _acosh_stationary(k: Tensor, segment: int) -> Tensor:
    """sqrt(1 + 1/k**2) for k > 0, a little off 1, where the slope is infinite."""
    inside = extended.positive(k)
    x = torch.hypot(inside, torch.ones_like(k)).div_(inside)
    return x.clamp_min_(1.0 + torch.finfo(k.dtype).eps)


def _atanh_derivative(x: Tensor) -> Tensor:
    return ((1.0 - x) * (1.0 + x)).reciprocal_()


def _atanh_second(x: Tensor) -> Tensor:
    return 2.0 * x * _atanh_derivative(x).square_()


def _atanh_stationary(k: Tensor, segment: int) -> Tensor:
    """sqrt(1 - 1/k) for k >= 1, short of the end, where the slope is infinite."""
    steep = k.clamp_min(1.0)
    x = ((steep - 1.0) / steep).sqrt_().clamp_max_(extended.below(1.0, k))
    return x.neg_() if segment == 0 else x


def asinh() -> Nonlinearity:
    """The facts of asinh."""
    return Nonlinearity(
        "asinh",
        torch.asinh,
        _asinh_derivative,
        breaks=(0.0,),
        curvature=(1, -1),
        stationary=_asinh_stationary,
        symmetric=True,
        second=_asinh_second,
        turns=(-math.sqrt(0.5), math.sqrt(0.5)),
    )


def acosh() -> Nonlinearity:
    """The facts of acosh."""
    return Nonlinearity(
        "acosh",
        torch.acosh,
        _acosh_derivative,
        curvature=(-1,),
        stationary=_acosh_stationary,
        domain=(1.0, math.inf),
        bounds=(0.0, math.inf),
        second=_acosh_second,
    )


def atanh() -> Nonlinearity:
    """The facts of atanh."""
    return Nonlinearity(
        "atanh",
        torch.atanh,
        _atanh_derivative,
        breaks=(0.0,),
        curvature=(-1, 1),
        stationary=_atanh_stationary,
        symmetric=True,
        domain=(-1.0, 1.0),
        second=_atanh_second,
    )


register("asinh", asinh, onnx=[Operator("Asinh")])
register("acosh", acosh, onnx=[Operator("Acosh")])
register("atanh", atanh, onnx=[Operator("Atanh")])
