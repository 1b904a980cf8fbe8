"""Interval arithmetic on numpy arrays, rounded outward.

An interval is a pair of float64 arrays, lower and upper ends, that may be infinite and are never NaN. The
operations +, -, *, / of IEEE 754 are rounded to nearest, so one step of `nextafter` outward encloses the real
result. The elementary functions of numpy are trusted to within 16 units in the last place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Pair = tuple[Array, Array]

UNIT = 2.0**-53
FARTHEST = 1e60  # beyond it a number counts as unbounded
TINY = 1e-250  # more than all underflows of one sum of numbers that FARTHEST bounds
TRUST = 2.0**-48  # 16 units in the last place, and rounding of this correction


def gamma(terms: int) -> float:
    """More than the relative error of any sum of so many rounded products, in any order."""
    return 1.01 * (terms + 8) * UNIT


def down(x: Array) -> Array:
    """Numbers below the real sums that x was rounded from; a sum rounds to 0 only if it is 0."""
    return np.where(x == 0, x, np.nextafter(x, -np.inf))


def up(x: Array) -> Array:
    """Numbers above the real sums that x was rounded from."""
    return np.where(x == 0, x, np.nextafter(x, np.inf))


def tidy(low: Array, high: Array) -> Pair:
    """The interval with every NaN made infinite."""
    return np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high)


def add(a: Pair, b: Pair) -> Pair:
    """All sums."""
    return tidy(down(a[0] + b[0]), up(a[1] + b[1]))


def negative(a: Pair) -> Pair:
    """All negatives."""
    return -a[1], -a[0]


def mul(a: Pair, b: Pair) -> Pair:
    """All products; 0 times an unbounded end is 0, for the numbers are finite."""
    products = [a[0] * b[0], a[0] * b[1], a[1] * b[0], a[1] * b[1]]
    least, most = _ends(products)
    if np.isnan(least).any():
        least, most = _ends([np.where(np.isnan(p), 0.0, p) for p in products])
    low, high = np.nextafter(least, -np.inf), np.nextafter(most, np.inf)
    same = ((a[0] >= 0) & (b[0] >= 0)) | ((a[1] <= 0) & (b[1] <= 0))
    other = ((a[0] >= 0) & (b[1] <= 0)) | ((a[1] <= 0) & (b[0] >= 0))
    return np.where(same, np.maximum(low, 0.0), low), np.where(other, np.minimum(high, 0.0), high)


def _ends(some: Sequence[Array]) -> Pair:
    """The least and the greatest of four numbers, NaN where one is."""
    a, b, c, d = some
    least = np.minimum(np.minimum(a, b), np.minimum(c, d))
    return least, np.maximum(np.maximum(a, b), np.maximum(c, d))


def square(a: Pair) -> Pair:
    """All squares."""
    size = magnitude(a)
    least = np.where((a[0] <= 0) & (a[1] >= 0), 0.0, np.minimum(np.abs(a[0]), np.abs(a[1])))
    return np.maximum(np.nextafter(least * least, -np.inf), 0.0), np.nextafter(size * size, np.inf)


def reciprocal(a: Pair) -> Pair:
    """All reciprocals; everything where 0 lies in the interval."""
    ends = np.nextafter(1.0 / a[1], -np.inf), np.nextafter(1.0 / a[0], np.inf)
    positive, below = a[0] > 0, a[1] < 0
    low = np.where(positive, np.maximum(ends[0], 0.0), np.where(below, ends[0], -np.inf))
    return low, np.where(below, np.minimum(ends[1], 0.0), np.where(positive, ends[1], np.inf))


def magnitude(a: Pair) -> Array:
    """The greatest absolute values."""
    return np.maximum(np.abs(a[0]), np.abs(a[1]))


def least_magnitude(a: Pair) -> Array:
    """The least absolute values."""
    return np.maximum(0.0, np.maximum(a[0], -a[1]))


def trusted(low: Array, high: Array, bottom: float = -np.inf, top: float = np.inf) -> Pair:
    """What numpy computed at both ends, widened by its error and cut to the range of the function."""
    low, high = tidy(low - np.abs(low) * TRUST - TINY, high + np.abs(high) * TRUST + TINY)
    return np.clip(low, bottom, top), np.clip(high, bottom, top)


def monotone(
    function: Callable[[Array], Array], a: Pair, bottom: float = -np.inf, top: float = np.inf
) -> Pair:
    """All values of an increasing function of numpy with this range."""
    return trusted(function(a[0]), function(a[1]), bottom, top)


def meet(a: Pair, b: Pair) -> Pair:
    """What lies in both; lower above upper where nothing does."""
    return np.maximum(a[0], b[0]), np.minimum(a[1], b[1])


def point(x: Array) -> Pair:
    """The interval of one number."""
    return x, x


def zero() -> Array:
    """The number 0 as an array."""
    return np.zeros(())
