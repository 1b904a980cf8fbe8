"""The largest errors of a computed function, by place: 2^14 buckets of 2^18 neighbouring float32 numbers.

Within a bucket they are kept by the exponent of the exact value, so that bounds |error| <= a + r*|f| can be
fitted afterwards.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from elementary_functions.exact import UNCERTAINTY

BITS = 18
SIZE = 1 << BITS
BUCKETS = 1 << (32 - BITS)
CELLS = 280
"""Exponents of exact values: cell 0 for less than 2^-150 in size, cell c for [2^(c - 151), 2^(c - 150))."""
LARGEST = float(np.finfo(np.float32).max)
NORMAL = 2.0**-126
KINDS = ("absolute", "relative", "ulps")
PLACES = ("domain", "range")
RESULTS = ("nan", "inf", "-inf", "finite")
Doubles = NDArray[np.float64]
Singles = NDArray[np.float32]
Words = NDArray[np.uint32]


@dataclass
class Errors:
    """What was found so far about one function of a runtime.

    `absolute` and `relative` [bucket, cell] count what flushing a subnormal input or result to 0 adds, and
    the uncertainty of the exact value; `worst` [bucket, kind] does not. `edge` [bucket]: error and size of
    the value at the bucket's first number. `lost` [bucket]: how many results are infinite or undefined though
    the exact value is in float32's range. `outside` [place, result]: how often results of each kind came for
    inputs outside the domain, and where the exact value is beyond float32's range. `steps` [bucket]: how many
    neighbours are ordered the wrong way, `step_at` the worst: x, x, y, y.
    """

    absolute: Doubles = field(default_factory=lambda: np.zeros((BUCKETS, CELLS)))
    relative: Doubles = field(default_factory=lambda: np.zeros((BUCKETS, CELLS)))
    worst: Doubles = field(default_factory=lambda: np.zeros((BUCKETS, 3)))
    worst_at: Singles = field(default_factory=lambda: np.zeros((BUCKETS, 3), np.float32))
    edge: Doubles = field(default_factory=lambda: np.zeros((BUCKETS, 2)))
    judged: NDArray[np.int64] = field(default_factory=lambda: np.zeros(BUCKETS, np.int64))
    lost: NDArray[np.int64] = field(default_factory=lambda: np.zeros(BUCKETS, np.int64))
    steps: NDArray[np.int64] = field(default_factory=lambda: np.zeros(BUCKETS, np.int64))
    step_at: Singles = field(default_factory=lambda: np.zeros((BUCKETS, 4), np.float32))
    outside: NDArray[np.int64] = field(default_factory=lambda: np.zeros((2, 4), np.int64))
    outside_at: Singles = field(default_factory=lambda: np.zeros((2, 4), np.float32))
    facts: dict[str, Any] = field(default_factory=dict)


_POWERS = 2.0 ** -(np.maximum(np.arange(CELLS) - 151.0, -126.0) - 23.0)


def add(errors: Errors, bits: Words, y: Singles, exact: Doubles, at_zero: tuple[float, float]) -> None:
    """Take in results `y` at the float32 numbers of the patterns `bits`.

    `at_zero`: the exact value at 0 and the result's error there, for inputs that are flushed.
    """
    buckets = bits >> BITS
    if buckets.min() == buckets.max():
        _one(errors, int(buckets[0]), (bits, y, exact), at_zero)
        return
    order = np.argsort(buckets, kind="stable")
    bits, y, exact, buckets = bits[order], y[order], exact[order], buckets[order]
    cuts = [0, *(np.flatnonzero(np.diff(buckets)) + 1), len(bits)]
    for start, end in itertools.pairwise(map(int, cuts)):
        part = bits[start:end], y[start:end], exact[start:end]
        _one(errors, int(buckets[start]), part, at_zero)


Part = tuple[Words, Singles, Doubles]


def _one(errors: Errors, bucket: int, part: Part, at_zero: tuple[float, float]) -> None:
    """Take in results within a bucket."""
    bits, y, exact = part
    x = bits.view(np.float32)
    found = _alike(errors, bucket, part)
    if found is None:
        numbers = (bits, x, y, exact, exact.view(np.int64))
        cells = (errors.absolute[bucket], errors.relative[bucket])
        *found, lost, judged = _add(numbers, at_zero, cells, (errors.outside, errors.outside_at))
        errors.judged[bucket] += judged
        errors.lost[bucket] += lost
    for kind, (error, at) in enumerate(zip(*found, strict=True)):
        if error > errors.worst[bucket, kind]:
            errors.worst[bucket, kind], errors.worst_at[bucket, kind] = error, x[at]
    if bits[0] & (SIZE - 1) == 0 and abs(exact[0]) <= LARGEST:
        apart = abs(float(y[0]) - exact[0]) + UNCERTAINTY * abs(exact[0])
        apart = _with_flushes(apart, exact[0], x[0], at_zero)
        errors.edge[bucket] = max(errors.edge[bucket, 0], apart), abs(exact[0])


def _alike(errors: Errors, bucket: int, part: Part) -> tuple[list[float], list[int]] | None:
    """The worst errors and their places if all results belong to one cell, none is lost or may be flushed."""
    bits, y, exact = part
    sizes = np.abs(exact)
    low, high = float(sizes.min()), float(sizes.max())
    exponent = math.frexp(high)[1]
    if not (NORMAL <= low and high <= LARGEST and math.frexp(low)[1] == exponent and bits[0] & 0x7F800000):
        return None
    apart = np.abs(y - exact)
    first = int(apart.argmax())
    largest, cell = float(apart[first]), exponent + 150
    if not math.isfinite(largest):
        return None
    np.divide(apart, sizes, out=apart)
    second = int(apart.argmax())
    ratio = float(apart[second])
    mine, relative = errors.absolute[bucket], errors.relative[bucket]
    mine[cell] = max(mine[cell], largest + UNCERTAINTY * high)
    relative[cell] = max(relative[cell], ratio + UNCERTAINTY)
    errors.judged[bucket] += len(bits)
    return [largest, ratio, largest * _POWERS[cell]], [first, second, first]


@numba.njit()
def _add(numbers: Any, at_zero: tuple[float, float], cells: Any, beyond: Any) -> Any:
    """The worst errors by kind, where they are; how many results are lost, and how many are not."""
    bits, x, y, values, patterns = numbers
    absolute, relative = cells
    worst, at = (0.0, 0.0, 0.0), (0, 0, 0)
    lost, judged = 0, 0
    for i in range(len(bits)):
        value, result = values[i], np.float64(y[i])
        size, error = abs(value), abs(result - value)
        if not size <= LARGEST:
            _outside(beyond, value, result, x[i])
        elif not error < math.inf:
            lost += 1
        else:
            judged += 1
            cell = max(((patterns[i] >> 52) & 0x7FF) - 872, 0)
            worst, at = _worst(worst, at, i, (error, size, error * _POWERS[cell]))
            error += UNCERTAINTY * size
            if size < NORMAL or abs(x[i]) < NORMAL:
                error = _with_flushes(error, value, x[i], at_zero)
            _into(absolute, relative, cell, error, size)
    return worst, at, lost, judged


@numba.njit()
def _into(absolute: Doubles, relative: Doubles, cell: int, error: float, size: float) -> None:
    if error > absolute[cell]:
        absolute[cell] = error
    if error > relative[cell] * size:
        relative[cell] = error / size if size > 0.0 else math.inf


@numba.njit()
def _worst(worst: Any, at: Any, i: int, found: tuple[float, float, float]) -> Any:
    error, size, ulps = found
    if error > worst[0]:
        worst, at = (error, worst[1], worst[2]), (i, at[1], at[2])
    if error > worst[1] * size and size >= NORMAL:
        worst, at = (worst[0], error / size, worst[2]), (at[0], i, at[2])
    if ulps > worst[2]:
        worst, at = (worst[0], worst[1], ulps), (at[0], at[1], i)
    return worst, at


@numba.njit()
def _outside(beyond: Any, value: float, result: float, x: np.float32) -> None:
    counts, at = beyond
    place = 0 if math.isnan(value) else 1
    kind = 3
    if not math.isfinite(result):
        kind = 0 if math.isnan(result) else 1 if result > 0 else 2
    counts[place, kind] += 1
    at[place, kind] = x


@numba.njit()
def _with_flushes(error: float, value: float, x: np.float32, at_zero: tuple[float, float]) -> float:
    """The error if a subnormal input or result may count as 0."""
    if abs(value) < NORMAL:
        error = max(error, abs(value))
    if abs(x) < NORMAL and math.isfinite(at_zero[0]):
        error = max(error, at_zero[1] + abs(value - at_zero[0]))
    return error


def steps(errors: Errors, bits: Words, y: Singles, exact: Doubles, heading: int) -> None:
    """Count the neighbours in `bits`, ascending, whose results are ordered the wrong way.

    `heading` of the exact function in ascending x; 2: as its values are ordered.
    """
    if heading:
        _steps((bits, bits.view(np.float32), y, exact), heading, errors.steps, errors.step_at)


@numba.njit()
def _steps(numbers: Any, heading: int, counts: NDArray[np.int64], at: Singles) -> None:
    bits, x, y, exact = numbers
    for i in range(1, len(bits)):
        rise = np.float64(y[i]) - np.float64(y[i - 1])
        if rise == 0.0 or not math.isfinite(rise):
            continue
        if heading == 2:
            wrong = rise * (exact[i] - exact[i - 1]) < 0.0
        else:
            wrong = rise * heading * (1.0 if bits[i] < 0x80000000 else -1.0) < 0.0
        if wrong:
            bucket = bits[i] >> BITS
            if counts[bucket] == 0 or abs(rise) > abs(np.float64(at[bucket, 3]) - np.float64(at[bucket, 2])):
                at[bucket, 0], at[bucket, 1], at[bucket, 2], at[bucket, 3] = x[i - 1], x[i], y[i - 1], y[i]
            counts[bucket] += 1
