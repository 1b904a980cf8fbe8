"""The compiled loops: one pass over the rows `begin` to `end` of all domains, counted through.

Arrays of rank 3 are (B, S, N) or 1 where they are shared; an array of one element stands for one that is
absent, as told by a flag. Sums may be reordered, which nothing relies on; no other liberty is taken, so NaN
and infinity go where IEEE arithmetic takes them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from genbab.kernels.cpu.elementary import PLAIN, compiled, num
from genbab.kernels.cpu.rows import row

SUMS = {**PLAIN, "fastmath": {"reassoc", "contract"}}


@compiled(**PLAIN)
def at(x: Any, b: int, s: int) -> Any:
    """Row (b, s) of an array whose first two axes may be 1."""
    return x[b if x.shape[0] > 1 else 0, s if x.shape[1] > 1 else 0]


@compiled(**SUMS)
def dot(a: Any, c: Any) -> Any:
    """Σ a·c, where a = 0 counts 0."""
    total = num(a[0], 0.0)
    for i in range(len(a)):
        total += num(a[i], 0.0) if a[i] == num(a[i], 0.0) else a[i] * c[i]
    return total


@compiled(**SUMS)
def weighed(a: Any, c: Any) -> Any:
    """Σ |a|·c, where a = 0 counts 0."""
    total = num(a[0], 0.0)
    for i in range(len(a)):
        total += num(a[i], 0.0) if a[i] == num(a[i], 0.0) else abs(a[i]) * c[i]
    return total


@compiled(**PLAIN)
def select(kind: int, a: Any, k: Any, before: Any, low: Any, high: Any, taken: Any) -> None:
    """The slopes of a row: default ones (kind 0), k (1), or k where the side is still that of `before`."""
    zero = num(a[0], 0.0)
    if kind == 0:
        for i in range(len(a)):
            taken[i] = high[i] if a[i] < zero else low[i]
    elif kind == 1:
        for i in range(len(a)):
            taken[i] = k[i]
    else:
        for i in range(len(a)):
            upper = a[i] < zero
            default = high[i] if upper else low[i]
            own = k[i]
            taken[i] = own if (before[i] != zero) == upper else default


@compiled(**PLAIN)
def unbounded(a: Any, no_lower: Any, no_upper: Any, c: Any) -> None:
    """Infinite intercepts where there is no line on the side of the entry."""
    for i in range(len(a)):
        if a[i] < num(a[i], 0.0):
            if no_upper[i]:
                c[i] = np.inf
        elif no_lower[i]:
            c[i] = -np.inf


@compiled(**PLAIN)
def sides(a: Any, upper: Any) -> None:
    """1 where a takes the upper line, else 0."""
    for i in range(len(a)):
        upper[i] = num(a[i], 1.0) if a[i] < num(a[i], 0.0) else num(a[i], 0.0)


@compiled(**PLAIN)
def times(a: Any, k: Any, form: Any) -> None:
    """form = a·k."""
    for i in range(len(a)):
        form[i] = a[i] * k[i]


@compiled(**PLAIN)
def relax_rows(
    begin: int, end: int, code: int, p: Any, table: Any, most: Any, reach: Any, kind: int, any_open: bool,
    keep: bool, a: Any, k: Any, before: Any, low: Any, high: Any, box: Any, no_line: Any,
    form: Any, bias: Any, ks: Any, cs: Any, xs: Any, side: Any,
) -> None:  # fmt: skip
    """`relax` for a function of one argument; box: (l, u, f(l), f(u)) stacked."""
    rows, size = form.shape[1], form.shape[2]
    own = np.empty((6, size), form.dtype)
    taken, c, x = own[3], own[4], own[5]
    for r in range(begin, end):
        b, s = r // rows, r % rows
        mine = at(a, b, s)
        if keep:
            taken, c, x = ks[b, s], cs[b, s], xs[b, s]
            sides(mine, side[b, s])
        select(kind, mine, at(k, b, s), at(before, b, s), at(low, b, 0), at(high, b, 0), taken)
        l, u, fl, fu = at(box[0], b, 0), at(box[1], b, 0), at(box[2], b, 0), at(box[3], b, 0)  # noqa: E741
        row(code, p, table, most, reach, mine, taken, l, u, fl, fu, c, x, own[:3])
        if any_open:
            unbounded(mine, at(no_line[0], b, 0), at(no_line[1], b, 0), c)
        times(mine, taken, form[b, s])
        bias[b, s] = dot(mine, c)


@compiled(**PLAIN)
def corners(a: Any, kx: Any, ky: Any, lx: Any, ux: Any, ly: Any, uy: Any, c: Any, x: Any, y: Any) -> None:
    """The best corner of x·y - kx·x - ky·y for every entry of a row; one array a loop, as in `rows`."""
    zero, one = num(a[0], 0.0), num(a[0], 1.0)
    for i in range(len(a)):
        s = -one if a[i] < zero else one
        at_l = min(s * (lx[i] - ky[i]) * ly[i], s * (lx[i] - ky[i]) * uy[i]) - s * kx[i] * lx[i]
        at_u = min(s * (ux[i] - ky[i]) * ly[i], s * (ux[i] - ky[i]) * uy[i]) - s * kx[i] * ux[i]
        x[i] = ux[i] if at_u < at_l else lx[i]
    for i in range(len(a)):
        s = -one if a[i] < zero else one
        y[i] = uy[i] if s * (x[i] - ky[i]) * uy[i] < s * (x[i] - ky[i]) * ly[i] else ly[i]
    for i in range(len(a)):
        c[i] = (x[i] - ky[i]) * y[i] - kx[i] * x[i]


@compiled(**PLAIN)
def relax_product_rows(
    begin: int, end: int, kind: int, any_open: bool, keep: bool, a: Any, k: Any, before: Any, low: Any,
    high: Any, x_box: Any, y_box: Any, no_line: Any, forms: Any, bias: Any, ks: Any, cs: Any, xs: Any,
    side: Any,
) -> None:  # fmt: skip
    """`relax` for x·y; k, low, high, forms, ks and xs are pairs."""
    rows, size = forms[0].shape[1], forms[0].shape[2]
    own = np.empty((5, size), forms[0].dtype)
    kx, ky, c, x, y = own[0], own[1], own[2], own[3], own[4]
    for r in range(begin, end):
        b, s = r // rows, r % rows
        mine, was = at(a, b, s), at(before, b, s)
        if keep:
            kx, ky, c, x, y = ks[0][b, s], ks[1][b, s], cs[b, s], xs[0][b, s], xs[1][b, s]
            sides(mine, side[b, s])
        select(kind, mine, at(k[0], b, s), was, at(low[0], b, 0), at(high[0], b, 0), kx)
        select(kind, mine, at(k[1], b, s), was, at(low[1], b, 0), at(high[1], b, 0), ky)
        lx, ux, ly, uy = at(x_box[0], b, 0), at(x_box[1], b, 0), at(y_box[0], b, 0), at(y_box[1], b, 0)
        corners(mine, kx, ky, lx, ux, ly, uy, c, x, y)
        if any_open:
            unbounded(mine, at(no_line, b, 0), at(no_line, b, 0), c)
        times(mine, kx, forms[0][b, s])
        times(mine, ky, forms[1][b, s])
        bias[b, s] = dot(mine, c)


@compiled(**PLAIN)
def line_rows(
    begin: int, end: int, has_upper: bool, has_mass: bool, count: int, a: Any, low: Any, high: Any,
    c_low: Any, c_high: Any, mass: Any, forms: Any, bias: Any, size: Any,
) -> None:  # fmt: skip
    """`lines`; low, high and forms hold `count` arrays each, of two."""
    rows = forms[0].shape[1]
    for r in range(begin, end):
        b, s = r // rows, r % rows
        mine, c = at(a, b, s), at(c_low, b, s)
        if has_upper:
            c = np.empty_like(mine)
            select(0, mine, mine, mine, at(c_low, b, s), at(c_high, b, s), c)
        for place in range(count):
            k, form = at(low[place], b, s), forms[place][b, s]
            if has_upper:
                select(0, mine, mine, mine, k, at(high[place], b, s), form)
                k = form
            times(mine, k, form)
        bias[b, s] = dot(mine, c)
        if has_mass:
            size[b, s] = weighed(mine, at(mass, b, s))


@compiled(**SUMS)
def least(form: Any, low: Any, high: Any) -> Any:
    """Σ min over [low, high] of form·x, where form = 0 counts 0."""
    total = num(form[0], 0.0)
    for i in range(len(form)):
        x = low[i] if form[i] > num(form[i], 0.0) else high[i]
        total += num(form[i], 0.0) if form[i] == num(form[i], 0.0) else form[i] * x
    return total


@compiled(**SUMS)
def span(form: Any, low: Any, high: Any) -> Any:
    """Σ |form|·max|x| over [low, high], where form = 0 counts 0."""
    total = num(form[0], 0.0)
    for i in range(len(form)):
        reach = max(abs(low[i]), abs(high[i]))
        total += num(form[i], 0.0) if form[i] == num(form[i], 0.0) else abs(form[i]) * reach
    return total


@compiled(**PLAIN)
def corner_of(form: Any, low: Any, high: Any, x: Any) -> None:
    """The corner that minimises the form."""
    for i in range(len(form)):
        x[i] = low[i] if form[i] > num(form[i], 0.0) else high[i]


@compiled(**PLAIN)
def concretise_rows(
    begin: int, end: int, want_corner: bool, want_size: bool, form: Any, low: Any, high: Any, bound: Any,
    corner: Any, size: Any,
) -> None:  # fmt: skip
    """`concretise` without its constant; form (B, S, D), low and high (B or 1, 1, D)."""
    rows = form.shape[1]
    for r in range(begin, end):
        b, s = r // rows, r % rows
        mine, l, u = form[b, s], at(low, b, 0), at(high, b, 0)  # noqa: E741
        bound[b, s] = least(mine, l, u)
        if want_corner:
            corner_of(mine, l, u, corner[b, s])
        if want_size:
            size[b, s] = span(mine, l, u)


@compiled(**PLAIN)
def gradient_rows(
    begin: int, end: int, count: int, a: Any, k: Any, c: Any, x: Any, v: Any, weight: Any, to_a: Any,
    to_k: Any,
) -> None:  # fmt: skip
    """`gradient` from kept lines; k, x, v and to_k hold `count` arrays, of two; weight (B, S)."""
    rows, n = to_a.shape[1], to_a.shape[2]
    for r in range(begin, end):
        b, s = r // rows, r % rows
        mine, lift, w = at(a, b, s), to_a[b, s], weight[b, s]
        intercept = at(c, b, s)
        for i in range(n):
            lift[i] = w * intercept[i]
        for place in range(count):
            ks, xs, vs, out = at(k[place], b, s), at(x[place], b, s), at(v[place], b, s), to_k[place][b, s]
            for i in range(n):
                lift[i] += vs[i] * ks[i]
                out[i] = mine[i] * (vs[i] - w * xs[i])
