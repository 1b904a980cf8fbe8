"""Every step between two affine functions of the inputs that vary, computed from the inputs on.

A step x is within C X + c plus or minus (H X + r) on the box of X. C and H are (B, V, N), c and r are (B, N),
with V inputs that vary; the coefficients of H may have any sign. All roundings are put into r.
"""

from __future__ import annotations

import numpy as np

from genbab.check.intervals import TINY, Array, Indices, Pair, gamma, magnitude, meet, tidy
from genbab.check.model.program import AffineStep, ElementwiseStep, NormedStep, Program, RowStep
from genbab.check.model.values import Band, Values
from genbab.check.passes import norms, shares
from genbab.check.passes.backward import default_lines

MOST_INPUTS = 32
MOST_NUMBERS = 1 << 22


class Bands:
    """The bands of the steps so far; none are made where too many inputs vary."""

    def __init__(self, program: Program, values: Values) -> None:
        self.program, box = program, values.ranges[0]
        self.varying: Indices = np.flatnonzero(np.any(box[0] < box[1], axis=0))
        widest = max(program.size(i) for i in range(len(program.steps)))
        cost = widest * len(self.varying) * len(box[0])
        self.on = 0 < len(self.varying) <= MOST_INPUTS and cost <= MOST_NUMBERS
        self.low, self.high = box[0][:, self.varying], box[1][:, self.varying]
        self._reach = np.maximum(np.abs(self.low), np.abs(self.high))
        slope = np.zeros((len(box[0]), len(self.varying), program.inputs))
        slope[:, np.arange(len(self.varying)), self.varying] = 1.0
        centre = np.where(np.isin(np.arange(program.inputs), self.varying), 0.0, box[0])
        none = np.zeros_like(centre)
        self._bands = [Band(slope, centre, np.zeros_like(slope), none, magnitude(box))]
        if self.on:
            values.bands, values.varying = self._bands, self.varying

    def meet(self, values: Values) -> None:
        """The interval of the last step met with its band."""
        if not self.on:
            return
        number = len(values.ranges) - 1
        step = self.program.steps[number]
        with np.errstate(all="ignore"):
            if isinstance(step, AffineStep):
                band = self._affine(step, values)
            elif isinstance(step, RowStep):
                band = self._rowwise(step, values, number)
            else:
                assert isinstance(step, ElementwiseStep)
                band = self._elementwise(step, values, number)
            if (error := values.error.get(number)) is not None:
                band = band._replace(radius=band.radius + error * (1 + 1e-12), size=band.size + error)
            band = self._kept(band, values.ranges[number])
            low, high = self._ends(band)
        self._bands.append(band)
        values.ranges[number] = meet(values.ranges[number], tidy(low, high))

    def _affine(self, step: AffineStep, values: Values) -> Band:
        middle = step.low / 2 + step.high / 2
        half = np.nextafter(np.maximum(step.high - middle, middle - step.low), np.inf)
        first = self._bands[0]
        shape = (*first.slope.shape[:2], step.size)
        slope, bend = np.zeros(shape), np.zeros(shape)
        centre = np.zeros((shape[0], step.size)) + middle
        radius = np.zeros_like(centre) + half
        size = np.abs(centre) + radius
        terms = len(step.terms) + 2
        for term in step.terms:
            x, positive = self._bands[term.source], term.map.absolute()
            slope, centre = slope + term.map.apply(x.slope), centre + term.map.apply(x.centre)
            bend, radius = bend + positive.apply(x.bend), radius + positive.apply(x.radius)
            size = size + positive.apply(x.size + x.radius)
            if term.radius is not None:
                radius = radius + term.radius.apply(magnitude(values.ranges[term.source])) * (1 + 1e-12)
            terms = max(terms, term.map.terms + len(step.terms) + 2)
        return Band(slope, centre, bend, radius + 4 * gamma(terms) * size + TINY, size)

    def _elementwise(self, step: ElementwiseStep, values: Values, number: int) -> Band:
        if number not in values.lines:
            values.lines[number] = default_lines(step, values)
        below, low, above, high = values.lines[number]
        parts: list[list[Array]] = [[], [], [], []]
        size = np.abs(low) + np.abs(high)
        for source, k, m in zip(step.sources, below, above, strict=True):
            x = self._bands[source]
            k_, m_ = k[:, None], m[:, None]
            parts[0].append(k_ * x.slope - np.abs(k_) * x.bend)
            parts[1].append(m_ * x.slope + np.abs(m_) * x.bend)
            parts[2].append(k * x.centre - np.abs(k) * x.radius)
            parts[3].append(m * x.centre + np.abs(m) * x.radius)
            size = size + (np.abs(k) + np.abs(m)) * (x.size + x.radius)
        under, over = np.sum(parts[0], axis=0), np.sum(parts[1], axis=0)
        floor, roof = np.sum(parts[2], axis=0) + low, np.sum(parts[3], axis=0) + high
        return self._between((under, floor), (over, roof), size)

    def _rowwise(self, step: RowStep, values: Values, number: int) -> Band:
        x = self._bands[step.source]
        if step.size * step.length * len(x.centre) > MOST_NUMBERS:
            flat = np.zeros((*x.slope.shape[:2], step.size))
            none = np.full_like(values.ranges[number][0], np.nan)  # the interval takes its place
            return Band(flat, none, flat, none, none)
        if isinstance(step, NormedStep):
            found = norms.entry_planes(step, values)
        else:
            found = shares.default_planes(step, number, values)
        size = self._rows(np.abs(found.below) + np.abs(found.above), x.size + x.radius, step)
        size = (np.abs(found.low) + np.abs(found.high)).reshape(size.shape) + step.length * size
        ends: list[Pair] = []
        for matrix, icpt, sign in ((found.below, found.low, -1.0), (found.above, found.high, 1.0)):
            slope, centre = (self._rows(matrix, part, step) for part in (x.slope, x.centre))
            bend, radius = (self._rows(np.abs(matrix), part, step) for part in (x.bend, x.radius))
            ends.append((slope + sign * bend, centre + sign * radius + icpt.reshape(centre.shape)))
        return self._between(ends[0], ends[1], size)

    @staticmethod
    def _rows(matrix: Array, x: Array, step: RowStep) -> Array:
        """Matrices (B, G, K, K) times rows of x (B, N) or (B, V, N)."""
        rows = x.reshape(*x.shape[:-1], -1, step.length, 1)
        return np.asarray((matrix if x.ndim == 2 else matrix[:, None]) @ rows).reshape(x.shape)

    @staticmethod
    def _between(below: Pair, above: Pair, size: Array) -> Band:
        """The band between two affine functions, computed with roundings relative to the size."""
        (under, floor), (over, roof) = below, above
        radius = (roof - floor) / 2 + 4 * gamma(8) * size + TINY
        return Band((under + over) / 2, (floor + roof) / 2, (over - under) / 2, radius, size)

    def _kept(self, band: Band, range_: Pair) -> Band:
        """The band, with the interval in its place where it is not finite."""
        usable = np.isfinite(band.radius) & np.isfinite(band.centre) & np.isfinite(band.size)
        usable &= np.isfinite(band.slope).all(1) & np.isfinite(band.bend).all(1)
        if usable.all():
            return band
        middle = range_[0] / 2 + range_[1] / 2
        half = np.nextafter(np.maximum(range_[1] - middle, middle - range_[0]), np.inf)
        wide = usable[:, None]
        return Band(
            np.where(wide, band.slope, 0.0),
            np.where(usable, band.centre, middle),
            np.where(wide, band.bend, 0.0),
            np.where(usable, band.radius, half),
            np.where(usable, band.size, magnitude(range_) + half),
        )

    def _ends(self, band: Band) -> Pair:
        low, high, reach = self.low[..., None], self.high[..., None], self._reach[..., None]
        under, over = band.slope - band.bend, band.slope + band.bend
        size = ((np.abs(band.slope) + np.abs(band.bend)) * reach).sum(1) + np.abs(band.centre) + band.radius
        owed = 2 * gamma(2 * len(self.varying) + 6) * size + TINY
        bottom = np.minimum(under * low, under * high).sum(1) + band.centre - band.radius - owed
        top = np.maximum(over * low, over * high).sum(1) + band.centre + band.radius + owed
        return bottom, top
