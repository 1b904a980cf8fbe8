"""Intervals with |computed - f(x)| <= absolute + relative*|f(x)|, few and tight, from errors by place.

Errors of a cell are at most A and at most R*|f|, so a + r*|f| is enough wherever a/A + r/R >= 1: the lesser
of the two is concave in |f|, and the line passes above its corner. Neighbouring intervals share their ends.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np

from elementary_functions.errors import BUCKETS, CELLS, LARGEST, NORMAL, SIZE, Doubles, Errors
from elementary_functions.exact import Exact
from genbab.network.rounding.elementary import Piece

COMMON = (2.0**-6, 2.0**8)
"""Sizes of x where intervals may end at eighths of octaves and count four times; elsewhere at powers of 4."""
MOST = 8
CHOICES = 12
DEPTH = 12
"""In a group, tightness counts at the largest |f| and at the least within a factor 2^DEPTH of it."""
STEEPEST = 2.0**-10
"""The largest r: where errors are as large as values, they are small, and an absolute bound says so."""
NEGLIGIBLE = 2.0**-40
"""Absolute errors below it need not be told apart."""
SLIGHT = 2.0
"""What a larger a must save to be preferred, in the units of costs."""
Shared = tuple[float, float]
_HALF = BUCKETS // 2
_FINITE = 0x7F800000 // SIZE
ORDER = (*range(_HALF + _FINITE - 1, _HALF - 1, -1), *range(_FINITE))
"""Buckets by ascending x."""
_SUBNORMAL = 25
"""The cells before it are those of subnormal values."""


@dataclass(frozen=True)
class Span:
    """Numbers from `low` to `high` without a lost result; `buckets` that they lie in, by ascending x."""

    low: float
    high: float
    buckets: list[int]


def ends(bucket: int) -> tuple[float, float]:
    """The least and the greatest number of a bucket."""
    both = np.array([bucket * SIZE, bucket * SIZE + SIZE - 1], np.uint32).view(np.float32)
    return float(both.min()), float(both.max())


def _beside(x: float, way: float) -> float:
    with np.errstate(over="ignore"):
        return float(np.nextafter(np.float32(x), np.float32(way)))


def barred(errors: Errors, pole: bool) -> list[tuple[float, float]]:
    """Ranges of x that no interval may hold: buckets with lost results, and subnormal x if 0 is a `pole`."""
    found: list[tuple[float, float]] = []
    last = None
    for place, bucket in enumerate(ORDER):
        now = ends(bucket)
        if not errors.lost[bucket] and not (pole and max(map(abs, now)) < NORMAL):
            continue
        if last == place - 1:
            found[-1] = found[-1][0], now[1]
        else:
            found.append(now)
        last = place
    return found


def spans(errors: Errors, exact: Exact) -> list[Span]:
    """Where results are finite whenever the exact value is, to the last such number."""
    pole = not math.isfinite(exact.at(np.zeros(1, np.float32))[0])
    cuts = [(-math.inf, -math.inf), *barred(errors, pole), (math.inf, math.inf)]
    found = []
    for (_, before), (after, _) in itertools.pairwise(cuts):
        low, high = _beside(before, math.inf), _beside(after, -math.inf)
        buckets = [b for b in ORDER if errors.judged[b] and ends(b)[0] <= high and ends(b)[1] >= low]
        if buckets:
            first, last = _known(buckets[0], exact), _known(buckets[-1], exact)
            found.append(Span(max(low, first[0]), min(high, last[1]), buckets))
    return found


def _known(bucket: int, exact: Exact) -> tuple[float, float]:
    """The least and the greatest number of a bucket with an exact value in float32's range."""
    x = np.arange(bucket * SIZE, (bucket + 1) * SIZE, dtype=np.uint32).view(np.float32)
    x = x[np.abs(exact.at(x)) <= LARGEST]
    return float(x.min()), float(x.max())


@dataclass(frozen=True)
class Groups:
    """Errors of neighbouring buckets: A, R [group, cell]; of the ends that intervals share.

    `size` and `best` [group, 2]: a large and a small |f|, and the least bounds there that are worth having.
    """

    absolute: Doubles
    relative: Doubles
    shared: Doubles
    size: Doubles
    best: Doubles
    weight: Doubles
    starts: list[int]


def grouped(errors: Errors, span: Span) -> Groups:
    """The groups at whose ends intervals may end."""
    keys = [_key(bucket) for bucket in span.buckets]
    starts = [i for i, key in enumerate(keys) if not i or key != keys[i - 1]]
    order = np.array(span.buckets)
    absolute = np.maximum.reduceat(errors.absolute[order], starts)
    relative = np.maximum.reduceat(errors.relative[order], starts)
    shared = np.zeros((len(starts), 2, 2))
    for k, start in enumerate(starts):
        if k and order[start] < _HALF:
            shared[k - 1, 1] = errors.edge[order[start]]
        elif k:
            shared[k, 0] = errors.edge[order[start - 1]]
    used = [np.flatnonzero(a) if a.any() else np.zeros(1, np.int64) for a in absolute]
    cells = np.array([[u[-1], u[u >= u[-1] - DEPTH][0]] for u in used])
    size = 2.0 ** (cells - 150.0)
    found = np.take_along_axis(absolute, cells, 1)
    best = np.maximum(found, np.maximum(2.0**-25 * size, NEGLIGIBLE))
    weight = np.array(
        [4.0 if COMMON[0] <= max(map(abs, ends(order[i]))) < COMMON[1] else 1.0 for i in starts]
    )
    return Groups(absolute, relative, shared, size, best, weight, starts)


def _key(bucket: int) -> tuple[int, int]:
    size = max(map(abs, ends(bucket)))
    common = COMMON[0] <= size < COMMON[1]
    pattern = bucket % _HALF * SIZE
    return bucket // _HALF, pattern >> 20 if common else (pattern >> 24) + 10**6


@numba.njit()
def _fit(a_cells: Doubles, r_cells: Doubles, shared: tuple[Shared, Shared], a: float) -> float:
    """The least r for this a."""
    r = 0.0
    for c in range(CELLS):
        if a_cells[c] > a:
            r = max(r, r_cells[c] * (1.0 - a / a_cells[c]) if a > 0.0 else r_cells[c])
    for error, size in shared:
        if error > a:
            r = max(r, (error - a) / size if size > 0.0 else math.inf)
    return r


@numba.njit()
def _choices(a_cells: Doubles, shared: tuple[Shared, Shared]) -> Doubles:
    """Some a worth trying: 0, errors of cells, the least that needs no r."""
    known = np.unique(np.append(a_cells, 0.0))
    known = np.append(known, max(known[-1], shared[0][0], shared[1][0]))
    return np.append(known[:: max(1, len(known) // CHOICES)], known[-1])


@numba.njit()
def _cost(a: float, r: float, best: Doubles, size: Doubles, weight: Doubles) -> float:
    """By how many powers of 2 the line exceeds the errors, at all groups together."""
    total, product, now = 0.0, 1.0, weight[0]
    for g in range(len(best)):
        if weight[g] != now or product > 1e200:
            total, product, now = total + now * math.log2(product), 1.0, weight[g]
        for k in range(2):
            product *= math.sqrt(max((a + r * size[g, k]) / best[g, k], 1.0))
    return float(total + now * math.log2(product))


@numba.njit()
def _table(
    cells: tuple[Doubles, Doubles], shared: Doubles, best: Doubles, size: Doubles, weight: Doubles
) -> Any:
    """The cost [i, j] of the best interval from group i to before group j, and its a and r."""
    n = len(best)
    cost, fits = np.full((n, n + 1), np.inf), np.zeros((n, n + 1, 2))
    for i in range(n):
        a_cells, r_cells = np.zeros(CELLS), np.zeros(CELLS)
        for j in range(i, n):
            a_cells, r_cells = np.maximum(a_cells, cells[0][j]), np.maximum(r_cells, cells[1][j])
            both = (shared[i, 0, 0], shared[i, 0, 1]), (shared[j, 1, 0], shared[j, 1, 1])
            least = NORMAL if a_cells[:_SUBNORMAL].max() > 0.0 else 0.0
            for choice in _choices(a_cells, both):
                a = max(choice, least)
                r = _fit(a_cells, r_cells, both, a)
                if r <= STEEPEST:
                    now = _cost(a, r, best[i : j + 1], size[i : j + 1], weight[i : j + 1])
                    if now < cost[i, j + 1] - SLIGHT:
                        cost[i, j + 1], fits[i, j + 1, 0], fits[i, j + 1, 1] = now, a, r
    return cost, fits


def _best_cut(cost: Doubles, price: float) -> list[tuple[int, int]]:
    """The cut into intervals of the least total cost, each of which costs `price` more."""
    n = len(cost)
    least, came = np.full(n + 1, math.inf), np.zeros(n + 1, np.int64)
    least[0] = 0.0
    for j in range(1, n + 1):
        options = least[:j] + cost[:j, j] + price
        came[j] = int(options.argmin())
        least[j] = options[came[j]]
    cut, j = [], n
    while j:
        cut.append((int(came[j]), j))
        j = int(came[j])
    return cut[::-1]


def up(x: float) -> float:
    """The next larger number of four digits, or 0."""
    if x == 0.0:
        return 0.0
    larger = x * (1.0 + 2.0**-30)
    step = 10.0 ** (math.floor(math.log10(larger)) - 3)
    rounded = float(f"{math.ceil(larger / step) * step:.3e}")
    return rounded if rounded >= larger else float(f"{(math.ceil(larger / step) + 1) * step:.3e}")


def pieces(errors: Errors, exact: Exact) -> list[Piece]:
    """At most eight intervals (more only where results are lost in between) that hold all numbers."""
    parts = []
    for span in spans(errors, exact):
        groups = grouped(errors, span)
        cells = (groups.absolute, groups.relative)
        table = _table(cells, groups.shared, groups.best, groups.size, groups.weight)
        parts.append((span, groups, *table))
    price = 8.0
    cuts = [_best_cut(part[2], price) for part in parts]
    while sum(map(len, cuts)) > max(MOST, len(parts)):
        price *= 1.3
        cuts = [_best_cut(part[2], price) for part in parts]
    return [
        piece
        for part, cut in zip(parts, cuts, strict=True)
        for piece in _pieces(part[0], part[1], part[3], cut)
    ]


def _pieces(span: Span, groups: Groups, fits: Doubles, cut: list[tuple[int, int]]) -> list[Piece]:
    found, low = [], span.low
    for i, j in cut:
        high = span.high if j == len(groups.starts) else _border(span, groups.starts[j])
        found.append(Piece(low, high, up(float(fits[i, j, 0])), up(float(fits[i, j, 1]))))
        low = high
    return found


def _border(span: Span, start: int) -> float:
    """The number that two intervals share: the first pattern of a bucket, on either side of 0."""
    bucket = span.buckets[start] if span.buckets[start] < _HALF else span.buckets[start - 1]
    return float(np.array([bucket * SIZE], np.uint32).view(np.float32)[0])
