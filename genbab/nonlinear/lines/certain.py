"""Rigorous intercepts in float64.

On a convex piece [p, q] and for any point x of it, g = f - k*x satisfies
    g >= g(x) + min(0, g'(x)*(p - x), g'(x)*(q - x)),
so the bound is sound however badly x was found, and tight where g'(x) = 0. Rounding of the derivative is
covered there, the rest once, at the end: a computed candidate errs by a few eps of |f| + |k*x| <= |g| +
2|k|X, X = max(|l|, |u|).

Everything is computed as a lower bound of sign*f with slope sign*k, sign = -1 for the upper side.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from genbab.nonlinear.facts.record import Nonlinearity
from genbab.nonlinear.lines import lookup
from genbab.nonlinear.lines.blending import Side, blend, blend_infinite, common_shape, less
from genbab.nonlinear.lines.box import Box

_EPS = torch.finfo(torch.float64).eps
_TINY = torch.finfo(torch.float64).tiny
_NEGLIGIBLE_SCALE = 1e-100
_STEEP = 1e300

Piece = tuple[Tensor, Tensor, Tensor]
"""(point, left end, right end) of the part of a segment inside the box"""


@functools.lru_cache(maxsize=256)
def _slots(fn: Nonlinearity) -> tuple[tuple[int | None, int | None], ...]:
    """Pairs (convex segment, concave segment): an element needs the one of its side only."""
    convex, concave = list(fn.segments(1)), list(fn.segments(-1))
    count = max(len(convex), len(concave))
    padded: list[list[int | None]] = [[*found, *[None] * (count - len(found))] for found in (convex, concave)]
    return tuple(zip(*padded, strict=True))


def _clip(x: Tensor, low: Tensor, high: Tensor) -> Tensor:
    return torch.clamp(x, low, high)


def _part(box: Box, segment: int) -> tuple[Tensor, Tensor]:
    """Ends of a segment, clipped to the box."""
    low, high = box.fn.segment(segment)
    return box.u.clamp(max=low).maximum(box.l), box.l.clamp(min=high).minimum(box.u)


def _inside(box: Box, segment: int, x: Tensor) -> Tensor:
    """x moved to where the box and the segment meet, off the segment's kinks."""
    low, high = box.fn.reliable(segment)
    return _clip(x, box.l.clamp(min=low).minimum(box.u), box.u.clamp(max=high).maximum(box.l))


def _closed(box: Box, slot: tuple[int | None, int | None], k: Tensor, side: Side) -> Piece:
    """For every element the point of slope k on the segment of its side."""
    rule = box.fn.stationary
    assert rule is not None
    found = []
    for segment in slot:
        if segment is None:
            found.append((box.l, box.l, box.l))
        else:
            found.append((_inside(box, segment, rule(k, segment)), *_part(box, segment)))
    if isinstance(side, bool):
        x, p, q = found[1] if side else found[0]
        return x.expand_as(k), p, q
    lower, upper = ([part.expand_as(k) for part in piece] for piece in found)
    x, p, q = (torch.lerp(a, b, side) for a, b in zip(lower, upper, strict=True))
    return x, p, q


def _tabled(box: Box, slot: lookup.Slot, k: Tensor, side: Side) -> Piece:
    """The same from the table, of the one segment of the slot that can hold slope k."""
    base, steps = lookup.route(slot, k, side)
    x = lookup.refined(box.fn, slot, k, side)

    def piece(segment: int) -> Piece:
        p, q = _part(box, segment)
        return _inside(box, segment, x), p.expand_as(k), q.expand_as(k)

    at, p, q = piece(base.segment)
    for mask, _, after in steps:
        at, p, q = (torch.lerp(a, b, mask) for a, b in zip((at, p, q), piece(after.segment), strict=True))
    return at, p, q


def _periodic(box: Box, k: Tensor, side: Side) -> list[Tensor]:
    """First and last translate of the stationary point in the box: g falls by a constant per period."""
    fn = box.fn
    points: list[Tensor] = []
    if fn.stationary is None:
        return points
    for slot in _slots(fn):
        x = [box.l.expand_as(k) if segment is None else fn.stationary(k, segment) for segment in slot]
        start = blend(x[0], x[1], side)
        for turns in (torch.ceil((box.l - start) / fn.period), torch.floor((box.u - start) / fn.period)):
            points.append(_clip(start + fn.period * turns, box.l, box.u))
    return points


def _pieces(box: Box, k: Tensor, side: Side) -> list[Piece]:
    if box.fn.stationary is None:
        found = []
        for slot in lookup.slots(box.fn):
            box.ask()  # a function met for the first time has tables made here
            found.append(_tabled(box, slot, k, side))
        return found
    return [_closed(box, slot, k, side) for slot in _slots(box.fn)]


def _drop(box: Box, derivative: Tensor, steep: Tensor, piece: Piece) -> Tensor:
    """How far g can fall below its value at the point: at most to the lower end of a tangent.

    The derivative may be wrong by its noise, to either side.
    """
    x, p, q = piece
    fn, derivative = box.fn, derivative.clamp(-_STEEP, _STEEP)
    room = derivative.abs().add_(1.0).mul_((2.0 * fn.noise + 4.0) * _EPS)
    room.add_(steep.abs(), alpha=4.0 * _EPS)
    if fn.drift[1]:
        room.add_(torch.maximum(box.l.abs(), box.u.abs()), alpha=2.0 * _EPS * fn.drift[1])
    slope = derivative.sub_(steep)
    falls = (p - x).mul_((slope + room).clamp_(-_STEEP, _STEEP))
    return torch.minimum(falls, (q - x).mul_(slope.sub_(room).clamp_(-_STEEP, _STEEP))).clamp_max_(0.0)


def _lowest(box: Box, k: Tensor, sign: Tensor | float, side: Side) -> tuple[Tensor, Tensor]:
    """(lower bound of sign*(f - k*x) before rounding slack, where it is)."""
    fn, steep = box.fn, sign * k
    pairs = [(place, sign * value - steep * place) for place, value in (*box.ends, *box.points)]
    if fn.period:
        pairs += [(x, sign * fn.value(x) - steep * x) for x in _periodic(box, k, side)]
    else:
        for piece in _pieces(box, k, side):
            x = piece[0]
            drop = _drop(box, sign * fn.derivative(x), steep, piece)
            pairs.append((x, (sign * fn.value(x)).addcmul_(steep, x, value=-1.0).add_(drop)))
    place, best = pairs[0]
    where = place.expand_as(best).clone()
    for place, g in pairs[1:]:
        where.lerp_(place.expand_as(g), less(g, best))
        best = torch.minimum(best, g)
    return best, where


def _slack(box: Box, k: Tensor, best: Tensor) -> Tensor:
    """Bound of all rounding errors in `_lowest`, and of those in `best - slack`."""
    reach = torch.maximum(box.l.abs(), box.u.abs())
    noise = box.fn.noise
    fixed = torch.full_like(reach, _TINY)
    if noise:
        fixed += 2.0 * noise * _EPS
    if box.fn.drift[0]:
        fixed += 2.0 * _EPS * box.fn.drift[0] * reach
    if box.bulge is not None:
        fixed += box.bulge
    if box.fn.period:
        fixed += (16.0 * _EPS * (1.0 + reach)) ** 2
    return k.abs().mul_(2.0 * reach).add_(best.abs()).mul_((16.0 + 2.0 * noise) * _EPS).add_(fixed)


def plain(box: Box, k: Tensor, side: Side) -> tuple[Tensor, Tensor]:
    """(bound, x*): a lower bound of sign*(f - k*x) on the box, k of full shape; -inf where nothing holds."""
    best, x = _lowest(box, k, _sign(side), side)
    bound = best - _slack(box, k, best)
    bound.nan_to_num_(-torch.inf, torch.inf, -torch.inf)
    if box.undefined is not None:
        bound = torch.where(box.undefined, _outer(box, k, side), bound)
    return bound, x


def _outer(box: Box, k: Tensor, side: Side) -> Tensor:
    """The same bound where the facts end: from the range of the function alone."""
    if box.outer is None:
        return torch.full_like(k, -torch.inf)
    sign = _sign(side)
    least = blend_infinite(box.outer[0], -box.outer[1], side)
    steep = sign * k
    rise = torch.maximum(steep * box.given_l, steep * box.given_u)
    rise = torch.where(k == 0, 0.0, rise + 4.0 * _EPS * rise.abs() + _TINY)
    bound = least - rise
    return (bound - 4.0 * _EPS * bound.abs()).nan_to_num(-torch.inf, torch.inf, -torch.inf)


def _sign(side: Side) -> Tensor | float:
    if isinstance(side, bool):
        return -1.0 if side else 1.0
    return torch.rsub(side, 1.0, alpha=2.0)


def intercept(box: Box, k: Tensor, side: Side, scale: Tensor | None) -> tuple[Tensor, Tensor]:
    """(bound, x*) as `plain`, for scale*f: the bound at slope k/scale, times |scale|.

    The side flips where scale < 0. All in float64; side is a bool or a mask of 0.0 and 1.0.
    """
    if scale is None:
        return plain(box, k, side)
    shape = common_shape(k.shape, scale.shape)
    k, small = k.expand(shape), scale.abs() < _NEGLIGIBLE_SCALE
    size = torch.where(small, 1.0, scale.abs())
    negative = (scale < 0).to(k.dtype)
    flipped = (1.0 - negative if side else negative) if isinstance(side, bool) else (side - negative).abs()
    signed = torch.where(scale < 0, -size, size)
    bound, x = plain(box, torch.where(small, 0.0, k) / signed, flipped.expand(shape))
    bound = size * bound
    reach = torch.maximum(box.l.abs(), box.u.abs())
    bound = bound - (4.0 * _EPS * (bound.abs() + k.abs() * reach) + _TINY)
    bound = bound.nan_to_num(-torch.inf, torch.inf, -torch.inf)
    if not bool(small.any()):
        return bound, x
    flat, place = _flat(box, k, scale, side)
    return torch.where(small, flat, bound), torch.where(small, place, x)


def _flat(box: Box, k: Tensor, scale: Tensor, side: Side) -> tuple[Tensor, Tensor]:
    """Bound for a scale so small that scale*f is enclosed by its largest size."""
    zero, sign = torch.zeros_like(box.l), _sign(side)
    size = torch.maximum(plain(box, zero, False)[0].abs(), plain(box, zero, True)[0].abs())
    at_l, at_u = -sign * k * box.l, -sign * k * box.u
    best = torch.minimum(at_l, at_u)
    bound = best - 8.0 * _EPS * best.abs() - torch.where(scale == 0, 0.0, scale.abs() * size) - _TINY
    bound = bound.nan_to_num(-torch.inf, torch.inf, -torch.inf)
    if box.undefined is not None:
        bound = torch.where(box.undefined, -torch.inf, bound)
    return bound, torch.where(at_u < at_l, box.u, box.l)
