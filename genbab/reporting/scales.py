"""Axes: where values lie on a drawing, which ticks to write, and numbers as people read them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Tick = tuple[float, str]
"""(position on the drawing, label)."""


@dataclass(frozen=True)
class Axis:
    """Positions for values: `at(value)` lies between the drawing's `ends`; `ticks` are labelled positions."""

    at: Callable[[float], float]
    ticks: tuple[Tick, ...]


def linear(values: Sequence[float], ends: tuple[float, float], zero: bool = False) -> Axis:
    """An axis over finite values that begins and ends at a tick; with `zero` it contains 0."""
    low, high = _span([*values, 0.0] if zero else values)
    step = _step(high - low)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    last = max(last, first + 1)
    at = _between(first * step, last * step, ends)
    return Axis(at, tuple((at(k * step), number(k * step)) for k in range(first, last + 1)))


def onward(last: float, ends: tuple[float, float]) -> Axis:
    """An axis from 0 to `last`, wherever that lies."""
    last = last if last > 0 else 1.0
    step, at = _step(last), _between(0.0, last, ends)
    return Axis(at, tuple((at(k * step), number(k * step)) for k in range(int(last / step + 1e-9) + 1)))


def whole(count: int, ends: tuple[float, float]) -> Axis:
    """An axis from 0 to `count` with whole numbers for ticks."""
    step = max(1, math.ceil(_step(max(count, 1))))
    at = _between(0, max(count, 1), ends)
    return Axis(at, tuple((at(k), str(k)) for k in range(0, count + 1, step)))


def logarithmic(values: Sequence[float], ends: tuple[float, float], least: float) -> Axis:
    """An axis of powers of ten; values below `least` lie at it."""
    positive = [max(v, least) for v in values] or [least, 10 * least]
    low, high = math.floor(math.log10(min(positive)) + 1e-9), math.ceil(math.log10(max(positive)) - 1e-9)
    high = max(high, low + 1)
    inner = _between(low, high, ends)
    every = max(1, math.ceil((high - low) / 6))
    ticks = tuple((inner(k), number(10.0**k)) for k in range(low, high + 1, every))
    return Axis(lambda v: inner(math.log10(max(v, least))), ticks)


def signed(values: Sequence[float], ends: tuple[float, float]) -> Axis:
    """An axis that holds 0: linear, or linear around 0 and logarithmic beyond where values span much."""
    largest = max((abs(v) for v in values), default=1.0)
    nearest = min((abs(v) for v in values if v), default=1.0)
    if largest <= 1e3 * nearest:
        return linear(values, ends, zero=True)
    unit = max(nearest, 1e-6 * largest)

    def bent(value: float) -> float:
        return math.asinh(value / unit)

    low, high = _span([*values, 0.0])
    inner = _between(bent(low), bent(high), ends)
    powers = range(math.ceil(math.log10(unit)), math.floor(math.log10(largest)) + 1)
    every = max(1, math.ceil(len(powers) / 4))
    marks = sorted({0.0, *(s * 10.0**k for k in powers[::every] for s in (-1, 1))})
    return Axis(
        lambda v: inner(bent(v)), tuple((inner(bent(m)), number(m)) for m in marks if low <= m <= high)
    )


def number(value: float | None) -> str:
    """Up to four significant digits; a minus sign that is one; "" for None."""
    if value is None:
        return ""
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{value:.4g}"
    mantissa, mark, power = text.partition("e")
    return (mantissa + (f"e{int(power)}" if mark else "")).replace("-", "−")


def duration(seconds: float | None) -> str:
    """Seconds as people say them: 0.42 s, 75 s, 12 min, 3.4 h; "" for None."""
    if seconds is None:
        return ""
    if seconds < 100:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.3g} h"


def _between(low: float, high: float, ends: tuple[float, float]) -> Callable[[float], float]:
    def at(value: float) -> float:
        return round(ends[0] + (ends[1] - ends[0]) * (value - low) / (high - low), 2)

    return at


def _span(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values, default=0.0), max(values, default=1.0)
    room = 0.5 * abs(low) if low else 0.5
    return (low - room, high + room) if low == high else (low, high)


def _step(width: float) -> float:
    """About five steps of 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(width / 5))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= width / 5 * (1 - 1e-9))
