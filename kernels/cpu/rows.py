"""Intercepts of one row of neurons; see `kernels.torch.conjugates` for the definition.

`a` gives the side (upper where negative), k the slopes; l, u, fl, fu the box and the function at its ends.
Every loop writes one array, as in `values`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from genbab.kernels.cpu.elementary import PLAIN, compiled, num
from genbab.kernels.cpu.touching import points
from genbab.kernels.cpu.values import values
from genbab.kernels.functions import Code

_TURN = 2.0 * math.pi


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
    if code == Code.SIN or code == Code.COS:
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
    """Ends of boxes (N,) and the function there; 1 where an end is no number.

    none: where there is no lower, no upper line; gives whether there is such a place.
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
    if code == Code.RECIPROCAL:
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
