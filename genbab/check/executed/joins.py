"""Functions that are bounded as one though several operators compute them, each with its rounding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genbab.check.executed.single import ROOM
from genbab.check.executed.sums import SumCharge, sized
from genbab.check.functions.formula import Taylor, evaluate
from genbab.check.intervals import Array, Pair, magnitude, point
from genbab.check.model.joins import EntryFormula
from genbab.check.model.program import AffineStep, ElementwiseStep, Moment, Program


@dataclass(frozen=True)
class JoinCharge:
    """How far what is executed, the step `twin`, is from the one function of the arguments.

    Each step adds its error to those before it, times the steepest slopes of its formula where both numbers
    may lie. Nor can it be more than the intervals of both allow.
    """

    twin: int
    arguments: tuple[int, ...]

    def __call__(self, at: Moment) -> Array:
        """The smaller one of both."""
        with np.errstate(all="ignore"):
            apart = _Apart(at, self.arguments).of(self.twin) * ROOM
            low, high = at.ranges[self.twin]
            between = np.maximum(np.abs(high - at.exact[0]), np.abs(at.exact[1] - low)) * ROOM
        return np.fmin(apart, between)


class _Apart:
    """How far executed steps are at most from functions of the arguments."""

    def __init__(self, at: Moment, arguments: tuple[int, ...]) -> None:
        self.at = at
        self._done = {a: np.zeros((1, at.program.size(a))) for a in arguments}

    def of(self, number: int) -> Array:
        """(B, N) or (1, N) of a step."""
        if number not in self._done:
            self._done[number] = self._found(number)
        return self._done[number]

    def _found(self, number: int) -> Array:
        step = self.at.program.steps[number]
        own = self.at.errors.get(number, np.zeros((1, 1)))
        if isinstance(step, AffineStep):
            parts = (sized(term).apply(self.of(term.source)) for term in step.terms)
            return np.asarray(sum(parts, start=np.zeros((1, step.size))) + own)
        assert isinstance(step, ElementwiseStep), "a step between a join and its arguments"
        before = [self.of(source) for source in step.sources]
        ranges = [self.at.ranges[source] for source in step.sources]
        wide = [(low - d, high + d) for (low, high), d in zip(ranges, before, strict=True)]
        parts = (_steepest(step, wide, i) * d for i, d in enumerate(before) if d.any())
        return np.asarray(sum(parts, start=np.zeros((1, step.size))) + own)


def _steepest(step: ElementwiseStep, ranges: list[Pair], place: int) -> Array:
    """The largest slope (B, N) of a formula along one argument."""
    shape = ranges[0][0].shape
    entries = np.tile(np.arange(step.size), shape[0])
    flat = [(low.ravel(), high.ravel()) for low, high in ranges]
    one = point(np.ones_like(flat[0][0]))
    jets = [Taylor(x, one if i == place else None) for i, x in enumerate(flat)]
    first = evaluate(step.formula, jets, entries, 2).first
    found = np.zeros(len(entries)) if first is None else magnitude(first)
    return np.where(np.isnan(found), np.inf, found).reshape(shape)


def worth(program: Program, joins: dict[int, EntryFormula]) -> dict[int, EntryFormula]:
    """The joins that bound more than one step, and are no part of another sum."""
    kept = {}
    for number, join in joins.items():
        step = program.steps[number]
        charge = None if step is None else step.charge
        inside = charge is None  # of an operator, as the products of a matrix product are
        part = inside or (isinstance(charge, SumCharge) and (charge.joined or charge.alone))
        if not part and not (isinstance(step, ElementwiseStep) and list(step.sources) == join.arguments):
            kept[number] = join
    return kept
