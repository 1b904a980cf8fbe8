"""The numbers of IEEE 754 binary32, rounded to nearest, and boxes that end at them."""

from __future__ import annotations

import numpy as np

from genbab.check.intervals import Array, Pair

HALF_ULP = 2.0**-24
"""The most that rounding changes, relative to the result."""

NORMAL = 2.0**-126
"""The least normal number: more than underflow, or flushing to zero, changes."""

REACH = 2.0**120
"""Numbers up to this, and twice as many, are far from the largest one."""

ROOM = 1 + 2.0**-20
"""Room for the roundings of what computes errors."""


def gammas(roundings: Array | float) -> Array:
    """n·u / (1 - n·u): the most that n roundings one after the other change; infinite beyond a hundredth."""
    product = np.asarray(roundings, dtype=np.float64) * HALF_ULP
    return np.where(product < 0.01, product / (1.0 - product) * ROOM, np.inf)


def around(box: Pair) -> Pair:
    """The box with its ends moved outward to numbers of float32; those beyond the largest stay."""
    with np.errstate(over="ignore"):
        low, high = (end.astype(np.float32) for end in box)
        low = np.where(low > box[0], np.nextafter(low, np.float32(-np.inf)), low).astype(np.float64)
        high = np.where(high < box[1], np.nextafter(high, np.float32(np.inf)), high).astype(np.float64)
    return np.where(np.isfinite(low), low, box[0]), np.where(np.isfinite(high), high, box[1])
