"""What single operations round: functions, products, slopes, softmax."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from genbab.check.executed.single import HALF_ULP, NORMAL, REACH, ROOM, gammas
from genbab.check.executed.sums import largest, leaves, moved_to, sum_of
from genbab.check.executed.table import Known
from genbab.check.intervals import Array, magnitude
from genbab.check.model.program import AffineStep, Moment, Program

SOFTMAX = 1.35e-7
"""More than the relative error of the exponential inside a softmax, as measured; of other tables its own."""


def exactly(at: Moment) -> Array:
    """Nothing is rounded."""
    return np.zeros((1, 1))


@dataclass(frozen=True, eq=False)
class FunctionCharge:
    """Of a function that a table knows."""

    known: Known

    def __call__(self, at: Moment) -> Array:
        """What the table says on the intervals."""
        size = magnitude(at.exact)
        return np.where(size <= 2.0**127, self.known.error(at.ranges[at.step.sources[0]], size), np.inf)


@dataclass(frozen=True, eq=False)
class SlopeCharge:
    """Of x above 0 and s·x below, the slope rounded, and the product."""

    slope: Array

    def __call__(self, at: Moment) -> Array:
        """Two roundings of the product, where x may be below 0."""
        x = at.ranges[at.step.sources[0]]
        below = np.maximum(-x[0], 0.0)
        error = gammas(2.0) * self.slope * below + NORMAL * (2 + self.slope + below)
        return np.where(below * (1 + self.slope) <= REACH, np.where(below > 0, error * ROOM, 0.0), np.inf)


@dataclass(frozen=True, eq=False)
class ProductCharge:
    """Of a product or quotient of tensors; a sum that nothing else reads may take the other factor in."""

    quotient: bool

    def __call__(self, at: Moment) -> Array:
        """One rounding, and what is rounded more where the sum is one of products with the other factor."""
        value, sources = magnitude(at.exact), at.step.sources
        factors = [magnitude(at.ranges[source]) for source in sources]
        error = HALF_ULP * value + NORMAL * (3 + sum(factors))
        kept = value <= REACH
        if self.quotient:  # the divisor, whose reciprocal is the last factor, is no subnormal number
            kept &= factors[-1] <= 2.0**125
        for source, other in zip(sources, reversed(factors), strict=True):
            behind = _sum_behind(at.program, source)
            if behind is not None:
                charge = sum_of(at.program, behind)
                assert charge is not None
                found = charge.within(at.program, at.ranges, behind, magnitude(at.ranges[behind]), 1)
                rounded, small = (moved_to(at.program, source, behind, part) for part in found)
                error = error + other * rounded + (1 + other) * small
                kept &= (1 + other) * small <= NORMAL * REACH
        return np.where(kept, error * ROOM, np.inf)


def _sum_behind(program: Program, source: int) -> int | None:
    """The sum whose entries a step moves, if only a product reads it."""
    step = program.steps[source]
    while isinstance(step, AffineStep) and step.charge is None and step.exact and len(step.terms) == 1:
        source = step.terms[0].source
        step = program.steps[source]
    charge = sum_of(program, source)
    return source if charge is not None and charge.alone else None


@dataclass(frozen=True, eq=False)
class SoftmaxCharge:
    """Of exp(x - m) / Σ exp(x - m) over rows of so many numbers, with the largest one m.

    t = m - x is rounded by u·t. Of p = exp(-t) / Σ, p·t is at most 1/e, and Σ p·t at most log K, since the
    entropy of p, Σ p·t + log Σ exp(-t), is.
    """

    length: int
    exp: Known

    def __call__(self, at: Moment) -> Array:
        """relative · p + absolute."""
        absolute = max(piece.absolute for piece in self.exp.pieces)
        relative = max(SOFTMAX, *(piece.relative for piece in self.exp.pieces))
        whole = HALF_ULP * (math.log(self.length) + 2) + relative + self.length * absolute
        whole = whole + float(gammas(float(self.length))) + relative + 3 * HALF_ULP
        fixed = HALF_ULP / math.e + absolute + (self.length + 4) * NORMAL
        size = np.minimum(magnitude(at.exact), 1.0)
        most = largest(at.ranges, leaves(at.program, at.number))
        return np.where(most <= REACH, (whole * size + fixed) * 1.01, np.inf)
