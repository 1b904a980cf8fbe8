"""gelu(x) = x*Phi(x), with the normal distribution function Phi, and its tanh form."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from genbab.nonlinear.record import Nonlinearity
from genbab.nonlinear.registry import register

_ROOT_HALF = math.sqrt(0.5)
_DENSITY = 1.0 / math.sqrt(2.0 * math.pi)
_SCALE, _CUBIC = math.sqrt(2.0 / math.pi), 0.044715
_TANH_INFLECTION = 1.4185040087908284


def value(x: Tensor) -> Tensor:
    return 0.5 * x * torch.erfc(-_ROOT_HALF * x)


def derivative(x: Tensor) -> Tensor:
    return 0.5 * torch.erfc(-_ROOT_HALF * x) + _DENSITY * x * torch.exp(-0.5 * x * x)


def tanh_value(x: Tensor) -> Tensor:
    """x*(1 + tanh z)/2 = x*sigmoid(2z)."""
    return x * torch.sigmoid(2.0 * _SCALE * (x + _CUBIC * x * x * x))


def tanh_derivative(x: Tensor) -> Tensor:
    square = x * x
    double = 2.0 * _SCALE * x * (1.0 + _CUBIC * square)
    rise = 2.0 * _SCALE * x * (1.0 + 3.0 * _CUBIC * square)
    gate = torch.sigmoid(double)
    return gate * (1.0 + torch.nan_to_num(rise * torch.sigmoid(-double)))


def gelu() -> Nonlinearity:
    root_two = math.sqrt(2.0)
    return Nonlinearity("gelu", value, derivative, breaks=(-root_two, root_two), curvature=(-1, 1, -1))


def gelu_tanh() -> Nonlinearity:
    places = (-_TANH_INFLECTION, _TANH_INFLECTION)
    return Nonlinearity("gelu_tanh", tanh_value, tanh_derivative, breaks=places, curvature=(-1, 1, -1))


register("gelu", gelu)
register("gelu_tanh", gelu_tanh)
