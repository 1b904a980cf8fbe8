"""What a specification has beside boxes and clauses: balls, runs of the network, hidden tensors."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from genbab.specs.numbers.arrays import Floats, Ints


@dataclass(frozen=True, eq=False)
class Ball:
    """{ x : ||x[columns] - centre|| <= radius } in the norm 1 or 2; columns and centre (n,)."""

    columns: Ints
    centre: Floats
    radius: Fraction
    norm: int

    def holds(self, x: Floats) -> bool:
        """Whether x (D,) lies in the ball, decided exactly."""
        offset = x[self.columns] - self.centre
        size = float(np.abs(offset).sum() if self.norm == 1 else np.sqrt((offset * offset).sum()))
        slack = (
            4.0 * (len(offset) + 4) * np.finfo(np.float64).eps * (size + float(np.abs(x).max(initial=1.0)))
        )
        if abs(size - float(self.radius)) > slack + 1e-12 * float(self.radius):
            return size < float(self.radius)
        exact = [Fraction(a) - Fraction(b) for a, b in zip(x[self.columns], self.centre, strict=True)]
        if self.norm == 1:
            return sum(map(abs, exact), Fraction(0)) <= self.radius
        return sum((v * v for v in exact), Fraction(0)) <= self.radius**2


@dataclass(frozen=True, eq=False)
class Run:
    """The model's input in one of its runs: offset + Σ value_k · x[column_k] into place row_k.

    offset (M,) for the M inputs of the model; row, column, value (n,).
    """

    row: Ints
    column: Ints
    value: Floats
    offset: Floats

    def at(self, x: Floats) -> Floats:
        """The model's input (M,) for the variables x (D,), in float64."""
        total = self.offset.copy()
        np.add.at(total, self.row, self.value * x[self.column])
        return total


class Hidden(NamedTuple):
    """A tensor inside the model and how many numbers it has.

    name: its own, or that of the node it comes from.
    """

    name: str
    size: int
