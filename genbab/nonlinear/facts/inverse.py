"""Where the derivative of a function takes a given value, on a segment without a closed form: a table.

A table has a fixed number of entries per octave of the distance of the relative slope q = (k - k0)/(k1 - k0)
from the nearer end of [0, 1]: at an inflection x moves like a square root of that distance, in a tail like
its logarithm, along a polynomial like a root. The cell of a slope is read off the bits of that float. k0 is
the end of smaller slope; a segment whose slopes grow far to both sides of 0 is cut there. Nothing here has to
be exact: the rigorous intercept is sound for any point, and tight for a good one.
"""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

from genbab.errors import UsageError
from genbab.nonlinear.facts.record import Nonlinearity

_FAR = 1e6
_BISECTIONS = 30
_GRID, _GRID_OCTAVES = 64, 70
_OCTAVES = 80
_SHIFT = 16
_PER_OCTAVE = 1 << (23 - _SHIFT)
_FIRST = (127 - _OCTAVES) << (23 - _SHIFT)
_HALF = (_OCTAVES - 1) * _PER_OCTAVE + 1
ENTRIES = 2 * _HALF
"""Entries of the table of one segment."""

_WIDE = 16.0

Part = tuple[int, int]
"""(segment, half): half 0 is the whole segment, -1 and 1 are its points of slopes below and above 0."""

_LEAST, _MOST = 2.0**-_OCTAVES, 1.0 - 2.0**-24


def _nodes() -> Tensor:
    """The relative slopes of the entries, (ENTRIES,) float64 ascending from 0 to 1."""
    bits = (torch.arange(_HALF, dtype=torch.int32) + _FIRST) << _SHIFT
    rising = bits.view(torch.float32).double()
    rising[0] = 0.0
    return torch.cat([rising, 1.0 - rising.flip(0)])


def _entry(relative: Tensor, rounding: int) -> tuple[Tensor, Tensor]:
    """(number of octave steps from the nearer end, 1 in the upper half else 0), int32; overwrites relative.

    Relative slopes are float32 in (0, 1); `rounding` (0 or half a step) is added before the bits are cut.
    """
    upper = torch.ge(relative, 0.5)
    distance = torch.minimum(relative, torch.rsub(relative, 1.0), out=relative)
    steps = distance.view(torch.int32).add_(rounding).bitwise_right_shift_(_SHIFT).sub_(_FIRST)
    return steps, upper.to(torch.int32)


@functools.lru_cache(maxsize=256)
def slope_ends(fn: Nonlinearity, segment: int) -> tuple[float, float]:
    """Derivative at the two ends of a segment, as seen from inside; 1e6 stands for infinity.

    Raises UsageError where it is not finite: such a segment needs a closed form of `stationary`.
    """
    low, high = fn.reliable(segment)
    inside = (math.nextafter(max(low, -_FAR), math.inf), math.nextafter(min(high, _FAR), -math.inf))
    first, last = fn.derivative(torch.tensor(inside, dtype=torch.float64)).tolist()
    if not (math.isfinite(first) and math.isfinite(last)):
        raise UsageError(f"nonlinearity '{fn}': the derivative is infinite at an end of segment {segment}")
    return first, last


@functools.lru_cache(maxsize=256)
def parts(fn: Nonlinearity, segment: int) -> tuple[Part, ...]:
    """The tables of a segment, in ascending order of their slopes."""
    first, last = slope_ends(fn, segment)
    if min(first, last) < -_WIDE and max(first, last) > _WIDE:
        return (segment, -1), (segment, 1)
    return ((segment, 0),)


@functools.lru_cache(maxsize=256)
def part_ends(fn: Nonlinearity, part: Part) -> tuple[tuple[float, float], tuple[float, float]]:
    """((x, slope) at the end of smaller |slope|, (x, slope) at the other end)."""
    segment, half = part
    low, high = (max(-_FAR, min(_FAR, end)) for end in fn.reliable(segment))
    ends = sorted(zip((low, high), slope_ends(fn, segment), strict=True), key=lambda end: abs(end[1]))
    if not half:
        return ends[0], ends[1]
    far = next(end for end in ends if end[1] * half > 0)
    flat = _bisected(fn, torch.zeros(1, dtype=torch.float64), (low, high), slope_ends(fn, segment))
    return (float(flat), 0.0), far


def _bisected(
    fn: Nonlinearity, target: Tensor, places: tuple[float, float], slopes: tuple[float, float]
) -> Tensor:
    """x between two places at which the derivative takes the target slopes.

    A grid that is dense at both places and at 0 brackets it, bisection does the rest.
    """
    rising = slopes[1] > slopes[0]
    share = 2.0 ** (torch.arange(-_GRID_OCTAVES * _GRID, 0, dtype=torch.float64) / _GRID - 1.0)
    span = places[1] - places[0]
    around = torch.cat([-_FAR * share, _FAR * share])
    grid = torch.cat([places[0] + span * share, places[1] - span * share, around])
    grid = grid.clamp(min(places), max(places)).sort(descending=span < 0).values
    grid = torch.cat([grid.new_full((1,), places[0]), grid, grid.new_full((1,), places[1])])
    slope = fn.derivative(grid)
    slope[0], slope[-1] = slopes
    slope = (slope if rising else -slope).cummax(0).values
    place = torch.searchsorted(slope, target if rising else -target).clamp_(1, len(grid) - 1)
    left, right = grid[place - 1], grid[place]
    for _ in range(_BISECTIONS):
        middle = 0.5 * (left + right)
        before = (fn.derivative(middle) < target) == rising
        left, right = torch.where(before, middle, left), torch.where(before, right, middle)
    return right


@functools.lru_cache(maxsize=32)
def _places(fn: Nonlinearity, part: Part) -> Tensor:
    """x at the entries, from the end of smaller |slope| to the other: (ENTRIES,) float64."""
    (near, slope), (far, steepest) = part_ends(fn, part)
    target = slope + (steepest - slope) * _nodes()
    x = _bisected(fn, target, (near, far), (slope, steepest))
    x[0], x[-1] = near, far
    return x


@functools.lru_cache(maxsize=32)
def table(fn: Nonlinearity, found: tuple[Part, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """The tables of several parts, one after the other: (len(found) * ENTRIES,)."""
    return torch.cat([_places(fn, part) for part in found]).to(device=device, dtype=dtype)


def lookup(places: Tensor, relative: Tensor, offset: Tensor | float) -> Tensor:
    """Nearest entry of `places` for relative slopes (clipped to [0, 1], overwritten); offset in entries."""
    inside = relative.clamp_(_LEAST, _MOST).to(torch.float32)
    steps, upper = _entry(inside, 1 << (_SHIFT - 1))
    index = torch.addcmul(steps, upper, torch.rsub(steps, ENTRIES - 1).sub_(steps))
    if isinstance(offset, Tensor) or offset:
        index = index + offset
    return places.index_select(0, index.to(torch.int32).reshape(-1)).reshape(relative.shape)


@functools.lru_cache(maxsize=32)
def _bends(fn: Nonlinearity, found: tuple[Part, ...], device: torch.device) -> Tensor:
    """1 / (second derivative averaged over a cell), laid out as `table`; 0 where the slope is constant."""
    places = [_places(fn, part) for part in found]
    slopes = [fn.derivative(x).diff() for x in places]
    bends = [(x.diff() / slope).nan_to_num_(0.0, 0.0, 0.0) for x, slope in zip(places, slopes, strict=True)]
    return torch.cat([part for bend in bends for part in (bend, bend.new_zeros(1))]).to(device)


@functools.cache
def _node_table(device: torch.device) -> Tensor:
    return _nodes().to(device)


def refine(
    fn: Nonlinearity,
    found: tuple[Part, ...],
    k: Tensor,
    relative: Tensor,
    offset: Tensor | float,
    steps: int,
) -> Tensor:
    """x of the part at `offset` with derivative near k, or its nearer end; float64, overwrites relative.

    Interpolated in the table, then Newton steps in the cell with the averaged second derivative.
    """
    places, nodes = table(fn, found, k.dtype, k.device), _node_table(k.device)
    q = relative.clamp_(_LEAST, 1.0)
    number, upper = _entry(q.clamp(_LEAST, _MOST).to(torch.float32), 0)
    cell = torch.addcmul(number, upper, torch.rsub(number, ENTRIES - 2).sub_(number)).clamp_(0, ENTRIES - 2)
    inside = cell.reshape(-1)
    below, above = (nodes.index_select(0, inside + i).reshape(k.shape) for i in (0, 1))
    share = ((q - below) / (above - below)).nan_to_num_(0.0).clamp_(0.0, 1.0)
    index = (cell + offset).to(torch.int32).reshape(-1)
    left, right = (places.index_select(0, index + i).reshape(k.shape) for i in (0, 1))
    bend = _bends(fn, found, k.device).index_select(0, index).reshape(k.shape)
    x = torch.lerp(left, right, share)
    low, high = torch.minimum(left, right), torch.maximum(left, right)
    for _ in range(steps):
        x.addcmul_(fn.derivative(x).sub_(k), bend, value=-1.0)
        x = torch.clamp(x, low, high, out=x)
    return x
