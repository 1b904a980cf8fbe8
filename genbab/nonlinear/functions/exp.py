"""exp(x)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from genbab.kernels import Function
from genbab.nonlinear.facts import extended
from genbab.nonlinear.facts.record import Nonlinearity
from genbab.nonlinear.facts.registry import Operator, register


def _stationary(k: Tensor, segment: int) -> Tensor:
    return extended.log(k)


def exp() -> Nonlinearity:
    """The facts of exp."""
    return Nonlinearity(
        "exp", torch.exp, torch.exp, stationary=_stationary, bounds=(0.0, math.inf), second=torch.exp
    )


register("exp", exp, onnx=[Operator("Exp")], kernel=Function("exp"))
