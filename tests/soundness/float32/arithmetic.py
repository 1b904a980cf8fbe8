"""Float32 numbers added, multiplied and divided as a style says: rounded once, fused, flushed."""

from __future__ import annotations

from math import prod
from random import Random

import numpy as np

from .styles import Array, Style

LEAST = 2.0**-126
"""The least normal number."""

DOUBTED = np.int64(2**29 - 1), np.int64(2**28)
"""The bits of a float64 that float32 does not have; what they are halfway between two float32 numbers."""


def subnormal(a: Array) -> Array:
    """Which entries of a float32 array are subnormal."""
    bits = a.view(np.uint32) << np.uint32(1)
    bits -= np.uint32(1)  # zeros become the largest number
    small: Array = bits < np.uint32(0x00FFFFFF)
    return small


def flushed(a: Array) -> Array:
    """The array with zeros of the same sign for subnormal numbers."""
    if a.dtype != np.float32:
        return a
    small = subnormal(a)
    return np.where(small, np.copysign(np.float32(0), a), a) if small.any() else a


def once(exact: Array, c: Array) -> Array:
    """exact + c rounded once, to float32: `exact` holds float64 numbers of at most 48 bits, c float32 ones.

    Rounding to float64 first matters only where that lands halfway between two float32 numbers. There the
    float64 sum is made odd in its last bit where it is not exact (round to odd: Boldo and Melquiond, 2008).
    """
    total = exact + c
    result: Array = total.astype(np.float32)
    bits = total.view(np.int64)
    doubted = ((bits & DOUBTED[0]) == DOUBTED[1]) | (np.abs(total) < LEAST)
    if doubted.any():
        a, b = (np.broadcast_to(part, total.shape)[doubted] for part in (exact, c))
        result[doubted] = _odd(a, b.astype(np.float64)).astype(np.float32)
    return result


def _odd(a: Array, b: Array) -> Array:
    """a + b rounded to odd; (N,) each."""
    total = a + b
    part = total - a
    error = (a - (total - part)) + (b - part)
    bits = total.view(np.int64)
    step = np.where((error > 0) == (total > 0), 1, -1)
    moves = ((error > 0) | (error < 0)) & (bits % 2 == 0)
    odd: Array = np.where(moves, bits + step, bits).view(np.float64)
    return odd


class Arithmetic:
    """The operations of IEEE float32 in one style; random choices are the same for any number of points."""

    def __init__(self, style: Style) -> None:
        self.style = style
        self.fma, self.flush = style.fma, style.flush
        self.choices = 0
        self.tensor = ""
        """The tensor that is being computed."""

    def draw(self) -> Random:
        """A new source of random choices."""
        self.choices += 1
        return Random(self.style.seed * 1_000_003 + self.choices)

    def signs(self, shape: tuple[int, ...]) -> Array:
        """The signs that errors of so many numbers should have; random where the style has none for them."""
        known = self.style.signs.get(self.tensor)
        if known is not None and known.size == prod(shape):
            return known.reshape(shape)
        random = self.draw()
        return np.array([random.choice((-1.0, 1.0)) for _ in range(prod(shape))]).reshape(shape)

    def variant(self, count: int) -> int:
        """Which of so many ways of computing is taken: the first in variant 0, else any, node by node."""
        if self.style.variant == 0:
            return 0
        self.choices += 1
        return Random(self.style.variant * 1_000_003 + self.choices).randrange(count)

    def result(self, a: Array) -> Array:
        """A result, flushed where the style says so."""
        return flushed(a) if self.flush else a

    def add(self, a: Array, b: Array) -> Array:
        """a + b."""
        return self.result(_same(a, b)[0] + b)

    def sub(self, a: Array, b: Array) -> Array:
        """a - b."""
        return self.result(_same(a, b)[0] - b)

    def mul(self, a: Array, b: Array) -> Array:
        """a · b."""
        return self.result(_same(a, b)[0] * b)

    def div(self, a: Array, b: Array) -> Array:
        """a / b."""
        return self.result(_same(a, b)[0] / b)

    def sqrt(self, a: Array) -> Array:
        """The square root, correctly rounded."""
        return self.result(np.sqrt(_same(a)[0]))

    def multiply_add(self, a: Array, b: Array, c: Array) -> Array:
        """a · b + c, rounded once or twice."""
        if self.fma:
            _same(a, b, c)
            return self.result(once(a.astype(np.float64) * b, c))
        return self.add(self.mul(a, b), c)

    def plus(self, total: Array, term: Array) -> Array:
        """A sum and one more term: a float32 number, or an exact product in float64."""
        if term.dtype == np.float32:
            return self.result(total + term)
        return self.result(once(term, total))

    def leaf(self, term: Array) -> Array:
        """A term as a float32 number."""
        return self.result(term.astype(np.float32)) if term.dtype == np.float64 else term


def _same(*arrays: Array) -> tuple[Array, ...]:
    """The arrays, if they are float32; arithmetic of other numbers is not float32's."""
    for a in arrays:
        if a.dtype != np.float32:
            raise TypeError(f"arithmetic of {a.dtype}: only float32 is emulated")
    return arrays
