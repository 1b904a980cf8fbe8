"""Rows over the root of their sum of squares: y = z s with s = 1 / sqrt(sum z^2 + floor).

Arrays are (..., K): rows of K entries. For coefficients a and k, any multiplier m, and s in [p, q],

    sum a y - k z = sum (a s - k) z + m z^2  +  m (floor - s^-2),

whose first part, at its least over the box of z, is concave in s. So is the second one if m >= 0, and else a
tangent of s^-2 takes its place: the least is at p or q.
"""

from __future__ import annotations

import numpy as np

from genbab.check.intervals import TINY, Array, Mask, Pair, gamma, least_magnitude, magnitude, mul, reciprocal

CELLS = 4
TRIED = (-1.0, -0.3, 0.0, 0.3, 1.0)
LARGEST = 1e100


def _sums(x: Pair, sums: Pair, floor: float) -> Pair:
    """Intervals (..., 1) of the sum of squares and the floor, met with what is known of it."""
    least = least_magnitude(x)
    room = gamma(x[0].shape[-1] + 8)
    low = (least * least).sum(-1, keepdims=True) * (1 - room) - TINY
    high = (magnitude(x) ** 2).sum(-1, keepdims=True) * (1 + room) + TINY
    low, high = np.maximum(low, sums[0]) + floor, np.minimum(high, sums[1]) + floor
    return np.maximum(np.nextafter(low, -np.inf), 0.0), np.nextafter(high, np.inf)


def _root(total: Pair) -> Pair:
    """Intervals of one over the root."""
    low, high = np.nextafter(np.sqrt(total[0]), 0.0), np.nextafter(np.sqrt(total[1]), np.inf)
    return reciprocal((low, high))


def undefined(x: Pair, sums: Pair, floor: float) -> Mask:
    """For each box (B,) whether the root of some row may be 0."""
    return np.asarray(~(_sums(x, sums, floor)[0] > 0).all((-1, -2)))


def ranges(x: Pair, sums: Pair, floor: float) -> Pair:
    """Intervals of y; everything where the root may be 0. An entry's size falls with those of the others."""
    with np.errstate(all="ignore"):
        total = _sums(x, sums, floor)
        usable = (total[0] > 0) & (total[1] < LARGEST)
        size = magnitude(x)
        least = least_magnitude(x)
        owed = gamma(x[0].shape[-1] + 16) * (size * size).sum(-1, keepdims=True) + TINY
        by_box = mul(x, _root(total))
        ends = []
        for end, outward in ((x[0], x[0] < 0), (x[1], x[1] > 0)):
            smaller = np.maximum((least * least).sum(-1, keepdims=True) - least * least - owed, 0.0)
            larger = (size * size).sum(-1, keepdims=True) - size * size + owed
            square = np.where(outward, np.maximum(end * end - TINY, 0.0), end * end)
            under = square + np.where(outward, smaller, larger) + floor
            room = np.where(outward, 1 + 1e-14, 1 - 1e-14)
            ends.append(np.where(under > 0, end / np.sqrt(under) * room, np.sign(end)))
        low = np.clip(np.fmax(by_box[0], ends[0]), -1.0, 1.0)
        high = np.clip(np.fmin(by_box[1], ends[1]), -1.0, 1.0)
        return np.where(usable, low, -np.inf), np.where(usable, high, np.inf)


def planes(x: Pair, sums: Pair, floor: float, a: Array, shift: Array | None = None) -> tuple[Array, Array]:
    """(k, c): sum a y >= k z + c on the box, for coefficients a; k (..., K), c (...).

    Slopes are those at the middle of the box, plus a shift: any are sound.
    """
    values = ranges(x, sums, floor)
    with np.errstate(all="ignore"):
        flat = np.maximum(np.minimum(a * values[0], a * values[1]).sum(-1), -_length(a))
        flat = flat - 4 * gamma(a.shape[-1]) * np.abs(a).sum(-1) - TINY
        total = _sums(x, sums, floor)
        s = _root(total)
        middle = x[0] / 2 + x[1] / 2
        centre = np.clip(np.sqrt(s[0] * s[1]), *s)
        along = (a * middle).sum(-1, keepdims=True)
        k = centre * (a - centre * centre * along * middle) + (0.0 if shift is None else shift)
        usable = (total[0] > 0) & (total[1] < LARGEST)
        found = _least((x[0] + 0 * k, x[1] + 0 * k), s, floor, a, k)
        better = (found + (k * middle).sum(-1) > flat) & usable[..., 0] & np.isfinite(k).all(-1)
        flat = np.where(usable[..., 0], flat, -np.inf)
    return np.where(better[..., None], k, 0.0), np.where(better, found, flat)


def _length(a: Array) -> Array:
    """More than the lengths (...) of rows, as no square of a largest entry over itself underflows."""
    most = np.abs(a).max(-1, keepdims=True)
    part = np.where(most > 0, a / most, 0.0)
    return np.asarray(most[..., 0] * np.sqrt((part * part).sum(-1)) * (1 + 1e-12))


def _least(x: Pair, s: Pair, floor: float, a: Array, k: Array) -> Array:
    """A lower bound of sum a y - k z on the box, the least of some cells of s, each with its multiplier."""
    edges = [s[0] * (s[1] / s[0]) ** (i / CELLS) for i in range(1, CELLS)]
    edges = [s[0], *(np.clip(edge, *s) for edge in edges), s[1]]
    edges = [np.maximum.reduce(edges[: i + 1]) for i in range(len(edges))]
    along = (a * (x[0] / 2 + x[1] / 2)).sum(-1, keepdims=True)
    spread = (np.abs(a) * (x[1] - x[0])).sum(-1, keepdims=True)
    worst = np.full(np.broadcast_shapes(a.shape, k.shape)[:-1], np.inf)
    for p, q in zip(edges, edges[1:], strict=False):
        cell = (p, q, np.sqrt(p * q))
        best = np.full(worst.shape, -np.inf)
        for share in TRIED:
            multiplier = -(along + share * spread) * cell[2] ** 3 / 2
            best = np.fmax(best, _on_cell(x, cell, floor, (a, k), multiplier))
        worst = np.minimum(worst, best)
    return worst


def _on_cell(
    x: Pair, cell: tuple[Array, Array, Array], floor: float, rows: tuple[Array, Array], m: Array
) -> Array:
    """The lower bound for one multiplier (..., 1)."""
    (a, k), width = rows, x[1] - x[0]
    found, middle = [], cell[2]
    for s in cell[:2]:
        b = a * s - k
        ends = np.minimum(b * x[0] + m * x[0] * x[0], b * x[1] + m * x[1] * x[1])
        z = np.clip(np.where(m > 0, -b / (2 * m), x[0]), *x)
        slope = b + 2 * m * z
        inside = b * z + m * z * z + np.minimum(slope * (x[0] - z), slope * (x[1] - z))
        inverse = np.where(m >= 0, 1 / (s * s), (3 - 2 * s / middle) / (middle * middle))
        value = np.where(m > 0, inside, ends).sum(-1) + (m * (floor - inverse))[..., 0]
        size = magnitude(x) + width
        mass = ((np.abs(a) * s + np.abs(k)) * size + 4 * np.abs(m) * size * size).sum(-1)
        mass = mass + (np.abs(m) * (floor + 1 / (s * s) + (8 + 4 * s / middle) / (middle * middle)))[..., 0]
        found.append(value - 4 * gamma(2 * a.shape[-1] + 32) * mass - TINY)
    return np.asarray(np.minimum(*found))
