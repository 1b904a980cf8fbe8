"""Lines below and above formulas: any slope, and the intercept that is proved for it.

With sign 1 a line lies below the formula, with sign -1 above it. Arrays are flat: one entry of a formula on
one interval each, E of them; `entries` says which entry of the formula it is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from genbab.check.functions.formula import Formula, Taylor, degree, evaluate, kinks, minus
from genbab.check.intervals import UNIT, Array, Indices, Pair, magnitude, meet, mul, negative, point

ROUNDS = 40
CLOSE = 1e-9
CHUNK = 1 << 14
MOST_CELLS = 64  # for each entry, before the rest stays as it is
SAMPLES = 24


class Slant(NamedTuple):
    """Entries of a formula: intervals of the arguments, slopes of each, and the sign."""

    formula: Formula
    entries: Indices
    intervals: list[Pair]
    slopes: list[Array]
    sign: Array

    def part(self, index: Indices | slice) -> Slant:
        """Some of the entries."""
        return Slant(
            self.formula,
            self.entries[index],
            [(low[index], high[index]) for low, high in self.intervals],
            [slope[index] for slope in self.slopes],
            self.sign[index],
        )


def jets(q: Slant, arguments: list[Pair], order: int) -> Taylor:
    """Intervals of g = sign (f - slopes x), and of its derivatives along the argument that varies."""
    main = varying(q.formula)
    ones = point(np.ones_like(arguments[0][0]))
    inner = [Taylor(a, ones if order and i == main else None) for i, a in enumerate(arguments)]
    value = evaluate(q.formula, inner, q.entries, order)
    g = value.value
    for slope, a in zip(q.slopes, arguments, strict=True):
        g = minus(g, mul(point(slope), a))
    sign = point(q.sign)
    if not order:
        return Taylor(mul_sign(g, q.sign))
    none = point(np.zeros_like(ones[0]))
    first = minus(value.first or none, point(q.slopes[main]))
    return Taylor(mul_sign(g, q.sign), mul_sign(first, q.sign), mul(value.second or none, sign))


def mul_sign(a: Pair, sign: Array) -> Pair:
    """The interval, or its negative where the sign is -1."""
    turned = negative(a)
    return np.where(sign > 0, a[0], turned[0]), np.where(sign > 0, a[1], turned[1])


def varying(f: Formula) -> int:
    """The argument that the formula is least affine in; it must be affine in the other one."""
    return 1 if degree(f, 1) > degree(f, 0) else 0


def least(q: Slant) -> Array:
    """Lower bounds of g on the intervals, -inf where there is none."""
    parts = [q.part(slice(i, i + CHUNK)) for i in range(0, len(q.entries), CHUNK)]
    return np.concatenate([_least(part) for part in parts]) if parts else np.zeros(0)


def _least(q: Slant) -> Array:
    main = varying(q.formula)
    if len(q.intervals) == 1:
        return _least_along(q, q.intervals)
    ends = []
    for end in q.intervals[1 - main]:
        arguments = list(q.intervals)
        arguments[1 - main] = point(end)
        ends.append(_least_along(q, arguments))
    return np.minimum(*ends)


def _least_along(q: Slant, arguments: list[Pair]) -> Array:
    """The least of g along one argument, the other one fixed."""
    main = varying(q.formula)
    breaks = kinks(q.formula, main)
    if breaks is None:
        return _bisected(q, arguments)
    low, high = arguments[main]
    if q.formula.op == "hinge" and len(arguments) == 1:
        return _least_of_hinge(q, low, high)
    worst = np.full(low.shape, np.inf)
    for place in (low, high, *(k if k.ndim == 0 else k[q.entries] for k in breaks)):
        candidate = list(arguments)
        candidate[main] = point(np.clip(place, low, high))
        worst = np.minimum(worst, jets(q, candidate, 0).value[0])
    return np.where(np.isfinite(low) & np.isfinite(high) & ~np.isnan(worst), worst, -np.inf)


def _least_of_hinge(q: Slant, low: Array, high: Array) -> Array:
    """As above, for the most frequent formula in fewer operations."""
    below, above = (v if v.ndim == 0 else v[q.entries] for v in q.formula.values)
    slope = np.where(q.sign > 0, above, below)  # the worse one, for x at most 0
    worst = np.where((low <= 0) & (high >= 0), 0.0, np.inf)
    for x in (low, high):
        upper, under, line = np.maximum(x, 0.0), slope * np.minimum(x, 0.0), q.slopes[0] * x
        error = 8 * UNIT * (np.abs(x) + np.abs(under) + np.abs(line))
        value = q.sign * (upper + under - line) - error
        value = np.nextafter(np.nextafter(value, -np.inf), -np.inf)
        worst = np.minimum(worst, np.where(x == 0, 0.0, value))
    return np.where(np.isfinite(low) & np.isfinite(high) & ~np.isnan(worst), worst, -np.inf)


def _at(q: Slant, arguments: list[Pair], x: Array) -> Pair:
    fixed = list(arguments)
    fixed[varying(q.formula)] = point(x)
    return jets(q, fixed, 0).value


def _bisected(q: Slant, arguments: list[Pair]) -> Array:
    """The least of g by bisection of the cells that may hold it."""
    low, high = arguments[varying(q.formula)]
    with np.errstate(all="ignore"):
        ends = _at(q, arguments, low), _at(q, arguments, high)
        scale = magnitude(ends[0]) + magnitude(ends[1])
        scale = np.where(np.isfinite(scale), scale, 1.0)
        close = CLOSE * scale + 1e-15 * np.abs(q.slopes[varying(q.formula)]) * magnitude((low, high))
        best = np.minimum(ends[0][1], ends[1][1])
        found = np.full(low.shape, np.inf)
        of = np.arange(len(low))
        a, b, at_a, at_b = low, high, ends[0][0], ends[1][0]
        for round_ in range(ROUNDS + 1):
            cell = q.part(of)
            fixed = [(p[of], r[of]) for p, r in arguments]
            middle = a + (b - a) / 2
            at_middle = _at(cell, fixed, middle)
            bound = _of_cell(cell, fixed, (a, b), (at_a, at_middle[0], at_b))
            np.minimum.at(best, of, np.where(np.isnan(at_middle[1]), np.inf, at_middle[1]))
            open_ = (bound < best[of] - close[of]) & (a < middle) & (middle < b)
            if round_ == ROUNDS or open_.sum() > MOST_CELLS * len(low):
                open_[:] = False
            np.minimum.at(found, of[~open_], bound[~open_])
            if not open_.any():
                break
            a, b, m = a[open_], b[open_], middle[open_]
            at_m = at_middle[0][open_]
            of = np.concatenate([of[open_], of[open_]])
            at_a, at_b = np.concatenate([at_a[open_], at_m]), np.concatenate([at_m, at_b[open_]])
            a, b = np.concatenate([a, m]), np.concatenate([m, b])
    return found


def _of_cell(q: Slant, arguments: list[Pair], cell: Pair, at: tuple[Array, Array, Array]) -> Array:
    """A lower bound of g on a cell [a, b], from its values at a, the middle and b, and its derivatives."""
    arguments = list(arguments)
    arguments[varying(q.formula)] = cell
    jet = jets(q, arguments, 2)
    assert jet.first is not None and jet.second is not None
    width = np.nextafter(cell[1] - cell[0], np.inf)
    ends = np.minimum(at[0], at[2])
    curved = np.nextafter(np.maximum(jet.second[1], 0.0) * width * width / 8 * (1 + 1e-14), np.inf)
    middle = cell[0] + (cell[1] - cell[0]) / 2  # rounded: one half may be longer than the other
    half = np.nextafter(np.maximum(cell[1] - middle, middle - cell[0]), np.inf)
    sloped = np.nextafter(magnitude(jet.first) * half, np.inf)
    bound = np.fmax(jet.value[0], np.nextafter(ends - np.where(np.isnan(curved), np.inf, curved), -np.inf))
    bound = np.fmax(bound, np.nextafter(at[1] - np.where(np.isnan(sloped), np.inf, sloped), -np.inf))
    bound = np.fmax(bound, np.where(jet.first[0] >= 0, at[0], np.where(jet.first[1] <= 0, at[2], -np.inf)))
    finite = np.isfinite(cell[0]) & np.isfinite(cell[1])
    bound = np.where(finite, bound, jet.value[0])
    return np.where(np.isnan(bound), -np.inf, bound)


def intercepts(q: Slant) -> tuple[list[Array], Array]:
    """The slopes, 0 where there is no line of theirs, and the intercepts of lines below or above."""
    with np.errstate(all="ignore"):
        usable = linear_in_one(q.formula, len(q.intervals))
        found = q.sign * (least(q) if usable else np.full(len(q.entries), -np.inf))
        bad = ~np.isfinite(found)
        if bad.any():
            value = evaluate(q.formula, [Taylor(a) for a in q.intervals], q.entries).value
            found = np.where(bad, np.where(q.sign > 0, value[0], value[1]), found)
            return [np.where(bad, 0.0, slope) for slope in q.slopes], found
    return q.slopes, found


def ranges(f: Formula, entries: Indices, intervals: list[Pair]) -> Pair:
    """Intervals of the formula: of a primitive or product as it is, of a composed one by bisection."""
    with np.errstate(all="ignore"):
        value = evaluate(f, [Taylor(a) for a in intervals], entries).value
        if all(kid.op in ("argument", "constant") for kid in f.kids) or not linear_in_one(f, len(intervals)):
            return value
        none, one = np.zeros(len(entries)), np.ones(len(entries))
        slopes = [none] * len(intervals)
        low = least(Slant(f, entries, intervals, slopes, one))
        high = -least(Slant(f, entries, intervals, slopes, -one))
        return meet(value, (low, high))


def linear_in_one(f: Formula, arguments: int) -> bool:
    """Whether the formula has lines: one argument, or two and affine in one of them."""
    return arguments == 1 or min(degree(f, 0), degree(f, 1)) <= 1


def default_slopes(f: Formula, entries: Indices, intervals: list[Pair], sign: Array) -> list[Array]:
    """Slopes of the lines of least gap at the middle, without any claim."""
    with np.errstate(all="ignore"):
        if f.op == "hinge" and f.kids[0].op == "argument":
            slopes = [_hinge_slope(f, entries, intervals[0], sign)]
        elif len(intervals) == 1:
            slopes = [_envelope(f, entries, intervals, sign, 0)[0]]
        else:
            slopes = _planes(f, entries, intervals, sign)
    return [np.where(np.isfinite(slope), slope, 0.0) for slope in slopes]


def _hinge_slope(f: Formula, entries: Indices, x: Pair, sign: Array) -> Array:
    low, high = (v if v.ndim == 0 else v[entries] for v in f.values)
    slope = (low + high) / 2
    chord = (np.maximum(x[1], 0) - slope * np.minimum(x[0], 0)) / np.maximum(x[1] - x[0], 1e-300)
    chord += slope * (np.minimum(x[1], 0) / np.maximum(x[1] - x[0], 1e-300))
    tangent = np.where(x[1] > -x[0], 1.0, slope)
    kinked = np.where(sign * (1.0 - slope) >= 0, tangent, chord)
    return np.where(x[0] >= 0, 1.0, np.where(x[1] <= 0, slope, kinked))


def _planes(f: Formula, entries: Indices, intervals: list[Pair], sign: Array) -> list[Array]:
    main = varying(f)
    low, high = intervals[1 - main]
    found = []
    for end in (low, high):
        arguments = list(intervals)
        arguments[1 - main] = point(end)
        found.append(_envelope(f, entries, arguments, sign, main))
    slopes = [np.zeros(0), np.zeros(0)]
    slopes[main] = (found[0][0] + found[1][0]) / 2
    slopes[1 - main] = np.where(high > low, (found[1][1] - found[0][1]) / (high - low), 0.0)
    return slopes


def _envelope(
    f: Formula, entries: Indices, intervals: list[Pair], sign: Array, main: int
) -> tuple[Array, Array]:
    """Slope and value at the middle of the convex envelope (sign 1) or the concave one, from samples."""
    low, high = intervals[main]
    if degree(f, main) <= 1:
        at = []
        for end in (low, high):
            arguments = [*intervals[:main], point(end), *intervals[main + 1 :]]
            value = evaluate(f, [Taylor(a) for a in arguments], entries).value
            at.append(value[0] / 2 + value[1] / 2)
        return np.where(high > low, (at[1] - at[0]) / (high - low), 0.0), (at[0] + at[1]) / 2
    share = np.linspace(0.0, 1.0, SAMPLES + 1)[:, None]
    x = low + (high - low) * share  # (SAMPLES + 1, E)
    values = []
    for place in x:
        arguments = list(intervals)
        arguments[main] = point(place)
        value = evaluate(f, [Taylor(a) for a in arguments], entries).value
        values.append(sign * (value[0] + value[1]) / 2)
    y, half = np.stack(values), SAMPLES // 2
    middle = y[half]
    best, slope = middle.copy(), (y[half + 1] - y[half - 1]) * half / (high - low)
    slope = np.where(high > low, slope, 0.0)
    for i in range(half):
        for j in range(half + 1, SAMPLES + 1):
            chord = (y[j] - y[i]) / (share[j] - share[i])
            value = y[i] + chord * (0.5 - share[i])
            better = value < best - 1e-12 * np.abs(best)
            best = np.where(better, value, best)
            slope = np.where(better, chord / (high - low), slope)
    return sign * slope, sign * best


def sides(f: Formula, entries: Indices, intervals: list[Pair], sign: Array) -> tuple[list[Array], Array]:
    """Lines with default slopes."""
    if linear_in_one(f, len(intervals)):
        slopes = default_slopes(f, entries, intervals, sign)
    else:
        slopes = [np.zeros(len(entries))] * len(intervals)
    return intercepts(Slant(f, entries, intervals, slopes, sign))
