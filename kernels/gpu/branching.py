"""Triton kernels of branch and bound: half-spaces, scores, children. See `genbab.kernels.torch.splitting`.

A program owns a row (or a candidate) and walks its inputs in blocks, so every sum has one fixed order.
"""

from __future__ import annotations

import triton
import triton.language as tl

from genbab.kernels.gpu.conjugates import conjugate
from genbab.kernels.gpu.launching import tuned
from genbab.kernels.gpu.relaxing import place
from genbab.kernels.torch.splitting import STEPS, WORTH

TRIES = tl.constexpr(STEPS)
MOST = tl.constexpr(WORTH)


@triton.jit
def sign(x):
    return tl.where(x > 0.0, 1.0, tl.where(x < 0.0, -1.0, 0.0)).to(x.dtype)


@triton.jit
def slope_and_size(scaled, normal, radius, weight, D, BLOCK: tl.constexpr):
    """(Σ sign(y)·side, Σ |y|) of y = scaled + weight·side, side = normal·radius."""
    slope = tl.zeros((BLOCK,), dtype=scaled.dtype.element_ty)
    size = tl.zeros((BLOCK,), dtype=scaled.dtype.element_ty)
    for first in range(0, D, BLOCK):
        d = first + tl.arange(0, BLOCK)
        side = tl.load(normal + d, d < D, 0.0) * tl.load(radius + d, d < D, 0.0)
        y = tl.load(scaled + d, d < D, 0.0) + weight * side
        slope += sign(y) * side
        size += tl.abs(y)
    return tl.sum(slope, 0), tl.sum(size, 0)


@triton.jit
def weights_kernel(form, middle, radius, normal, level, scaled, found, R, D, H, sf, rf, BLOCK: tl.constexpr):  # noqa: PLR0915
    """One row of one domain: all half-spaces, one after the other; `scaled` is room for the row."""
    b, r = (tl.program_id(0) // R).to(tl.int64), (tl.program_id(0) % R).to(tl.int64)
    radius += b * D
    middle += b * D
    scaled += (b * R + r) * D
    for first in range(0, D, BLOCK):
        d = first + tl.arange(0, BLOCK)
        own = tl.load(form + b * sf + r * rf + d, d < D, 0.0) * tl.load(radius + d, d < D, 0.0)
        tl.store(scaled + d, own, d < D)
    for h in range(0, H):
        tl.debug_barrier()
        side_of = normal + (b * H + h) * D
        offset = tl.zeros((BLOCK,), dtype=scaled.dtype.element_ty)
        crossed = tl.zeros((BLOCK,), dtype=scaled.dtype.element_ty)
        whole = tl.zeros((BLOCK,), dtype=scaled.dtype.element_ty)
        for first in range(0, D, BLOCK):
            d = first + tl.arange(0, BLOCK)
            n = tl.load(side_of + d, d < D, 0.0)
            side = n * tl.load(radius + d, d < D, 0.0)
            offset += n * tl.load(middle + d, d < D, 0.0)
            crossed += tl.load(scaled + d, d < D, 0.0) * sign(side)
            whole += tl.abs(side)
        gap = tl.sum(offset, 0) - tl.load(level + b * H + h)
        slope, size = slope_and_size(scaled, side_of, radius, 0.0, D, BLOCK)
        left, left_slope = -size, gap - slope
        right, right_slope = -tl.sum(crossed, 0), gap - tl.sum(whole, 0)
        rising = (left_slope > 0.0) & (right_slope < 0.0)
        best, value = 0.0 * left, left
        for _ in range(TRIES):
            weight = (right - left) / tl.where(rising, left_slope - right_slope, 1.0)
            good = rising & (weight > 0.0) & (weight < float("inf"))
            weight = tl.where(good, weight, 0.0)
            slope, size = slope_and_size(scaled, side_of, radius, weight, D, BLOCK)
            slope = gap - slope
            now = weight * gap - size
            better = rising & (now > value)
            best, value = tl.where(better, weight, best), tl.where(better, now, value)
            start, up = now - weight * slope, slope > 0.0
            left, left_slope = tl.where(up, start, left), tl.where(up, slope, left_slope)
            right, right_slope = tl.where(up, right, start), tl.where(up, right_slope, slope)
        best = tl.where(rising, best, 0.0)
        tl.store(found + (b * R + r) * H + h, best)
        tl.debug_barrier()
        for first in range(0, D, BLOCK):
            d = first + tl.arange(0, BLOCK)
            side = tl.load(side_of + d, d < D, 0.0) * tl.load(radius + d, d < D, 0.0)
            tl.store(scaled + d, tl.load(scaled + d, d < D, 0.0) + best * side, d < D)


@triton.jit
def dual_kernel(
    form, low, high, normal, level, weight, value, size, R, D, H, sf, rf, BLOCK: tl.constexpr
):  # fmt: skip
    b, r = (tl.program_id(0) // R).to(tl.int64), (tl.program_id(0) % R).to(tl.int64)
    total = tl.zeros((BLOCK,), dtype=value.dtype.element_ty)
    wide = tl.zeros((BLOCK,), dtype=value.dtype.element_ty)
    for first in range(0, D, BLOCK):
        d = first + tl.arange(0, BLOCK)
        joint = tl.load(form + b * sf + r * rf + d, d < D, 0.0)
        mass = tl.abs(joint)
        for h in range(0, H):
            w = tl.load(weight + (b * R + r) * H + h)
            n = tl.load(normal + (b * H + h) * D + d, d < D, 0.0)
            joint += w * n
            mass += w * tl.abs(n)
        l, u = tl.load(low + b * D + d, d < D, 0.0), tl.load(high + b * D + d, d < D, 0.0)  # noqa: E741
        x = tl.where(joint > 0.0, l, u)
        total += tl.where((d < D) & (joint != 0.0), joint * x, 0.0)
        wide += tl.where((d < D) & (mass != 0.0), mass * tl.maximum(tl.abs(l), tl.abs(u)), 0.0)
    least, reach = tl.sum(total, 0), tl.sum(wide, 0)
    for h in range(0, H):
        w, away = tl.load(weight + (b * R + r) * H + h), tl.load(level + b * H + h)
        least -= w * away
        reach += w * tl.abs(away)
    tl.store(value + b * R + r, least)
    tl.store(size + b * R + r, reach)


@triton.jit
def reach_kernel(
    form, below, above, weight, found, S, D, M,
    MANY: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """One candidate and one row: all its weights, at one read of the forms."""
    p, s = (tl.program_id(0) // S).to(tl.int64), (tl.program_id(0) % S).to(tl.int64)
    m = tl.arange(0, MANY)
    w = tl.load(weight + (p * S + s) * M + m, m < M, 0.0)[:, None]
    total = tl.zeros((MANY, BLOCK), dtype=found.dtype.element_ty)
    for first in range(0, D, BLOCK):
        d = first + tl.arange(0, BLOCK)
        own = tl.load(form + (p * S + s) * D + d, d < D, 0.0)[None, :]
        low = tl.load(below + p * D + d, d < D, 0.0)[None, :]
        high = tl.load(above + p * D + d, d < D, 0.0)[None, :]
        total += tl.abs(own + tl.maximum(w, 0.0) * low + tl.minimum(w, 0.0) * high)
    tl.store(found + (p * S + s) * M + m, tl.sum(total, 1), m < M)


@triton.jit
def children_kernel(
    low, high, marks, which, neuron, point, hit, lower, upper, marked, P, N, sl, sh, sm,
    MARKS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    child = tl.program_id(0).to(tl.int64)
    p = child % P
    n = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    b, cut = tl.load(which + p), tl.load(point + p)
    here = (n == tl.load(neuron + p)) & (tl.load(hit + p) != 0)
    l, u = tl.load(low + b * sl + n, n < N, 0.0), tl.load(high + b * sh + n, n < N, 0.0)  # noqa: E741
    tl.store(lower + child * N + n, tl.where(here & (child >= P), cut, l), n < N)
    tl.store(upper + child * N + n, tl.where(here & (child < P), cut, u), n < N)
    if MARKS:
        was = tl.load(marks + b * sm + n, n < N, 0)
        tl.store(marked + child * N + n, tl.where(here, 1, was).to(was.dtype), n < N)


@triton.jit
def gained(a, c, before):
    """The gain, at least 0 and at most MOST; what is no number counts 0."""
    g = a * (c - before)
    return tl.where(g > 0.0, tl.minimum(g, MOST), 0.0)


@tuned
@triton.jit
def free_kernel(
    a, k, c, l, u, cut, table, lower, upper,  # noqa: E741
    B, S, N, sa, ra, sk, rk, sc, rc, sx, sy, sp,
    p: tl.constexpr, steepest: tl.constexpr, reach: tl.constexpr,
    ROWS_KEY, COLUMNS_KEY,
    CODE: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip  # noqa: E741
    b, s, has, start, end = place(S, N, ROWS, COLUMNS)
    rows = s[:, None]
    for first in range(start, end, COLUMNS):
        n = first + tl.arange(0, COLUMNS)
        m = n < end
        both = has[:, None] & m[None, :]
        mine = tl.load(a + b * sa + rows * ra + n[None, :], both, 0.0)
        slope = tl.load(k + b * sk + rows * rk + n[None, :], both, 0.0)
        before = tl.load(c + b * sc + rows * rc + n[None, :], both, 0.0)
        at_l, at_u = tl.load(l + b * sx + n, m, 0.0)[None, :], tl.load(u + b * sy + n, m, 0.0)[None, :]
        at_p = tl.load(cut + b * sp + n, m, 0.0)[None, :]
        side = tl.where(mine < 0.0, -1.0, 1.0).to(mine.dtype)
        out = (b * S + rows) * N + n[None, :]
        c_low, _ = conjugate(slope, at_l, at_p, side, p, table, steepest, reach, CODE)
        tl.store(lower + out, gained(mine, c_low, before), both)
        c_high, _ = conjugate(slope, at_p, at_u, side, p, table, steepest, reach, CODE)
        tl.store(upper + out, gained(mine, c_high, before), both)
