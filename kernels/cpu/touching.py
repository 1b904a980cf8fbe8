"""Points of given slope for one row of slopes, a loop per function; see `kernels.torch.conjugates`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from genbab.kernels.cpu.elementary import PLAIN, acos, compiled, inline, log, num, sqrt
from genbab.kernels.functions import POINTS, SMALLEST, Code

TINY = 1e-36
_QUARTER, _WHOLE = 0.25 * (1.0 - 1.2e-7), 1.0 - 1.2e-7


@inline
def _sigmoid_point(k: Any, upper: Any) -> Any:
    k = min(max(k, num(k, TINY)), num(k, _QUARTER))
    rest = num(k, 0.5) + sqrt(num(k, 0.25) - k)
    x = log(k / (rest * rest))
    return -x if upper else x


@inline
def _tanh_point(k: Any, upper: Any) -> Any:
    k = min(max(k, num(k, TINY)), num(k, _WHOLE))
    rest = num(k, 1.0) + sqrt(num(k, 1.0) - k)
    x = num(k, 0.5) * log(k / (rest * rest))
    return -x if upper else x


@inline
def _reciprocal_point(k: Any, upper: Any) -> Any:
    x = num(k, 1.0) / sqrt(max(-k, num(k, TINY)))
    return -x if upper else x


@inline
def _softplus_point(k: Any) -> Any:
    k = min(max(k, num(k, TINY)), num(k, _WHOLE))
    return log(k / (num(k, 1.0) - k))


@inline
def _gated_place(k: Any, upper: Any, most: Any, reach: Any) -> Any:
    """Where the tables of gelu and its like have slope k, in entries; those of the tail from POINTS on."""
    one, zero, cells = num(k, 1.0), num(k, 0.0), num(k, POINTS - 1.0)
    distance, steep = abs(k - num(k, 0.5)), num(k, most)
    excess = (distance - num(k, 0.5)) / (steep - num(k, 0.5))
    excess = min(max(excess, num(k, SMALLEST)), one)
    outer = sqrt(max(-log(excess), zero)) / num(k, reach)
    inner = sqrt(max(steep - distance, zero) / steep)
    place = min(max((outer if upper else inner) * cells, zero), cells)
    return place + (num(k, 1.0 * POINTS) if upper else zero)


@inline
def _gated_point(k: Any, place: Any, table: Any) -> Any:
    """Between two entries linear; a place that is no number must not lead outside of the table."""
    cell = min(max(np.int32(place), np.int32(0)), np.int32(2 * POINTS - 1))
    right = min(cell + np.int32(1), np.int32(2 * POINTS - 1))
    x = table[cell] + (place - num(k, 1.0) * cell) * (table[right] - table[cell])
    return -x if k < num(k, 0.5) else x


@inline
def _wave_point(k: Any, upper: Any, phase: Any) -> Any:
    arc = acos(min(max(k, num(k, -1.0)), num(k, 1.0)))
    return (arc if upper else -arc) - num(k, phase)


@compiled(**PLAIN)
def points(code: int, a: Any, k: Any, table: Any, most: Any, reach: Any, x: Any) -> None:  # noqa: C901 - as values
    """The kink, or the point of slope k on the part of f that is convex (upper: concave), in any period.

    a gives the side (upper where negative). NaN for a function that has no loop here.
    """
    zero = num(a[0], 0.0)
    if code == Code.RELU or code == Code.LEAKY_RELU:
        x[:] = zero
    elif code == Code.SIGMOID:
        for i in range(len(k)):
            x[i] = _sigmoid_point(k[i], a[i] < zero)
    elif code == Code.TANH:
        for i in range(len(k)):
            x[i] = _tanh_point(k[i], a[i] < zero)
    elif code == Code.SIN:
        for i in range(len(k)):
            x[i] = _wave_point(k[i], a[i] < zero, 0.0)
    elif code == Code.COS:
        for i in range(len(k)):
            x[i] = _wave_point(k[i], a[i] < zero, 0.5 * math.pi)
    elif code == Code.EXP:
        for i in range(len(k)):
            x[i] = log(max(k[i], num(k[i], TINY)))
    elif code == Code.RECIPROCAL:
        for i in range(len(k)):
            x[i] = _reciprocal_point(k[i], a[i] < zero)
    elif code == Code.SQUARE:
        for i in range(len(k)):
            x[i] = num(k[i], 0.5) * k[i]
    elif code == Code.SOFTPLUS:
        for i in range(len(k)):
            x[i] = _softplus_point(k[i])
    elif code == Code.GELU or code == Code.GELU_TANH or code == Code.SILU:
        for i in range(len(k)):
            x[i] = _gated_place(k[i], a[i] < zero, most, reach)
        for i in range(len(k)):
            x[i] = _gated_point(k[i], x[i], table)
    else:
        x[:] = np.nan
