"""Products of a backward pass as one quadratic form of the inputs, where these lie in bands.

Planes charge every product for itself, although the sum may be convex. With p = P t + p0 and q = Q t + q0
up to errors, t the inputs from the middle of the box, a product less its plane is

    p q - k p - m q - c = (p - m) (q - k) - k m - c,

of which only t'(P Q')t is large. Axes: B boxes, R rows, N entries, V inputs that vary.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from genbab.check.functions.formula import factors
from genbab.check.intervals import TINY, UNIT, Array, Mask, gamma
from genbab.check.model.program import ElementwiseStep
from genbab.check.model.values import Band, Values

MOST_NUMBERS = 1 << 22  # P Q' of one step
ROOM = 1 + 1e-12


class Centred(NamedTuple):
    """A step as slope (B, V, N) times t plus centre (B, N), within error; `reach`: of slope times t."""

    slope: Array
    centre: Array
    error: Array
    reach: Array


class Quadratic:
    """What rows (R,) of a pass gain over the planes that it takes."""

    def __init__(self, values: Values, rows: int) -> None:
        low, high = (end[:, values.varying] for end in values.ranges[0])
        self._bands, self._done = values.bands, dict[int, Centred]()
        self._middle = low / 2 + high / 2
        radius = np.maximum(high - self._middle, self._middle - low)
        self._radius = np.nextafter(radius, np.inf)
        shape = len(low), rows
        self._gain, self._spread = np.zeros(shape), np.zeros(shape)  # and the size of the matrix's errors
        self._matrix: Array | None = None
        self._terms = 16 + 4 * low.shape[1]

    def add(self, step: ElementwiseStep, a: Array, slopes: list[Array], c: Array) -> None:
        """If the step multiplies: its coefficients a, and the planes slopes x + c that the pass takes for it.

        All are (B, R, N).
        """
        pair = factors(step.formula)
        if pair is None:
            return
        p, q = (self._centred(step.sources[i]) for i in pair)
        if p.slope.size * p.slope.shape[1] > MOST_NUMBERS:
            return
        k, m = (slopes[i] / (2 if pair[0] == pair[1] else 1) for i in pair)
        off_p = (np.abs(p.centre[:, None] - m) + p.error[:, None]) * ROOM
        off_q = (np.abs(q.centre[:, None] - k) + q.error[:, None]) * ROOM
        wide_p, wide_q = p.reach[:, None], q.reach[:, None]
        rest = off_p * wide_q + off_q * wide_p + off_p * off_q
        mass = (np.abs(m) + wide_p + off_p) * (np.abs(k) + wide_q + off_q) + np.abs(c)
        self._terms += a.shape[-1] + 8
        lost = np.abs(a) * ((rest + 2 * gamma(a.shape[-1] + 16) * mass) * ROOM + TINY)
        self._gain += -(a * (k * m + c)).sum(-1) - lost.sum(-1) * ROOM
        self._spread += (np.abs(a) * mass).sum(-1)
        outer = p.slope[:, :, None] * q.slope[:, None, :]
        flat = outer.reshape(len(outer), -1, outer.shape[-1])
        matrix = (a @ flat.swapaxes(-1, -2)).reshape(*a.shape[:2], *outer.shape[1:3])
        self._matrix = matrix if self._matrix is None else self._matrix + matrix

    def improvement(self) -> Array:
        """What may be added to the constants (B, R): 0 where planes are better."""
        found = np.zeros(self._gain.shape)
        where: Mask = np.isfinite(self._gain) & (self._gain > 0)
        if self._matrix is None or not where.any():
            return found
        radius, gain = self._radius[where.nonzero()[0]], self._gain[where]
        scaled = self._matrix[where] * radius[:, :, None] * radius[:, None, :]
        symmetric = (scaled + scaled.swapaxes(-1, -2)) / 2
        owed = 2 * gamma(self._terms) * self._spread[where] * ROOM + TINY
        owed = owed + 16 * UNIT * np.abs(scaled).sum((-1, -2))
        usable: Mask = np.asarray(np.isfinite(symmetric).all((-1, -2)))
        least = _least(np.where(usable[:, None, None], symmetric, 0.0))
        better = np.nextafter(gain + least - owed - 4 * UNIT * np.abs(gain), -np.inf)
        found[where] = np.where(usable & np.isfinite(better), np.maximum(better, 0.0), 0.0)
        return found

    def _centred(self, source: int) -> Centred:
        if source not in self._done:
            self._done[source] = self._from_band(self._bands[source])
        return self._done[source]

    def _from_band(self, band: Band) -> Centred:
        middle, radius = self._middle[..., None], self._radius[..., None]
        centre = (band.slope * middle).sum(1) + band.centre
        bend = np.abs((band.bend * middle).sum(1) + band.radius) + (np.abs(band.bend) * radius).sum(1)
        reach = (np.abs(band.slope) * radius).sum(1)
        size = (np.abs(band.slope) + np.abs(band.bend)) * (np.abs(middle) + radius)
        size = size.sum(1) + np.abs(band.centre) + np.abs(band.radius)
        owed = 4 * gamma(2 * band.slope.shape[1] + 8) * size + TINY
        return Centred(band.slope, centre, bend + owed, (reach + owed) * ROOM)


def _least(s: Array) -> Array:
    """Lower bounds of t's t over |t| <= 1 for symmetric matrices s (..., V, V), whatever `eigh` computes.

    With any vectors v and numbers e, s = v diag(e) v' + r, and the residual r is computed.
    """
    count = s.shape[-1]
    try:
        numbers, vectors = np.linalg.eigh(s)
    except np.linalg.LinAlgError:
        return np.full(s.shape[:-2], -np.inf)
    scaled = vectors * numbers[..., None, :]
    residual = np.abs(s - scaled @ vectors.swapaxes(-1, -2)).sum((-1, -2))
    size = np.abs(s).sum((-1, -2)) + (np.abs(scaled) @ np.abs(vectors).swapaxes(-1, -2)).sum((-1, -2))
    reach = np.square(np.abs(vectors).sum(-2))
    negative = (np.minimum(numbers, 0.0) * reach).sum(-1)
    owed = gamma(4 * count + 8) * (size - negative) * 2
    found = negative - residual * ROOM - owed - TINY
    return np.where(np.isnan(found), -np.inf, found)
