"""Decimal text to float64 and back, with the direction of the rounding under control."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from genbab.error_free import product_error

NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
MAX_DIGITS = 2000
"""The longest number that is accepted, in characters."""

SHORT = 18
"""Digits of a number that fits 64-bit integers without its point."""

POWERS = np.array([float(10**k) for k in range(23)])
"""The powers of ten that are float64."""

_LARGEST = Decimal(sys.float_info.max)
_NUMBER = re.compile(NUMBER, re.ASCII)
_NONZERO = re.compile(r"[-+]?[0.]*[1-9]")


def why_not_a_number(text: str) -> str | None:
    """Why `text` cannot be used as a constant, or None when it is a number in the range of float64."""
    if not _NUMBER.fullmatch(text):
        return f"'{text}' is not a finite decimal number"
    if len(text) > MAX_DIGITS:
        return f"a number of {len(text)} characters is longer than {MAX_DIGITS}"
    if len(re.split("[eE]", text)[-1]) > 7 and "e" in text.lower():
        return f"'{text}' is out of range: its exponent is too long"
    value = float(text)
    if math.isinf(value) or abs(Decimal(text)) > _LARGEST:
        return f"'{text}' is out of range: float64 ends at 1.8e308"
    if value == 0.0 and _NONZERO.match(text):
        return f"'{text}' is out of range: it is not zero, but closer to zero than float64 can say"
    return None


def first_bad(texts: Sequence[str]) -> tuple[int, str] | None:
    """(index, reason) of a text, each shaped like a number, that `why_not_a_number` refuses, or None."""
    nearest = np.fromiter(map(float, texts), np.float64, len(texts))
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    odd = (nearest == 0) | (np.abs(nearest) >= sys.float_info.max) | (lengths > MAX_DIGITS)
    for text in {texts[i] for i in np.flatnonzero(odd).tolist()}:
        if reason := why_not_a_number(text):
            return texts.index(text), reason
    return None


def directed(texts: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(down, up), each (n,): the largest float64 <= and the smallest >= each of these decimal numbers.

    Both are the number itself where it is a float64. The texts must be numbers that `first_bad` accepts.
    """
    nearest = np.fromiter(map(float, texts), np.float64, len(texts))
    side = _sides(texts, nearest)
    down, up = nearest.copy(), nearest.copy()
    np.nextafter(nearest, -np.inf, out=down, where=side < 0)
    np.nextafter(nearest, np.inf, out=up, where=side > 0)
    return down + 0.0, up + 0.0


def _sides(texts: Sequence[str], nearest: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sign of text - nearest, exactly, (n,).

    A short text is m / 10^k with integers below 2^60. What `residual` leaves open, and long texts, are
    compared as decimals.
    """
    whole, after, plain = _integers(texts)
    side = np.zeros(len(texts))
    chosen = np.flatnonzero(plain)
    difference, known = residual(whole[chosen], after[chosen], nearest[chosen])
    side[chosen] = np.sign(difference)
    plain[chosen[~known]] = False
    for i in np.flatnonzero(~plain).tolist():
        wanted, got = Decimal(texts[i]), Decimal(float(nearest[i]))
        side[i] = (wanted > got) - (wanted < got)
    return side


def residual(
    whole: NDArray[np.int64], after: NDArray[np.int64], near: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(whole - near * 10^after to about 12 digits, whether its sign, 0 included, is exact), each (n,).

    For |whole| < 2^60, 0 <= after < len(POWERS), near within some ulps of the quotient; both terms are
    compared as exact sums of two float64.
    """
    high = near * POWERS[after]
    low = product_error(near, POWERS[after], high)
    top = whole.astype(np.float64)
    first, second = top - high, (whole - top.astype(np.int64)).astype(np.float64) - low
    total = first + second
    known = (np.abs(total) > 1e-12 * (np.abs(first) + np.abs(second))) | ((first == 0) & (second == 0))
    return total, known


def _integers(
    texts: Sequence[str],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """(m, k, plain), each (n,): a plain text has at most `SHORT` digits and no exponent, and is m / 10^k."""
    width = SHORT + 3  # a sign, a point, and one more to tell what is longer
    codes = np.array(texts, f"S{width}").view(np.uint8).reshape(len(texts), width).T.copy()
    digit = codes - np.uint8(48)  # 0 to 9, or more
    is_digit = digit < 10
    plain = is_digit.sum(0) <= SHORT
    plain &= (codes[-1] == 0) & (is_digit | (codes == 0) | (codes == 46) | (codes == 43) | (codes == 45)).all(
        0
    )
    whole, after = np.zeros((2, len(texts)), np.int64)
    for column, value in zip(is_digit, digit, strict=True):
        whole = np.where(column, 10 * whole + value, whole)
    place = np.where((codes == 46).any(0), (codes == 46).argmax(0), width)
    for k, column in enumerate(is_digit):
        after += column & (place < k)
    whole[codes[0] == 45] *= -1
    return whole, np.where(plain, after, 0), plain


def round_up(value: Fraction) -> float:
    """The smallest float64 >= value; raises OverflowError beyond the range of float64."""
    nearest = float(value)
    rounded = math.nextafter(nearest, math.inf) if Fraction(nearest) < value else nearest
    if math.isinf(rounded):
        raise OverflowError
    return rounded


def text_of(value: float, upper: bool) -> str:
    """A short decimal <= value (upper) or >= value (else) from which `directed` gives back the value."""
    short, exact = repr(value), Decimal(value)
    if (Decimal(short) <= exact) if upper else (Decimal(short) >= exact):
        return short
    inward = Context(prec=17, rounding=ROUND_FLOOR if upper else ROUND_CEILING).create_decimal(exact)
    return str(inward if abs(inward) <= _LARGEST else exact)
