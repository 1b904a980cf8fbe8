"""Intercepts of one row of neurons, a loop per function; see `conjugates` for the definition.

`a` gives the side (upper where negative), k the slopes; l, u, fl, fu the box and the function at its ends.
Every loop writes one array: with two, compilers would have to compare more pointers for overlap than they are
ready to, and leave the loop scalar.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from genbab.kernels.cpu.elementary import PLAIN, acos, compiled, erfc, exp, inline, log, num, sin, sqrt
from genbab.kernels.functions import CUBIC, HOT, POINTS, SCALE, SMALLEST

TINY = 1e-36
_TURN = 2.0 * math.pi
_ROOT_HALF, _CUBE = math.sqrt(0.5), CUBIC
_DOUBLE = 2.0 * SCALE
_QUARTER, _WHOLE = 0.25 * (1.0 - 1.2e-7), 1.0 - 1.2e-7

RELU, LEAKY, SIGMOID, TANH, SIN, COS, EXP, RECIPROCAL, SQUARE, SOFTPLUS, GELU, GELU_TANH, SILU = range(13)
assert HOT[RELU] == "relu" and HOT[SIN] == "sin" and HOT[SOFTPLUS] == "softplus" and HOT[SILU] == "silu"


@inline
def _logistic(x: Any) -> Any:
    return num(x, 1.0) / (num(x, 1.0) + exp(-x))


@inline
def _gelu_tanh(x: Any) -> Any:
    return x * _logistic(num(x, _DOUBLE) * x * (num(x, 1.0) + num(x, _CUBE) * x * x))


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
def points(code: int, a: Any, k: Any, table: Any, most: Any, reach: Any, x: Any) -> None:  # noqa: C901
    """The kink, or the point of slope k on the part of f that is convex (upper: concave), in any period."""
    zero = num(a[0], 0.0)
    if code == RELU or code == LEAKY:
        x[:] = zero
    elif code == SIGMOID:
        for i in range(len(k)):
            x[i] = _sigmoid_point(k[i], a[i] < zero)
    elif code == TANH:
        for i in range(len(k)):
            x[i] = _tanh_point(k[i], a[i] < zero)
    elif code == SIN:
        for i in range(len(k)):
            x[i] = _wave_point(k[i], a[i] < zero, 0.0)
    elif code == COS:
        for i in range(len(k)):
            x[i] = _wave_point(k[i], a[i] < zero, 0.5 * math.pi)
    elif code == EXP:
        for i in range(len(k)):
            x[i] = log(max(k[i], num(k[i], TINY)))
    elif code == RECIPROCAL:
        for i in range(len(k)):
            x[i] = _reciprocal_point(k[i], a[i] < zero)
    elif code == SQUARE:
        for i in range(len(k)):
            x[i] = num(k[i], 0.5) * k[i]
    elif code == SOFTPLUS:
        for i in range(len(k)):
            x[i] = _softplus_point(k[i])
    else:
        for i in range(len(k)):
            x[i] = _gated_place(k[i], a[i] < zero, most, reach)
        for i in range(len(k)):
            x[i] = _gated_point(k[i], x[i], table)


@compiled(**PLAIN)
def values(code: int, p: Any, x: Any, f: Any) -> None:  # noqa: C901 - one loop per function
    """f(x)."""
    if code == RELU:
        for i in range(len(x)):
            f[i] = max(x[i], num(x[i], 0.0))
    elif code == LEAKY:
        for i in range(len(x)):
            f[i] = x[i] if x[i] > num(x[i], 0.0) else num(x[i], p) * x[i]
    elif code == SIGMOID:
        for i in range(len(x)):
            f[i] = _logistic(x[i])
    elif code == TANH:
        for i in range(len(x)):
            f[i] = num(x[i], 2.0) * _logistic(num(x[i], 2.0) * x[i]) - num(x[i], 1.0)
    elif code == SIN:
        for i in range(len(x)):
            f[i] = sin(x[i])
    elif code == COS:
        for i in range(len(x)):
            f[i] = sin(x[i] + num(x[i], 0.5 * math.pi))
    elif code == EXP:
        for i in range(len(x)):
            f[i] = exp(x[i])
    elif code == RECIPROCAL:
        for i in range(len(x)):
            f[i] = num(x[i], 1.0) / x[i]
    elif code == SQUARE:
        for i in range(len(x)):
            f[i] = x[i] * x[i]
    elif code == SOFTPLUS:
        for i in range(len(x)):
            f[i] = max(x[i], num(x[i], 0.0)) + log(num(x[i], 1.0) + exp(-abs(x[i])))
    elif code == GELU:
        for i in range(len(x)):
            f[i] = num(x[i], 0.5) * x[i] * erfc(-num(x[i], _ROOT_HALF) * x[i])
    elif code == GELU_TANH:
        for i in range(len(x)):
            f[i] = _gelu_tanh(x[i])
    else:
        for i in range(len(x)):
            f[i] = x[i] * _logistic(x[i])


@compiled(**PLAIN)
def _begin(a: Any, k: Any, l: Any, u: Any, fl: Any, fu: Any, best: Any, x: Any) -> None:  # noqa: E741
    """best = s·(f - k·x) at the better end, s = -1 on the upper side; x the end."""
    for i in range(len(k)):
        s = num(a[i], -1.0) if a[i] < num(a[i], 0.0) else num(a[i], 1.0)
        at_l, at_u = s * (fl[i] - k[i] * l[i]), s * (fu[i] - k[i] * u[i])
        best[i] = at_u if at_u < at_l else at_l
    for i in range(len(k)):
        s = num(a[i], -1.0) if a[i] < num(a[i], 0.0) else num(a[i], 1.0)
        at_l, at_u = s * (fl[i] - k[i] * l[i]), s * (fu[i] - k[i] * u[i])
        x[i] = u[i] if at_u < at_l else l[i]


@compiled(**PLAIN)
def _improve(a: Any, k: Any, at: Any, f: Any, best: Any, x: Any) -> None:
    """The better of the candidate `at`, where the function is f, and the best so far."""
    for i in range(len(k)):
        s = num(a[i], -1.0) if a[i] < num(a[i], 0.0) else num(a[i], 1.0)
        x[i] = at[i] if s * (f[i] - k[i] * at[i]) < best[i] else x[i]
    for i in range(len(k)):
        s = num(a[i], -1.0) if a[i] < num(a[i], 0.0) else num(a[i], 1.0)
        g = s * (f[i] - k[i] * at[i])
        best[i] = g if g < best[i] else best[i]


@compiled(**PLAIN)
def _clip(x: Any, l: Any, u: Any) -> None:  # noqa: E741
    for i in range(len(x)):
        x[i] = min(max(x[i], l[i]), u[i])


@compiled(**PLAIN)
def _translate(raw: Any, end: Any, first: bool, l: Any, u: Any, at: Any) -> None:  # noqa: E741
    """The first translate of `raw` right of `end` (or the last one left of it), clipped to the box."""
    for i in range(len(raw)):
        turn = num(raw[i], _TURN)
        turns = (end[i] - raw[i]) / turn
        whole = np.ceil(turns) if first else np.floor(turns)
        at[i] = min(max(raw[i] + turn * whole, l[i]), u[i])


@compiled(**PLAIN)
def row(
    code: int, p: Any, table: Any, most: Any, reach: Any, a: Any, k: Any, l: Any, u: Any, fl: Any, fu: Any,  # noqa: E741
    c: Any, x: Any, spare: Any,
) -> None:  # fmt: skip
    """The intercepts c and touching points x of one row; all arrays (N,), spare (3, N)."""
    at, f, raw = spare[0], spare[1], spare[2]
    _begin(a, k, l, u, fl, fu, c, x)
    points(code, a, k, table, most, reach, at)
    if code == SIN or code == COS:
        raw[:] = at
        _translate(raw, l, True, l, u, at)
        values(code, p, at, f)
        _improve(a, k, at, f, c, x)
        _translate(raw, u, False, l, u, at)
    else:
        _clip(at, l, u)
    values(code, p, at, f)
    _improve(a, k, at, f, c, x)
    for i in range(len(c)):
        c[i] = -c[i] if a[i] < num(a[i], 0.0) else c[i]


@compiled(**PLAIN)
def end_rows(code: int, p: Any, low: Any, high: Any, ends: Any, none: Any) -> bool:
    """Ends of boxes (N,) and the function there; 1 where an end is no number. none: where there is no lower,
    no upper line; whether there is such a place.
    """
    l, u = ends[0], ends[1]  # noqa: E741
    infinity, zero, one = num(low[0], np.inf), num(low[0], 0.0), num(low[0], 1.0)
    for i in range(len(low)):
        none[0, i] = not ((abs(low[i]) < infinity) & (abs(high[i]) < infinity))
    for i in range(len(low)):
        l[i] = one if none[0, i] else low[i]
    for i in range(len(low)):
        u[i] = one if none[0, i] else high[i]
    for i in range(len(low)):
        none[1, i] = none[0, i]
    values(code, p, l, ends[2])
    values(code, p, u, ends[3])
    if code == RECIPROCAL:
        for i in range(len(low)):
            across, point = (l[i] <= zero) & (u[i] >= zero), (l[i] == zero) & (u[i] == zero)
            none[0, i] |= point | (across & (l[i] < zero))
            none[1, i] |= point | (across & (u[i] > zero))
            ends[2, i] = infinity if l[i] == zero else ends[2, i]
            ends[3, i] = -infinity if u[i] == zero else ends[3, i]
    is_open = False
    for i in range(len(low)):
        is_open |= none[0, i] | none[1, i]
    return is_open
