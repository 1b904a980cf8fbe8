"""How steep a function is at most on a box, and how far it jumps there."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from genbab.nonlinear.facts.record import Nonlinearity

ROOM = 1 + 2.0**-30
"""Room for the errors of derivatives (`Nonlinearity` says how large they are)."""


def steepest(fn: Nonlinearity, low: Tensor, high: Tensor) -> Tensor:
    """An upper bound of |f'| on [low, high], kinks and jumps aside; infinite outside of the domain.

    The derivative is monotone between breaks, so its greatest size is at the ends of segments. Of a periodic
    function the whole period counts.
    """
    most = torch.zeros_like(low)
    for i in range(len(fn.curvature)):
        start, end = fn.reliable(i)
        if start > end:
            continue
        if fn.period:
            ends = torch.tensor([start, end], dtype=low.dtype)
            most = most.clamp_min(float(_size(fn, ends).max()))
            continue
        left, right = low.clamp(start, end), high.clamp(start, end)
        here = torch.maximum(_size(fn, left), _size(fn, right))
        most = torch.where((low <= end) & (high >= start), torch.maximum(most, here), most)
    if fn.bulges:
        most = torch.full_like(most, math.inf)
    outside = ~((low >= fn.domain[0]) & (high <= fn.domain[1]))
    if fn.absent is not None:
        outside = outside | fn.absent(low, high)
    return torch.where(outside, math.inf, most * ROOM)


def _size(fn: Nonlinearity, x: Tensor) -> Tensor:
    """|f'| (x), with what its computation may lose; at infinite ends its value near them."""
    largest = torch.finfo(x.dtype).max
    inside = x.clamp(-largest, largest)
    slope = fn.derivative(inside).abs()
    lost = fn.noise * (1 + slope) + fn.drift[1] * inside.abs()
    return (slope + torch.finfo(x.dtype).eps * lost).nan_to_num(math.inf, math.inf, math.inf)


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
