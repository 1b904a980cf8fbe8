"""Triton kernels of the step through a nonlinear node, and of its adjoint."""

from __future__ import annotations

import triton
import triton.language as tl

from genbab.kernels.gpu.conjugates import conjugate, product_conjugate
from genbab.kernels.gpu.launching import tuned, tuned_in_place

DEFAULT = tl.constexpr(0)
GIVEN = tl.constexpr(1)


@triton.jit
def place(S, N, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """(domain, rows of this program and which exist, first and last column of its share), 64-bit."""
    blocks = tl.cdiv(S, ROWS)
    b = (tl.program_id(0) // blocks).to(tl.int64)
    s = (tl.program_id(0) % blocks) * ROWS + tl.arange(0, ROWS)
    share = tl.cdiv(tl.cdiv(N, COLUMNS), tl.num_programs(1)) * COLUMNS
    start = tl.program_id(1) * share
    return b, s.to(tl.int64), s < S, start, tl.minimum(start + share, N)


@triton.jit
def taken(upper, k, before, low, high, rows, both, b, sk, rk, sw, rw, sl, sh, n, m, KIND: tl.constexpr):
    """The slopes of a block: default ones, given ones, or given ones unless the side has changed."""
    if KIND == GIVEN:
        return tl.load(k + b * sk + rows * rk + n[None, :], both, 0.0)
    usual_low = tl.load(low + b * sl + n, m, 0.0)[None, :]
    usual_high = tl.load(high + b * sh + n, m, 0.0)[None, :]
    usual = tl.where(upper, usual_high, usual_low)
    if KIND == DEFAULT:
        return usual
    own = tl.load(k + b * sk + rows * rk + n[None, :], both, 0.0)
    was = tl.load(before + b * sw + rows * rw + n[None, :], both, 0) != 0
    return tl.where(was == upper, own, usual)


@tuned
@triton.jit
def relax_kernel(
    a, k, before, low, high, l, u, table, form, partial, ks, cs, xs,  # noqa: E741
    B, S, N, sa, ra, sk, rk, sw, rw, sl, sh, sx, sy,
    p: tl.constexpr, steepest: tl.constexpr, reach: tl.constexpr,
    ROWS_KEY, COLUMNS_KEY,
    CODE: tl.constexpr, KIND: tl.constexpr, KEEP: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip  # noqa: E741
    """A block of rows through a function of one argument: forms, and sums of a share of the neurons."""
    b, s, has, start, end = place(S, N, ROWS, COLUMNS)
    rows = s[:, None]
    total = tl.zeros((ROWS, COLUMNS), dtype=form.dtype.element_ty)
    for first in range(start, end, COLUMNS):
        n = first + tl.arange(0, COLUMNS)
        m = n < end
        both = has[:, None] & m[None, :]
        mine = tl.load(a + b * sa + rows * ra + n[None, :], both, 0.0)
        upper = mine < 0.0
        slope = taken(upper, k, before, low, high, rows, both, b, sk, rk, sw, rw, sl, sh, n, m, KIND)
        at_l = tl.load(l + b * sx + n, m, 0.0)[None, :]
        at_u = tl.load(u + b * sy + n, m, 0.0)[None, :]
        sign = tl.where(upper, -1.0, 1.0).to(mine.dtype)
        c, x = conjugate(slope, at_l, at_u, sign, p, table, steepest, reach, CODE)
        total += tl.where(both & (mine != 0.0), mine * c, 0.0)
        out = (b * S + rows) * N + n[None, :]
        tl.store(form + out, mine * slope, both)
        if KEEP:
            tl.store(ks + out, slope, both)
            tl.store(cs + out, c, both)
            tl.store(xs + out, x, both)
    tl.store(partial + (tl.program_id(1).to(tl.int64) * B + b) * S + s, tl.sum(total, 1), has)


@tuned
@triton.jit
def relax_product_kernel(
    a, kx, ky, before, low_x, low_y, high_x, high_y, lx, ux, ly, uy,
    form_x, form_y, partial, ks_x, ks_y, cs, xs, ys,
    B, S, N, sa, ra, skx, rkx, sky, rky, sw, rw, slx, sly, shx, shy, s1, s2, s3, s4,
    ROWS_KEY, COLUMNS_KEY,
    KIND: tl.constexpr, KEEP: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """A block of rows through a product: forms, and sums of a share of the neurons."""
    b, s, has, start, end = place(S, N, ROWS, COLUMNS)
    rows = s[:, None]
    total = tl.zeros((ROWS, COLUMNS), dtype=form_x.dtype.element_ty)
    for first in range(start, end, COLUMNS):
        n = first + tl.arange(0, COLUMNS)
        m = n < end
        both = has[:, None] & m[None, :]
        mine = tl.load(a + b * sa + rows * ra + n[None, :], both, 0.0)
        upper = mine < 0.0
        slope_x = taken(
            upper, kx, before, low_x, high_x, rows, both, b, skx, rkx, sw, rw, slx, shx, n, m, KIND
        )
        slope_y = taken(
            upper, ky, before, low_y, high_y, rows, both, b, sky, rky, sw, rw, sly, shy, n, m, KIND
        )
        sign = tl.where(upper, -1.0, 1.0).to(mine.dtype)
        x0, x1 = tl.load(lx + b * s1 + n, m, 0.0)[None, :], tl.load(ux + b * s2 + n, m, 0.0)[None, :]
        y0, y1 = tl.load(ly + b * s3 + n, m, 0.0)[None, :], tl.load(uy + b * s4 + n, m, 0.0)[None, :]
        c, x, y = product_conjugate(slope_x, slope_y, x0, x1, y0, y1, sign)
        total += tl.where(both & (mine != 0.0), mine * c, 0.0)
        out = (b * S + rows) * N + n[None, :]
        tl.store(form_x + out, mine * slope_x, both)
        tl.store(form_y + out, mine * slope_y, both)
        if KEEP:
            tl.store(ks_x + out, slope_x, both)
            tl.store(ks_y + out, slope_y, both)
            tl.store(cs + out, c, both)
            tl.store(xs + out, x, both)
            tl.store(ys + out, y, both)
    tl.store(partial + (tl.program_id(1).to(tl.int64) * B + b) * S + s, tl.sum(total, 1), has)


@tuned
@triton.jit
def gradient_kernel(
    a, k, c, x, v, weight, l, u, table, to_a, to_k,  # noqa: E741
    B, S, N, sa, ra, sk, rk, sc, rc, st, rt, sv, rv, sx, sy,
    p: tl.constexpr, steepest: tl.constexpr, reach: tl.constexpr,
    ROWS_KEY, COLUMNS_KEY,
    CODE: tl.constexpr, KEPT: tl.constexpr, ADD: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip  # noqa: E741
    """to_k = a·(v - w·x*); to_a = w·c + v·k, or where ADD v·k alone (the second argument's part)."""
    b, s, has, start, end = place(S, N, ROWS, COLUMNS)
    rows = s[:, None]
    w = tl.load(weight + b * S + s, has, 0.0)[:, None]
    for first in range(start, end, COLUMNS):
        n = first + tl.arange(0, COLUMNS)
        m = n < end
        both = has[:, None] & m[None, :]
        mine = tl.load(a + b * sa + rows * ra + n[None, :], both, 0.0)
        slope = tl.load(k + b * sk + rows * rk + n[None, :], both, 0.0)
        value = tl.load(v + b * sv + rows * rv + n[None, :], both, 0.0)
        if KEPT:
            intercept = tl.load(c + b * sc + rows * rc + n[None, :], both, 0.0)
            touch = tl.load(x + b * st + rows * rt + n[None, :], both, 0.0)
        else:
            at_l = tl.load(l + b * sx + n, m, 0.0)[None, :]
            at_u = tl.load(u + b * sy + n, m, 0.0)[None, :]
            sign = tl.where(mine < 0.0, -1.0, 1.0).to(mine.dtype)
            intercept, touch = conjugate(slope, at_l, at_u, sign, p, table, steepest, reach, CODE)
        out = (b * S + rows) * N + n[None, :]
        lifted = w * intercept
        if ADD:
            lifted = tl.load(to_a + out, both, 0.0)
        tl.store(to_a + out, lifted + value * slope, both)
        tl.store(to_k + out, mine * (value - w * touch), both)


@tuned_in_place
@triton.jit
def ascend_kernel(
    a, k, c, x, v, low, high, free, usual_low, usual_high, l, u, mean, square, value, out,  # noqa: E741
    B, S, N, sa, ra, sk, rk, sc, rc, st, rt, sv, rv, sl, sh, sf, sd, se, sx, sy, pace, pace_rest,
    ROWS_KEY, COLUMNS_KEY, MEAN_KEPT: tl.constexpr, SQUARE_KEPT: tl.constexpr,
    ADD: tl.constexpr, FREE: tl.constexpr, LEAST: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """value = c + v·k, or where ADD v·k more than it is; the moments brought up to date; out = k moved.

    Numbers are passed as float32: what that leaves of the pace is pace_rest.
    """
    step = tl.zeros((1, 1), dtype=out.dtype.element_ty) + pace + pace_rest
    b, s, has, start, end = place(S, N, ROWS, COLUMNS)
    rows = s[:, None]
    for first in range(start, end, COLUMNS):
        n = first + tl.arange(0, COLUMNS)
        m = n < end
        both = has[:, None] & m[None, :]
        at = (b * S + rows) * N + n[None, :]
        mine = tl.load(a + b * sa + rows * ra + n[None, :], both, 0.0)
        slope = tl.load(k + b * sk + rows * rk + n[None, :], both, 0.0)
        arg = tl.load(v + b * sv + rows * rv + n[None, :], both, 0.0)
        touch = tl.load(x + b * st + rows * rt + n[None, :], both, 0.0)
        lifted = tl.load(c + b * sc + rows * rc + n[None, :], both, 0.0)
        if ADD:
            lifted = tl.load(value + at, both, 0.0)
        tl.store(value + at, lifted + arg * slope, both)
        uphill = mine * (arg - touch)
        uphill = tl.where(tl.abs(uphill) < float("inf"), uphill, 0.0)
        averaged = tl.load(mean + at, both, 0.0)
        averaged = (averaged * MEAN_KEPT + uphill * (1.0 - MEAN_KEPT)).to(mine.dtype)
        squared = tl.load(square + at, both, 0.0)
        squared = (squared * SQUARE_KEPT + uphill * uphill * (1.0 - SQUARE_KEPT)).to(mine.dtype)
        tl.store(mean + at, averaged, both)
        tl.store(square + at, squared, both)
        upper = mine < 0.0
        span_low = tl.load(low + b * sl + n, m, 0.0)[None, :]
        span_high = tl.load(high + b * sh + n, m, 0.0)[None, :]
        span = tl.where(upper, span_high, span_low)
        size = span
        if FREE:
            size = tl.maximum(span, tl.load(free + b * sf + n, m, 0.0)[None, :])
        moved = slope + (size * averaged / tl.sqrt(squared + LEAST) * step).to(mine.dtype)
        if FREE:
            default_low = tl.load(usual_low + b * sd + n, m, 0.0)[None, :]
            default_high = tl.load(usual_high + b * se + n, m, 0.0)[None, :]
            at_l = tl.load(l + b * sx + n, m, 0.0)[None, :]
            at_u = tl.load(u + b * sy + n, m, 0.0)[None, :]
            idle = (span <= 0.0) & (arg >= at_l) & (arg <= at_u)
            moved = tl.where(idle, tl.where(upper, default_high, default_low), moved)
        tl.store(out + at, moved, both)
