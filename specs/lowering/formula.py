"""Formulas as disjunctions of conjunctions.

A relation is known by the number of its token, its literal. A conjunction is a tuple of literals; a `Dnf` is
a list of conjunctions, any of which is enough. There is no negation, so nothing else is needed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain, pairwise, product
from typing import NamedTuple

import numpy as np

from genbab.specs.numbers.arrays import Ints

MAX_CLAUSES = 1_000_000
"""A text whose disjunctive normal form has more clauses is refused."""
MAX_LITERALS = 30_000_000
"""... or more relations in all its clauses together."""

Dnf = list[tuple[int, ...]]


class TooManyClauses(Exception):  # becomes a SpecError with a place
    """The disjunctive normal form is over a limit."""


class PackedDnf(NamedTuple):
    """A Dnf in arrays: the literals of all its conjunctions, one after the other, and how many each has."""

    literal: Ints
    length: Ints

    def unpacked(self) -> Dnf:
        """The same as a list."""
        ends = np.cumsum(self.length).tolist()
        literals = self.literal.tolist()
        return [tuple(literals[a:b]) for a, b in pairwise([0, *ends])]


def packed(terms: Dnf) -> PackedDnf:
    """A Dnf as arrays."""
    length = np.fromiter(map(len, terms), np.int64, len(terms))
    return PackedDnf(np.fromiter(chain.from_iterable(terms), np.int64, int(length.sum())), length)


def conjunction(plain: list[int], factors: list[Dnf]) -> Dnf:
    """The Dnf of: all literals of `plain`, and one conjunction out of each factor. Raises TooManyClauses."""
    if not factors:
        return [tuple(plain)]
    if not all(factors):
        return []
    count = math.prod(map(len, factors))
    literals = count * len(plain) + sum(sum(map(len, f)) * (count // len(f)) for f in factors)
    _limit(count, literals)
    head = tuple(plain)
    if len(factors) == 1:
        return [head + term for term in factors[0]] if head else factors[0]
    return [head + tuple(chain.from_iterable(choice)) for choice in product(*factors)]


def conjoined(factors: Sequence[Dnf | PackedDnf]) -> PackedDnf:
    """The Dnf of one conjunction out of each factor. Raises TooManyClauses."""
    if len(factors) == 1 and isinstance(factors[0], PackedDnf):
        _limit(len(factors[0].length), len(factors[0].literal))
        return factors[0]
    return packed(conjunction([], [f.unpacked() if isinstance(f, PackedDnf) else f for f in factors]))


def _limit(clauses: int, literals: int) -> None:
    if clauses > MAX_CLAUSES or literals > MAX_LITERALS:
        raise TooManyClauses(
            f"the disjunctions multiply out to {clauses} clauses with {literals} relations; "
            f"at most {MAX_CLAUSES} clauses and {MAX_LITERALS} relations are accepted"
        )
