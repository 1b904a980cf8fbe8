"""Numbers as people give them, exactly: `"8/255"`, `"0.1"`, 0.1 (the float64), Fractions, arrays of these."""

from __future__ import annotations

import math
import numbers
import re
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genbab.errors import SpecError
from genbab.specs.numbers.arrays import Bools, Floats
from genbab.specs.numbers.numbers import NUMBER, round_up, why_not_a_number

Fractions = NDArray[np.object_]
"""An array of `Fraction`s."""

_QUOTIENT = re.compile(rf"\s*({NUMBER})\s*/\s*({NUMBER})\s*", re.ASCII)


def exact(value: Any) -> Fraction:
    """The number itself: text as a decimal or a quotient, a float as the binary number that it is.

    Raises SpecError for what is no finite number.
    """
    if isinstance(value, str):
        return _read(value)
    if isinstance(value, bool | np.bool_):
        raise SpecError(f"{value} is not a number")
    if isinstance(value, numbers.Rational):  # int, Fraction, numpy's integers
        return Fraction(int(value.numerator), int(value.denominator))
    if isinstance(value, Decimal) and value.is_finite():
        return Fraction(value)
    if isinstance(value, float | np.floating) and math.isfinite(value):
        return Fraction(float(value))
    raise SpecError(f"{value!r} is not a finite number; accepted are 0.5, 3, '0.1', '8/255', a Fraction")


def _read(text: str) -> Fraction:
    quotient = _QUOTIENT.fullmatch(text)
    parts = quotient.groups() if quotient else (text.strip(),)
    for part in parts:
        if reason := why_not_a_number(part):
            raise SpecError(f"{reason}; accepted are texts like '0.1' and '8/255'")
    if quotient and not Fraction(parts[1]):
        raise SpecError(f"'{text}' divides by zero")
    return Fraction(parts[0]) / (Fraction(parts[1]) if quotient else 1)


def exact_array(values: Any) -> Floats | Fractions:
    """The values as float64 where all are (any shape), else as `Fraction`s; raises SpecError."""
    if hasattr(values, "detach"):  # a torch tensor
        values = values.detach().cpu().numpy()
    array = np.asarray(values)
    if array.dtype.kind in "fiu" and array.dtype.itemsize <= 8:
        floats = array.astype(np.float64)
        if not np.isfinite(floats).all():
            place = np.argwhere(~np.isfinite(floats))[0].tolist()
            raise SpecError(f"the number at {place} is not finite")
        if array.dtype.kind == "f" or (np.abs(floats) <= 2.0**53).all():
            return floats
    made = np.empty(array.shape, object)
    flat = array.ravel().tolist() if array.dtype.kind in "fiu" else array.astype(object).ravel()
    made.reshape(-1)[:] = [exact(v) for v in flat]
    return made


def floats_of(values: Floats | Fractions, up: bool) -> Floats:
    """The smallest float64 >= (up) or largest <= each value, any shape; raises SpecError out of range."""
    if values.dtype != object:
        return np.asarray(values, np.float64)
    try:
        exactly = [Fraction(v) for v in values.ravel()]
        found = [round_up(v) if up else -round_up(-v) for v in exactly]
    except OverflowError:
        raise SpecError("a number is out of the range of float64") from None
    return np.array(found, np.float64).reshape(values.shape) + 0.0


class Ends(NamedTuple):
    """Numbers rounded outward, (n,) each: the float64, whether it is another number, and which (or None)."""

    value: Floats
    rounded: Bools
    said: NDArray[np.object_]

    @staticmethod
    def of(numbers: Floats | Fractions, up: bool) -> Ends:
        """These numbers, rounded up or down; raises SpecError out of range."""
        value = floats_of(numbers, up)
        if numbers.dtype != object:
            return Ends(value, np.zeros(value.shape, bool), np.full(value.shape, None, object))
        return Ends(value, np.asarray(value != numbers, bool), numbers.astype(object))

    def unrounded(self) -> Floats | Fractions:
        """The numbers themselves."""
        return self.said if self.rounded.any() else self.value


def around(centre: Floats, radius: Floats | Fractions) -> tuple[Ends, Ends]:
    """centre - radius rounded down and centre + radius rounded up; centre (D,), radius (1,) or (D,).

    Raises SpecError out of the range of float64.
    """
    pairs: dict[tuple[float, Any], tuple[tuple[float, Fraction, bool], ...]] = {}
    value = np.empty((2, len(centre)))
    said = np.empty((2, len(centre)), object)
    rounded = np.empty((2, len(centre)), bool)
    wide = np.broadcast_to(radius, centre.shape).tolist()
    try:
        for i, pair in enumerate(zip(centre.tolist(), wide, strict=True)):
            if pair not in pairs:
                middle, half = Fraction(pair[0]), Fraction(pair[1])
                low, high = middle - half, middle + half
                ends = (-round_up(-low) + 0.0, low), (round_up(high) + 0.0, high)
                pairs[pair] = tuple((end, number, end != number) for end, number in ends)
            for k, found in enumerate(pairs[pair]):
                value[k, i], said[k, i], rounded[k, i] = found
    except OverflowError:
        raise SpecError("a number is out of the range of float64") from None
    return Ends(value[0], rounded[0], said[0]), Ends(value[1], rounded[1], said[1])
