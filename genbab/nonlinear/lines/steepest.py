"""How steep a function is at most on a box, and how far it jumps there."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from genbab.nonlinear.facts.record import Nonlinearity

ROOM = 1 + 2.0**-30
"""Room for the errors of derivatives (`Nonlinearity` says how large they are)."""


def steepest(fn: Nonlinearity, low: Tensor, high: Tensor) -> Tensor:
    """An upper bound of |f'| on [low, high], kinks and jumps aside; infinite outside of the domain."""
    least, most = derivatives(fn, low, high)
    return torch.maximum(-least, most).clamp_min(0.0)


def derivatives(fn: Nonlinearity, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Bounds of f' on [low, high], kinks and jumps aside; infinite outside of the domain.

    The derivative is monotone between breaks, so its least and its greatest value are at the ends of
    segments. Of a periodic function the whole period counts.
    """
    least, most = torch.full_like(low, math.inf), torch.full_like(low, -math.inf)
    for i in range(len(fn.curvature)):
        start, end = fn.reliable(i)
        if start > end:
            continue
        left, right = low.clamp(start, end), high.clamp(start, end)
        here = (low <= end) & (high >= start)
        if fn.period:
            left, right = torch.full_like(low, start), torch.full_like(low, end)
            here = torch.ones_like(here)
        for x in (left, right):
            below, above = _slope(fn, x)
            least = torch.where(here, torch.minimum(least, below), least)
            most = torch.where(here, torch.maximum(most, above), most)
    nowhere = least > most  # nothing but a kink: no slope
    least, most = torch.where(nowhere, 0.0, least), torch.where(nowhere, 0.0, most)
    outside = ~((low >= fn.domain[0]) & (high <= fn.domain[1]))
    if fn.absent is not None:
        outside = outside | fn.absent(low, high)
    outside = outside | bool(fn.bulges)
    return torch.where(outside, -math.inf, least), torch.where(outside, math.inf, most)


def _slope(fn: Nonlinearity, x: Tensor) -> tuple[Tensor, Tensor]:
    """f'(x) with what its computation may lose, and room; at infinite ends its value near them."""
    largest = torch.finfo(x.dtype).max
    inside = x.clamp(-largest, largest)
    slope = fn.derivative(inside)
    lost = fn.noise * (1 + slope.abs()) + fn.drift[1] * inside.abs()
    lost = torch.finfo(x.dtype).eps * lost + slope.abs() * (ROOM - 1)
    return (slope - lost).nan_to_num(-math.inf, math.inf, -math.inf), (slope + lost).nan_to_num(
        math.inf, math.inf, -math.inf
    )


def jumped(fn: Nonlinearity, low: Tensor, high: Tensor, reach: Tensor) -> Tensor:
    """How far apart fn may be at two points of [low, high] that are `reach` apart, by its jumps alone."""
    total = torch.zeros_like(low)
    for start, end, left, right in fn.jumps:
        size = abs(right - left) if math.isfinite(right - left) else math.inf  # a pole
        if fn.period:
            times = torch.where(reach > 0, torch.ceil(reach / fn.period) + 1.0, 0.0)
            total = total + torch.where(times > 0, size * times, 0.0)
        else:
            meets = (low <= end) & (high >= start) & (reach > 0)
            total = torch.where(meets, total + size, total)
    return total
