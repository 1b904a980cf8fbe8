"""Balls: found in relations, and enclosed in boxes."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from genbab.specs.form.elements import Ball
from genbab.specs.numbers.exact import Ends, around
from genbab.specs.numbers.polynomials import Polynomial


def ball_of(polynomial: Polynomial[int], inputs: int) -> Ball | None:
    """The Euclidean ball that `polynomial <= 0` is, where centre and radius are exact numbers, else None."""
    squares = {p[0]: v for p, v in polynomial.items() if len(p) == 2 and p[0] == p[1] < inputs}
    used = {(), *((c, c) for c in squares), *((c,) for c in squares)}
    factors = set(squares.values())
    if set(polynomial) - used or len(factors) != 1 or min(factors) <= 0:
        return None
    (factor,) = factors
    columns = sorted(squares)
    centre = [-polynomial.get((c,), Fraction(0)) / (2 * factor) for c in columns]
    square = sum((c * c for c in centre), Fraction(0)) - polynomial.get((), Fraction(0)) / factor
    try:
        floats = np.array([float(c) for c in centre])
    except OverflowError:
        return None
    if square < 0 or any(Fraction(f) != c for f, c in zip(floats.tolist(), centre, strict=True)):
        return None
    radius = Fraction(math.isqrt(square.numerator), math.isqrt(square.denominator))
    return Ball(np.array(columns, np.int64), floats, radius, 2) if radius**2 == square else None


def hull(ball: Ball) -> tuple[Ends, Ends]:
    """The smallest box of float64 around a ball: lower and upper ends (n,)."""
    radius = np.empty(1, object)
    radius[0] = ball.radius
    return around(ball.centre, radius)
