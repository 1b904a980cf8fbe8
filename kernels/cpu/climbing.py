"""Compiled loops of a step of slopes (`ascend`): the gradient, Adam's averages and the move, in one pass."""

from __future__ import annotations

from typing import Any

import numpy as np

from genbab.kernels.cpu.elementary import PLAIN, compiled, num, sqrt
from genbab.kernels.cpu.loops import at
from genbab.kernels.functions import LEAST_SQUARE


@compiled(**PLAIN)
def uphill(a: Any, v: Any, x: Any, g: Any) -> None:
    """The gradient a·(v - x*) to the slopes of a row; 0 where it is no finite number."""
    for i in range(len(a)):
        g[i] = a[i] * (v[i] - x[i])
    for i in range(len(a)):
        g[i] = g[i] if abs(g[i]) < num(g[i], np.inf) else num(g[i], 0.0)


@compiled(**PLAIN)
def average(g: Any, keep: Any, mean: Any, square: Any) -> None:
    """Running averages of g and of its square; keep: the shares of the old ones."""
    old, new = num(g[0], keep[0]), num(g[0], 1.0 - keep[0])
    for i in range(len(g)):
        mean[i] = old * mean[i] + new * g[i]
    old, new = num(g[0], keep[1]), num(g[0], 1.0 - keep[1])
    for i in range(len(g)):
        square[i] = old * square[i] + new * g[i] * g[i]


@compiled(**PLAIN)
def spans(a: Any, low: Any, high: Any, is_free: bool, free: Any, out: Any) -> None:
    """The span of the side of each entry, or `free` where that counts and is larger."""
    for i in range(len(a)):
        out[i] = high[i] if a[i] < num(a[i], 0.0) else low[i]
    if is_free:
        for i in range(len(a)):
            out[i] = max(out[i], free[i])


@compiled(**PLAIN)
def moved(pace: Any, k: Any, mean: Any, square: Any, size: Any, out: Any) -> None:
    """Slopes k moved uphill, in steps of `size`."""
    for i in range(len(k)):
        out[i] = k[i] + num(k[i], pace) * size[i] * mean[i] / sqrt(square[i] + num(k[i], LEAST_SQUARE))


@compiled(**PLAIN)
def released(
    a: Any, low: Any, high: Any, default_low: Any, default_high: Any, l: Any, u: Any, v: Any, out: Any,  # noqa: E741
) -> None:  # fmt: skip
    """The default slope where the span is 0 and the value v inside the box: the cut is not active there."""
    for i in range(len(a)):
        upper = a[i] < num(a[i], 0.0)
        idle = ((high[i] if upper else low[i]) <= num(a[i], 0.0)) & (v[i] >= l[i]) & (v[i] <= u[i])
        default = default_high[i] if upper else default_low[i]
        own = out[i]
        out[i] = default if idle else own


@compiled(**PLAIN)
def ascend_rows(
    begin: int, end: int, count: int, is_free: bool, pace: Any, shares: Any, a: Any, k: Any, c: Any, x: Any,
    v: Any, mean: Any, square: Any, low: Any, high: Any, free: Any, defaults: Any, boxes: Any,
    value: Any, out: Any,
) -> None:  # fmt: skip
    """`ascend`, row by row.

    k, x, v, mean, square, low, high, free and out hold `count` arrays, of two, defaults and boxes pairs of
    these.
    """
    rows, n = value.shape[1], value.shape[2]
    g = np.empty(n, value.dtype)
    for r in range(begin, end):
        b, s = r // rows, r % rows
        mine, lift, intercept = at(a, b, s), value[b, s], at(c, b, s)
        for i in range(n):
            lift[i] = intercept[i]
        for place in range(count):
            ks, vs, new = at(k[place], b, s), at(v[place], b, s), out[place][b, s]
            for i in range(n):
                lift[i] += vs[i] * ks[i]
            first, last = at(low[place], b, 0), at(high[place], b, 0)
            uphill(mine, vs, at(x[place], b, s), g)
            average(g, shares, mean[place][b, s], square[place][b, s])
            spans(mine, first, last, is_free, at(free[place], b, 0), g)
            moved(pace, ks, mean[place][b, s], square[place][b, s], g, new)
            if is_free:
                usual, other = at(defaults[0][place], b, 0), at(defaults[1][place], b, 0)
                l, u = at(boxes[0][place], b, 0), at(boxes[1][place], b, 0)  # noqa: E741
                released(mine, first, last, usual, other, l, u, vs, new)
