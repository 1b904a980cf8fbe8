"""Good planes for functions of two arguments: default slopes and their natural range."""

from __future__ import annotations

import torch

from genbab.nonlinear.lines.envelope import default_slopes, slope_range
from genbab.nonlinear.lines.interval import interval
from genbab.nonlinear.lines.product import Bivariate, Gate, Pair, Prepared2, Product, prepare2


def slope_range2(fn: Bivariate, x: Pair, y: Pair) -> tuple[Pair, Pair]:
    """((least, largest) df/dx, (least, largest) df/dy) on the box; finite."""
    largest = torch.finfo(x[0].dtype).max
    if isinstance(fn, Product):
        ranges = y, x
    else:
        low, high = slope_range(fn.g, *y)
        corners = torch.stack([a * b for a in x for b in (low, high)])
        ranges = interval(fn.g, *y), (corners.amin(0), corners.amax(0))
    (a, b), (c, d) = ((end.nan_to_num(0.0).clamp(-largest, largest) for end in pair) for pair in ranges)
    return (a, b), (c, d)


def default_slopes2(fn: Bivariate, x: Pair, y: Pair) -> tuple[Pair, Pair]:
    """((kx, ky) of a good lower plane, (kx, ky) of a good upper plane) on the box; finite.

    x*y: the average of the two McCormick planes of a side, of the same volume as each. x*g(y): of four planes
    (least squares through the corners, tangent at the centre, two with a line of least area of g) the one
    that leaves the least volume: measured 3 to 9 % more than the best plane leaves, on average, over six
    functions.
    """
    x, y = _finite(x), _finite(y)
    if isinstance(fn, Product):
        slopes = 0.5 * y[0] + 0.5 * y[1], 0.5 * x[0] + 0.5 * x[1]
        return slopes, slopes
    prepared = prepare2(fn, x, y)
    return _least_volume(prepared, fn, upper=False), _least_volume(prepared, fn, upper=True)


def _finite(ends: Pair) -> Pair:
    lower, upper = (
        torch.where(torch.isfinite(ends[0]) & torch.isfinite(ends[1]), end.detach(), 0.0) for end in ends
    )
    return lower, upper


def _candidates(fn: Gate, x: Pair, y: Pair, upper: bool) -> list[Pair]:
    g = fn.g
    middle_x, middle_y = 0.5 * x[0] + 0.5 * x[1], 0.5 * y[0] + 0.5 * y[1]
    at_l, at_u, centre = (g.value(place) for place in (y[0], y[1], middle_y))
    tangent = g.derivative(middle_y)
    chord = torch.where(y[1] > y[0], (at_u - at_l) / (y[1] - y[0]), tangent)
    lower_line, upper_line = default_slopes(g, *y)
    line = torch.where((middle_x > 0) ^ upper, lower_line, upper_line)
    corners = 0.5 * at_l + 0.5 * at_u
    pairs = [(corners, chord), (centre, tangent), (corners, line), (centre, line)]
    return [(kx.nan_to_num(0.0, 0.0, 0.0), (middle_x * ky).nan_to_num(0.0, 0.0, 0.0)) for kx, ky in pairs]


def _least_volume(prepared: Prepared2, fn: Gate, upper: bool) -> Pair:
    """The candidate whose plane is highest (upper: lowest) at the centre.

    Volume is that height times the area.
    """
    middle_x, middle_y = (0.5 * ends[0] + 0.5 * ends[1] for ends in (prepared.x, prepared.y))
    found = []
    for kx, ky in _candidates(fn, prepared.x, prepared.y, upper):
        height = prepared.intercept(kx, ky, upper, rigorous=False)[0] + kx * middle_x + ky * middle_y
        found.append((-height if upper else height, kx, ky))
    best, best_x, best_y = found[0]
    for height, kx, ky in found[1:]:
        better = height > best
        best = torch.where(better, height, best)
        best_x, best_y = torch.where(better, kx, best_x), torch.where(better, ky, best_y)
    return best_x, best_y
