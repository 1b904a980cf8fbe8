"""Neighbouring cells of one kind, and the part of the line on which facts are certain."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from genbab.errors import UsageError
from genbab.nonlinear.composed.cells import Cells, Kind

MOST_SEGMENTS = 64
"""Functions that bend more often are certified on a smaller part of the line."""


@dataclass
class CellRun:
    """Neighbouring cells of one kind."""

    kind: Kind
    first: int
    last: int
    low: float
    high: float


def seams_of(found: Cells) -> Tensor:
    """Per cell, whether there may be a kink exactly between it and the one before."""
    touch, (low, high) = found.jet.touch, found.jet.first
    same = (low[1:] == high[1:]) & (low[:-1] == high[:-1]) & (low[1:] == low[:-1])
    return torch.cat([touch.new_zeros(1), touch[1:] & touch[:-1] & ~same])


def cell_runs(found: Cells) -> list[CellRun]:
    """Cells of one kind in a row; a kink that may lie between two cells ends the row there."""
    runs: list[CellRun] = []
    rows = zip(
        *(column.tolist() for column in (found.kind, found.low, found.high, seams_of(found))), strict=True
    )
    for i, (kind, low, high, seam) in enumerate(rows):
        apart = seam and kind in (Kind.CONVEX, Kind.CONCAVE, Kind.STRAIGHT)
        if runs and runs[-1].kind == kind and not apart:
            runs[-1].last, runs[-1].high = i, high
        else:
            runs.append(CellRun(Kind(kind), i, i, low, high))
    return runs


def stretch(found: Cells, runs: list[CellRun]) -> tuple[float, float]:
    """The part of the line to work on: around 0, else around 1, else the longest; not too many segments."""
    parts: list[list[CellRun]] = [[]]
    for run in runs:
        if run.kind == Kind.OUTSIDE:
            parts.append([])
        else:
            parts[-1].append(run)
    parts = [_trimmed(part) for part in parts]
    parts = [part for part in parts if part]
    if not parts:
        raise UsageError("nowhere on the line is it certain which way this function bends")
    for home in (0.0, 1.0):
        for part in parts:
            if part[0].low <= home <= part[-1].high:
                return _short(part, home)
    longest = max(parts, key=lambda part: part[-1].high - part[0].low)
    return _short(longest, 0.5 * (longest[0].low + longest[-1].high))


def _trimmed(part: list[CellRun]) -> list[CellRun]:
    """Without poles and jumps at its ends; what is only loose there may stay."""
    certain = [i for i, run in enumerate(part) if run.kind not in (Kind.LOOSE, Kind.JUMP)]
    if not certain:
        return []
    first, last = certain[0], certain[-1]
    first -= first == 1 and part[0].kind == Kind.LOOSE
    last += last == len(part) - 2 and part[-1].kind == Kind.LOOSE
    return part[first : last + 1]


def _short(part: list[CellRun], home: float) -> tuple[float, float]:
    """The ends of at most MOST_SEGMENTS runs around home."""
    place = next(i for i, run in enumerate(part) if run.high >= home)
    first, last = max(0, place - MOST_SEGMENTS // 2), min(len(part), place + MOST_SEGMENTS // 2 + 1)
    kept = _trimmed(part[first:last])
    return kept[0].low, kept[-1].high
