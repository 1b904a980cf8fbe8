"""log(x), the natural logarithm, on x >= 0 (its value at 0 is -inf)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from genbab.nonlinear.facts import extended
from genbab.nonlinear.facts.record import Nonlinearity
from genbab.nonlinear.facts.registry import Operator, register


def _second(x: Tensor) -> Tensor:
    return -torch.reciprocal(x).square_()


def _stationary(k: Tensor, segment: int) -> Tensor:
    return extended.positive(k).reciprocal_()


def log() -> Nonlinearity:
    """The facts of log."""
    return Nonlinearity(
        "log",
        torch.log,
        torch.reciprocal,
        curvature=(-1,),
        stationary=_stationary,
        domain=(0.0, math.inf),
        second=_second,
    )


register("log", log, onnx=[Operator("Log")])
