"""The disjuncts of the unsafe set as arrays: which are refuted on boxes, and what they leave of the boxes.

Axes: B boxes, C disjuncts, F inequalities of these one after the other, R rows, D inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from genbab.check.failures import Unusable
from genbab.check.intervals import TINY, UNIT, Array, Indices, Mask, gamma
from genbab.check.model.maps import Matrix
from genbab.check.model.program import AffineStep, Program, Term, Wire, centred
from genbab.check.passes.backward import Forms, least_on
from genbab.check.spec import Coefficients, Disjunct, Specification, rounded

ROUNDS = 16
MOST_WEIGHTS = 1 << 26


def add_rows(program: Program, rows: Sequence[Coefficients]) -> int:
    """The number of a new step whose entries are the rows, of inputs and outputs."""
    wires = [program.tensors[name] for name in program.outputs]
    sources = {"X": [0], "Y": [wire.step for wire in wires if isinstance(wire, Wire)]}
    terms = []
    for kind, steps in sources.items():
        used = [(r, int(v[2:]), c) for r, row in enumerate(rows) for v, c in row.items() if v[0] == kind]
        sizes = [program.size(step) for step in steps]
        if sum(sizes) * len(rows) > MOST_WEIGHTS:
            raise Unusable(f"{len(rows)} different rows of the specification are too many")
        low, high = (np.zeros((sum(sizes), len(rows))) for _ in range(2))
        for row, entry, value in used:
            low[entry, row], high[entry, row] = rounded(value, up=False), rounded(value, up=True)
        start = 0
        for step, size in zip(steps, sizes, strict=True):
            centre, radius = centred((low[start : start + size], high[start : start + size]))
            if centre.any() or radius.any():
                spread = Matrix(1, 1, radius) if radius.any() else None
                terms.append(Term(step, Matrix(1, 1, centre), spread))
            start += size
    return program.add(AffineStep(tuple(terms), np.zeros(len(rows)), np.zeros(len(rows))))


class Disjuncts(NamedTuple):
    """Some disjuncts: their boxes (C, D), their inequalities, and where each one's begin."""

    low: Array
    high: Array
    row: Indices
    limit: Array
    strict: Mask
    start: Indices

    def of(self, clause: int) -> slice:
        """Where the inequalities of a disjunct are."""
        ends = (*self.start, len(self.row))
        return slice(int(ends[clause]), int(ends[clause + 1]))


def clauses_of(specification: Specification, chosen: Sequence[int]) -> Disjuncts:
    """The arrays of these disjuncts."""
    some: list[Disjunct] = [specification.disjuncts[i] for i in chosen]
    flat = [inequality for disjunct in some for inequality in disjunct.inequalities]
    counts = [0, *(len(disjunct.inequalities) for disjunct in some)]
    return Disjuncts(
        np.stack([disjunct.low for disjunct in some]),
        np.stack([disjunct.high for disjunct in some]),
        np.array([i.row for i in flat], dtype=np.int64),
        np.array([i.limit for i in flat]),
        np.array([i.strict for i in flat]),
        np.cumsum(counts)[:-1],
    )


def refuted(clauses: Disjuncts, lower: Array) -> tuple[Mask, Array]:
    """Which disjuncts (B, C) have a row above its limit, and by how much the best row is above it."""
    margin = lower[:, clauses.row] - clauses.limit
    missed = (lower[:, clauses.row] > clauses.limit) | (clauses.strict & (margin == 0) & np.isfinite(margin))
    return (
        np.logical_or.reduceat(missed, clauses.start, axis=1),
        np.maximum.reduceat(margin, clauses.start, axis=1),
    )


def combined(clauses: Disjuncts, clause: int, forms: Forms, low: Array, high: Array) -> tuple[Array, Forms]:
    """Lower bounds (B,) of the best combination found of a disjunct's rows, and these combinations.

    With weights of 0 or more, a point where all rows are at most their limits has a combination of at most 0.
    """
    part = clauses.of(clause)
    rows, limit = clauses.row[part], clauses.limit[part]
    a, d = forms.coefficients[:, rows], forms.constant[:, rows]
    h = d - limit - 2 * UNIT * (np.abs(d) + np.abs(limit))
    weights = np.full(h.shape, 1.0 / h.shape[1])
    size = np.maximum(np.abs(low), np.abs(high))
    best, kept = np.full(len(h), -np.inf), weights
    cost = gamma(2 * a.shape[2] + 4 * len(rows)) * 2
    for round_ in range(ROUNDS):
        c = (weights[:, None] @ a)[:, 0]
        x = np.where(c > 0, low, high)
        owed = cost * (((weights[:, None] @ np.abs(a))[:, 0] * size).sum(-1) + (weights * np.abs(h)).sum(-1))
        bound = (c * x).sum(-1) + (weights * h).sum(-1) - owed - TINY
        bound = np.where(np.isfinite(bound), bound, -np.inf)
        better = bound > best
        best, kept = np.where(better, bound, best), np.where(better[:, None], weights, kept)
        at = (a @ x[..., None])[..., 0] + h
        step = at / np.maximum(np.abs(at).max(-1, keepdims=True), 1e-300) * (4.0 / (1 + round_) ** 0.5)
        weights = weights * np.exp(np.where(np.isfinite(step), step, 0.0))
        weights = weights / weights.sum(-1, keepdims=True)
    combined_ = (kept[:, None] @ a)[:, 0]
    owed = cost * (((kept[:, None] @ np.abs(a))[:, 0] * size).sum(-1) + (kept * np.abs(h)).sum(-1))
    constant = (kept * h).sum(-1) - owed - TINY
    return best, Forms(combined_[:, None], constant[:, None])


def clipped(coefficients: Array, lower: Array, low: Array, high: Array) -> tuple[Array, Array]:
    """What is left (B, D) of boxes where forms (B, R, D), at least `lower` (B, R) there, can be at most 0."""
    ends = np.minimum(coefficients * low[:, None], coefficients * high[:, None])
    lower = lower[..., None]
    rest = lower - ends - 4 * UNIT * (np.abs(lower) + np.abs(ends)) - TINY
    most = -rest / coefficients
    room = 4 * UNIT * np.abs(most) + TINY
    usable = np.isfinite(most)
    upper = np.where(usable & (coefficients > 0), most + room, np.inf).min(1)
    under = np.where(usable & (coefficients < 0), most - room, -np.inf).max(1)
    return np.maximum(low, under), np.minimum(high, upper)


class Left(NamedTuple):
    """What boxes leave open: disjuncts (B, C), margins (B, C), and the smaller boxes (B, D)."""

    open: Mask
    margin: Array
    low: Array
    high: Array


def judge(clauses: Disjuncts, open_: Mask, lower: Array, forms: Forms, box: tuple[Array, Array]) -> Left:
    """Which of the open disjuncts are not refuted on boxes by bounds of rows, and where they may hold."""
    found, margin = refuted(clauses, lower)
    open_ = open_ & ~found
    low, high = np.full_like(box[0], np.inf), np.full_like(box[1], -np.inf)
    result, least = open_.copy(), least_on(forms, *box)
    with np.errstate(all="ignore"):
        for clause in map(int, np.flatnonzero(open_.any(0))):
            index = np.flatnonzero(open_[:, clause])
            part = clauses.of(clause)
            some = Forms(forms.coefficients[index], forms.constant[index])
            start = (
                np.maximum(box[0][index], clauses.low[clause]),
                np.minimum(box[1][index], clauses.high[clause]),
            )
            rows, limit = clauses.row[part], clauses.limit[part]
            difference = least[index][:, rows] - limit
            difference = difference - 2 * UNIT * (np.abs(difference) + np.abs(limit))
            left = clipped(some.coefficients[:, rows], difference, *start)
            if len(rows) > 1:
                inner = box[0][index], box[1][index]
                best, both = combined(clauses, clause, some, *inner)
                margin[index, clause] = np.maximum(margin[index, clause], best)
                more = clipped(both.coefficients, least_on(both, *inner), *start)
                left = np.maximum(left[0], more[0]), np.minimum(left[1], more[1])
            gone = (left[0] > left[1]).any(-1) | (margin[index, clause] > 0)
            result[index, clause] = ~gone
            stay = index[~gone]
            low[stay], high[stay] = (
                np.minimum(low[stay], left[0][~gone]),
                np.maximum(high[stay], left[1][~gone]),
            )
    return Left(result, margin, low, high)


def kept(left: Left, lost: Mask, open_: Mask, box: tuple[Array, Array]) -> Left:
    """What is left where the boxes (B,) that are lost stay as they were, with all that was open there."""
    each = lost[:, None]
    return Left(
        np.where(each, open_, left.open),
        np.where(each, -np.inf, left.margin),
        np.where(each, box[0], left.low),
        np.where(each, box[1], left.high),
    )
