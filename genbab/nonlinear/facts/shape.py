"""Global shape of a function, derived from its facts; it selects the cheapest way to search."""

from __future__ import annotations

import enum
import functools
import math

import torch

from genbab.nonlinear.facts.record import Nonlinearity

_STEEP = 1e30


class Shape(enum.Enum):
    """What is known of a function on its whole domain."""

    CONVEX = 1
    CONCAVE = -1
    S = 2
    """Increasing, point symmetric, one convex and one concave half."""
    GENERAL = 0


@functools.lru_cache(maxsize=256)
def kink_slopes(fn: Nonlinearity, place: float) -> tuple[float, float]:
    """Derivative just left and just right of a break; infinite where it is too steep for float32."""
    sides = torch.tensor(
        [math.nextafter(place - fn.clear, -math.inf), math.nextafter(place + fn.clear, math.inf)],
        dtype=torch.float64,
    )
    slopes = fn.derivative(sides)
    left, right = torch.where(slopes.abs() > _STEEP, slopes * torch.inf, slopes).tolist()
    return left, right


@functools.lru_cache(maxsize=256)
def shape(fn: Nonlinearity) -> Shape:
    """The most special shape that holds."""
    if fn.jumps or fn.period:
        return Shape.GENERAL
    for sign, answer in ((1, Shape.CONVEX), (-1, Shape.CONCAVE)):
        bends = (sign * (b - a) for a, b in (kink_slopes(fn, place) for place in fn.kinks))
        if all(sign * c >= 0 for c in fn.curvature) and all(bend >= 0 for bend in bends):
            return answer
    if fn.symmetric and fn.curvature in ((1, -1), (-1, 1)) and not fn.kinks and fn.stationary is not None:
        around = torch.tensor([fn.breaks[0] - 1.0, fn.breaks[0], fn.breaks[0] + 1.0], dtype=torch.float64)
        if bool((fn.derivative(around) >= 0).all()):
            return Shape.S
    return Shape.GENERAL


@functools.lru_cache(maxsize=256)
def one_piece(fn: Nonlinearity) -> bool:
    """Convex or concave with one formula for the point of given slope: one segment, or two straight ones."""
    if shape(fn) not in (Shape.CONVEX, Shape.CONCAVE):
        return False
    return (len(fn.curvature) == 1 and fn.stationary is not None) or fn.curvature == (0, 0)
