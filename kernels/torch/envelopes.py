"""Lines of least area and natural steps of slopes, of S-shaped functions on boxes, in plain torch.

Both need the tie lines: from the end of the box on one half the line that touches the other half. Their
slopes are found by Newton's iteration on the touching point. For searching slopes only: any slope is sound.
"""

from __future__ import annotations

import torch
from torch import Tensor

from genbab.kernels.functions import Function
from genbab.kernels.torch.conjugates import candidates, value

Pair = tuple[Tensor, Tensor]

S_SHAPED = ("sigmoid", "tanh")
"""Convex left of 0, concave right of it."""

ROUNDS = 5
"""Steps of Newton's iteration."""


def derivative(fn: Function, x: Tensor) -> Tensor:
    """f'(x) of an S-shaped function."""
    if fn.name == "sigmoid":
        return torch.sigmoid(x) * torch.sigmoid(-x)
    return 1.0 - torch.tanh(x).square()


def envelope(fn: Function, box: Pair) -> tuple[Pair, Pair]:
    """((lower, upper) slopes of the lines of least area, (lower, upper) spans of slopes), each like an end.

    The line of least area has the slope of the convex (upper: concave) envelope at the middle of the box; a
    span is the width of the range of its slopes: 0 where one line beats all others. Both are finite for
    finite boxes. fn: one of S_SHAPED; box: finite ends, lower <= upper.
    """
    low, high = box
    middle = 0.5 * low + 0.5 * high
    at_middle, at_low, at_high = (derivative(fn, x) for x in (middle, low, high))
    peak = derivative(fn, torch.zeros_like(low))
    least = torch.minimum(at_low, at_high)
    most = torch.where((low < 0) & (high > 0), peak, torch.maximum(at_low, at_high))
    slopes, spans = [], []
    for sign, near, far, first, last in (
        (1.0, low, high, at_low, at_high),
        (-1.0, high, low, at_high, at_low),
    ):
        tie, touch = _tie(fn, sign, near, far)
        none = sign * far <= 0
        tangent = none | (sign * middle <= sign * touch)
        slopes.append(torch.where(tangent, at_middle, tie).clamp(least, most))
        reach = (torch.where(none, last, tie) - first).abs()
        spans.append(torch.where(touch == near, 0.0, reach))
    return (slopes[0], slopes[1]), (spans[0], spans[1])


def _tie(fn: Function, sign: float, near: Tensor, far: Tensor) -> Pair:
    """(slope, touching point) of the line from (far, f(far)) that touches f between `near` and 0.

    sign: -1 on the concave half. The chord's slope and near where the box is a point.
    """
    upper = torch.full_like(near, sign) < 0
    most = sign * torch.maximum(torch.minimum(sign * far, torch.zeros_like(far)), sign * near)
    low, high = (near, most) if sign > 0 else (most, near)
    at_far, apart = value(fn, far), near != far
    slope = torch.where(apart, (at_far - value(fn, near)) / (far - near), derivative(fn, near))
    touch = near
    for _ in range(ROUNDS):
        touch = candidates(fn, slope, near, far, upper)[0].clamp(low, high)
        step = (at_far - value(fn, touch)) / (far - touch)
        slope = torch.where((far != touch) & ~step.isnan(), step, slope)
    return slope, touch
