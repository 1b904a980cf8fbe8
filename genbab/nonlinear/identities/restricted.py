"""Functions that are used on a part of their domain only, where a condition says so: defined everywhere."""

from __future__ import annotations

import functools
import math
from dataclasses import replace
from fractions import Fraction

import torch
from torch import Tensor

from genbab.nonlinear.expressions.expression import Expression, apply
from genbab.nonlinear.facts.record import Nonlinearity, Stationary, TensorMap

FAR = 1e6
"""Facts are certified up to here."""

End = Fraction | float
"""A number, or plus or minus infinity."""


def restricted(fn: Nonlinearity, low: float, high: float, closed: tuple[bool, bool]) -> Nonlinearity:
    """fn between low and high (ends that are not infinite included where `closed`), 0 elsewhere.

    fn must be defined there, without a pole but at the ends, and not periodic.
    """
    inner = [i for i in range(len(fn.curvature)) if fn.segment(i)[0] < high and fn.segment(i)[1] > low]
    before, after = math.isfinite(low), math.isfinite(high)
    ends = [low] * before + [high] * after
    jumps = [jump for jump in fn.jumps if low < jump[0] and jump[1] < high]
    jumps += [(low, low, 0.0, _limit(fn, low, math.inf))] * before
    jumps += [(high, high, _limit(fn, high, -math.inf), 0.0)] * after
    cut = functools.partial(_cut, low=low, high=high, closed=closed)
    return Nonlinearity(
        f"restricted {fn.name}",
        functools.partial(cut, f=fn.value),
        functools.partial(cut, f=fn.derivative),
        params=(*fn.params, low, high, *map(float, closed)),
        breaks=tuple(sorted((*ends, *(b for b in fn.breaks if low < b < high)))),
        curvature=(*(0,) * before, *(fn.curvature[i] for i in inner), *(0,) * after),
        kinks=tuple(sorted((*ends, *(k for k in fn.kinks if low < k < high)))),
        jumps=tuple(sorted(jump for jump in jumps if jump[2] != jump[3])),
        stationary=None
        if fn.stationary is None
        else functools.partial(_stationary, f=fn.stationary, by=inner[0] - before),
        bounds=(min(fn.bounds[0], 0.0), max(fn.bounds[1], 0.0)),
        noise=fn.noise,
        drift=fn.drift,
        clear=fn.clear,
        second=None if fn.second is None else functools.partial(cut, f=fn.second),
        turns=tuple(t for t in fn.turns if low < t < high),
    )


def punctured(fn: Nonlinearity, pole: float) -> Nonlinearity:
    """fn with the value 0 at one of its poles."""
    return replace(
        fn,
        name=f"punctured {fn.name}",
        params=(*fn.params, pole),
        value=functools.partial(_without, f=fn.value, pole=pole),
    )


def _limit(fn: Nonlinearity, place: float, towards: float) -> float:
    """The limit of fn at a place, from the side that lies towards ±infinity."""
    for low, high, left, right in fn.jumps:
        if low == place == high:
            return right if towards > 0 else left
    return float(fn.value(torch.tensor(place, dtype=torch.float64)))


def _cut(x: Tensor, f: TensorMap, low: float, high: float, closed: tuple[bool, bool]) -> Tensor:
    above = x >= low if closed[0] else x > low
    below = x <= high if closed[1] else x < high
    return torch.where(above & below, f(x), 0.0)


def _without(x: Tensor, f: TensorMap, pole: float) -> Tensor:
    return torch.where(x == pole, 0.0, f(x))


def _stationary(k: Tensor, segment: int, f: Stationary, by: int) -> Tensor:
    return f(k, segment + by)


def guarded(
    fn: Nonlinearity, u: Expression, ends: tuple[End, End], closed: tuple[bool, bool]
) -> tuple[Expression, bool]:
    """(fn(u) for u between the ends, anything finite elsewhere; whether it is 0 there).

    fn(u) itself if it is defined everywhere and does not overflow beyond the ends, or undefined between the
    ends too.
    """
    zone = _zone(fn, *ends)
    if zone is None:
        return apply(fn, u), False
    low, high = max(zone[0], _rounded(ends[0], -math.inf)), min(zone[1], _rounded(ends[1], math.inf))
    if zone == (-math.inf, math.inf):
        low = low if _overflows(fn, low, -FAR) else -math.inf
        high = high if _overflows(fn, high, FAR) else math.inf
        if not (math.isfinite(low) or math.isfinite(high)):
            return apply(fn, u), False
    exact = (low, high) == ends
    return apply(restricted(fn, low, high, closed if exact else (True, True)), u), exact


def poles(fn: Nonlinearity) -> tuple[float, ...]:
    """Places at which fn has no finite limit on a side."""
    return tuple(a for a, b, *limits in fn.jumps if a == b and not all(map(math.isfinite, limits)))


def _zone(fn: Nonlinearity, low: End, high: End) -> tuple[float, float] | None:
    """The largest interval around (low, high) on which fn is defined and has no pole, if there is one."""
    if fn.period or fn.bulges:
        return None
    ends = sorted({*fn.domain, *poles(fn)})
    for below, above in zip(ends, ends[1:], strict=False):
        if below <= low and high <= above:
            return below, above
    return None


def _overflows(fn: Nonlinearity, end: float, far: float) -> bool:
    """Whether fn leaves float64 between a finite end and far."""
    value = fn.value(torch.tensor(far, dtype=torch.float64))
    return math.isfinite(end) and not bool(torch.isfinite(value))


def _rounded(place: End, towards: float) -> float:
    """The place itself, or the next number in a direction where it is none."""
    near = float(place)
    return near if near == place else math.nextafter(near, towards)
