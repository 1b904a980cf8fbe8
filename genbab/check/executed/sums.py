"""Sums of products in any order: what an operator, and one that it is taken into, may round.

Axes: B boxes, N entries of a step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from genbab.check.executed.single import HALF_ULP, NORMAL, REACH, ROOM, gammas
from genbab.check.functions.formula import factors
from genbab.check.intervals import Array, Pair, magnitude
from genbab.check.model.maps import Convolution, EntryScale, Gather, Map, Matrix, Transposed
from genbab.check.model.program import AffineStep, ElementwiseStep, Moment, Program, Term

Leaf = Callable[[int], Array]


@dataclass(frozen=True, eq=False)
class SumCharge:
    """Of a tensor that is Σ t, of m terms t with up to `rounds` roundings each beside the additions.

    The terms are found by going back over the steps that the operator became, to the tensors that it reads.
    Where one of these is a sum that may be taken into this one, it is `joined`, and no tensor but a part of
    this sum: its terms are terms here, whether it is computed by itself or not. gain: the largest factor that
    comes after a part of a sum, or 1; spread: what parts may be larger by than they are in the end, or 1.
    """

    rounds: int
    gain: float = 1.0
    spread: float = 1.0
    joined: bool = False
    alone: bool = False  # whether a product of tensors is the only operator that reads it
    name: str = ""  # of the tensor, if this is an operator of sums of products
    kept: dict[str, Array | float] = field(default_factory=dict)  # what depends on no interval

    def __call__(self, at: Moment) -> Array:
        """The bound of docs/proofs.md; of a joined sum 0, or infinite."""
        error, small = self.within(at.program, at.ranges, at.number, magnitude(at.exact))
        total = (error + small) * ROOM
        return np.where(np.isfinite(total), 0.0, np.inf) if self.joined else total

    def within(
        self, program: Program, ranges: Sequence[Pair], number: int, value: Array, factors: int = 0
    ) -> tuple[Array, Array]:
        """What is rounded, with so many factors more in each term, and what underflow changes beside that."""
        size = sizes(program, number, lambda leaf: magnitude(ranges[leaf]))
        count, weights = self._count(program, number), self._weights(program, number)
        parts = [self, *_joined(program, number)]
        rounds, gain = factors + sum(part.rounds for part in parts), math.prod(part.gain for part in parts)
        most = largest(ranges, leaves(program, number))
        small = 2 * gain * NORMAL * (1 + weights) * (2 * count + 4 + weights + 2 * count * most)
        spread = math.prod(part.spread for part in parts)
        kept = size * spread * gain * np.maximum(1.0, count) <= REACH
        kept &= small <= NORMAL * REACH
        return np.where(kept, added(size, count, value, rounds), np.inf), small

    def _count(self, program: Program, number: int) -> Array:
        """How many products other than 0 each entry adds up."""
        if "count" not in self.kept:
            self.kept["count"] = sizes(program, number, lambda leaf: _ones(program, leaf), pattern=True)
        return np.asarray(self.kept["count"])

    def _weights(self, program: Program, number: int) -> Array:
        """The sum of the weights' and constants' sizes."""
        if "weights" not in self.kept:
            self.kept["weights"] = sizes(program, number, lambda leaf: _ones(program, leaf))
        return np.asarray(self.kept["weights"])


def added(size: Array, count: Array, value: Array, rounds: int) -> Array:
    """What rounding adds to a sum of `count` terms, of sizes that add up to `size`, of at most `value`.

    Every partial sum is at most (size + value) / 2, since what is positive adds up to no more, and what is
    negative neither; the last one is the value itself.
    """
    sums = np.maximum(count - 1, 0)
    own, every = gammas(float(rounds)), gammas(count + rounds)
    partial = np.maximum(count - 2, 0) * (size + value) / 2 + np.where(count > 1, value, 0.0)
    return own * size + HALF_ULP * (1 + every) * (partial + sums * every * size)


def sizes(program: Program, number: int, leaf: Leaf, pattern: bool = False) -> Array:
    """The step with sizes of weights and constants, of the tensors before it as `leaf` says.

    pattern: with 1 for all weights and constants other than 0.
    """
    done: dict[int, Array] = {}

    def inner(n: int) -> Array:
        if n not in done:
            done[n] = found(n)
        return done[n]

    def found(n: int) -> Array:
        step = program.steps[n]
        if n != number and _ends(program, n):
            return leaf(n)
        if isinstance(step, ElementwiseStep):
            pair = factors(step.formula)
            assert pair is not None, "a sum of products"
            return inner(step.sources[pair[0]]) * inner(step.sources[pair[1]])
        assert isinstance(step, AffineStep)
        size = np.maximum(np.abs(step.low), np.abs(step.high))
        total = np.where(size > 0, 1.0, 0.0) if pattern else size
        for term in step.terms:
            total = total + sized(term, pattern).apply(inner(term.source))
        return total

    return inner(number)


def largest(ranges: Sequence[Pair], steps: Sequence[int]) -> Array:
    """The largest size (B, 1) of a number of some steps."""
    return np.asarray(np.max([magnitude(ranges[step]).max(-1) for step in steps], axis=0))[:, None]


def moved_to(program: Program, number: int, source: int, value: Array) -> Array:
    """What a step that moves the entries of another one has of numbers of these."""
    return value if number == source else sizes(program, number, lambda leaf: value)


def leaves(program: Program, number: int) -> list[int]:
    """The tensors that the operator of a step reads."""
    return sorted(n for n in _behind(program, number) if _ends(program, n))


def _joined(program: Program, number: int) -> list[SumCharge]:
    """The charges of the sums that were taken into a step."""
    inside = (sum_of(program, n) for n in _behind(program, number) if not _ends(program, n))
    return [charge for charge in inside if charge is not None]


def _behind(program: Program, number: int) -> list[int]:
    """The steps that a step is made of, as far as the tensors that its operator reads."""
    found, waiting = dict[int, None](), [number]
    while waiting:
        n = waiting.pop()
        step = program.steps[n]
        if step is not None and (n == number or not _ends(program, n)):
            new = [source for source in dict.fromkeys(step.sources) if source not in found]
            found.update(dict.fromkeys(new))
            waiting.extend(new)
    return list(found)


def sum_of(program: Program, number: int) -> SumCharge | None:
    """The charge of a step, if it is one of a sum."""
    step = program.steps[number]
    return step.charge if step is not None and isinstance(step.charge, SumCharge) else None


def join(program: Program, number: int, linear: bool) -> None:
    """Takes a sum into the only operator that reads it, or notes that a product of tensors may do so."""
    step = program.steps[number]
    assert step is not None and isinstance(step.charge, SumCharge)
    program.steps[number] = replace(step, charge=replace(step.charge, joined=linear, alone=not linear))


def _ends(program: Program, number: int) -> bool:
    """Whether a step is a tensor that operators read, or the inputs."""
    step = program.steps[number]
    if step is None:
        return True
    return step.charge is not None and not (isinstance(step.charge, SumCharge) and step.charge.joined)


def _ones(program: Program, number: int) -> Array:
    return np.ones((1, program.size(number)))


def sized(term: Term, pattern: bool = False) -> Map:
    """The map of the sizes that weights may have, or of 1 for those other than 0."""
    return _map(term.map, term.radius, pattern)


def _map(map_: Map, radius: Map | None, pattern: bool) -> Map:
    if isinstance(map_, Gather):
        return map_
    if isinstance(map_, Transposed):
        return Transposed(_map(map_.of, radius.of if isinstance(radius, Transposed) else None, pattern))
    assert isinstance(map_, Matrix | EntryScale | Convolution)
    size = np.abs(map_.weight)
    if radius is not None:
        assert isinstance(radius, Matrix | EntryScale | Convolution)
        size = size + radius.weight
    return replace(map_, weight=np.where(size > 0, 1.0, 0.0) if pattern else size)
