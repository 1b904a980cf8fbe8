"""Stationary points of table functions for the search: one lookup serves both sides and several segments.

Segments of one curvature whose slopes do not overlap (both tails of gelu: below 0, above 1) share a lookup,
since at most one of them can hold the point of slope k, and the others then have their best at an end of the
box or nowhere.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import torch
from torch import Tensor

from genbab.nonlinear.facts.inverse import ENTRIES, Part, lookup, part_ends, parts, refine, slope_ends, table
from genbab.nonlinear.facts.record import Nonlinearity
from genbab.nonlinear.lines.blending import Side

_APART = 1e-6
_NEWTON_STEPS = 2


@dataclass(frozen=True)
class TableSegment:
    """A segment in the shared table: relative slope = (k - start)*factor, entries from `offset` on.

    Used for slopes from `threshold` on (the first piece of a side for all smaller ones as well).
    """

    segment: int
    start: float
    factor: float
    offset: float
    threshold: float

    def row(self, most: float) -> tuple[float, float, float]:
        """(start, factor, offset); slopes too close for the factor lead to the nearer end of the segment."""
        return self.start, max(-most, min(most, self.factor)), self.offset


@dataclass(frozen=True)
class Slot:
    """What one lookup serves: the parts in its table and the pieces of the lower and the upper side."""

    parts: tuple[Part, ...]
    lower: tuple[TableSegment, ...]
    upper: tuple[TableSegment, ...]


def _groups(fn: Nonlinearity, curvature: int) -> list[list[Part]]:
    """Parts of segments of this curvature in groups of ascending, non-overlapping slopes."""
    groups: list[list[Part]] = []
    for segment in sorted(fn.segments(curvature), key=lambda s: min(slope_ends(fn, s))):
        for group in groups:
            if max(slope_ends(fn, group[-1][0])) + _APART < min(slope_ends(fn, segment)):
                group.extend(parts(fn, segment))
                break
        else:
            groups.append(list(parts(fn, segment)))
    return groups


def _pieces(fn: Nonlinearity, group: list[Part], offset: int) -> tuple[TableSegment, ...]:
    pieces, below = [], 0.0
    for i, part in enumerate(group):
        slopes = [slope for _, slope in part_ends(fn, part)]
        threshold = 0.5 * (below + min(slopes))
        start, rise = slopes[0], slopes[1] - slopes[0]
        factor = 1.0 / rise if rise else 0.0  # a segment without rise is a line: any point of it will do
        pieces.append(TableSegment(part[0], start, factor, float((offset + i) * ENTRIES), threshold))
        below = max(slopes)
    return tuple(pieces)


@functools.lru_cache(maxsize=256)
def slots(fn: Nonlinearity) -> tuple[Slot, ...]:
    """The lookups a table function needs."""
    convex, concave = _groups(fn, 1), _groups(fn, -1)
    result = []
    for i in range(max(len(convex), len(concave))):
        low = convex[i] if i < len(convex) else []
        high = concave[i] if i < len(concave) else []
        result.append(Slot((*low, *high), _pieces(fn, low, 0), _pieces(fn, high, len(low))))
    return tuple(result)


def route(
    slot: Slot, k: Tensor, side: Side
) -> tuple[TableSegment, list[tuple[Tensor, TableSegment, TableSegment]]]:
    """First piece, and changes (mask, from, to) that lead every element, in turn, to its own piece."""
    sides: list[tuple[tuple[TableSegment, ...], Tensor | None]] = []
    if isinstance(side, bool):
        sides = [((slot.upper if side else slot.lower) or slot.lower or slot.upper, None)]
    elif slot.lower and slot.upper:
        sides = [(slot.lower, 1.0 - side), (slot.upper, side)]
    else:
        sides = [(slot.lower or slot.upper, None)]
    base = sides[0][0][0]
    steps = []
    for chain, mask in sides:
        if chain[0] is not base and mask is not None:
            steps.append((mask, base, chain[0]))
        for before, after in zip(chain, chain[1:], strict=False):
            past = torch.ge(k, after.threshold, out=torch.empty_like(k))
            steps.append((past if mask is None else past.mul_(mask), before, after))
    return base, steps


def _columns(slot: Slot, k: Tensor, side: Side) -> list[Tensor | float]:
    """(start, factor, offset) of the piece of every element."""
    base, steps = route(slot, k, side)
    most = 0.25 * torch.finfo(k.dtype).max
    columns: list[Tensor | float] = list(base.row(most))
    for mask, before, after in steps:
        for i, (a, b) in enumerate(zip(before.row(most), after.row(most), strict=True)):
            column = columns[i]
            columns[i] = (
                mask * (b - a) + column if isinstance(column, float) else column.add_(mask, alpha=b - a)
            )
    return columns


def point(fn: Nonlinearity, slot: Slot, k: Tensor, side: Side) -> Tensor:
    """About the point of slope k on the segment that matters for each element; not clipped to the box."""
    start, factor, offset = _columns(slot, k, side)
    relative = torch.sub(k, start).mul_(factor)
    return lookup(table(fn, slot.parts, k.dtype, k.device), relative, offset)


def refined(fn: Nonlinearity, slot: Slot, k: Tensor, side: Side) -> Tensor:
    """The same to about 12 digits, in float64."""
    start, factor, offset = _columns(slot, k, side)
    relative = torch.sub(k, start).mul_(factor)
    return refine(fn, slot.parts, k, relative, offset, _NEWTON_STEPS)
