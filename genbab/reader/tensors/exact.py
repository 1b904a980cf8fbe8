"""Arithmetic on constants that knows what it rounds off: float64 numbers, and how far the real ones may be.

Error-free transformations (Knuth's TwoSum, Dekker's TwoProduct; see Ogita, Rump and Oishi, Accurate sum and
dot product, 2005) give the error of a sum or product as a number, so what is exact is known to be.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from genbab.error_free import product_error, sum_error
from genbab.network.maps.roundings import LEAST, UNIT
from genbab.reader.tensors.values import Array, Inexact, constant

SAFE = (2.0**-480, 2.0**480)
"""Sizes between which the halves of a product neither overflow nor underflow."""

ROOM = 1 + 2.0**-30
"""Room for the roundings of an error's own arithmetic."""

Ball = tuple[Array, Array]
"""(numbers, error): real numbers within error of the float64 ones, entry by entry."""

ZERO: Ball = (np.zeros(()), np.zeros(()))
ONE: Ball = (np.ones(()), np.zeros(()))


def ball(value: Array | Inexact) -> Ball:
    """The constant as float64 numbers with their distances."""
    if isinstance(value, Inexact):
        return value.value, value.error
    number = np.asarray(value)
    made = number.astype(np.float64)
    error = np.zeros(made.shape)
    if number.dtype.kind in "iu" and number.dtype.itemsize == 8 and (np.abs(made) >= 2.0**53).any():
        pairs = zip(number.ravel().tolist(), made.ravel().tolist(), strict=True)
        lost = [abs(whole - int(rounded)) for whole, rounded in pairs]
        error = np.array(lost, dtype=np.float64).reshape(made.shape) * ROOM
    return made, error


def known(value: Any, what: str) -> Ball:
    """The constant that an operator needs; refused where it depends on the network's input."""
    found = value if isinstance(value, Inexact) else constant(value, what)
    if found is None:
        raise ValueError(f"{what} is missing")
    return ball(found)


def added(x: Ball, y: Ball) -> Ball:
    """x + y."""
    (a, e), (c, f) = x, y
    with np.errstate(all="ignore"):
        total = a + c
        return total, _sum_up(e + f, np.abs(sum_error(a, c, total)))


def times(x: Ball, y: Ball) -> Ball:
    """x · y."""
    (a, e), (c, f) = x, y
    with np.errstate(all="ignore"):
        product = a * c
        carried = np.abs(a) * f + np.abs(c) * e + e * f
        some = ((f > 0) & ((a != 0) | (e > 0))) | ((e > 0) & (c != 0))
        return product, _sum_up(carried + LEAST * some, _product_error(a, c, product))


def over(x: Ball, y: Ball) -> Ball:
    """x / y; infinite where y may be 0 but is not."""
    (a, e), (c, f) = x, y
    with np.errstate(all="ignore"):
        quotient = a / c
        again, rounded = times((quotient, np.zeros_like(quotient)), (c, np.zeros_like(c)))
        rest = np.abs(a - again) + rounded  # a - again is exact: the numbers are neighbours
        sharp = (rest == 0) & (e == 0) & (f == 0)
        least = np.abs(c) - f
        error = (rest + e + np.abs(quotient) * f) / np.where(least > 0, least, np.nan) * ROOM + LEAST
        return quotient, np.where(sharp, 0.0, np.nan_to_num(error, nan=np.inf))


def root(x: Ball) -> Ball:
    """√x; NaN where x may be negative."""
    a, e = x
    with np.errstate(all="ignore"):
        made = np.sqrt(np.where(a - e < 0, np.nan, a))
        squared, rounded = times((made, np.zeros_like(made)), (made, np.zeros_like(made)))
        rest = np.abs(a - squared) + rounded + e
        return made, np.where(rest == 0, 0.0, rest / np.where(made > 0, made, np.nan) * ROOM + LEAST)


def negative(x: Ball) -> Ball:
    """-x."""
    return -x[0], x[1]


def summed(x: Ball, axes: tuple[int, ...]) -> Ball:
    """The sums over these axes."""
    a, e = x
    terms = int(np.prod([a.shape[axis] for axis in axes], dtype=np.int64))
    return a.sum(axis=axes), _lost(np.abs(a).sum(axis=axes), e.sum(axis=axes), terms, (a,))


def product(x: Ball, y: Ball) -> Ball:
    """The product of tensors as numpy's matmul has it."""
    (a, e), (c, f) = x, y
    value, size = np.matmul(a, c), np.matmul(np.abs(a), np.abs(c))
    carried = np.matmul(np.abs(a), f) + np.matmul(e, np.abs(c) + f)
    least = (a.shape[-1] + 1) * LEAST * np.matmul((np.abs(a) + e > 0) * 1.0, (np.abs(c) + f > 0) * 1.0)
    least = np.where(_whole(a) & _whole(c) & ~(e.any() | f.any()), 0.0, least)
    return value, _lost(size, carried + least, a.shape[-1], (a, c))


def inexact(x: Ball) -> Inexact:
    """The constant as a tensor that lowerings of arithmetic take."""
    value, error = np.broadcast_arrays(*x)
    return Inexact(value, error, value)


def of_reciprocal(count: float) -> int:
    """The roundings of 1 / count, 0 or 1."""
    return int(math.frexp(count)[0] != 0.5)


def _lost(size: Array, carried: Array, terms: int, parts: Sequence[Array]) -> Array:
    """What sums of so many products of entries of the parts lose; 0 for integers that float64 can add."""
    whole = all(_whole(part) for part in parts) and (size < 2.0**53).all()
    if whole or (terms == 1 and len(parts) == 1):
        return _sum_up(carried, np.zeros_like(size))
    rounded = np.where(size > 0, (terms + 1) * (UNIT * size + LEAST), 0.0)
    return _sum_up(carried * (1 + terms * UNIT), rounded)


def _whole(a: Array) -> bool:
    return bool((a == np.rint(a)).all())


def total(parts: Sequence[Ball]) -> Ball:
    """The sum of all."""
    made = parts[0]
    for part in parts[1:]:
        made = added(made, part)
    return made


def _sum_up(carried: Array, lost: Array) -> Array:
    """An upper bound of carried + lost; 0 where both are."""
    error = np.nan_to_num(carried + lost, nan=np.inf, posinf=np.inf)
    return np.where(error > 0, error * ROOM + LEAST, 0.0)


def _product_error(a: Array, c: Array, product: Array) -> Array:
    """|a·c - product|: exactly where sizes allow, else a bound."""
    with np.errstate(all="ignore"):
        exact = np.abs(product_error(a, c, product))
        fine = _safe(np.abs(a)) & _safe(np.abs(c))
        rough = UNIT * np.abs(product) + LEAST
        none = (a == 0) | (c == 0) | (np.abs(a) == 1) | (np.abs(c) == 1)
        found: Array = np.where(none, 0.0, np.where(fine, exact, rough))
        return found


def _safe(size: Array) -> Array:
    """Where halves of numbers of this size neither overflow nor underflow in products."""
    found: Array = ((size >= SAFE[0]) & (size <= SAFE[1])) | (size == 0)
    return found
