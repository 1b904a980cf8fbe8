"""softsign(x) = x/(1 + |x|)."""

from __future__ import annotations

from torch import Tensor

from genbab.nonlinear.facts import extended
from genbab.nonlinear.facts.record import Nonlinearity
from genbab.nonlinear.facts.registry import Operator, register


def _value(x: Tensor) -> Tensor:
    return x / (1.0 + x.abs())


def _derivative(x: Tensor) -> Tensor:
    return (1.0 + x.abs()).reciprocal_().square_()


def _second(x: Tensor) -> Tensor:
    """-2*sign(x)/(1 + |x|)**3, with the left side's value at 0."""
    return 2.0 * (1.0 + x.abs()).reciprocal_().pow_(3).copysign_(-x)


def _stationary(k: Tensor, segment: int) -> Tensor:
    """|x| = 1/sqrt(k) - 1 for 0 < k <= 1."""
    x = k.clamp(extended.TINY, 1.0).rsqrt_().sub_(1.0)
    return x.neg_() if segment == 0 else x


def softsign() -> Nonlinearity:
    """The facts of softsign."""
    return Nonlinearity(
        "softsign",
        _value,
        _derivative,
        breaks=(0.0,),
        curvature=(1, -1),
        stationary=_stationary,
        symmetric=True,
        bounds=(-1.0, 1.0),
        second=_second,
    )


register("softsign", softsign, onnx=[Operator("Softsign")], definition="x/(1 + abs(x))")
