"""Weights of `Resize` with antialias=1: a filter that is stretched where the image gets smaller."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from genbab.reader.tensors.values import Array, Refused

REACH = {"linear": 1, "bilinear": 1, "cubic": 2}
"""How many entries to each side a filter reads that is not stretched."""


@dataclass(frozen=True)
class Filter:
    """How entries are weighed by their distance from a place.

    factor: the scale of the output; inside: whether entries outside are left out, instead of being the one
    at the edge; cubic: the coefficient of cubic interpolation.
    """

    mode: str
    factor: Fraction
    inside: bool
    cubic: float

    def weight(self, t: Any, number: Any) -> Any:
        """The weight at distance t in the arithmetic of `number`; Keys, 1981."""
        t, a, one = abs(t), number(self.cubic), number(1)
        if t >= REACH[self.mode]:
            return number(0)
        if self.mode != "cubic":
            return one - t
        if t < 1:
            return ((a + number(2)) * t - (a + number(3))) * t * t + one
        return ((t - number(5)) * t + number(8)) * t * a - number(4) * a


def stretched(places: tuple[Array, Sequence[Fraction]], size: int, by: Filter) -> tuple[Array, Array, Array]:
    """(entries, weights, how far these may be off), as `weighted_picks` takes them.

    places: where the outputs lie as float32 has it, and without rounding. Weights are off by float64's
    rounding of them, and by what onnxruntime's roundings of places and distances do.
    """
    stretch = max(Fraction(1), 1 / by.factor)
    reach = math.ceil(REACH[by.mode] * stretch)
    picks = np.floor(places[0]).astype(np.int64)[:, None] + np.arange(-reach, reach + 2)
    less = np.float32(1) / (np.float32(1) / np.float32(by.factor)) if stretch > 1 else np.float32(1)
    centres = np.float32(0.5) + places[0].astype(np.float32)
    distances = ((picks.astype(np.float32) - centres[:, None]) + np.float32(0.5)) * less
    weights, error = np.zeros(picks.shape), np.zeros(len(picks))
    for row, (place, entries) in enumerate(zip(places[1], picks.tolist(), strict=True)):
        exact = [by.weight((k - place) / stretch, Fraction) for k in entries]
        near = [by.weight(Fraction(float(d)), Fraction) for d in distances[row]]
        if by.inside:
            exact, near = (
                [w if 0 <= k < size else Fraction(0) for k, w in zip(entries, some, strict=True)]
                for some in (exact, near)
            )
        totals = sum(exact), sum(near)
        if 0 in totals:
            raise Refused("antialias=1 with weights that add up to 0")
        pairs = [(w / totals[0], v / totals[1]) for w, v in zip(exact, near, strict=True)]
        weights[row] = [float(w) for w, _ in pairs]
        off = max(max(abs(w - Fraction(float(w))), abs(w - v)) for w, v in pairs)
        error[row] = math.nextafter(float(off), math.inf) if off else 0.0
    return np.clip(picks, 0, size - 1), weights, error
