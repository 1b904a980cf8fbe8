"""tanh(x)."""

from __future__ import annotations

import torch
from torch import Tensor

from genbab.kernels import Function
from genbab.nonlinear.facts import extended
from genbab.nonlinear.facts.record import Nonlinearity
from genbab.nonlinear.facts.registry import Operator, register

_TURN = 0.6584789484624084


def _derivative(x: Tensor) -> Tensor:
    """1 - tanh(x)**2, without its cancellation in the tails."""
    double = x + x
    return 4.0 * torch.sigmoid(double) * torch.sigmoid(-double)


def _second(x: Tensor) -> Tensor:
    return -2.0 * torch.tanh(x) * _derivative(x)


def _stationary(k: Tensor, segment: int) -> Tensor:
    """-artanh(sqrt(1-k)) on the convex half, as log(k / (1 + sqrt(1-k))**2) / 2."""
    inside = k.clamp(extended.TINY, extended.below(1.0, k))
    root = torch.rsub(inside, 1.0).sqrt_().add_(1.0)
    x = inside.div_(root.square_()).log_().mul_(0.5)
    return x if segment == 0 else x.neg_()


def tanh() -> Nonlinearity:
    """The facts of tanh."""
    return Nonlinearity(
        "tanh",
        torch.tanh,
        _derivative,
        breaks=(0.0,),
        curvature=(1, -1),
        stationary=_stationary,
        symmetric=True,
        bounds=(-1.0, 1.0),
        second=_second,
        turns=(-_TURN, _TURN),
    )


register("tanh", tanh, onnx=[Operator("Tanh")], kernel=Function("tanh"))
