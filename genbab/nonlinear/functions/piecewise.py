"""Two straight pieces that meet at 0: relu, leaky_relu(a), abs."""

from __future__ import annotations

import functools
import math
from typing import Any

import torch
from torch import Tensor

from genbab.errors import UsageError
from genbab.kernels import Function
from genbab.nonlinear.facts.record import Nonlinearity
from genbab.nonlinear.facts.registry import Operator, register


def _relu_derivative(x: Tensor) -> Tensor:
    return (x > 0).to(x.dtype)


def _leaky_value(x: Tensor, a: float) -> Tensor:
    return torch.nn.functional.leaky_relu(x, a)


def _leaky_derivative(x: Tensor, a: float) -> Tensor:
    return (x > 0).to(x.dtype).mul_(1.0 - a).add_(a)


def _bent(name: str, **facts: Any) -> Nonlinearity:
    return Nonlinearity(name, breaks=(0.0,), curvature=(0, 0), kinks=(0.0,), second=torch.zeros_like, **facts)


def relu() -> Nonlinearity:
    """The facts of relu."""
    return _bent("relu", value=torch.relu, derivative=_relu_derivative, bounds=(0.0, math.inf), noise=0.0)


def absolute() -> Nonlinearity:
    """The facts of abs."""
    return _bent("abs", value=torch.abs, derivative=torch.sign, bounds=(0.0, math.inf), noise=0.0)


def leaky_relu(a: float = 0.01) -> Nonlinearity:
    """max(x, 0) + a*min(x, 0) for any finite a."""
    a = float(a)
    if not math.isfinite(a):
        raise UsageError(f"leaky_relu({a:g}): the slope must be finite")
    value, derivative = functools.partial(_leaky_value, a=a), functools.partial(_leaky_derivative, a=a)
    return _bent("leaky_relu", value=value, derivative=derivative, params=(a,))


register("relu", relu, onnx=[Operator("Relu")], kernel=Function("relu"))
register("abs", absolute, onnx=[Operator("Abs")])
register(
    "leaky_relu",
    leaky_relu,
    [(0.01,), (0.3,), (2.0,), (-0.5,)],
    onnx=[Operator("LeakyRelu", (("alpha", 0.01),))],
    definition="max(x, 0) + a*min(x, 0)",
    kernel=functools.partial(Function, "leaky_relu"),
)
