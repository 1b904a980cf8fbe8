"""Making a table: the best points on a grid of intervals, and how to read between them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from genbab.kernels.torch.splitting import FIRST_STOP, MIDDLE
from genbab.lut.areas import at, best, remaining
from genbab.lut.facts import TabledFunction, fingerprint, probes
from genbab.lut.table import ABOVE, BELOW, BOTH, MOST_STOPS, WHOLE, Table, beside

_ROWS, _CENTRES, _PARTS = 29, 5, 1
_MORE_ROWS, _MORE_CENTRES, _MORE_PARTS = 41, 6, 2
_OCTAVES = 24
_PROBED = (-1.5, -0.3, -0.1, 0.1, 0.3, 1.5)
_MOVED = 0.004
_QUICK = ((0.5, 0.5), (0.15, 0.8), (0.85, 0.2))
_CAREFUL = (
    *((0.49, 0.49), (0.51, 0.49), (0.51, 0.51)),
    *((up, across) for up in (0.04, 0.49, 0.96) for across in (0.04, 0.51, 0.96)),
)
"""Where in a cell, as shares of its (height, length), its rules are tried."""
_WORSE = 1.0
_TURNS = 3.0
"""Periods that the widest interval of a periodic function's table has."""
_AWAY = 1e-3
_NEAR = 6
"""So many kinks, those nearest to an interval's middle, are tried as points."""
_DUST = 1e-6
_PREFERRED = (4e-4, 5e-4, 6e-4, 7e-4, 7e-4, 7e-4, 7e-4)
"""Of rules that are as good, stops come first, then those that come first."""
_FAR, _CLOSE = 1e4, 0.002


class TooSlow(Exception):
    """The table could not be made in the time there was."""


def build(fn: TabledFunction, limit: float | None = None) -> Table:
    """The table of a function; raises `TooSlow` once it has computed for `limit` seconds.

    Without a limit it is made more carefully.
    """
    quick = limit is not None
    rows, most, parts = (_ROWS, _CENTRES, _PARTS) if quick else (_MORE_ROWS, _MORE_CENTRES, _MORE_PARTS)
    (centres, reach), places = _centres(fn, most), _places(parts)
    maker = _Maker(fn, centres, _stops(fn), _until(limit))
    first, last = _range(maker)
    step = (last - first) / (rows - 1)
    heights = first + step * torch.arange(rows, dtype=torch.float64)
    data = (_filled(maker.grid(heights, places).points()) * WHOLE).round().clamp(1, WHOLE - 1)
    rules = _rules(maker, heights, places, data / WHOLE, _QUICK if quick else _CAREFUL)
    return Table(
        name=str(fn),
        fingerprint=fingerprint(fn),
        centres=centres,
        places=places,
        first=first,
        step=step,
        reach=reach,
        data=data.to(torch.int16),
        rules=rules,
        stops=maker.stops,
        breaks=torch.tensor(_aims(fn), dtype=torch.float64),
        period=fn.period,
        domain=fn.domain,
        probe=probes(fn, centres)[1],
    )


def _until(limit: float | None) -> Callable[[], None]:
    end = math.inf if limit is None else time.thread_time() + limit

    def proceed() -> None:
        if time.thread_time() > end:
            raise TooSlow

    return proceed


def _one_period(fn: TabledFunction) -> list[float]:
    return [b for b in fn.breaks if not fn.period or b < fn.breaks[0] + fn.period]


def _aims(fn: TabledFunction) -> list[float]:
    """The breaks of one period that points are put on exactly: all but jumps."""
    jumps = {end for low, high, _, _ in fn.jumps for end in (low, high)}
    return [b for b in _one_period(fn) if b not in jumps]


def _centres(fn: TabledFunction, most: int) -> tuple[Tensor, float]:
    """Where something happens: breaks, finite ends of the domain; else turns of the curvature; else 0.

    Of more than `most` places those nearest to 0 are kept, and of two very close ones the first. Also
    returned is how far from 0 the first one is that was not kept: beyond it nothing is known.
    """
    places = [*_one_period(fn)]
    if not fn.period:
        places += [end for end in fn.domain if abs(end) < _FAR]
    places = sorted({*(places or fn.turns or [0.0])}, key=abs)[: 4 * most]
    kept: list[float] = []
    for place in places:
        if all(abs(place - other) > _CLOSE * abs(places[-1] - other) for other in kept):
            kept.append(place)
    reach = abs(kept[most]) if len(kept) > most else math.inf
    return torch.tensor(sorted(kept[:most]), dtype=torch.float64), reach


def _places(parts: int) -> Tensor:
    """z of the grid: even where the centre is inside the interval, then further and further apart."""
    near = 0.02 + 0.04 * torch.arange(14 * parts + 1, dtype=torch.float64) / parts
    far = near[-1] * 1.3 ** torch.arange(1, 16, dtype=torch.float64)
    half = torch.cat([near, far])
    return torch.cat([-half.flip(0), half])


def _box(fn: TabledFunction, centre: Tensor, width: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
    """(l, u) of intervals, moved into the domain."""
    unit = width.clamp_max(fn.period) if fn.period else width
    low, high = fn.domain
    width = width.clamp_max((high - low) * (1.0 - 2.0 * _AWAY))
    middle = centre + z * unit
    least, most = low + (0.5 + _AWAY) * width, high - (0.5 + _AWAY) * width
    middle = torch.minimum(torch.maximum(middle, least), most)
    return middle - 0.5 * width, middle + 0.5 * width


@dataclass(frozen=True)
class _Grid:
    """The areas left on the intervals of each (centre, width, z), M in all, for the three objectives.

    even (M, PARTS - 1) each, own (M, K) each; stops (M, K), as numbers in the table and as shares.
    """

    shape: torch.Size
    even: list[Tensor]
    own: list[Tensor]
    numbers: Tensor
    shares: Tensor

    def points(self) -> Tensor:
        """The best points (C, W, Z, 3); NaN where nothing is to be gained."""
        found = [best(even, own, self.shares) for even, own in zip(self.even, self.own, strict=True)]
        return torch.stack([point.reshape(self.shape) for point in found], -1)


@dataclass(frozen=True)
class _Maker:
    """What is needed to fill a grid."""

    fn: TabledFunction
    centres: Tensor
    stops: Tensor
    proceed: Callable[[], None]

    def grid(self, heights: Tensor, z: Tensor, numbers: Tensor | None = None) -> _Grid:
        """The areas; `numbers` (M, K) of stops to try, those nearest to the middles if None."""
        parts = torch.meshgrid(self.centres, 2.0**heights, z, indexing="ij")
        l, u = _box(self.fn, *(part.reshape(-1) for part in parts))  # noqa: E741
        if numbers is None:
            distance = (self.stops[:, 0] - (0.5 * l + 0.5 * u)[:, None]).abs()
            numbers = distance.topk(min(_NEAR, len(self.stops)), largest=False).indices
        stops = beside(self.stops[numbers], torch.zeros((), dtype=torch.float64))
        even, own = remaining(self.fn, l, u, stops, self.proceed)
        below, above = zip(even, own, strict=True)
        both = [a + b for a, b in zip(below, above, strict=True)]
        found = {BELOW: below, ABOVE: above, BOTH: both}
        shares = ((stops - l[:, None]) / (u - l)[:, None]).clamp(0.0, 1.0)
        order = range(len(found))
        return _Grid(
            parts[0].shape, [found[i][0] for i in order], [found[i][1] for i in order], numbers, shares
        )


def _stops(fn: TabledFunction) -> Tensor:
    """The stops (K, 2) of a function, as `beside` reads them.

    Kinks, of a periodic function those that an interval of the table can reach, each with 0; for jumps with
    -1 and 1, which mean the numbers beside them.

    Both parts of an interval contain the point between them, so a jump is in one of the two, and the
    objective says in which.
    """
    ends = {end for low, high, _, _ in fn.jumps for end in (low, high)}
    kinks = [k for k in fn.kinks if not fn.period or k < fn.breaks[0] + fn.period]
    turns = range(-2, 4) if fn.period else (0,)
    found = [(k + t * fn.period, s) for k in kinks for t in turns for s in ((-1, 1) if k in ends else (0,))]
    return torch.tensor(sorted(found)[:MOST_STOPS], dtype=torch.float64).reshape(-1, 2)


def _range(maker: _Maker) -> tuple[float, float]:
    """log2 of the (least, largest) width of the table: beyond them best points do not move any more."""
    heights = torch.arange(-_OCTAVES, _OCTAVES + 1, dtype=torch.float64)
    z = torch.tensor(_PROBED, dtype=torch.float64)
    points = maker.grid(heights, z).points().flatten(2)
    moved = (points[:, 1:] - points[:, :-1]).abs()
    active = (torch.nan_to_num(moved) > _MOVED).any(-1).any(0).nonzero().squeeze(1)
    first, last = (int(active[0]), int(active[-1]) + 1) if len(active) else (_OCTAVES - 4, _OCTAVES + 4)
    low, high = float(heights[max(first - 1, 0)]), float(heights[min(last + 1, len(heights) - 1)])
    if maker.fn.period:
        high = math.log2(_TURNS * maker.fn.period)
        low = min(low, high - 6.0)
    return low, max(high, low + 4.0)


def _filled(points: Tensor) -> Tensor:
    """(C, W, Z, 3) with the nearest known entry of the row (then of the column) where nothing is to gain."""
    for dim in (2, 1):
        points = points.movedim(dim, 0).clone()
        count = len(points)
        index = torch.arange(count).reshape(-1, *[1] * (points.dim() - 1))
        known = ~torch.isnan(points)
        before = torch.where(known, index, -10 * count).cummax(0).values
        after = torch.where(known, index, 10 * count).flip(0).cummin(0).values.flip(0)
        nearest = torch.where(index - before <= after - index, before, after)
        filled = points.gather(0, nearest.clamp(0, count - 1))
        points = filled.movedim(0, dim)
    return torch.nan_to_num(points, nan=0.5)


def _rules(
    maker: _Maker, heights: Tensor, z: Tensor, data: Tensor, inside: tuple[tuple[float, float], ...]
) -> Tensor:
    """How to read each cell, (C, W - 1, Z - 1, 3); see `Table`.

    The way that leaves least area at some points of it and is nowhere worse than the middle.
    """
    corners = [d for row in (data[:, :-1], data[:, 1:]) for d in (row[:, :, :-1], row[:, :, 1:])]
    numbers, ratios = None, []
    reached = torch.zeros((), dtype=torch.bool)
    for up, across in inside:
        a, b, c, d = corners
        smooth = torch.lerp(torch.lerp(a, b, across), torch.lerp(c, d, across), up)
        nearest = corners[2 * int(up >= 0.5) + int(across >= 0.5)]
        ways = torch.stack([smooth, nearest, torch.full_like(smooth, 0.5), *corners], -1)
        inner = torch.lerp(heights[:-1], heights[1:], up), torch.lerp(z[:-1], z[1:], across)
        grid = maker.grid(*inner, numbers)
        numbers = grid.numbers
        found = []
        for i, (even, own) in enumerate(zip(grid.even, grid.own, strict=True)):
            area = at(even, ways[..., i, :].flatten(0, 2))
            reached = reached | ~torch.isnan(own)
            own = torch.where(torch.isnan(own), area[:, :1], own)
            found.append(torch.cat([area, own], 1) + _DUST)
        stacked = torch.stack(found, 1)
        ratios.append(torch.nan_to_num(stacked / stacked[..., MIDDLE, None], nan=1.0))
    assert numbers is not None
    tried = torch.stack(ratios)
    cost = tried.mean(0).masked_fill(tried.amax(0) > _WORSE, torch.inf)
    cost[..., FIRST_STOP:] = cost[..., FIRST_STOP:].masked_fill(~reached[:, None], torch.inf)
    way = (cost + torch.tensor([*_PREFERRED, *[0.0] * numbers.shape[1]])).argmin(-1)
    if numbers.shape[1]:
        stop = FIRST_STOP + numbers.gather(1, (way - FIRST_STOP).clamp_min(0))
        way = torch.where(way < FIRST_STOP, way, stop)
    return way.reshape(corners[0].shape).to(torch.uint8)
