"""Triton kernels of branch and bound: half-spaces, scores. See `genbab.kernels.torch.splitting`.

A program owns a row (or a candidate) and walks its inputs in blocks, so every sum has one fixed order.
"""

from __future__ import annotations

import triton
import triton.language as tl

from genbab.kernels.torch.splitting import STEPS

TRIES = tl.constexpr(STEPS)


@triton.jit
def sign(x):
    """-1, 0 or 1, in the dtype of x."""
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
    """One row of one domain: value and size at its weights."""
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
