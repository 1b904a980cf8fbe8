"""exp(x)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from genbab.nonlinear.record import Nonlinearity
from genbab.nonlinear.registry import register


def stationary(k: Tensor, segment: int) -> Tensor:
    return k.clamp_min(0.0).log_()


def exp() -> Nonlinearity:
    return Nonlinearity("exp", torch.exp, torch.exp, stationary=stationary, bounds=(0.0, math.inf))


register("exp", exp)
