"""Clamped lines: clip, at_least, at_most, hard_sigmoid, hard_swish.

clip(low, high), at_least(c) = max(x, c), at_most(c) = min(x, c), hard_sigmoid(alpha, beta) = clip(alpha*x +
beta) to [0, 1].
"""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

from genbab.errors import UsageError
from genbab.nonlinear.facts.record import Nonlinearity
from genbab.nonlinear.facts.registry import Operator, register


def _clip_value(x: Tensor, low: float, high: float) -> Tensor:
    return torch.clamp(x, low, high)


def _between(x: Tensor, low: float, high: float, slope: float = 1.0) -> Tensor:
    """The slope between the limits, 0 at and beyond them."""
    return ((x > low) & (x < high)).to(x.dtype).mul_(slope)


def _hard_sigmoid_value(x: Tensor, alpha: float, beta: float) -> Tensor:
    return (alpha * x + beta).clamp_(0.0, 1.0)


def _hard_swish_value(x: Tensor) -> Tensor:
    return x * (x / 6.0 + 0.5).clamp_(0.0, 1.0)


def _hard_swish_derivative(x: Tensor) -> Tensor:
    return torch.where((x > -3.0) & (x < 3.0), x / 3.0 + 0.5, (x > 0).to(x.dtype))


def _hard_swish_second(x: Tensor) -> Tensor:
    return _between(x, -3.0, 3.0, 1.0 / 3.0)


def _hard_swish_stationary(k: Tensor, segment: int) -> Tensor:
    return 3.0 * k - 1.5


def clip(low: float, high: float) -> Nonlinearity:
    """min(max(x, low), high); UsageError unless low < high are finite."""
    low, high = float(low), float(high)
    if not -math.inf < low < high < math.inf:
        raise UsageError(f"clip({low:g}, {high:g}): the limits must be finite and ascend")
    return Nonlinearity(
        "clip",
        functools.partial(_clip_value, low=low, high=high),
        functools.partial(_between, low=low, high=high),
        params=(low, high),
        breaks=(low, high),
        curvature=(0, 0, 0),
        kinks=(low, high),
        bounds=(low, high),
        noise=0.0,
        second=torch.zeros_like,
    )


def at_least(c: float) -> Nonlinearity:
    """max(x, c) for a finite c, without the rounding of c + relu(x - c)."""
    return _one_sided("at_least", c, -1.0)


def at_most(c: float) -> Nonlinearity:
    """min(x, c) for a finite c."""
    return _one_sided("at_most", c, 1.0)


def _one_sided(name: str, c: float, side: float) -> Nonlinearity:
    """Constant from c on towards side * infinity."""
    c = float(c)
    if not math.isfinite(c):
        raise UsageError(f"{name}({c:g}): the limit must be finite")
    low, high = (c, math.inf) if side < 0 else (-math.inf, c)
    return Nonlinearity(
        name,
        functools.partial(_clip_value, low=low, high=high),
        functools.partial(_between, low=low, high=high),
        params=(c,),
        breaks=(c,),
        curvature=(0, 0),
        kinks=(c,),
        bounds=(low, high),
        noise=0.0,
        second=torch.zeros_like,
    )


def hard_sigmoid(alpha: float = 0.2, beta: float = 0.5) -> Nonlinearity:
    """min(max(alpha*x + beta, 0), 1); UsageError for alpha = 0 and what is not finite."""
    alpha, beta = float(alpha), float(beta)
    if not (math.isfinite(alpha) and math.isfinite(beta)) or alpha == 0.0:
        raise UsageError(f"hard_sigmoid({alpha:g}, {beta:g}): both must be finite, and alpha not 0")
    low, high = sorted((-beta / alpha, (1.0 - beta) / alpha))
    if not -math.inf < low < high < math.inf:
        raise UsageError(f"hard_sigmoid({alpha:g}, {beta:g}): its kinks are not two different numbers")
    return Nonlinearity(
        "hard_sigmoid",
        functools.partial(_hard_sigmoid_value, alpha=alpha, beta=beta),
        functools.partial(_between, low=low, high=high, slope=alpha),
        params=(alpha, beta),
        breaks=(low, high),
        curvature=(0, 0, 0),
        kinks=(low, high),
        bounds=(0.0, 1.0),
        noise=8.0 * (1.0 + abs(beta)),
        second=torch.zeros_like,
    )


def hard_swish() -> Nonlinearity:
    """x * min(max(x/6 + 1/2, 0), 1)."""
    return Nonlinearity(
        "hard_swish",
        _hard_swish_value,
        _hard_swish_derivative,
        breaks=(-3.0, 3.0),
        curvature=(0, 1, 0),
        kinks=(-3.0, 3.0),
        stationary=_hard_swish_stationary,
        bounds=(-0.375, math.inf),
        second=_hard_swish_second,
    )


register(
    "clip",
    clip,
    [(-1.0, 1.0), (0.0, 6.0), (-0.3, 0.1)],
    definition="min(max(x, low), high)",
)
register("at_least", at_least, [(0.5,), (-2.0,)], definition="max(x, c)")
register("at_most", at_most, [(1.5,), (-0.3,)], definition="min(x, c)")
register(
    "hard_sigmoid",
    hard_sigmoid,
    [(0.2, 0.5), (1.0 / 6.0, 0.5), (-1.5, 0.3)],
    onnx=[Operator("HardSigmoid", (("alpha", 0.2), ("beta", 0.5)))],
    definition="min(max(alpha*x + beta, 0), 1)",
)
register("hard_swish", hard_swish, onnx=[Operator("HardSwish")], definition="x*hard_sigmoid(x, 1/6, 1/2)")
