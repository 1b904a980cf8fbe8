"""Zero near 0, a shifted line beyond: thresholded_relu(alpha), shrink(bias, threshold)."""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

from genbab.errors import UsageError
from genbab.nonlinear.facts.record import Jump, Nonlinearity
from genbab.nonlinear.facts.registry import Operator, register


def _relu_value(x: Tensor, alpha: float) -> Tensor:
    return torch.where(x > alpha, x, 0.0)


def _above(x: Tensor, alpha: float) -> Tensor:
    return (x > alpha).to(x.dtype)


def _shrink_value(x: Tensor, bias: float, threshold: float) -> Tensor:
    return torch.where(x.abs() > threshold, x - bias * x.sign(), 0.0)


def _outside(x: Tensor, threshold: float) -> Tensor:
    return (x.abs() > threshold).to(x.dtype)


def thresholded_relu(alpha: float = 1.0) -> Nonlinearity:
    """x where x > alpha, else 0, for any finite alpha."""
    alpha = float(alpha)
    if not math.isfinite(alpha):
        raise UsageError(f"thresholded_relu({alpha:g}): the threshold must be finite")
    return Nonlinearity(
        "thresholded_relu",
        functools.partial(_relu_value, alpha=alpha),
        functools.partial(_above, alpha=alpha),
        params=(alpha,),
        breaks=(alpha,),
        curvature=(0, 0),
        kinks=(alpha,),
        jumps=((alpha, alpha, 0.0, alpha),) if alpha else (),
        bounds=(min(alpha, 0.0), math.inf),
        noise=0.0,
        second=torch.zeros_like,
    )


def shrink(bias: float = 0.0, threshold: float = 0.5) -> Nonlinearity:
    """x + bias where x < -threshold, x - bias where x > threshold, else 0; UsageError if threshold < 0."""
    bias, threshold = float(bias), float(threshold)
    if not math.isfinite(bias) or not 0.0 <= threshold < math.inf:
        raise UsageError(f"shrink({bias:g}, {threshold:g}): both finite, and the threshold not negative")
    left, right = bias - threshold, threshold - bias
    jumps: tuple[Jump, ...] = ()
    if left and threshold:
        jumps = ((-threshold, -threshold, left, 0.0), (threshold, threshold, 0.0, right))
    elif left:
        jumps = ((0.0, 0.0, bias, -bias),)
    places = (-threshold, threshold) if threshold else (0.0,)
    return Nonlinearity(
        "shrink",
        functools.partial(_shrink_value, bias=bias, threshold=threshold),
        functools.partial(_outside, threshold=threshold),
        params=(bias, threshold),
        breaks=places,
        curvature=(0,) * (len(places) + 1),
        kinks=places,
        jumps=jumps,
        noise=8.0 * (1.0 + abs(bias)),
        second=torch.zeros_like,
    )


register(
    "thresholded_relu",
    thresholded_relu,
    [(1.0,), (0.0,), (-0.5,)],
    onnx=[Operator("ThresholdedRelu", (("alpha", 1.0),))],
    definition="x*(1 - step(alpha - x))",
)
register(
    "shrink",
    shrink,
    [(0.0, 0.5), (0.5, 0.5), (0.2, 1.0), (0.3, 0.0), (-0.3, 0.7)],
    onnx=[Operator("Shrink", (("bias", 0.0), ("lambd", 0.5)))],
)
