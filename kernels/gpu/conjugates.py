"""Box conjugates inside Triton kernels; see `genbab.kernels.torch.conjugates` for the definition.

Elementwise on blocks: k slopes, l <= u the box (as given: infinite ends are dealt with here), s = -1.0 on the
upper side, else 1.0. NaN slopes give NaN intercepts.
"""

from __future__ import annotations

import triton
import triton.language as tl

from genbab.kernels.functions import CUBIC, POINTS, SCALE, SMALLEST, Code

RELU = tl.constexpr(Code.RELU.value)
LEAKY = tl.constexpr(Code.LEAKY_RELU.value)
SIGMOID = tl.constexpr(Code.SIGMOID.value)
TANH = tl.constexpr(Code.TANH.value)
SIN = tl.constexpr(Code.SIN.value)
COS = tl.constexpr(Code.COS.value)
EXP = tl.constexpr(Code.EXP.value)
RECIPROCAL = tl.constexpr(Code.RECIPROCAL.value)
SQUARE = tl.constexpr(Code.SQUARE.value)
SOFTPLUS = tl.constexpr(Code.SOFTPLUS.value)
GELU = tl.constexpr(Code.GELU.value)
GELU_TANH = tl.constexpr(Code.GELU_TANH.value)
SILU = tl.constexpr(Code.SILU.value)

TINY = tl.constexpr(1e-36)
LEAST = tl.constexpr(SMALLEST)
ENTRIES = tl.constexpr(POINTS)
TURN = tl.constexpr(6.283185307179586)
QUARTER_TURN = tl.constexpr(1.5707963267948966)
HALF_TURN = tl.constexpr(3.141592653589793)
ROOT_HALF = tl.constexpr(0.7071067811865476)
DOUBLE = tl.constexpr(2.0 * SCALE)
CUBE = tl.constexpr(CUBIC)


@triton.jit
def logistic(x):
    """1/(1 + exp(-x))."""
    return 1.0 / (1.0 + tl.exp(-x))


@triton.jit
def arccos(k):
    """Abramowitz & Stegun 4.4.46, then a Newton step where the slope of the cosine allows one."""
    size = tl.minimum(tl.abs(k), 1.0)
    p = size * -0.0012624911 + 0.0066700901
    p = p * size - 0.0170881256
    p = p * size + 0.0308918810
    p = p * size - 0.0501743046
    p = p * size + 0.0889789874
    p = p * size - 0.2145988016
    p = p * size + 1.5707963050
    angle = tl.sqrt(1.0 - size) * p
    sine = tl.sin(angle)
    angle += tl.where(sine > 1e-3, (tl.cos(angle) - size) / tl.where(sine > 1e-3, sine, 1.0), 0.0)
    return tl.where(k < 0.0, HALF_TURN - angle, angle)


@triton.jit
def value(x, p: tl.constexpr, CODE: tl.constexpr):
    """f(x); p: the function's parameter."""
    if CODE == RELU:
        return tl.maximum(x, 0.0)
    elif CODE == LEAKY:
        return tl.where(x > 0.0, x, p * x)
    elif CODE == SIN:
        return tl.sin(x)
    elif CODE == COS:
        return tl.cos(x)
    elif CODE == RECIPROCAL:
        return 1.0 / x
    elif CODE == SQUARE:
        return x * x
    elif CODE == GELU:
        return 0.5 * x * (1.0 + tl.erf(x * ROOT_HALF))
    elif CODE == GELU_TANH:
        return x * logistic(x * DOUBLE * (1.0 + x * x * CUBE))
    elif CODE == SILU:
        return x * logistic(x)
    else:
        return exponential_value(x, CODE)


@triton.jit
def exponential_value(x, CODE: tl.constexpr):
    """f(x) of a function made of exponentials."""
    if CODE == SIGMOID:
        return logistic(x)
    elif CODE == TANH:
        return 2.0 * logistic(2.0 * x) - 1.0
    elif CODE == EXP:
        return tl.exp(x)
    elif CODE == SOFTPLUS:
        return tl.maximum(x, 0.0) + tl.log(1.0 + tl.exp(-tl.abs(x)))
    else:
        tl.static_assert(False, "no value of this function")


@triton.jit
def gated_point(k, s, table, steepest: tl.constexpr, reach: tl.constexpr):
    """Of gelu and its like; table: the convex entries, then those of the tail."""
    distance, most = tl.abs(k - 0.5), steepest - 0.5
    excess = tl.minimum(tl.maximum((distance - 0.5) / (steepest - 1.0), LEAST), 1.0)
    outer = tl.sqrt(tl.maximum(-tl.log(excess), 0.0)) / reach
    inner = tl.sqrt(tl.maximum(most - distance, 0.0) / most)
    place = tl.where(s < 0.0, outer, inner) * (ENTRIES - 1.0)
    place = tl.minimum(tl.maximum(place, 0.0), ENTRIES - 1.0)
    cell = tl.maximum(tl.minimum(place.to(tl.int32), ENTRIES - 2), 0)  # a NaN must not lead outside
    entry = tl.where(s < 0.0, cell + ENTRIES, cell)
    left, right = tl.load(table + entry), tl.load(table + entry + 1)
    x = left + (place - cell.to(k.dtype)) * (right - left)
    return tl.where(k < 0.5, -x, x)


@triton.jit
def point(k, s, table, steepest: tl.constexpr, reach: tl.constexpr, CODE: tl.constexpr):
    """The kink, or the point of slope k on the part of f that is convex (upper: concave), in any period."""
    if CODE == RELU or CODE == LEAKY:
        return 0.0 * k
    elif CODE == SIN:
        return -s * arccos(k)
    elif CODE == COS:
        return -s * arccos(k) - QUARTER_TURN
    elif CODE == RECIPROCAL:
        return s / tl.sqrt(tl.maximum(-k, TINY))
    elif CODE == SQUARE:
        return 0.5 * k
    elif CODE == GELU or CODE == GELU_TANH or CODE == SILU:
        return gated_point(k, s, table, steepest, reach)
    else:
        return exponential_point(k, s, CODE)


@triton.jit
def exponential_point(k, s, CODE: tl.constexpr):
    """The point of slope k of a function made of exponentials."""
    if CODE == SIGMOID:
        inside = tl.minimum(tl.maximum(k, TINY), 0.24999997)
        rest = 0.5 + tl.sqrt(0.25 - inside)
        return s * tl.log(inside / (rest * rest))
    elif CODE == TANH:
        inside = tl.minimum(tl.maximum(k, TINY), 0.9999999)
        rest = 1.0 + tl.sqrt(1.0 - inside)
        return s * 0.5 * tl.log(inside / (rest * rest))
    elif CODE == EXP:
        return tl.log(tl.maximum(k, TINY))
    elif CODE == SOFTPLUS:
        inside = tl.minimum(tl.maximum(k, TINY), 0.9999999)
        return tl.log(inside / (1.0 - inside))
    else:
        tl.static_assert(False, "no point of given slope of this function")


@triton.jit
def improved(best, where, g, x):
    """The better of (best, where) and (g, x), the smaller one."""
    return tl.where(g < best, g, best), tl.where(g < best, x, where)


@triton.jit
def finite(x):
    """NaN and infinities differ from themselves."""
    return (x - x) == 0.0


@triton.jit
def conjugate(
    k,
    l,  # noqa: E741
    u,
    s,
    p: tl.constexpr,
    table,
    steepest: tl.constexpr,
    reach: tl.constexpr,
    CODE: tl.constexpr,  # noqa: E741
):
    """(c, x*) of a function of one argument."""
    known = finite(l) & finite(u)
    l, u = tl.where(known, l, 1.0), tl.where(known, u, 1.0)  # noqa: E741
    none = known == 0
    fl, fu = value(l, p, CODE), value(u, p, CODE)
    if CODE == RECIPROCAL:
        hit = (l <= 0.0) & (u >= 0.0)
        side = tl.where(s < 0.0, u, -l)
        none = none | (hit & (side > 0.0)) | ((l == 0.0) & (u == 0.0))
        fl, fu = tl.where(l == 0.0, s * float("inf"), fl), tl.where(u == 0.0, s * float("inf"), fu)
    best, where = s * (fl - k * l), l + 0.0 * s
    best, where = improved(best, where, s * (fu - k * u), u + 0.0 * s)
    raw = point(k, s, table, steepest, reach, CODE)
    if CODE == SIN or CODE == COS:
        first = tl.minimum(tl.maximum(raw + TURN * tl.ceil((l - raw) / TURN), l), u)
        best, where = improved(best, where, s * (value(first, p, CODE) - k * first), first)
        raw = raw + TURN * tl.floor((u - raw) / TURN)
    x = tl.minimum(tl.maximum(raw, l), u)
    best, where = improved(best, where, s * (value(x, p, CODE) - k * x), x)
    return s * tl.where(none, float("-inf"), best), where


@triton.jit
def product_conjugate(kx, ky, lx, ux, ly, uy, s):
    """(c, x*, y*) of x·y: the best of the four corners."""
    known = finite(lx) & finite(ux) & finite(ly) & finite(uy)
    lx, ux = tl.where(known, lx, 1.0), tl.where(known, ux, 1.0)
    ly, uy = tl.where(known, ly, 1.0), tl.where(known, uy, 1.0)
    best = s * (lx * ly - kx * lx - ky * ly)
    x, y = lx + 0.0 * s, ly + 0.0 * s
    g = s * (lx * uy - kx * lx - ky * uy)
    better = g < best
    best, y = tl.where(better, g, best), tl.where(better, uy, y)
    g = s * (ux * ly - kx * ux - ky * ly)
    better = g < best
    best, x, y = tl.where(better, g, best), tl.where(better, ux, x), tl.where(better, ly, y)
    g = s * (ux * uy - kx * ux - ky * uy)
    better = g < best
    best, x, y = tl.where(better, g, best), tl.where(better, ux, x), tl.where(better, uy, y)
    return s * tl.where(known, best, float("-inf")), x, y
