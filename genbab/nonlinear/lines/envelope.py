"""Good slopes on a box: the line of least area, the natural range of slopes, and how far these reach.

Lines below f on a box that no other line beats have the slopes of its convex envelope, from one end of the
box to the other; for an upper line of a convex function that is the chord alone, and moving its slope can
only lose. Their spread is the natural step of a slope, per side.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from genbab.nonlinear.facts.record import Nonlinearity
from genbab.nonlinear.facts.shape import Shape, kink_slopes, shape
from genbab.nonlinear.lines.box import Box, make_box
from genbab.nonlinear.lines.lean import Searcher

_ROUNDS = 5
_STEEP = 1e3
_NONE = 1e29

Pair = tuple[Tensor, Tensor]


def slope_range(fn: Nonlinearity, l: Tensor, u: Tensor) -> Pair:  # noqa: E741
    """(least, largest) derivative of fn on [l, u], finite: the natural scale of a slope there; like l.

    Cut at 1000 times the usual slope, as the derivative may be infinite at an end, but not below the slopes
    at breaks inside. A jump inside counts as the slope from it to an end, cut likewise.
    """
    return range_of(Searcher(make_box(fn, l.detach(), u.detach())))


def range_of(searcher: Searcher) -> Pair:
    """`slope_range` of a box that is ready for the search."""
    box = searcher.box
    fn, l, u = box.fn, box.l, box.u  # noqa: E741
    slopes, natural = [fn.derivative(l), fn.derivative(u)], torch.zeros_like(l)
    for place in fn.breaks:
        turn = torch.ceil((l - place) / fn.period) * fn.period if fn.period else torch.zeros_like(l)
        at = torch.minimum(torch.maximum(place + turn, l), u)
        inside = (l < place + turn) & (place + turn < u)
        sides = [(fn.derivative(at), inside)]
        if place in fn.kinks:  # at an end only the slope on the box's side of it counts
            left, right = kink_slopes(fn, place)
            sides = [(torch.full_like(l, left), inside | ((l < u) & (u == place + turn)))]
            sides.append((torch.full_like(l, right), inside | ((l < u) & (l == place + turn))))
        for side, inside in sides:
            slopes.append(torch.where(inside, side, slopes[0]))
            natural = torch.maximum(natural, slopes[-1].abs().nan_to_num(0.0, 0.0, 0.0) * inside)
    for (at, value), (other, its) in _across(box):
        slopes.append(((value - its) / (at - other)).nan_to_num(0.0, 0.0, 0.0))
    steepest = torch.maximum(_steepest(searcher), natural)
    stacked = torch.stack(slopes).nan_to_num(0.0, torch.inf, -torch.inf)
    low = torch.minimum(torch.maximum(stacked.amin(0), -steepest), steepest)
    high = torch.minimum(torch.maximum(stacked.amax(0), -steepest), steepest)
    return low.nan_to_num(0.0, 0.0, 0.0), high.nan_to_num(0.0, 0.0, 0.0)


def _steepest(searcher: Searcher) -> Tensor:
    """What counts as too steep: far beyond chord and slopes at the quarters; no limit where those are 0."""
    box = searcher.box
    if not box.fn.jumps and not any(math.isfinite(end) for end in box.fn.domain):
        return torch.full_like(box.l, torch.finfo(box.l.dtype).max)
    usual = searcher.chord.abs()
    for part in (0.25, 0.5, 0.75):
        inner = box.fn.derivative(torch.lerp(box.l, box.u, part)).abs().nan_to_num(0.0, 0.0, 0.0)
        usual = torch.maximum(usual, inner)
    return torch.where(usual > 0, _STEEP * usual, torch.finfo(usual.dtype).max)


def _across(box: Box) -> list[tuple[Pair, Pair]]:
    """Pairs (limit at a jump, end of the box)."""
    return [(point, end) for point in box.points for end in box.ends] if box.fn.jumps else []


def default_slopes(fn: Nonlinearity, l: Tensor, u: Tensor) -> Pair:  # noqa: E741
    """(k_lower, k_upper): slopes of the convex and the concave envelope of fn on [l, u] at the midpoint.

    The lines of these slopes leave the least area. Same shape as l, always finite; 0 where the box is
    undefined.
    """
    searcher = Searcher(make_box(fn, l.detach(), u.detach()))
    return defaults_of(searcher, range_of(searcher))


def defaults_of(searcher: Searcher, slopes: Pair) -> Pair:
    """`default_slopes` of a box that is ready for the search; slopes: its `range_of`."""
    box, kind = searcher.box, shape(searcher.box.fn)
    middle = 0.5 * box.l + 0.5 * box.u
    at_middle = box.fn.derivative(middle)
    if kind in (Shape.CONVEX, Shape.CONCAVE):
        lower, upper = (at_middle, searcher.chord) if kind is Shape.CONVEX else (searcher.chord, at_middle)
    elif kind is Shape.S:
        lower, upper = _s_shaped(searcher, middle, at_middle)
    else:
        lower, upper = _general(searcher, middle, at_middle)
    low, high = slopes
    results = []
    for slope in (lower, upper):
        slope = torch.minimum(torch.maximum(slope.nan_to_num(0.0), low), high)
        results.append(slope if box.undefined is None else slope.masked_fill(box.undefined, 0.0))
    return results[0], results[1]


def _s_shaped(searcher: Searcher, middle: Tensor, at_middle: Tensor) -> Pair:
    """The tangent at the midpoint if that lies between the near end and the tie point, else the tie line."""
    rising = searcher.box.fn.curvature[0] == 1
    slopes = []
    for (tie, touch), left_half in zip(searcher.ties, (rising, not rising), strict=True):
        tangent = (middle <= touch) if left_half else (middle >= touch)
        slopes.append(torch.where(tangent | (tie.abs() > 1e29), at_middle, tie))
    return slopes[0], slopes[1]


def _general(searcher: Searcher, middle: Tensor, at_middle: Tensor) -> Pair:
    """Close in on the envelope's piece over the midpoint from both sides (cutting planes on its slope).

    A line touches the function at x*(k), left or right of the midpoint, and replaces that side's point; the
    next slope is that of the chord between the two points. Of all slopes tried, the tangent's among them, the
    one best at the midpoint stays; as no line is above the function there, what the search thinks it found
    above is cut off, and a tangent that supports the function is never given up.
    """
    both = (2, *middle.shape)
    upper = torch.zeros(both, dtype=middle.dtype, device=middle.device)
    upper[1] = 1.0
    sign = 1.0 - 2.0 * upper
    (a, fa), (b, fb) = ((x.expand(both), fx.expand(both)) for x, fx in searcher.box.ends)
    best = at_middle.nan_to_num(0.0, 0.0, 0.0).expand(both)
    most = sign * searcher.box.fn.value(middle).nan_to_num(torch.inf, torch.inf, -torch.inf)
    height = (sign * (searcher.intercept(best, upper)[0] + best * middle)).minimum(most)
    for _ in range(_ROUNDS):
        slope = torch.where(b > a, (fb - fa) / (b - a), best).nan_to_num(0.0, 0.0, 0.0)
        c, x = searcher.intercept(slope, upper)
        value, left = c + slope * x, x < middle
        a, fa = torch.where(left, x, a), torch.where(left, value, fa)
        b, fb = torch.where(left, b, x), torch.where(left, fb, value)
        reached = (sign * (c + slope * middle)).minimum(most)
        better = reached > height
        best, height = torch.where(better, slope, best), torch.where(better, reached, height)
    return best[0], best[1]


def slope_spans(fn: Nonlinearity, l: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:  # noqa: E741
    """(lower, upper): width of the range of the convex (concave) envelope's slopes on [l, u]; finite, >= 0.

    Exact for convex, concave and S-shaped functions; otherwise the width of the range of the derivative.
    """
    searcher = Searcher(make_box(fn, l.detach(), u.detach()))
    return spans_of(searcher, range_of(searcher))


def spans_of(searcher: Searcher, slopes: Pair) -> Pair:
    """`slope_spans` of a box that is ready for the search; slopes: its `range_of`."""
    fn, (low, high) = searcher.box.fn, slopes
    whole, none = high - low, torch.zeros_like(low)
    kind = shape(fn)
    if kind is Shape.CONVEX:
        return whole, none
    if kind is Shape.CONCAVE:
        return none, whole
    if kind is not Shape.S:
        return whole, whole
    at_l, at_u = fn.derivative(searcher.box.l), fn.derivative(searcher.box.u)
    rising = fn.curvature[0] == 1
    spans = []
    for (tie, touch), left_half in zip(searcher.ties, (rising, not rising), strict=True):
        near, far, end = (at_l, at_u, searcher.box.l) if left_half else (at_u, at_l, searcher.box.u)
        last = torch.where(tie.abs() > _NONE, far, tie)
        spans.append(torch.where(touch == end, none, (last - near).abs()).nan_to_num(0.0, 0.0, 0.0))
    return spans[0], spans[1]
