"""sigmoid(x) = 1/(1 + exp(-x))."""

from __future__ import annotations

import torch
from torch import Tensor

from genbab.kernels import Function
from genbab.nonlinear.facts import extended
from genbab.nonlinear.facts.record import Nonlinearity
from genbab.nonlinear.facts.registry import Operator, register

_TURN = 1.3169578969248168


def _derivative(x: Tensor) -> Tensor:
    return torch.sigmoid(x) * torch.sigmoid(-x)


def _second(x: Tensor) -> Tensor:
    return -_derivative(x) * torch.tanh(0.5 * x)


def _stationary(k: Tensor, segment: int) -> Tensor:
    """s(1-s) = k on the convex half: logit of s = (1 - sqrt(1-4k))/2, in the form k/(1-s)**2 = exp(x)."""
    inside = k.clamp(extended.TINY, extended.below(0.25, k))
    one_minus_s = torch.rsub(inside, 0.25).sqrt_().add_(0.5)
    x = inside.div_(one_minus_s.square_()).log_()
    return x if segment == 0 else x.neg_()


def sigmoid() -> Nonlinearity:
    """The facts of sigmoid."""
    return Nonlinearity(
        "sigmoid",
        torch.sigmoid,
        _derivative,
        breaks=(0.0,),
        curvature=(1, -1),
        stationary=_stationary,
        symmetric=True,
        bounds=(0.0, 1.0),
        second=_second,
        turns=(-_TURN, _TURN),
    )


register("sigmoid", sigmoid, onnx=[Operator("Sigmoid")], kernel=Function("sigmoid"))
