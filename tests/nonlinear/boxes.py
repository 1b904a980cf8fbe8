"""Boxes, slopes and dense samples for the tests that run over the whole registry."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from genbab.nonlinear import Nonlinearity, default_slopes, functions, slope_range

FUNCTIONS = functions()
DTYPES = (torch.float64, torch.float32)
SAMPLES = 301


def _inside(fn: Nonlinearity, x: Tensor) -> Tensor:
    low, high = fn.domain
    return x.clamp(max(low, -1e300), min(high, 1e300))


def _special(fn: Nonlinearity) -> list[tuple[float, float]]:
    """Degenerate, tiny, huge and far boxes, and boxes that touch or straddle every break."""
    boxes = [(0.0, 0.0), (1.0, 1.0), (0.0, 1e-30), (1.0, 1.0 + 1e-12), (-1e-310, 1e-310), (-1e6, 1e6)]
    boxes += [(-50.0, 1.0), (-1.0, 50.0), (1e5, 1e5 + 10.0), (999990.0, 1e6), (-100.0, -99.0), (0.0, 1e4)]
    for place in fn.breaks or (0.0,):
        after, before = math.nextafter(place, math.inf), math.nextafter(place, -math.inf)
        boxes += [(place, place), (place, place + 1.0), (place - 1.0, place), (before, after)]
        boxes += [(place - 1e-3, place + 2.0), (place - 2.0, place + 1e-3), (after, place + 1e-2)]
        boxes += [(place - 5.0, place - 0.1), (place + 0.1, place + 5.0), (place - 20.0, place + 20.0)]
    return boxes


def boxes(fn: Nonlinearity, dtype: torch.dtype, count: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """(l, u), each (N,): random boxes of widths 1e-8 to 100 and all special ones, in the domain of fn."""
    random = torch.Generator().manual_seed(seed)
    centre = torch.randn(count, generator=random, dtype=torch.float64) * 3.0
    width = 10.0 ** (torch.rand(count, generator=random, dtype=torch.float64) * 10.0 - 8.0)
    share = torch.rand(count, generator=random, dtype=torch.float64)
    special = torch.tensor(_special(fn), dtype=torch.float64)
    low = torch.cat([centre - share * width, special[:, 0]])
    high = torch.cat([centre + (1.0 - share) * width, special[:, 1]])
    low, high = _inside(fn, low).to(dtype), _inside(fn, high).to(dtype)
    if math.isfinite(fn.domain[1]):
        low[:count:2] *= 0.1
        high[:count:2] = (high[:count:2] * 0.1).maximum(low[:count:2])
    if fn.domain[0] == 0.0:
        low = low.abs()
        low, high = torch.minimum(low, high), torch.maximum(low, high)
    return low, high


def moderate(fn: Nonlinearity, dtype: torch.dtype, count: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """(l, u) of width 0.1 to 6 near the origin, off the poles and ends of the domain."""
    random = torch.Generator().manual_seed(seed)
    low = torch.randn(count, generator=random, dtype=torch.float64) * 2.0
    high = low + 0.1 + 5.9 * torch.rand(count, generator=random, dtype=torch.float64)
    poles = [place for place, _, *limits in fn.jumps if math.inf in map(abs, limits)]
    if fn.period and poles:
        low, high = _squeezed(low, high, poles[0] - fn.period, poles[0])
    elif math.isfinite(fn.domain[1]):
        low, high = _squeezed(low, high, *fn.domain)
    elif poles or fn.domain[0] >= 0.0:
        start = 0.1 + fn.domain[0] if math.isfinite(fn.domain[0]) else 0.1
        low, high = low.abs() + start, low.abs() + start + (high - low)
    return low.to(dtype), high.to(dtype)


def _squeezed(low: Tensor, high: Tensor, start: float, end: float) -> tuple[Tensor, Tensor]:
    """The same intervals in another unit: those of [-8, 8] fill 90 % of (start, end)."""
    scale, middle = 0.9 * (end - start) / 16.0, 0.5 * (start + end)
    return middle + scale * low.clamp(-8.0, 7.9), middle + scale * high.clamp(-7.9, 8.0)


def slopes(fn: Nonlinearity, l: Tensor, u: Tensor, seed: int = 1) -> Tensor:  # noqa: E741
    """(S, N): zero, default slopes, ends of the slope range, random ones inside it, and far outside it."""
    random = torch.Generator().manual_seed(seed)
    low, high = slope_range(fn, l, u)
    share = torch.rand(4, *l.shape, generator=random, dtype=torch.float64).to(l.dtype)
    wild = torch.randn(2, *l.shape, generator=random, dtype=torch.float64).to(l.dtype)
    inside = torch.lerp(low.expand_as(share), high.expand_as(share), share)
    outside = torch.lerp(low.expand_as(wild), high.expand_as(wild), 10.0 * wild)
    rows = [
        torch.zeros_like(l),
        *default_slopes(fn, l, u),
        low,
        high,
        *inside,
        *outside,
        *wild,
        wild[0] * 1e-8,
    ]
    return torch.stack([row.nan_to_num(0.0, 0.0, 0.0) for row in rows])


def samples(l: Tensor, u: Tensor, near: tuple[float, ...] = ()) -> Tensor:  # noqa: E741
    """(M, N) float64 points of the boxes: evenly spread, crowded at both ends, and at the given places."""
    l, u = l.double(), u.double()  # noqa: E741
    even = torch.linspace(0.0, 1.0, SAMPLES, dtype=torch.float64)
    crowded = torch.logspace(-12.0, -2.0, 21, dtype=torch.float64)
    share = torch.cat([even, crowded, 1.0 - crowded])[:, None]
    points = [l + share * (u - l), l[None], u[None]]
    for place in near:
        around = (math.nextafter(place, -math.inf), place, math.nextafter(place, math.inf))
        points += [torch.full_like(l, x)[None] for x in around]
    return torch.minimum(torch.maximum(torch.cat(points), l), u)


def gaps(fn: Nonlinearity, x: Tensor, line: tuple[Tensor, Tensor], upper: bool) -> Tensor:
    """Least distance over samples x (M, N) from fn to lines (slope, intercept), each (S, N), in float64."""
    slope, intercept = (part.double() for part in line)
    value = fn.value(x)
    rows = []
    for k, c in zip(slope, intercept, strict=True):
        gap = (k * x + c - value) if upper else (value - k * x - c)
        rows.append(gap.nan_to_num(torch.inf).amin(0))
    return torch.stack(rows)
