"""Exact polynomials in variables of any kind."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any, TypeVar

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
