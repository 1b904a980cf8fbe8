"""Triton kernels of the planes of softmax; see `kernels.torch.softmax`.

A program works on a block of groups.
"""

from __future__ import annotations

import triton
import triton.language as tl

from genbab.kernels.gpu.conjugates import SIGMOID, conjugate
from genbab.kernels.torch import softmax

LOW, HIGH = tl.constexpr(softmax.LOW), tl.constexpr(softmax.HIGH)
START, SLOPE, TOP = tl.constexpr(softmax.START), tl.constexpr(softmax.SLOPE), tl.constexpr(softmax.TOP)
KNOWN, LEAST, MOST = tl.constexpr(softmax.KNOWN), tl.constexpr(softmax.LEAST), tl.constexpr(softmax.MOST)
STEEPEST = tl.constexpr(softmax.STEEPEST)
S_LOW, S_HIGH = tl.constexpr(softmax.S_LOW), tl.constexpr(softmax.S_HIGH)
USABLE, FIXED, DOWN = tl.constexpr(softmax.USABLE), tl.constexpr(softmax.FIXED), tl.constexpr(softmax.DOWN)
CERTAIN = tl.constexpr(softmax.CERTAIN)


@triton.jit
def entries(K, G, GROUPS: tl.constexpr, WIDE: tl.constexpr):
    """(groups of this program, columns, places of their entries in a row, which exist)."""
    g = tl.program_id(1) * GROUPS + tl.arange(0, GROUPS)
    k = tl.arange(0, WIDE)
    return g, k, g[:, None] * K + k[None, :], (g < G)[:, None] & (k < K)[None, :]


@triton.jit
def pairs(slopes, b, g, k, K, G, sg):
    """Slopes of differences (groups, j, k); 0 outside."""
    j, across = k[None, :, None], k[None, None, :]
    group = g[:, None, None].to(tl.int64)
    there = (group < G) & (j < K) & (across < K)
    return tl.load(slopes + b * sg + (group * K + j) * K + across, there, 0.0)


@triton.jit
def powers(x, m, k, FLOOR: tl.constexpr):
    """(x - the group's largest, its power, the sum of the other powers); 0 outside."""
    masked = tl.where(m, x, float("-inf"))
    top = tl.max(masked, 1)[:, None]
    d = tl.where(m, x - top, 0.0)
    power = tl.where(m, tl.exp(d), 0.0)
    largest = k[None, :] == tl.argmax(masked, 1)[:, None]
    alone = tl.sum(tl.where(largest, 0.0, power), 1)[:, None]
    rest = tl.where(largest, alone, tl.sum(power, 1)[:, None] - power)
    return d, power, tl.maximum(rest, FLOOR)


@triton.jit
def critical_of(a, low, high, m, k, K):
    """(c, its entry, (groups, 1) each): ranks are counted instead of sorting."""
    key = tl.where(a == a, a, float("inf"))  # NaN comes last
    one, other = key[:, :, None], key[:, None, :]
    j, across = k[None, :, None], k[None, None, :]
    before = ((one < other) | ((one == other) & (j <= across))) & m[:, :, None]
    rank = tl.sum(before.to(tl.int32), 1) - 1
    room = tl.sum(tl.where(before, (high - low)[:, :, None], 0.0), 1)
    left = 1.0 - tl.sum(tl.where(m, low, 0.0), 1)[:, None]
    place = tl.sum(((room < left) & m).to(tl.int32), 1)[:, None]
    mine = (rank == tl.minimum(place, K - 1)) & m
    return tl.sum(tl.where(mine, a, 0.0), 1)[:, None], tl.sum(tl.where(mine, k[None, :], 0), 1)[:, None]


@triton.jit
def under_chords(of, x, low_end, slope, known, m, rf, FLOOR: tl.constexpr):
    """(value, slope, slope per power of another entry) below: each power under the chord of its interval."""
    line = tl.load(of + rf * START, m, 0.0) + slope * (x - low_end)
    chords = tl.maximum(tl.sum(tl.where(m, line, 0.0), 1)[:, None], FLOOR)
    raised = tl.exp(x - tl.load(of + rf * TOP, m, 0.0))
    own = tl.where(known & (raised >= FLOOR), raised / chords, 0.0)
    return tl.where(known, own, tl.load(of + rf * LEAST, m, 0.0)), own, own / chords


@triton.jit
def steepness(power, rest, known, most):
    """The slope of the logistic function at the entry, at most `most`; 0 where nothing certain is known."""
    total = power + rest
    steep = tl.where(power > rest, power / total * (rest / total), 0.25)
    return tl.where(known & (rest > power * CERTAIN), tl.minimum(steep, most), 0.0)


@triton.jit
def store_planes(out, size, form, x, upper, value, own, cross, power, m):
    """Write what `SoftmaxPlanes` holds, one after the other."""
    tl.store(out, form, m)
    tl.store(out + size, x, m)
    tl.store(out + 2 * size, tl.where(upper, 1.0, 0.0).to(x.dtype), m)
    tl.store(out + 3 * size, value, m)
    tl.store(out + 4 * size, own, m)
    tl.store(out + 5 * size, cross, m)
    tl.store(out + 6 * size, power, m)


@triton.jit
def planes_kernel(
    a, at, facts, slopes, made, parts, critical, B, S, N, K, G, sa, ra, st, rt, sf, rf, sg,
    APART: tl.constexpr, FLOOR: tl.constexpr, GROUPS: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """made (7, B, S, N), parts (B, S, G) of the bias; sf, rf: steps to a domain's and to a kind's facts."""
    row = tl.program_id(0).to(tl.int64)
    b, s = row // S, row % S
    g, k, n, m = entries(K, G, GROUPS, WIDE)
    of = facts + b * sf + n
    mine, given = tl.load(a + b * sa + s * ra + n, m, 0.0), tl.load(at + b * st + s * rt + n, m, 0.0)
    low_end, high_end = tl.load(of + rf * LOW, m, 0.0), tl.load(of + rf * HIGH, m, 0.0)
    x = tl.minimum(tl.maximum(tl.where(given == given, given, 0.0), low_end), high_end)
    slope, known = tl.load(of + rf * SLOPE, m, 0.0), tl.load(of + rf * KNOWN, m, 0.0) != 0.0
    low, low_own, low_cross = under_chords(of, x, low_end, slope, known, m, rf, FLOOR)
    d, power, rest = powers(x, m, k, FLOOR)
    if APART:
        apart = pairs(slopes, b, g, k, K, G, sg)
        fixed, down = tl.load(of + rf * FIXED, m, 0.0), tl.load(of + rf * DOWN, m, 0.0)
        inverse = 1.0 + fixed + tl.sum(apart * d[:, :, None], 1) - down * d
        value = 1.0 / tl.maximum(inverse, 1.0)
        better = (tl.load(of + rf * USABLE, m, 0.0) != 0.0) & (value > low)
        low, low_own = tl.where(better, value, low), tl.where(better, 0.0, low_own)
        low_cross = tl.where(better, value * value, low_cross)
    steep = steepness(power, rest, known, tl.load(of + rf * STEEPEST, m, 0.0))
    ends = tl.load(of + rf * S_LOW, m, 0.0), tl.load(of + rf * S_HIGH, m, 0.0)
    c, _ = conjugate(steep, ends[0], ends[1], 0.0 * steep - 1.0, 0.0, made, 1.0, 1.0, SIGMOID)
    high = tl.where(known, c + steep * (d - tl.log(rest)), tl.load(of + rf * MOST, m, 0.0))
    least, which = critical_of(mine, low, high, m, k, K)
    w = tl.where(m, mine - least, 0.0)
    upper = w < 0.0
    value = tl.where(upper, high, low)
    own = tl.where(upper, steep * (1.0 + power / rest), low_own)
    cross = tl.where(upper, steep / rest, low_cross)
    taken, paired = w * cross, (own == 0.0) & (w >= 0.0)
    form = w * own - power * tl.sum(tl.where(upper, taken, 0.0), 1)[:, None]
    form -= slope * tl.sum(tl.where(upper | paired, 0.0, taken), 1)[:, None]
    if APART:
        across = tl.where(paired, taken, 0.0)
        form += down * across - tl.sum(apart * across[:, None, :], 2)
    store_planes(made + row * N + n, (B * S).to(tl.int64) * N, form, x, upper, value, own, cross, power, m)
    groups = row * G + g[:, None]
    sums = least + tl.sum(tl.where(m, w * value - form * x, 0.0), 1)[:, None]
    tl.store(parts + groups, sums, g[:, None] < G)
    tl.store(critical + groups, which.to(tl.int64), g[:, None] < G)


@triton.jit
def values_kernel(
    x, side, value, own, cross, power, v, facts, slopes, critical, y, B, S, N, K, G, sv, rv, sf, rf, sg,
    APART: tl.constexpr, GROUPS: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """`softmax_values`; x to power and y are contiguous."""
    row = tl.program_id(0).to(tl.int64)
    b, s = row // S, row % S
    g, k, n, m = entries(K, G, GROUPS, WIDE)
    of, at = facts + b * sf + n, row * N + n
    delta = tl.where(m, tl.load(v + b * sv + s * rv + n, m, 0.0) - tl.load(x + at, m, 0.0), 0.0)
    upper, slope = tl.load(side + at, m, 0.0) != 0.0, tl.load(own + at, m, 0.0)
    over = tl.sum(tl.load(power + at, m, 0.0) * delta, 1)[:, None]
    under = tl.sum(tl.load(of + rf * SLOPE, m, 0.0) * delta, 1)[:, None]
    among = tl.where(upper, over, under)
    if APART:
        mixed = tl.sum(pairs(slopes, b, g, k, K, G, sg) * delta[:, :, None], 1)
        mixed -= tl.load(of + rf * DOWN, m, 0.0) * delta
        among = tl.where((slope == 0.0) & (upper == 0), mixed, among)
    found = tl.load(value + at, m, 0.0) + slope * delta - tl.load(cross + at, m, 0.0) * among
    groups = row * G + g[:, None]
    last = k[None, :] == tl.load(critical + groups, g[:, None] < G, 0)
    others = tl.sum(tl.where(last | (m == 0), 0.0, found), 1)[:, None]
    tl.store(y + at, tl.where(last, 1.0 - others, found), m)
