"""asin(x), acos(x) on [-1, 1], where their slopes become infinite at the ends, and atan(x).

asin and acos state no `bounds`: those would make a box that leaves the domain look harmless.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from genbab.nonlinear.facts import extended
from genbab.nonlinear.facts.record import Nonlinearity
from genbab.nonlinear.facts.registry import Operator, register

_HALF_PI = math.nextafter(0.5 * math.pi, 2.0)


def _asin_derivative(x: Tensor) -> Tensor:
    return ((1.0 - x) * (1.0 + x)).rsqrt_()


def _asin_second(x: Tensor) -> Tensor:
    steep = _asin_derivative(x)
    return x * steep * steep * steep


def _acos_derivative(x: Tensor) -> Tensor:
    return _asin_derivative(x).neg_()


def _acos_second(x: Tensor) -> Tensor:
    return _asin_second(x).neg_()


def _asin_stationary(k: Tensor, segment: int) -> Tensor:
    """sqrt(1 - 1/k**2) for k >= 1, short of the end, where the slope is infinite."""
    flat = k.clamp_min(1.0).reciprocal_()
    x = ((1.0 - flat) * (1.0 + flat)).sqrt_().clamp_max_(extended.below(1.0, k))
    return x.neg_() if segment == 0 else x


def _acos_stationary(k: Tensor, segment: int) -> Tensor:
    return _asin_stationary(-k, segment)


def _atan_derivative(x: Tensor) -> Tensor:
    return (1.0 + x * x).reciprocal_()


def _atan_second(x: Tensor) -> Tensor:
    slope = _atan_derivative(x)
    return -2.0 * (x * slope) * slope


def _atan_stationary(k: Tensor, segment: int) -> Tensor:
    """sqrt(1/k - 1) for 0 < k <= 1."""
    inside = k.clamp(extended.TINY, 1.0)
    x = ((1.0 - inside) / inside).sqrt_()
    return x.neg_() if segment == 0 else x


def asin() -> Nonlinearity:
    """The facts of asin."""
    return Nonlinearity(
        "asin",
        torch.asin,
        _asin_derivative,
        breaks=(0.0,),
        curvature=(-1, 1),
        stationary=_asin_stationary,
        symmetric=True,
        domain=(-1.0, 1.0),
        second=_asin_second,
    )


def acos() -> Nonlinearity:
    """The facts of acos."""
    return Nonlinearity(
        "acos",
        torch.acos,
        _acos_derivative,
        breaks=(0.0,),
        curvature=(1, -1),
        stationary=_acos_stationary,
        symmetric=True,
        domain=(-1.0, 1.0),
        second=_acos_second,
    )


def atan() -> Nonlinearity:
    """The facts of atan."""
    return Nonlinearity(
        "atan",
        torch.atan,
        _atan_derivative,
        breaks=(0.0,),
        curvature=(1, -1),
        stationary=_atan_stationary,
        symmetric=True,
        bounds=(-_HALF_PI, _HALF_PI),
        second=_atan_second,
        turns=(-math.sqrt(1.0 / 3.0), math.sqrt(1.0 / 3.0)),
    )


register("asin", asin, onnx=[Operator("Asin")])
register("acos", acos, onnx=[Operator("Acos")])
register("atan", atan, onnx=[Operator("Atan")])
