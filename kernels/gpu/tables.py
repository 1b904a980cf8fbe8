"""The Triton kernel that reads branching points from a table; see `genbab.kernels.torch.splitting.points`."""

from __future__ import annotations

import triton
import triton.language as tl

from genbab.kernels.gpu.conjugates import finite
from genbab.kernels.torch import splitting

INTERPOLATE = tl.constexpr(splitting.INTERPOLATE)
NEAREST = tl.constexpr(splitting.NEAREST)
MIDDLE = tl.constexpr(splitting.MIDDLE)
CORNERS = tl.constexpr(splitting.CORNERS)
FIRST_STOP = tl.constexpr(splitting.FIRST_STOP)
SNAP = tl.constexpr(splitting.SNAP)
ON = tl.constexpr(splitting.ON)
ONE_SIDED = tl.constexpr(splitting.ONE_SIDED)
BOTTOM = tl.constexpr(-9223372036854775807)


@triton.jit
def before(ascending, first, last, x, DEPTH: tl.constexpr):
    """How many of ascending[first:last] are below x; 2**DEPTH > last - first."""
    low = tl.zeros_like(x).to(tl.int32) + first
    high = low - first + last
    for _ in range(DEPTH):
        middle = (low + high) // 2
        open_ = low < high
        below = open_ & (tl.load(ascending + middle, open_, 0.0) < x)
        low, high = tl.where(below, middle + 1, low), tl.where(open_ & (below == 0), middle, high)
    return low - first


@triton.jit
def nearest(x, ascending, COUNT: tl.constexpr, DEPTH: tl.constexpr):
    """The number of those ascending that is nearest to x; of two as near the smaller."""
    i = before(ascending, 0, COUNT, x, DEPTH)
    left = tl.load(ascending + tl.maximum(i - 1, 0))
    right = tl.load(ascending + tl.minimum(i, COUNT - 1))
    return tl.where((i == COUNT) | ((i > 0) & (x <= 0.5 * (left + right))), left, right)


@triton.jit
def beside(x, up):
    """The float64 number after (before) x."""
    bits = x.to(tl.int64, bitcast=True)
    away = (x > 0.0) == up
    step = tl.where(away, bits + 1, bits - 1)
    smallest = tl.where(up, 1, BOTTOM).to(tl.int64)
    return tl.where(x == 0.0, smallest, step).to(tl.float64, bitcast=True)


@triton.jit
def middle_of(l, u):  # noqa: E741
    """The middle; of a half-line a finite point inside, of the whole line 0."""
    point = 0.5 * l + 0.5 * u
    point = tl.where(tl.abs(u) == float("inf"), l + tl.maximum(tl.abs(l), 1.0), point)
    point = tl.where(tl.abs(l) == float("inf"), u - tl.maximum(tl.abs(u), 1.0), point)
    return tl.where(finite(point), point, 0.0)


@triton.jit
def turned(x, origin, period: tl.constexpr):
    """By how many periods x is moved, as a number."""
    if period == 0.0:
        return 0.0 * x
    else:
        return tl.floor((x - origin) / period) * period


@triton.jit
def share_of(cell, across, up):
    """The share that a cell's rule reads from its corners, and the rule."""
    a, b = tl.load(cell), tl.load(cell + 1)
    c, d = tl.load(cell + 2), tl.load(cell + 3)
    rule = tl.load(cell + 4)
    low, high = a + across * (b - a), c + across * (d - c)
    above = (rule == CORNERS + 2) | (rule == CORNERS + 3) | ((rule == NEAREST) & (up >= 0.5))
    beyond = (rule == CORNERS + 1) | (rule == CORNERS + 3) | ((rule == NEAREST) & (across >= 0.5))
    corner = tl.where(above, tl.where(beyond, d, c), tl.where(beyond, b, a))
    mixed = (rule == INTERPOLATE) | (rule >= FIRST_STOP)
    return tl.where(rule == MIDDLE, 0.5, tl.where(mixed, low + up * (high - low), corner)), rule


@triton.jit
def aimed(
    point, low, high, width, origin, aims, period: tl.constexpr, AIMS: tl.constexpr, DEPTH: tl.constexpr
):
    """The nearest of the aims, where it is near enough and inside; the point elsewhere."""
    back = turned(point, origin, period)
    goal = nearest(point - back, aims, AIMS, DEPTH) + back
    return tl.where((tl.abs(goal - point) <= width * SNAP) & (low < goal) & (goal < high), goal, point)


@triton.jit
def off_jumps(
    point, low, high, origin, jumps, period: tl.constexpr, JUMPS: tl.constexpr, DEPTH: tl.constexpr
):
    """The number beside the jump that a point lies on, towards the farther end; the point elsewhere."""
    back = turned(point, origin, period)
    jump = nearest(point - back, jumps, JUMPS, DEPTH) + back
    on = tl.abs(jump - point) <= tl.maximum(high - low, tl.abs(jump)) * ON
    return tl.where(on, beside(jump, jump - low < high - jump), point)


@triton.jit
def points_kernel(  # noqa: PLR0915
    l, u, weight, centres, between, places, cells, aims, stops, jumps, numbers, found, N,  # noqa: E741
    period: tl.constexpr, lines: tl.constexpr, CENTRES: tl.constexpr, BETWEEN: tl.constexpr,
    PLACES: tl.constexpr, AIMS: tl.constexpr, STOPS: tl.constexpr, JUMPS: tl.constexpr,
    DEPTH: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Branching points of a block of intervals."""
    i = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    m = i < N
    at_l, at_u = tl.load(l + i, m, 0.0), tl.load(u + i, m, 0.0)
    below, above = tl.load(weight + 2 * i, m, 0.0), tl.load(weight + 2 * i + 1, m, 0.0)
    aim = 1 - (below > above * ONE_SIDED).to(tl.int32) + (above > below * ONE_SIDED).to(tl.int32)
    first, step, reach = tl.load(numbers), tl.load(numbers + 1), tl.load(numbers + 2)
    origin = tl.load(centres)
    low, high = tl.maximum(at_l, tl.load(numbers + 3)), tl.minimum(at_u, tl.load(numbers + 4))
    width, centre = high - low, 0.5 * low + 0.5 * high
    known = finite(width) & (width > 0.0) & (width <= tl.load(numbers + 5)) & (tl.abs(centre) <= reach)
    known = known & (at_l == at_l) & (at_u == at_u)
    width, centre = tl.where(known, width, 1.0), tl.where(known, centre, 0.0)
    turn = turned(centre, origin, period)
    near = before(between, 0, BETWEEN, centre - turn, DEPTH)
    wrapped = (near == CENTRES).to(tl.float64) * period
    near = tl.where(near == CENTRES, 0, near)
    unit = width
    if period != 0.0:
        unit = tl.minimum(width, width * 0.0 + period)
    z = (centre - turn - (tl.load(centres + near) + wrapped)) / unit
    column = before(places, 1, PLACES - 1, z, DEPTH)
    left, right = tl.load(places + column), tl.load(places + column + 1)
    across = tl.minimum(tl.maximum((z - left) / (right - left), 0.0), 1.0)
    height = tl.minimum(tl.maximum((tl.log2(width) - first) / step, 0.0), lines * 1.0)
    line = tl.minimum(height.to(tl.int32), lines - 1)
    cell = ((near * lines + line) * (PLACES - 1) + column) * 3 + aim
    share, rule = share_of(cells + 5 * cell.to(tl.int64), across, height - line.to(tl.float64))
    point = tl.where(known, low + share * width, 0.0)
    if AIMS > 0:
        point = aimed(point, low, high, width, origin, aims, period, AIMS, DEPTH)
    if STOPS > 0:
        inside = point
        if JUMPS > 0:
            inside = off_jumps(point, low, high, origin, jumps, period, JUMPS, DEPTH)
        number = tl.maximum(rule - FIRST_STOP, 0.0).to(tl.int32)
        stop, side = tl.load(stops + 2 * number) + turn + wrapped, tl.load(stops + 2 * number + 1)
        stop = tl.where(side == 0.0, stop, beside(stop, side > 0.0))
        stopped = (rule >= FIRST_STOP) & (low < stop) & (stop < high)
        point = tl.where(stopped, stop, inside)
    good = known & (at_l < point) & (point < at_u)
    tl.store(found + i, tl.where(good, point, middle_of(at_l, at_u)), m)
