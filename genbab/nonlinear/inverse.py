"""Where the derivative of a function takes a given value, on a segment without a closed form: a table.

The table is uniform in a coordinate t of the relative slope q = (k - k0)/(k1 - k0), 2t = q**(1/4) + 1 -
(1-q)**(1/4), in which x is smooth at an inflection (x moves like a square root of q there) and finely
resolved in a tail. Nothing here has to be exact: the rigorous intercept is sound for any point, and tight for
a good one.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import torch
from torch import Tensor

from genbab.errors import UsageError
from genbab.nonlinear.record import Nonlinearity

CELLS = 8192
_FAR = 1e6
_BISECTIONS = 100
_LEAST, _MOST = 1e-30, 0.9999999  # sqrt(0) is slow in some vector libraries


def _warp(q: Tensor) -> Tensor:
    """t in [0, 1] of the relative slope q in [0, 1], in place."""
    other = torch.rsub(q, 1.0).sqrt_().sqrt_()
    return q.sqrt_().sqrt_().sub_(other).mul_(0.5).add_(0.5)


@functools.lru_cache(maxsize=256)
def slope_ends(fn: Nonlinearity, segment: int) -> tuple[float, float]:
    """Derivative at the two ends of a segment, as seen from inside; 1e6 stands for infinity.

    Raises UsageError where it is not finite: such a segment needs a closed form of `stationary`.
    """
    low, high = fn.segment(segment)
    inside = (math.nextafter(max(low, -_FAR), math.inf), math.nextafter(min(high, _FAR), -math.inf))
    first, last = fn.derivative(torch.tensor(inside, dtype=torch.float64)).tolist()
    if not (math.isfinite(first) and math.isfinite(last)):
        raise UsageError(f"nonlinearity '{fn}': the derivative is infinite at an end of segment {segment}")
    return first, last


@functools.lru_cache(maxsize=256)
def _places(fn: Nonlinearity, segment: int) -> Tensor:
    """x at t = 0, 1/CELLS, ..., 1: (CELLS + 1,) float64, by bisection; ends of the segment at the ends."""
    low, high = (max(-_FAR, min(_FAR, end)) for end in fn.segment(segment))
    first, last = slope_ends(fn, segment)
    target = torch.linspace(0.0, 1.0, CELLS + 1, dtype=torch.float64)
    left, right = torch.full_like(target, low), torch.full_like(target, high)
    for _ in range(_BISECTIONS):
        middle = 0.5 * (left + right)
        relative = ((fn.derivative(middle) - first) / (last - first)).clamp_(0.0, 1.0)
        below = _warp(relative) < target
        left, right = torch.where(below, middle, left), torch.where(below, right, middle)
    right[0], right[-1] = low, high
    return right


@functools.lru_cache(maxsize=64)
def table(fn: Nonlinearity, segments: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """The tables of several segments, one after the other: (len(segments) * (CELLS + 1),)."""
    return torch.cat([_places(fn, segment) for segment in segments]).to(device=device, dtype=dtype)


def lookup(places: Tensor, relative: Tensor, offset: Tensor | float) -> Tensor:
    """Nearest entry of `places` for relative slopes (clipped to [0, 1], overwritten); offset in cells."""
    index = _warp(relative.clamp_(_LEAST, _MOST)).mul_(CELLS).add_(offset).add_(0.5).to(torch.int32)
    return places.index_select(0, index.reshape(-1)).reshape(relative.shape)


@functools.lru_cache(maxsize=64)
def _bends(fn: Nonlinearity, segments: tuple[int, ...], device: torch.device) -> Tensor:
    """1 / (second derivative averaged over a cell), laid out as `table`; 0 where the slope is constant."""
    places = [_places(fn, segment) for segment in segments]
    slopes = [fn.derivative(x).diff() for x in places]
    bends = [(x.diff() / slope).nan_to_num_(0.0, 0.0, 0.0) for x, slope in zip(places, slopes, strict=True)]
    return torch.cat([part for bend in bends for part in (bend, bend.new_zeros(1))]).to(device)


def refine(  # noqa: PLR0913 - one lookup, described by its parts
    fn: Nonlinearity,
    segments: tuple[int, ...],
    k: Tensor,
    relative: Tensor,
    offset: Tensor | float,
    steps: int,
) -> Tensor:
    """x of the segment at `offset` with derivative near k, or its nearer end; float64, overwrites relative.

    Interpolated in the table, then Newton steps in the cell with the averaged second derivative.
    """
    places = table(fn, segments, k.dtype, k.device)
    t = _warp(relative.clamp_(_LEAST, 1.0 - 1e-16)).mul_(CELLS)
    cell = t.to(torch.int32).clamp_(0, CELLS - 1)
    inside = t.sub_(cell)
    index = (cell + offset).to(torch.int32).reshape(-1)
    left, right = (places.index_select(0, index + i).reshape(k.shape) for i in (0, 1))
    bend = _bends(fn, segments, k.device).index_select(0, index).reshape(k.shape)
    x = torch.lerp(left, right, inside)
    for _ in range(steps):
        x.addcmul_(fn.derivative(x).sub_(k), bend, value=-1.0)
        x = torch.clamp(x, left, right, out=x)
    return x


def invert(fn: Nonlinearity, segment: int, k: Tensor, steps: int = 3) -> Tensor:
    """x of the segment with derivative close to k; the nearer end where there is none. Float64 in and out."""
    first, last = slope_ends(fn, segment)
    return refine(fn, (segment,), k, (k - first) / (last - first), 0.0, steps)


def stationary_rule(fn: Nonlinearity) -> Callable[[Tensor, int], Tensor]:
    """The record's closed form, or the table."""
    if fn.stationary is not None:
        return fn.stationary
    return lambda k, segment: invert(fn, segment, k)
