"""Functions of the entries of a vector, each with its own or with none, and their lines on boxes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from genbab.nonlinear.facts.record import Nonlinearity
from genbab.nonlinear.lines.conjugate import Prepared, prepare
from genbab.nonlinear.lines.envelope import defaults_of, range_of, spans_of
from genbab.nonlinear.lines.interval import interval
from genbab.nonlinear.lines.steepest import derivatives

Pair = tuple[Tensor, Tensor]


@dataclass(frozen=True, eq=False)
class EntryFunctions:
    """functions: (fn, the entries that it takes, None for all); all others become 0."""

    functions: tuple[tuple[Nonlinearity, Tensor | None], ...]

    def each(
        self, given: Sequence[Tensor], make: Callable[[Nonlinearity, Sequence[Tensor]], Sequence[Tensor]]
    ) -> list[Tensor]:
        """What `make` gives for every function and its entries of `given` (..., N), put together."""
        found: list[Tensor] = []
        for fn, places in self.functions:
            if places is None:
                return list(make(fn, given))
            at = places.to(given[0].device)
            made = make(fn, [t[..., at] for t in given])
            found = found or [torch.zeros_like(given[0]) for _ in made]
            for whole, part in zip(found, made, strict=True):
                whole[..., at] = part
        return found

    def value(self, y: Tensor) -> Tensor:
        """The functions' values at y (..., N)."""
        return self.each([y], lambda fn, x: (fn.value(x[0]),))[0]

    def range(self, low: Tensor, high: Tensor) -> Pair:
        """Rigorous ranges of the functions on boxes (..., N)."""
        first, second = self.each([low, high], lambda fn, x: interval(fn, x[0], x[1]))
        return first, second

    def slopes(self, low: Tensor, high: Tensor) -> Pair:
        """Rigorous bounds of the functions' derivatives on boxes (..., N), kinks aside."""
        first, second = self.each([low, high], lambda fn, x: derivatives(fn, x[0], x[1]))
        return first, second

    def lines(self, low: Tensor, high: Tensor) -> LinesOfEntries:
        """Their lines on boxes (B, 1, N)."""
        return LinesOfEntries(self, low, high)


@dataclass(frozen=True, eq=False)
class LinesOfEntries:
    """Lines of the functions of entries on boxes (B, 1, N); where there is no function, the line 0."""

    entries: EntryFunctions
    low: Tensor
    high: Tensor

    @cached_property
    def _prepared(self) -> tuple[tuple[Tensor | None, Prepared], ...]:
        found = []
        for fn, places in self.entries.functions:
            at = None if places is None else places.to(self.low.device)
            low, high = (t if at is None else t[..., at] for t in (self.low, self.high))
            found.append((at, prepare(fn, low, high)))
        return tuple(found)

    def _whole(self, parts: Sequence[tuple[Tensor | None, Tensor]], like: Tensor) -> Tensor:
        if parts[0][0] is None:
            return parts[0][1]
        total = torch.zeros_like(like)
        for at, part in parts:
            total[..., at] = part
        return total

    @cached_property
    def defaults(self) -> Pair:
        """Slopes (B, 1, N) of the (lower, upper) lines of least area."""
        found = [(at, defaults_of(p.searcher, range_of(p.searcher))) for at, p in self._prepared]
        lower, upper = (self._whole([(at, pair[side]) for at, pair in found], self.low) for side in (0, 1))
        return lower, upper

    @cached_property
    def spans(self) -> Pair:
        """The natural steps (B, 1, N) of slopes of the (lower, upper) lines."""
        found = [(at, spans_of(p.searcher, range_of(p.searcher))) for at, p in self._prepared]
        lower, upper = (self._whole([(at, pair[side]) for at, pair in found], self.low) for side in (0, 1))
        return lower, upper

    def intercept(self, k: Tensor, upper: Tensor, rigorous: bool) -> Pair:
        """(intercepts of lines of these slopes (B, S, N) on the sides of the mask, where they touch)."""
        parts = []
        for at, one in self._prepared:
            slope, side = (k, upper) if at is None else (k[..., at], upper[..., at])
            parts.append((at, one.intercept(slope, side, rigorous=rigorous)))
        found = [self._whole([(at, pair[i]) for at, pair in parts], k) for i in (0, 1)]
        return found[0], found[1]
