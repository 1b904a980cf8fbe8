"""Literals that are collected one by one, from statements or from a parsed tree: what each of them means."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from genbab.errors import SpecError
from genbab.specs.form.elements import Ball
from genbab.specs.form.rows import Row
from genbab.specs.lowering.balls import hull
from genbab.specs.lowering.content import Content
from genbab.specs.lowering.entries import Bounds, Entries, entries_of
from genbab.specs.lowering.formula import PackedDnf
from genbab.specs.lowering.relations import dense
from genbab.specs.numbers.arrays import Ints
from genbab.specs.numbers.exact import Ends
from genbab.specs.numbers.polynomials import Polynomial


class Literals:
    """Literals over D inputs and O outputs, whose columns are 0 ... D - 1 and D ... D + O - 1."""

    def __init__(self, inputs: int, outputs: int) -> None:
        self.sizes = inputs, outputs
        self.count = 0
        self._bounds: list[Bounds] = []
        self._entries: list[Entries] = []
        self._rows: list[tuple[int, Polynomial[int], bool]] = []
        self._balls: dict[int, Ball] = {}

    def new(self) -> int:
        """The number of a new literal, which says nothing yet."""
        self.count += 1
        return self.count - 1

    def block(self, count: int) -> Ints:
        """The numbers of so many new literals."""
        self.count += count
        return np.arange(self.count - count, self.count)

    def ranges(self, literal: int, columns: Ints, upper: bool, ends: Ends, strict: bool = False) -> None:
        """The inputs `columns` are at most (upper) or at least their ends, or below or above where strict."""
        n = len(columns)
        where = np.full(n, literal), columns, np.full(n, upper)
        self._bounds.append(Bounds(*where, ends.value, np.full(n, strict), ends.rounded, ends.said))

    def many(self, bounds: Bounds, entries: Entries) -> None:
        """What many literals mean, in arrays."""
        self._bounds.append(bounds)
        self._entries.append(entries)

    def ball(self, literal: int, ball: Ball) -> None:
        """The point lies in the ball."""
        self._balls[literal] = ball
        for upper, ends in zip((False, True), hull(ball), strict=True):
            self.ranges(literal, ball.columns, upper, ends)

    def row(self, literal: int, polynomial: Polynomial[int], strict: bool) -> None:
        """polynomial <= 0, or < 0 where strict, in columns (those of a product in order)."""
        self._rows.append((literal, polynomial, strict))

    def content(
        self,
        common: Sequence[int] | Ints,
        terms: PackedDnf,
        error: Callable[[str, int | None], SpecError],
        **more: Any,
    ) -> Content:
        """What was collected; it is true with all of `common` and those of one of `terms`."""
        d, o = self.sizes
        products = tuple(sorted({p for _, polynomial, _ in self._rows for p in polynomial if len(p) > 1}))
        place = {p: f"Y_{o + k}" for k, p in enumerate(products)}
        singles = {p[0] for _, polynomial, _ in self._rows for p in polynomial if len(p) == 1}
        place |= {(k,): f"X_{k}" if k < d else f"Y_{k - d}" for k in singles}
        rows = [
            (k, Row({place[p]: v for p, v in row.items() if p}, -row.get((), Fraction(0)), strict))
            for k, row, strict in self._rows
        ]
        bounds, entries, notes = entries_of(rows, d, error)
        table, never = dense(
            [entries, *self._entries], (d, o + len(products)), lambda text: error(text, None)
        )
        every = Bounds(*(np.concatenate(c) for c in zip(bounds, *self._bounds, strict=True)))
        more["notes"] = (*more.get("notes", ()), *notes)
        return Content(
            self.sizes,
            common,
            terms,
            every,
            table,
            never,
            error,
            balls=self._balls,
            products=products,
            **more,
        )
