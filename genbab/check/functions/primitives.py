"""The primitive functions: intervals of their values and of their first two derivatives.

Each takes the interval of its argument, its parameters and the order, and gives one interval, or three for
order 2. A derivative that is unbounded or undefined somewhere in the interval is (-inf, inf).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from genbab.check.functions.inverses import acosh, asin, asinh, atanh
from genbab.check.intervals import (
    UNIT,
    Array,
    Mask,
    Pair,
    add,
    least_magnitude,
    magnitude,
    monotone,
    mul,
    negative,
    point,
    reciprocal,
    square,
    tidy,
    trusted,
)

Primitive = Callable[[Pair, Sequence[Array], int], Sequence[Pair]]

ONE = point(np.ones(()))
TWO = point(np.full((), 2.0))
TWO_OVER_ROOT_PI = trusted(*point(np.asarray(2.0 / math.sqrt(math.pi))))
FAR = 1e9  # beyond it sines are known to lie between -1 and 1 only
_error_function = np.vectorize(math.erf, otypes=[np.float64])


def _everything(x: Pair, where: Mask, otherwise: Pair) -> Pair:
    return np.where(where, -np.inf, otherwise[0]), np.where(where, np.inf, otherwise[1])


def _crosses(x: Pair) -> Mask:
    return np.asarray((x[0] < 0) & (x[1] > 0))


def _piecewise(x: Pair, kink: Array, below: Pair, above: Pair) -> Pair:
    """The slope within the interval of a function of two affine parts, by the side of the kink."""
    left, right = (x[0] < kink) | (x[1] <= kink), (x[1] > kink) | (x[0] >= kink)
    low = np.minimum(np.where(left, below[0], np.inf), np.where(right, above[0], np.inf))
    return low, np.maximum(np.where(left, below[1], -np.inf), np.where(right, above[1], -np.inf))


def hinge(x: Pair, values: Sequence[Array], order: int) -> Sequence[Pair]:
    """x above 0, s x below, with s in an interval."""
    slope = (values[0], values[1])
    value = add(
        (np.maximum(x[0], 0.0), np.maximum(x[1], 0.0)),
        mul(slope, (np.minimum(x[0], 0.0), np.minimum(x[1], 0.0))),
    )
    if not order:
        return (value,)
    none = np.zeros_like(x[0])
    return value, _piecewise(x, none, slope, ONE), _everything(x, _crosses(x), point(none))


def absolute(x: Pair, values: Sequence[Array], order: int) -> Sequence[Pair]:
    """|x|."""
    value = least_magnitude(x), magnitude(x)
    if not order:
        return (value,)
    none = np.zeros_like(x[0])
    return value, _piecewise(x, none, negative(ONE), ONE), _everything(x, _crosses(x), point(none))


def clip(x: Pair, values: Sequence[Array], order: int) -> Sequence[Pair]:
    """x cut to between two numbers."""
    low, high = values
    value = np.clip(x[0], low, high), np.clip(x[1], low, high)
    if not order:
        return (value,)
    none = np.zeros_like(x[0])
    out, into = (x[1] <= low) | (x[0] >= high), (x[0] >= low) & (x[1] <= high)
    first = np.where(into & ~out, 1.0, none), np.where(out & ~into, none, 1.0)
    return value, first, _everything(x, ~(out | into), point(none))


def exp(x: Pair, values: Sequence[Array], order: int) -> Sequence[Pair]:
    """e^x."""
    value = monotone(np.exp, x, 0.0)
    return (value,) if not order else (value, value, value)


def log(x: Pair, values: Sequence[Array], order: int) -> Sequence[Pair]:
    """The natural logarithm; -inf where the interval reaches 0."""
    value = monotone(np.log, x)
    bad = x[0] <= 0
    value = np.where(bad, -np.inf, value[0]), np.where(x[1] <= 0, np.inf, value[1])
    if not order:
        return (value,)
    first = _everything(x, bad, reciprocal(x))
    return value, first, negative(mul(first, first))


def sqrt(x: Pair, values: Sequence[Array], order: int) -> Sequence[Pair]:
    """The square root; everything where the interval reaches below 0."""
    value = _everything(x, x[0] < 0, monotone(np.sqrt, x, 0.0))
    if not order:
        return (value,)
    first = reciprocal(mul(TWO, value))
    return value, first, negative(mul(mul(TWO, first), mul(first, first)))


def inverse(x: Pair, values: Sequence[Array], order: int) -> Sequence[Pair]:
    """1 / x."""
    value = reciprocal(x)
    if not order:
        return (value,)
    return value, negative(square(value)), mul(TWO, mul(value, square(value)))


def _reaches(x: Pair, where: float) -> Mask:
    """Whether a point where + 2 pi k may lie in the interval."""
    start, end = (x[0] - where) / (2 * math.pi), (x[1] - where) / (2 * math.pi)
    room = 1e-12 * (1.0 + magnitude((start, end)))
    return np.asarray(np.floor(end + room) >= np.ceil(start - room))


def _wave(x: Pair, function: Callable[[Array], Array], top: float) -> Pair:
    ends = function(x[0]), function(x[1])
    low, high = trusted(np.minimum(*ends), np.maximum(*ends), -1.0, 1.0)
    far = np.logical_not(magnitude(x) < FAR)
    return (
        np.where(far | _reaches(x, top + math.pi), -1.0, low),
        np.where(far | _reaches(x, top), 1.0, high),
    )


def sin(x: Pair, values: Sequence[Array], order: int) -> Sequence[Pair]:
    """The sine."""
    value = _wave(x, np.sin, math.pi / 2)
    return (value,) if not order else (value, _wave(x, np.cos, 0.0), negative(value))


def cos(x: Pair, values: Sequence[Array], order: int) -> Sequence[Pair]:
    """The cosine."""
    value = _wave(x, np.cos, 0.0)
    return (value,) if not order else (value, negative(_wave(x, np.sin, math.pi / 2)), negative(value))


def tan(x: Pair, values: Sequence[Array], order: int) -> Sequence[Pair]:
    """The tangent; everything where a pole may lie in the interval."""
    pole = _reaches(x, math.pi / 2) | _reaches(x, -math.pi / 2) | ~(magnitude(x) < FAR)
    value = _everything(x, pole, monotone(np.tan, x))
    if not order:
        return (value,)
    first = add(ONE, square(value))
    return value, first, mul(TWO, mul(value, first))


def atan(x: Pair, values: Sequence[Array], order: int) -> Sequence[Pair]:
    """The arc tangent."""
    value = monotone(np.arctan, x)
    if not order:
        return (value,)
    first = reciprocal(add(ONE, square(x)))
    return value, first, negative(mul(mul(TWO, x), square(first)))


def erf(x: Pair, values: Sequence[Array], order: int) -> Sequence[Pair]:
    """The error function."""
    value = monotone(_error_function, x, -1.0, 1.0)
    if not order:
        return (value,)
    first = mul(TWO_OVER_ROOT_PI, monotone(np.exp, negative(square(x)), 0.0))
    return value, first, negative(mul(mul(TWO, x), first))


def logistic(x: Array) -> Array:
    """The logistic function, rounded."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, small) / (1.0 + small)


def logistic_slope(x: Array) -> Array:
    """The derivative of the logistic function, rounded."""
    small = np.exp(-np.abs(x))
    return np.asarray(small / ((1.0 + small) * (1.0 + small)))


def _bell(x: Pair) -> Pair:
    """The derivative of the logistic function: even, and falling away from 0."""
    return trusted(logistic_slope(magnitude(x)), logistic_slope(least_magnitude(x)), 0.0, 0.25)


def sigmoid(x: Pair, values: Sequence[Array], order: int) -> Sequence[Pair]:
    """1 / (1 + e^-x)."""
    value = monotone(logistic, x, 0.0, 1.0)
    if not order:
        return (value,)
    first = _bell(x)
    return value, first, mul(first, add(ONE, mul(TWO, negative(value))))


def tanh(x: Pair, values: Sequence[Array], order: int) -> Sequence[Pair]:
    """The hyperbolic tangent."""
    value = monotone(np.tanh, x, -1.0, 1.0)
    if not order:
        return (value,)
    bell = _bell((2.0 * x[0], 2.0 * x[1]))
    first = 4.0 * bell[0], 4.0 * bell[1]
    return value, first, negative(mul(mul(TWO, value), first))


def softplus(x: Pair, values: Sequence[Array], order: int) -> Sequence[Pair]:
    """log(1 + e^x)."""
    value = monotone(lambda v: np.logaddexp(0.0, v), x, 0.0)
    return (value,) if not order else (value, monotone(logistic, x, 0.0, 1.0), _bell(x))


def power(x: Pair, values: Sequence[Array], order: int) -> Sequence[Pair]:
    """x to a constant power: any for x > 0, integers elsewhere."""
    exponent = float(values[0])
    value = _power(x, exponent)
    if not order:
        return (value,)
    first = mul(point(np.asarray(exponent)), _lowered(x, exponent, 1.0))
    factor = mul(point(np.asarray(exponent)), add(point(np.asarray(exponent)), negative(ONE)))
    return value, first, mul(factor, _lowered(x, exponent, 2.0))


def _lowered(x: Pair, p: float, by: float) -> Pair:
    """x to the power p - by, wider where this is rounded: no logarithm of x is beyond 745."""
    low, high = _power(x, p - by)
    room = 0.0 if (p - by) + by == p else 2000 * UNIT * (abs(p) + by)
    return (low, high) if not room else tidy(low - room * np.abs(low), high + room * np.abs(high))


def _power(x: Pair, p: float) -> Pair:
    if p == 0:
        return np.ones_like(x[0]), np.ones_like(x[1])
    if p < 0:
        return reciprocal(_power(x, -p))
    if p == 2:
        return square(x)
    if p != int(p):
        return _everything(x, x[0] < 0, monotone(lambda v: np.power(v, p), x, 0.0))
    if int(p) % 2:
        return monotone(lambda v: np.power(v, p), x)
    size = least_magnitude(x), magnitude(x)
    return monotone(lambda v: np.power(v, p), size, 0.0)


def _steps(function: Callable[[Array], Array]) -> Primitive:
    def jump(x: Pair, values: Sequence[Array], order: int) -> Sequence[Pair]:
        value = tidy(function(x[0]), function(x[1]))
        if not order:
            return (value,)
        rest = _everything(x, np.asarray(value[0] != value[1]), point(np.zeros_like(x[0])))
        return value, rest, rest

    return jump


NAMED = (hinge, absolute, clip, exp, log, sqrt, inverse, sin, cos, tan, atan, erf, sigmoid, tanh, softplus)
STEPS: dict[str, Callable[..., Array]] = {"above": lambda v: np.where(v > 0, 1.0, 0.0)}
STEPS |= {"sign": np.sign, "floor": np.floor, "ceil": np.ceil, "round": np.round}
PRIMITIVES: dict[str, Primitive] = {f.__name__: f for f in (*NAMED, power)}
PRIMITIVES |= {"asin": asin, "asinh": asinh, "acosh": acosh, "atanh": atanh}
PRIMITIVES |= {name: _steps(function) for name, function in STEPS.items()}


def _of_power(x: Pair, values: Sequence[Array]) -> Mask:
    p = float(values[0])
    crossing = (x[0] <= 0) & (x[1] >= 0) if p < 0 else np.zeros(x[0].shape, dtype=np.bool_)
    return np.asarray(crossing | (x[0] < 0) if p != int(p) else crossing)


OUTSIDE: dict[str, Callable[[Pair, Sequence[Array]], Mask]] = {
    "log": lambda x, _: np.asarray(x[0] <= 0),
    "sqrt": lambda x, _: np.asarray(x[0] < 0),
    "inverse": lambda x, _: np.asarray((x[0] <= 0) & (x[1] >= 0)),
    "tan": lambda x, _: np.asarray(~np.isfinite(tan(x, (), 0)[0][0])),
    "asin": lambda x, _: np.asarray(magnitude(x) > 1),
    "acosh": lambda x, _: np.asarray(x[0] < 1),
    "atanh": lambda x, _: np.asarray(magnitude(x) >= 1),
    "power": _of_power,
}
"""Whether a function may have no value somewhere in the interval."""
