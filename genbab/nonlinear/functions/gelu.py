"""gelu(x) = x*Phi(x), with the normal distribution function Phi, and its tanh form."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from genbab.kernels import Function
from genbab.nonlinear.facts.record import Nonlinearity
from genbab.nonlinear.facts.registry import register

_ROOT_HALF = math.sqrt(0.5)
_DENSITY = 1.0 / math.sqrt(2.0 * math.pi)
_SCALE, _CUBIC = math.sqrt(2.0 / math.pi), 0.044715
_FAR = 1e3
"""Beyond it the second derivative underflows."""
_TANH_INFLECTION, _TANH_TURN = 1.4185040087908283, 2.013480724624258


def _value(x: Tensor) -> Tensor:
    return 0.5 * x * torch.erfc(-_ROOT_HALF * x)


def _derivative(x: Tensor) -> Tensor:
    return 0.5 * torch.erfc(-_ROOT_HALF * x) + _DENSITY * x * torch.exp(-0.5 * x * x)


def _second(x: Tensor) -> Tensor:
    square = x.clamp(-_FAR, _FAR).square_()
    return _DENSITY * torch.exp(-0.5 * square) * (2.0 - square)


def _tanh_value(x: Tensor) -> Tensor:
    """x*(1 + tanh z)/2 = x*sigmoid(2z)."""
    return x * torch.sigmoid(2.0 * _SCALE * (x + _CUBIC * x * x * x))


def _tanh_derivative(x: Tensor) -> Tensor:
    square = x * x
    double = 2.0 * _SCALE * x * (1.0 + _CUBIC * square)
    rise = 2.0 * _SCALE * x * (1.0 + 3.0 * _CUBIC * square)
    gate = torch.sigmoid(double)
    return gate * (1.0 + torch.nan_to_num(rise * torch.sigmoid(-double)))


def _tanh_second(x: Tensor) -> Tensor:
    """s(1-s)*(2d' + x*d'' - x*d'**2*tanh(d/2)) for x*s(d), s the sigmoid."""
    x = x.clamp(-_FAR, _FAR)
    square = x * x
    double = 2.0 * _SCALE * x * (1.0 + _CUBIC * square)
    rise = 2.0 * _SCALE * (1.0 + 3.0 * _CUBIC * square)
    bend = 2.0 * rise + 12.0 * _SCALE * _CUBIC * square - x * rise * rise * torch.tanh(0.5 * double)
    return torch.sigmoid(double) * torch.sigmoid(-double) * bend


def gelu() -> Nonlinearity:
    """The facts of gelu."""
    root_two = math.sqrt(2.0)
    return Nonlinearity(
        "gelu",
        _value,
        _derivative,
        breaks=(-root_two, root_two),
        curvature=(-1, 1, -1),
        second=_second,
        turns=(-2.0, 0.0, 2.0),
    )


def gelu_tanh() -> Nonlinearity:
    """The facts of gelu_tanh."""
    places = (-_TANH_INFLECTION, _TANH_INFLECTION)
    return Nonlinearity(
        "gelu_tanh",
        _tanh_value,
        _tanh_derivative,
        breaks=places,
        curvature=(-1, 1, -1),
        second=_tanh_second,
        turns=(-_TANH_TURN, 0.0, _TANH_TURN),
    )


register("gelu", gelu, definition="x*(1 + erf(x/2**0.5))/2", kernel=Function("gelu"))
register(
    "gelu_tanh",
    gelu_tanh,
    definition="x*(1 + tanh((2/pi)**0.5*(x + 0.044715*x**3)))/2",
    kernel=Function("gelu_tanh"),
)
