"""The constants of backward passes, with what roundings may cost.

Axes: B boxes, R rows, N entries of a step.
"""

from __future__ import annotations

import numpy as np

from genbab.check.intervals import TINY, UNIT, Array, gamma
from genbab.check.passes.quadratic import Quadratic

ROOM = 1 + 1e-12


class RowSums:
    """The constants of rows, the sum of their sizes, what roundings cost, and what products gain."""

    def __init__(self, shape: tuple[int, int], quadratic: Quadratic | None = None) -> None:
        self.value, self.weight, self.cost = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        self.quadratic = quadratic
        self.terms = 8

    def add(self, a: Array, x: Array) -> None:
        """Adds the sums of a (B, R, N) times x (B, N)."""
        if x.any():
            self.value += dot(a, x)
            self.weight += dot(np.abs(a), np.abs(x))
            self.terms += a.shape[-1] + 2

    def pay(self, a: Array, x: Array) -> None:
        """Charges the sums of |a| times x, x >= 0."""
        if x.any():
            self.cost += dot(np.abs(a), x)
            self.terms += a.shape[-1] + 2

    def sum(self, numbers: Array) -> None:
        """Adds numbers (B, R, ...) that were rounded once."""
        flat = numbers.reshape(*numbers.shape[:2], -1)
        self.value += flat.sum(-1)
        self.weight += np.abs(flat).sum(-1)
        self.terms += flat.shape[-1] + 2

    def owe(self, costs: Array) -> None:
        """Charges numbers (B, R, ...), none below 0."""
        flat = costs.reshape(*costs.shape[:2], -1)
        self.cost += flat.sum(-1)
        self.terms += flat.shape[-1] + 2

    def total(self) -> Array:
        """The constants after all costs, -inf where something is unbounded."""
        if self.quadratic is not None:
            self.value = self.value + self.quadratic.improvement()
        owed = (self.cost * (1 + gamma(self.terms)) + gamma(self.terms) * self.weight) * ROOM
        result = self.value - owed - TINY - UNIT * 4 * np.abs(self.value)
        return np.where(np.isfinite(result), result, -np.inf)


def dot(a: Array, x: Array) -> Array:
    """Sums of a x; infinite where an infinite x is used."""
    bad = ~np.isfinite(x)
    if not bad.any():
        return (a @ x[..., None])[..., 0]
    value = (a @ np.where(bad, 0.0, x)[..., None])[..., 0]
    used = ((a != 0) & bad[:, None]).any(-1)
    return np.where(used, np.inf, value)
