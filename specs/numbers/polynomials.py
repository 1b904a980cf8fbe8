"""Exact polynomials in variables of any kind."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any, TypeVar

import numpy as np

from genbab.specs.form.parts import Ball

V = TypeVar("V")

Polynomial = dict[tuple[V, ...], Fraction]
"""Coefficients, none of them zero, by the variables that are multiplied (in order); () is the constant."""


def plus(a: Polynomial[V], b: Polynomial[V], factor: int = 1) -> Polynomial[V]:
    """a + factor * b."""
    total = dict(a)
    for product, value in b.items():
        part = value if factor == 1 else factor * value
        before = total.get(product)
        if found := part if before is None else before + part:
            total[product] = found
        else:
            total.pop(product, None)
    return total


def times(a: Polynomial[V], b: Polynomial[V], order: Callable[[V], Any]) -> Polynomial[V]:
    """a * b; `order` sorts the variables of a product."""
    total: Polynomial[V] = {}
    for left, x in a.items():
        for right, y in b.items():
            product = tuple(sorted(left + right, key=order)) if left and right else left + right
            total[product] = total[product] + x * y if product in total else x * y
    return {product: value for product, value in total.items() if value}


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
