"""Inverse sines, of circles and hyperbolas, as primitive functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from genbab.check.intervals import Array, Mask, Pair, add, monotone, mul, negative, point, reciprocal, square

ONE = point(np.ones(()))


def _root(x: Pair) -> Pair:
    return monotone(lambda v: np.sqrt(np.maximum(v, 0.0)), x, 0.0)


def _inverse(
    function: Callable[[Array], Array], under: Callable[[Pair], Pair], sign: float, ends: tuple[float, float]
) -> Callable[[Pair, Sequence[Array], int], Sequence[Pair]]:
    """An increasing function with the derivative 1/sqrt(s), s of the argument, whose own one is -sign 2 x."""

    def primitive(x: Pair, values: Sequence[Array], order: int) -> Sequence[Pair]:
        bad: Mask = (x[0] < ends[0]) | (x[1] > ends[1])
        value = monotone(function, x)
        value = np.where(bad, -np.inf, value[0]), np.where(bad, np.inf, value[1])
        if not order:
            return (value,)
        first = reciprocal(_root(under(x)))
        bend = mul(x, mul(first, square(first)))
        return value, first, bend if sign > 0 else negative(bend)

    return primitive


asin = _inverse(np.arcsin, lambda x: add(ONE, negative(square(x))), 1.0, (-1.0, 1.0))
asinh = _inverse(np.arcsinh, lambda x: add(square(x), ONE), -1.0, (-math.inf, math.inf))
acosh = _inverse(np.arccosh, lambda x: add(square(x), negative(ONE)), -1.0, (1.0, math.inf))


def atanh(x: Pair, values: Sequence[Array], order: int) -> Sequence[Pair]:
    """The inverse hyperbolic tangent; everything where the interval leaves (-1, 1)."""
    bad = (x[0] <= -1) | (x[1] >= 1)
    value = monotone(np.arctanh, x)
    value = np.where(bad, -np.inf, value[0]), np.where(bad, np.inf, value[1])
    if not order:
        return (value,)
    first = reciprocal(add(ONE, negative(square(x))))
    twice = 2.0 * x[0], 2.0 * x[1]
    return value, first, mul(twice, square(first))
