"""How much area is left between a function and its best lines once an interval is split, for many intervals.

The best line below f on a child touches the convex envelope over the child's middle, so the area below f is
the integral of f less width times the height of the envelope there. Both are found from values on a fine
grid. Everything is taken relative to the chord of the interval and to how far the function leaves it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from genbab.lut.facts import TabledFunction

PARTS = 64
"""Points are tried at every 1/PARTS of an interval."""

_CHUNK = 256
_ALL, _SOME = 16, 12
_NOISE = 1e-11
_FLAT = 1e-5
_TOWARDS_MIDDLE = 1e-3

Areas = tuple[Tensor, Tensor]
"""(below, above) the function."""


def remaining(
    fn: TabledFunction,
    l: Tensor,  # noqa: E741
    u: Tensor,
    stops: Tensor | None = None,
    proceed: Callable[[], None] = lambda: None,
) -> tuple[Areas, Areas]:
    """Areas left on [l, p] and [p, u], for p at 1/PARTS ... (PARTS - 1)/PARTS of [l, u] and for p = stops.

    l, u (M,), stops (M, K): ((M, PARTS - 1) each, (M, K) each), in units of the interval's own, >= 0. NaN in
    rows on which the function is straight, is not finite, or so flat that rounding hides its shape, and for
    stops outside. `proceed` is called now and then, and may raise.
    """
    stops = l.new_zeros(len(l), 0) if stops is None else stops
    found = []
    for i in range(0, len(l), _CHUNK):
        proceed()
        part = slice(i, i + _CHUNK)
        found.append(_some(fn, l[part], u[part], stops[part]))
    even, own = ([areas[i] for areas in found] for i in (0, 1))
    return _joined(even), _joined(own)


def _joined(parts: list[Areas]) -> Areas:
    return torch.cat([below for below, _ in parts]), torch.cat([above for _, above in parts])


@dataclass(frozen=True)
class _Bent:
    """A function less its chord on intervals (M,), divided by how far it gets from it."""

    fn: TabledFunction
    l: Tensor  # noqa: E741
    u: Tensor
    start: Tensor
    rise: Tensor
    size: Tensor

    def at(self, x: Tensor) -> Tensor:
        """Values at x (M, ...), float32; 0 where they are not usable."""
        shape = [-1] + [1] * (x.dim() - 1)
        parts = (self.l, self.u, self.start, self.rise, self.size)
        low, high, start, rise, size = (t.reshape(shape) for t in parts)
        value = (self.fn.value(x) - start - rise * ((x - low) / (high - low))) / size
        return torch.nan_to_num(value, nan=0.0, posinf=1e6, neginf=-1e6).float()


def _some(fn: TabledFunction, l: Tensor, u: Tensor, stops: Tensor) -> tuple[Areas, Areas]:  # noqa: E741
    share = torch.arange(2 * PARTS + 1, dtype=torch.float64) / (2 * PARTS)
    f = fn.value(_along(l, u, share))
    start, rise = f[:, 0], f[:, -1] - f[:, 0]
    off = f - torch.lerp(f[:, :1], f[:, -1:], share)
    size = off.abs().amax(1)
    spread = f.amax(1) - f.amin(1)
    noise = _NOISE * (f.abs().amax(1) + torch.maximum(l.abs(), u.abs()) * spread / (u - l))
    usable = torch.isfinite(size) & (size > noise) & (size > 1e-290)
    size = torch.where(usable, size, torch.inf)
    bent = _Bent(fn, l, u, start, rise, size)
    g = torch.where(usable[:, None], off / size[:, None], 0.0).float()
    part = torch.arange(1, PARTS)[:, None] / PARTS
    least, most = _envelopes(torch.cat([g.T, g.T.flip(0)], 1))
    low, high = (part * e[:, : len(l)] + (1.0 - part) * e[:, len(l) :].flip(0) for e in (least, most))
    integral = _mean(g, smooth=not fn.kinks)
    hidden = torch.where(usable, 0.0, torch.nan)[:, None]
    even = (integral - low).clamp_min(0.0).T + hidden, (high - integral).clamp_min(0.0).T + hidden
    own_low, own_high = _own(bent, stops)
    outside = torch.where((stops > l[:, None]) & (stops < u[:, None]), hidden, torch.nan)
    integral = integral[:, None]
    own = (integral - own_low).clamp_min(0.0) + outside, (own_high - integral).clamp_min(0.0) + outside
    return even, own


def _along(l: Tensor, u: Tensor, share: Tensor) -> Tensor:  # noqa: E741
    return torch.lerp(l[..., None], u[..., None], share).clamp(l[..., None], u[..., None])


def _mean(g: Tensor, smooth: bool) -> Tensor:
    """The mean of a function from values (M, odd) on an even grid of the interval.

    By Simpson's rule, or the trapezoidal one.
    """
    weights = torch.full((g.shape[1],), 2.0)
    if smooth:
        weights[1::2] = 4.0
    weights[0] = weights[-1] = 1.0
    return g @ (weights / weights.sum())


def _own(bent: _Bent, stops: Tensor) -> Areas:
    """The parts' mean heights of the (convex, concave) envelope over their middles.

    For splits at the stops.
    """
    l, u = (end[:, None].expand(stops.shape) for end in (bent.l, bent.u))  # noqa: E741
    stops = torch.minimum(torch.maximum(stops, l), u)
    share = torch.arange(2 * _SOME + 1, dtype=torch.float64) / (2 * _SOME)
    left, right, weight = _chords(_SOME)
    low, high = torch.zeros(stops.shape), torch.zeros(stops.shape)
    for a, b in ((l, stops), (stops, u)):
        g = bent.at(_along(a, b, share)).movedim(-1, 0)
        chords = torch.lerp(g[right][None], g[left][:, None], weight[..., None]).flatten(0, 1)
        part = ((b - a) / (u - l)).float()
        low += part * torch.minimum(chords.amin(0), g[_SOME])
        high += part * torch.maximum(chords.amax(0), g[_SOME])
    return low, high


def _envelopes(g: Tensor) -> Areas:
    """(convex, concave) envelope over the middle of the first 2j + 1 values of g, for j = 1 ... PARTS - 1.

    g: (2*PARTS + 1, M).
    """
    found = []
    for j in range(1, PARTS):
        left, right, share = _chords(j)
        chords = torch.lerp(g[right][None], g[left][:, None], share).flatten(0, 1)
        found.append((torch.minimum(chords.amin(0), g[j]), torch.maximum(chords.amax(0), g[j])))
    return torch.stack([low for low, _ in found]), torch.stack([high for _, high in found])


@lru_cache(maxsize=PARTS)
def _chords(j: int) -> tuple[Tensor, Tensor, Tensor]:
    """Chords over place j: their left ends, right ends, and the left end's share of the height at j."""
    step = -(-j // _ALL)
    left = torch.tensor(sorted({*range(0, j, step), j - 1}))
    right = 2 * j - left.flip(0)
    return left, right, ((right[None, :] - j) / (right[None, :] - left[:, None]))[:, :, None]


def best(area: Tensor, own: Tensor, stops: Tensor) -> Tensor:
    """Where the area is least, as a share of the interval; NaN where nothing is to be gained.

    area (M, PARTS - 1), own (M, K): areas for the points of `remaining`; stops (M, K): its stops, as shares.
    Of equally good points the one nearest to the middle.
    """
    place = torch.arange(1, PARTS) / PARTS
    tried = torch.nan_to_num(_pulled(area, place), nan=torch.inf)
    j = tried.argmin(1).clamp(1, PARTS - 3)
    before, at, after = (tried.gather(1, (j + d)[:, None]).squeeze(1) for d in (-1, 0, 1))
    bend = before - 2.0 * at + after
    shift = torch.where(bend > 0, 0.5 * (before - after) / bend, 0.0).nan_to_num(0.0).clamp(-1.0, 1.0)
    point = (j + 1 + shift).double() / PARTS
    if own.shape[1]:
        least, k = torch.nan_to_num(_pulled(own, stops.float()), nan=torch.inf).min(1)
        point = torch.where(least <= tried.amin(1), stops.gather(1, k[:, None]).squeeze(1), point)
    flat = ~(area.amax(1) > _FLAT)
    return point.masked_fill(flat, torch.nan)


def _pulled(area: Tensor, place: Tensor) -> Tensor:
    return (area + 1e-7) * (1.0 + _TOWARDS_MIDDLE * (2.0 * place - 1.0).square())


def at(area: Tensor, point: Tensor) -> Tensor:
    """The area (M, PARTS - 1) at points (M, ...) given as shares of the interval."""
    place = (point * PARTS - 1.0).clamp(0.0, PARTS - 2.0)
    first = place.floor().clamp_max(PARTS - 3.0)
    index = first.long().reshape(len(area), math.prod(point.shape[1:]))
    low, high = area.gather(1, index), area.gather(1, index + 1)
    return torch.lerp(low, high, (place - first).reshape(index.shape).to(area.dtype)).reshape(point.shape)
