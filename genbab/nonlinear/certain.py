"""Rigorous intercepts in float64.

On a convex piece [p, q] and for any point x of it, g = f - k*x satisfies
    g >= g(x) + min(0, g'(x)*(p - x), g'(x)*(q - x)),
so the bound is sound however badly x was found, and tight where g'(x) = 0. Rounding is covered once, at the
end: a computed candidate errs by a few eps of |f| + |k*x| <= |g| + 2|k|X, X = max(|l|, |u|), and the
derivative by a few eps times the width.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from genbab.nonlinear.box import Box
from genbab.nonlinear.inverse import stationary_rule
from genbab.nonlinear.record import Nonlinearity
from genbab.nonlinear.rounding import common_shape

_EPS = torch.finfo(torch.float64).eps
_TINY = torch.finfo(torch.float64).tiny
_NEGLIGIBLE_SCALE = 1e-100

Side = Tensor | bool


def _select(upper: Side, if_upper: Tensor, if_lower: Tensor) -> Tensor:
    if isinstance(upper, bool):
        return if_upper if upper else if_lower
    return torch.where(upper, if_upper, if_lower)


def _product(a: Tensor, b: Tensor) -> Tensor:
    """a*b with 0 wherever b is 0, also for infinite a."""
    return torch.where(b == 0, 0.0, a * b)


@functools.lru_cache(maxsize=256)
def _slots(fn: Nonlinearity) -> tuple[tuple[int | None, int | None], ...]:
    """Pairs (convex segment, concave segment): an element needs the one of its side only."""
    convex, concave = fn.segments(1), fn.segments(-1)
    count = max(len(convex), len(concave))
    pad: list[tuple[int | None, ...]] = [
        (*found, *(None for _ in range(count - len(found)))) for found in (convex, concave)
    ]
    return tuple(zip(*pad, strict=True))


def _of_sides(
    box: Box, slot: tuple[int | None, int | None], k: Tensor, upper: Side
) -> tuple[Tensor, Tensor, Tensor]:
    """Stationary points for the segments of a slot, and the parts [p, q] of the segments in the box."""
    rule = stationary_rule(box.fn)
    found = []
    for segment in slot:
        if segment is None:
            found.append((box.l.expand_as(k), box.l, box.l))
            continue
        low, high = box.fn.segment(segment)
        at_low, at_high = (end.new_tensor(b) for end, b in ((box.l, low), (box.l, high)))
        p = torch.minimum(torch.maximum(at_low, box.l), box.u)
        q = torch.minimum(torch.maximum(at_high, box.l), box.u)
        found.append((rule(k, segment), p, q))
    (x, p, q), (x_up, p_up, q_up) = found
    x, p, q = _select(upper, x_up, x), _select(upper, p_up, p), _select(upper, q_up, q)
    return torch.minimum(torch.maximum(x, p), q), p, q


def _periodic(box: Box, k: Tensor, upper: Side) -> list[Tensor]:
    """First and last translate of the stationary point in the box: g falls by a constant per period."""
    fn = box.fn
    rule = stationary_rule(fn)
    points = []
    for convex, concave in _slots(fn):
        x = [box.l.expand_as(k) if segment is None else rule(k, segment) for segment in (convex, concave)]
        x0 = _select(upper, x[1], x[0])
        for turns in (torch.ceil((box.l - x0) / fn.period), torch.floor((box.u - x0) / fn.period)):
            points.append(torch.minimum(torch.maximum(x0 + fn.period * turns, box.l), box.u))
    return points


def _lowest(box: Box, k: Tensor, sign: Tensor, upper: Side) -> tuple[Tensor, Tensor]:
    """(lower bound of sign*(f - k*x) before rounding slack, where it is)."""
    fn = box.fn
    pairs = [(place, sign * value - sign * k * place) for place, value in (*box.ends, *box.points)]
    if fn.period:
        pairs += [(x, sign * fn.value(x) - sign * k * x) for x in _periodic(box, k, upper)]
    else:
        for slot in _slots(fn):
            x, p, q = _of_sides(box, slot, k, upper)
            slope = sign * fn.derivative(x) - sign * k
            drop = torch.minimum(_product(slope, p - x), _product(slope, q - x)).clamp_max(0.0)
            pairs.append((x, sign * fn.value(x) - sign * k * x + drop))
    x, best = pairs[0]
    for place, g in pairs[1:]:
        x, best = torch.where(g < best, place, x), torch.minimum(best, g)
    return best, x


def _slack(box: Box, k: Tensor, best: Tensor) -> Tensor:
    """Bound of all rounding errors in `_lowest`, and of those in `best - slack`."""
    reach = torch.maximum(box.l.abs(), box.u.abs())
    noise = box.fn.noise
    slack = (16.0 + 2.0 * noise) * _EPS * (best.abs() + 2.0 * k.abs() * reach) + _TINY
    if noise:
        slack = slack + 2.0 * noise * _EPS * (1.0 + (box.u - box.l))
    if box.fn.period:
        slack = slack + (16.0 * _EPS * (1.0 + reach)) ** 2
    return slack


def plain(box: Box, k: Tensor, upper: Side) -> tuple[Tensor, Tensor]:
    """(c, x*) for the function itself; see `Prepared.intercept`."""
    one = k.new_tensor(1.0)
    sign = _select(upper, -one, one)
    best, x = _lowest(box, k, sign, upper)
    c = best - _slack(box, k, best)
    c = torch.where(torch.isnan(c), -torch.inf, c)
    if box.undefined is not None:
        c = torch.where(box.undefined, -torch.inf, c)
    return sign * c, x.nan_to_num()


def intercept(box: Box, k: Tensor, upper: Side, scale: Tensor | None) -> tuple[Tensor, Tensor]:
    """(c, x*) for scale*f: the plain intercept at slope k/scale, times scale; its side flips where scale <
    0."""
    if scale is None:
        return plain(box, k, upper)
    small = scale.abs() < _NEGLIGIBLE_SCALE
    divisor = torch.where(small, 1.0, scale)
    side = (scale < 0) ^ upper
    shape = common_shape(k.shape, scale.shape, box.l.shape)
    c, x = plain(box, (torch.where(small, 0.0, k) / divisor).expand(shape), side.expand(shape))
    c = divisor * c
    one = k.new_tensor(1.0)
    sign = _select(upper, -one, one)
    c = c - sign * (4.0 * _EPS * (c.abs() + k.abs() * torch.maximum(box.l.abs(), box.u.abs())) + _TINY)
    c = torch.where(torch.isnan(c), -sign * torch.inf, c)
    if not bool(small.any()):
        return c, x
    flat, place = _flat(box, k, scale, upper)
    return torch.where(small, flat, c), torch.where(small, place, x)


def _flat(box: Box, k: Tensor, scale: Tensor, upper: Side) -> tuple[Tensor, Tensor]:
    """Intercept for a scale so small that scale*f is enclosed by its largest size."""
    one = k.new_tensor(1.0)
    sign = _select(upper, -one, one)
    zero = torch.zeros_like(box.l)
    low, high = plain(box, zero, False)[0], plain(box, zero, True)[0]
    size = torch.where(scale == 0, 0.0, scale.abs() * torch.maximum(low.abs(), high.abs()))
    at_l, at_u = -sign * k * box.l, -sign * k * box.u
    best = torch.minimum(at_l, at_u)
    c = best - 8.0 * _EPS * best.abs() - size - _TINY
    if box.undefined is not None:
        c = torch.where(box.undefined, -torch.inf, c)
    return sign * torch.where(torch.isnan(c), -torch.inf, c), torch.where(at_u < at_l, box.u, box.l)
