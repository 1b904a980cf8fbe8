"""Compiled loops of the lines of least area; see `kernels.torch.envelopes`. Every loop writes one array."""

from __future__ import annotations

from typing import Any

import numpy as np

from genbab.kernels.cpu.elementary import PLAIN, compiled, inline, num
from genbab.kernels.cpu.touching import points
from genbab.kernels.cpu.values import values
from genbab.kernels.functions import Code
from genbab.kernels.torch.envelopes import ROUNDS


@inline
def _slope_at(code: int, f: Any) -> Any:
    """f' where the function is f."""
    one = num(f, 1.0)
    return f * (one - f) if code == Code.SIGMOID else (one - f) * (one + f)


@compiled(**PLAIN)
def _tie(
    code: int, sign: Any, near: Any, far: Any, at_near: Any, at_far: Any, slope: Any, touch: Any, f: Any,
    side: Any,
) -> None:  # fmt: skip
    """`envelopes._tie`; f and side are spare."""
    zero = num(near[0], 0.0)
    for i in range(len(near)):
        side[i] = num(near[i], sign)
    for i in range(len(near)):
        chord = (at_far[i] - at_near[i]) / (far[i] - near[i])
        slope[i] = chord if far[i] != near[i] else _slope_at(code, at_near[i])
    for _ in range(ROUNDS):
        points(code, side, slope, near, sign, sign, touch)
        for i in range(len(near)):
            at = side[i] * touch[i]
            most = max(min(side[i] * far[i], zero), side[i] * near[i])
            touch[i] = side[i] * min(max(at, side[i] * near[i]), most)
        values(code, sign, touch, f)
        for i in range(len(near)):
            step = (at_far[i] - f[i]) / (far[i] - touch[i])
            slope[i] = step if (far[i] != touch[i]) & (step == step) else slope[i]


@compiled(**PLAIN)
def _side(
    code: int, sign: Any, low: Any, high: Any, near: Any, far: Any, at_near: Any, at_far: Any, middle: Any,
    slope: Any, span: Any, own: Any,
) -> None:  # fmt: skip
    """Slopes and spans of one side; own (4, N) is spare, its last row f at the middle."""
    zero, half = num(near[0], 0.0), num(near[0], 0.5)
    tie, touch = own[0], own[1]
    _tie(code, sign, near, far, at_near, at_far, tie, touch, own[2], span)
    peak = _slope_at(code, half if code == Code.SIGMOID else zero)
    for i in range(len(near)):
        s = num(near[i], sign)
        none = s * far[i] <= zero
        first, last = _slope_at(code, at_near[i]), _slope_at(code, at_far[i])
        most = peak if (low[i] < zero) & (high[i] > zero) else max(first, last)
        inner = _slope_at(code, middle[i])
        best = inner if none | (s * (half * low[i] + half * high[i]) <= s * touch[i]) else tie[i]
        slope[i] = min(max(best, min(first, last)), most)
    for i in range(len(near)):
        first, last = _slope_at(code, at_near[i]), _slope_at(code, at_far[i])
        reach = abs((last if num(near[i], sign) * far[i] <= zero else tie[i]) - first)
        span[i] = zero if touch[i] == near[i] else reach


@compiled(**PLAIN)
def envelope_rows(
    begin: int, end: int, code: int, low: Any, high: Any, lower: Any, upper: Any, lows: Any, highs: Any
) -> None:
    """`envelope` of boxes (B, N): slopes lower and upper, spans lows and highs."""
    n = low.shape[1]
    own = np.empty((7, n), low.dtype)
    at_low, at_high, middle = own[4], own[5], own[6]
    for b in range(begin, end):
        l, u = low[b], high[b]  # noqa: E741
        values(code, 0.0, l, at_low)
        values(code, 0.0, u, at_high)
        for i in range(n):
            own[0, i] = num(l[i], 0.5) * l[i] + num(l[i], 0.5) * u[i]
        values(code, 0.0, own[0], middle)
        _side(code, 1.0, l, u, l, u, at_low, at_high, middle, lower[b], lows[b], own)
        _side(code, -1.0, l, u, u, l, at_high, at_low, middle, upper[b], highs[b], own)
