"""erf(x), the Gauss error function."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from genbab.nonlinear.facts import extended
from genbab.nonlinear.facts.record import Nonlinearity
from genbab.nonlinear.facts.registry import Operator, register

_PEAK = 2.0 / math.sqrt(math.pi)


def _derivative(x: Tensor) -> Tensor:
    return _PEAK * torch.exp(-x * x)


def _second(x: Tensor) -> Tensor:
    return -2.0 * x * _derivative(x)


def _stationary(k: Tensor, segment: int) -> Tensor:
    root = (k / _PEAK).clamp_(extended.TINY, extended.below(1.0, k)).log_().neg_().sqrt_()
    root.add_(k.clamp(-1e-3, 0.0), alpha=-1e15)
    return root.neg_() if segment == 0 else root


def erf() -> Nonlinearity:
    """The facts of erf."""
    return Nonlinearity(
        "erf",
        torch.erf,
        _derivative,
        breaks=(0.0,),
        curvature=(1, -1),
        stationary=_stationary,
        symmetric=True,
        bounds=(-1.0, 1.0),
        second=_second,
        turns=(-math.sqrt(0.5), math.sqrt(0.5)),
    )


register("erf", erf, onnx=[Operator("Erf")])
