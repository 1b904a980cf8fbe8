"""Decimal text to float64 and back, with the direction of the rounding under control."""

from __future__ import annotations

import math
import operator
import re
import sys
from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
MAX_DIGITS = 2000
"""The longest number that is accepted, in characters."""

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
    wanted, got = list(map(Decimal, texts)), list(map(Decimal, nearest.tolist()))
    below = np.fromiter(map(operator.lt, wanted, got), bool, len(texts))
    above = np.fromiter(map(operator.gt, wanted, got), bool, len(texts))
    down, up = nearest.copy(), nearest.copy()
    np.nextafter(nearest, -np.inf, out=down, where=below)
    np.nextafter(nearest, np.inf, out=up, where=above)
    return down + 0.0, up + 0.0


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
