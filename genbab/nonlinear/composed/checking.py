"""Are the facts of a record true? Sampled densely where each speaks; says which is wrong, and where."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from genbab.nonlinear.facts.record import Nonlinearity

_REACH = 50.0
_STEP = 1e-6
_LOOSE = 1e-5
_FINE = 1e-9


def problems(fn: Nonlinearity) -> list[str]:
    """One sentence per fact that is contradicted by values of the function; empty if none is.

    Sampled within 50 of the origin and of every break, and at widely spread points beyond.
    """
    found: list[str] = []
    checks: tuple[Callable[[Nonlinearity], str | None], ...] = (
        _values,
        _derivative,
        _curvature,
        _breaks,
        _stationary,
        _period,
        _second,
    )
    for check in checks:
        try:
            message = check(fn)
        except Exception as error:  # noqa: BLE001 - whatever the user's code raises
            message = (
                f"checking {check.__name__.strip('_')}: the function raises {type(error).__name__}: {error}"
            )
        if message:
            found.append(message)
        if message and check is _values:
            break
    return found


def _points(fn: Nonlinearity, segment: int) -> Tensor:
    """Ascending points strictly inside a segment, crowded towards its ends."""
    low, high = fn.segment(segment)
    start = low if math.isfinite(low) else (min(0.0, high) if math.isfinite(high) else 0.0) - _REACH
    stop = high if math.isfinite(high) else (max(0.0, low) if math.isfinite(low) else 0.0) + _REACH
    even = torch.linspace(0.0, 1.0, 1501, dtype=torch.float64)
    crowded = torch.logspace(-7.0, -2.0, 100, dtype=torch.float64)
    share = torch.cat([even[1:-1], crowded, 1.0 - crowded]).sort().values
    points = [start + (stop - start) * share]
    far = torch.logspace(2.0, 5.0, 60, dtype=torch.float64)
    if not math.isfinite(low):
        points.insert(0, (start - far).flip(0))
    if not math.isfinite(high):
        points.append(stop + far)
    found = torch.cat(points)
    return torch.cat([found[:1], found[1:][found.diff() > 0]])


def _worst(bad: Tensor, x: Tensor) -> float | None:
    """A point at which something is bad, or None."""
    return float(x[bad.to(torch.int64).argmax()]) if bool(bad.any()) else None


def _values(fn: Nonlinearity) -> str | None:
    low, high = fn.bounds
    for segment in range(len(fn.curvature)):
        x = _points(fn, segment)
        before = x.clone()
        value, slope = fn.value(x), fn.derivative(x)
        if not torch.equal(x, before):
            return "value or derivative changes the tensor it is given"
        if value.shape != x.shape or slope.shape != x.shape:
            return "value and derivative must work elementwise, on tensors of any shape"
        at = _worst(torch.isnan(value) | torch.isnan(slope), x)
        if at is not None:
            return f"value or derivative is not a number at x = {at:.9g}, inside the domain"
        room = _FINE * (1.0 + value.abs())
        at = _worst((value < low - room) | (value > high + room), x)
        if at is not None:
            return f"bounds: the value at x = {at:.9g} is outside [{low:g}, {high:g}]"
    return None


def _difference(f: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """(difference quotient of f, the room its rounding and bend need); x ascending inside one segment."""
    gap = torch.minimum(x - x.roll(1), x.roll(-1) - x)
    gap[0], gap[-1] = x[1] - x[0], x[-1] - x[-2]
    h = torch.minimum(0.25 * gap, _STEP * (1.0 + x.abs()))
    left, right, middle = f(x - h), f(x + h), f(x)
    quotient = (right - left) / (2.0 * h)
    bend = (right + left - 2.0 * middle).abs() / h
    return quotient, 1e-14 * (1.0 + middle.abs()) / h + 2.0 * bend


def _differs(
    fn: Nonlinearity, name: str, wrong: Callable[[Tensor], Tensor], of: Callable[[Tensor], Tensor]
) -> str | None:
    for segment in range(len(fn.curvature)):
        x = _points(fn, segment)[1:-1]
        quotient, room = _difference(of, x)
        found = wrong(x)
        known = torch.isfinite(quotient) & torch.isfinite(found)
        bad = known & ((found - quotient).abs() > _LOOSE * (1.0 + quotient.abs()) + room)
        at = _worst(bad, x)
        if at is not None:
            i = int(bad.to(torch.int64).argmax())
            mine, true = float(found[i]), float(quotient[i])
            return f"{name}: at x = {at:.9g} it is {mine:.9g}, but the slope there is {true:.9g}"
    return None


def _derivative(fn: Nonlinearity) -> str | None:
    return _differs(fn, "derivative", fn.derivative, fn.value)


def _second(fn: Nonlinearity) -> str | None:
    return None if fn.second is None else _differs(fn, "second", fn.second, fn.derivative)


def _curvature(fn: Nonlinearity) -> str | None:
    words = {1: "convex", -1: "concave", 0: "straight"}
    for segment, curvature in enumerate(fn.curvature):
        if fn.bulges and fn.bulges[segment]:
            continue
        x = _points(fn, segment)
        slope = fn.derivative(x)
        rise, noise = slope.diff(), 1e-12 * (1.0 + slope.abs()[1:])
        bad = rise.abs() > noise if curvature == 0 else curvature * rise < -noise
        at = _worst(bad & torch.isfinite(rise), x[1:])
        if at is not None:
            low, high = fn.segment(segment)
            return (
                f"curvature: segment {segment}, ({low:.6g}, {high:.6g}), is said to be {words[curvature]}, "
                f"but near x = {at:.9g} it bends the other way; is a break missing or in the wrong place?"
            )
    return None


def _breaks(fn: Nonlinearity) -> str | None:
    """Values and slopes just left and right of every break."""
    jumps = {place: (low, high, limits) for low, high, *limits in fn.jumps for place in (low, high)}
    for place in fn.breaks:
        step = _FINE * (1.0 + abs(place)) + fn.clear
        around = torch.tensor([place - step, place + step], dtype=torch.float64).clamp(*fn.domain)
        (left, right), (before, after) = fn.value(around).tolist(), fn.derivative(around).tolist()
        room = 1e-6 * (1.0 + max(abs(left), abs(right))) + 2.0 * step * (abs(before) + abs(after))
        if place in jumps:
            low, high, limits = jumps[place]
            for limit, found, mine in zip(limits, (left, right), (place == low, place == high), strict=True):
                if mine and math.isfinite(limit) and abs(limit - found) > room:
                    return f"jumps: the limit at x = {place:.9g} is {found:.9g}, not {limit:.9g}"
        elif abs(left - right) > room:
            sides = f"from {left:.9g} to {right:.9g} at x = {place:.9g}"
            return f"jumps: the value jumps {sides}; list it in kinks and jumps"
        elif place not in fn.kinks and abs(before - after) > 1e-5 * (1.0 + abs(before)):
            sides = f"from {before:.6g} to {after:.6g} at x = {place:.9g}"
            return f"kinks: the derivative jumps {sides}; list it as a kink"
    return None


def _stationary(fn: Nonlinearity) -> str | None:
    if fn.stationary is None:
        return None
    for segment in (*fn.segments(1), *fn.segments(-1)):
        x = _points(fn, segment)
        x = x[x.abs() < 8.0 + max((abs(b) for b in fn.breaks), default=0.0)]
        k = fn.derivative(x)
        found = fn.derivative(fn.stationary(k.clone(), segment))
        at = _worst(~((found - k).abs() <= 1e-5 * (1.0 + k.abs())) & torch.isfinite(k), x)
        if at is not None:
            return f"stationary: on segment {segment} it finds no point of the slope that x = {at:.9g} has"
        wide = torch.tensor([-1e6, -3.0, -1.0, 0.0, 0.5, 1.0, 3.0, 1e6], dtype=torch.float64)
        if bool(torch.isnan(fn.stationary(wide.clone(), segment)).any()):
            return f"stationary: on segment {segment} it gives NaN for a slope that does not occur there"
    return None


def _period(fn: Nonlinearity) -> str | None:
    if not fn.period:
        return None
    x = torch.linspace(-9.7, 9.9, 997, dtype=torch.float64)
    gap = (fn.value(x + fn.period) - fn.value(x) - fn.rise).abs()
    at = _worst((gap > 1e-6 * (1.0 + fn.value(x).abs())) & torch.isfinite(gap), x)
    return (
        None
        if at is None
        else f"period: the value at x = {at:.9g} plus {fn.period:g} differs by more than the rise"
    )
