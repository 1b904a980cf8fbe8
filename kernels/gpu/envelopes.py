"""Triton kernel of the lines of least area of S-shaped functions; see `kernels.torch.envelopes`."""

from __future__ import annotations

import triton
import triton.language as tl

from genbab.kernels.gpu.conjugates import SIGMOID, point, value
from genbab.kernels.torch import envelopes

ROUNDS = tl.constexpr(envelopes.ROUNDS)


@triton.jit
def slope_at(f, CODE: tl.constexpr):
    """f' where the function is f."""
    if CODE == SIGMOID:
        return f * (1.0 - f)
    else:
        return (1.0 - f) * (1.0 + f)


@triton.jit
def tie(near, far, at_near, at_far, s, CODE: tl.constexpr):
    """(slope, touching point) of the line from (far, f(far)) that touches f between near and 0.

    s: -1.0 on the concave half, else 1.0.
    """
    apart = near != far
    chord = (at_far - at_near) / tl.where(apart, far - near, 1.0)
    slope, touch = tl.where(apart, chord, slope_at(at_near, CODE)), near
    most = tl.maximum(tl.minimum(s * far, 0.0), s * near)
    for _ in range(ROUNDS):
        touch = s * tl.minimum(tl.maximum(s * point(slope, s, slope, 1.0, 1.0, CODE), s * near), most)
        away = far != touch
        step = (at_far - value(touch, 0.0, CODE)) / tl.where(away, far - touch, 1.0)
        slope = tl.where(away & (step == step), step, slope)
    return slope, touch


@triton.jit
def envelope_kernel(low, high, lower, upper, lows, highs, N, CODE: tl.constexpr, BLOCK: tl.constexpr):
    """Slopes lower and upper, spans lows and highs of N boxes."""
    n = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    m = n < N
    l, u = tl.load(low + n, m, 0.0), tl.load(high + n, m, 0.0)  # noqa: E741
    at_l, at_u, middle = value(l, 0.0, CODE), value(u, 0.0, CODE), l * 0.5 + u * 0.5
    inner = slope_at(value(middle, 0.0, CODE), CODE)
    first, last = slope_at(at_l, CODE), slope_at(at_u, CODE)
    peak = slope_at(value(l * 0.0, 0.0, CODE), CODE)
    most, least = tl.where((l < 0.0) & (u > 0.0), peak, tl.maximum(first, last)), tl.minimum(first, last)
    one = l * 0.0 + 1.0
    slope, touch = tie(l, u, at_l, at_u, one, CODE)
    best = tl.where((u <= 0.0) | (middle <= touch), inner, slope)
    tl.store(lower + n, tl.minimum(tl.maximum(best, least), most), m)
    reach = tl.abs(tl.where(u <= 0.0, last, slope) - first)
    tl.store(lows + n, tl.where(touch == l, 0.0, reach), m)
    slope, touch = tie(u, l, at_u, at_l, -one, CODE)
    best = tl.where((l >= 0.0) | (middle >= touch), inner, slope)
    tl.store(upper + n, tl.minimum(tl.maximum(best, least), most), m)
    reach = tl.abs(tl.where(l >= 0.0, first, slope) - last)
    tl.store(highs + n, tl.where(touch == u, 0.0, reach), m)
