"""Formulas as disjunctions of conjunctions, and linear terms with rational coefficients.

A relation is known by the number of its token, its literal. A conjunction is a tuple of literals; a `Dnf` is
a list of conjunctions, any of which is enough. There is no negation, so nothing else is needed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain, pairwise, product
from typing import NamedTuple

import numpy as np

from genbab.specs.form.parts import Ints

MAX_CLAUSES = 1_000_000
"""A text whose disjunctive normal form has more clauses is refused."""
MAX_LITERALS = 30_000_000
"""... or more relations in all its clauses together."""

Dnf = list[tuple[int, ...]]


class TooLarge(Exception):  # noqa: N818 - becomes a SpecError with a place
    """The disjunctive normal form is over a limit."""


class Packed(NamedTuple):
    """A Dnf in arrays: the literals of all its conjunctions, one after the other, and how many each has."""

    literal: Ints
    length: Ints

    def unpacked(self) -> Dnf:
        """The same as a list."""
        ends = np.cumsum(self.length).tolist()
        literals = self.literal.tolist()
        return [tuple(literals[a:b]) for a, b in pairwise([0, *ends])]


def packed(terms: Dnf) -> Packed:
    """A Dnf as arrays."""
    length = np.fromiter(map(len, terms), np.int64, len(terms))
    return Packed(np.fromiter(chain.from_iterable(terms), np.int64, int(length.sum())), length)


def conjunction(plain: list[int], factors: list[Dnf]) -> Dnf:
    """The Dnf of: all literals of `plain`, and one conjunction out of each factor. Raises TooLarge."""
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


def together(factors: Sequence[Dnf | Packed]) -> Packed:
    """The Dnf of one conjunction out of each factor. Raises TooLarge."""
    if len(factors) == 1 and isinstance(factors[0], Packed):
        _limit(len(factors[0].length), len(factors[0].literal))
        return factors[0]
    return packed(conjunction([], [f.unpacked() if isinstance(f, Packed) else f for f in factors]))


def _limit(clauses: int, literals: int) -> None:
    if clauses > MAX_CLAUSES or literals > MAX_LITERALS:
        raise TooLarge(
            f"the disjunctions multiply out to {clauses} clauses with {literals} relations; "
            f"at most {MAX_CLAUSES} clauses and {MAX_LITERALS} relations are accepted"
        )


@dataclass
class Linear:
    """The term  sum of coefficient * variable + constant, in exact rational arithmetic."""

    coefficients: dict[str, Fraction] = field(default_factory=dict)
    constant: Fraction = Fraction(0)

    @property
    def is_constant(self) -> bool:
        """Whether no variable is left in the term."""
        return not self.coefficients

    def plus(self, other: Linear, factor: Fraction) -> None:
        """Add factor * other to this term in place."""
        self.constant += factor * other.constant
        for name, value in other.coefficients.items():
            total = self.coefficients.get(name, Fraction(0)) + factor * value
            if total:
                self.coefficients[name] = total
            else:
                self.coefficients.pop(name, None)


class NotLinear(Exception):  # noqa: N818 - becomes a SpecError with a place
    """An operation that does not give a linear term."""


def combine(operator: str, terms: list[Linear]) -> Linear:
    """The linear term (operator terms ...) for + - * /; raises NotLinear, with the reason."""
    if operator in "+-":
        sign = Fraction(1 if operator == "+" else -1)
        total = Linear()
        total.plus(terms[0], sign if len(terms) == 1 else Fraction(1))
        for term in terms[1:]:
            total.plus(term, sign)
        return total
    return _quotient(terms) if operator == "/" else _product(terms)


def _product(terms: list[Linear]) -> Linear:
    """The product of terms of which at most one may hold variables."""
    variable = [t for t in terms if not t.is_constant]
    if len(variable) > 1:
        names = " and ".join(next(iter(t.coefficients)) for t in variable[:2])
        raise NotLinear(f"a product of variables ({names}) is not linear; one factor may hold variables")
    factor = math.prod((t.constant for t in terms if t.is_constant), start=Fraction(1))
    total = Linear()
    total.plus(variable[0] if variable else Linear(constant=Fraction(1)), factor)
    return total


def _quotient(terms: list[Linear]) -> Linear:
    """The first term divided by all the others, which must be constants other than zero."""
    total = Linear()
    if len(terms) < 2 or any(not t.is_constant or not t.constant for t in terms[1:]):
        raise NotLinear("a division needs a term and then constants other than zero")
    total.plus(terms[0], 1 / math.prod((t.constant for t in terms[1:]), start=Fraction(1)))
    return total


@dataclass(frozen=True)
class Row:
    """The relation  sum of coefficient * variable <= rhs, or < rhs when strict."""

    coefficients: dict[str, Fraction]
    rhs: Fraction
    strict: bool


def rows_of(operator: str, terms: list[Linear]) -> list[Row]:
    """The rows of (operator terms ...); more than two terms are a chain of neighbours."""
    rows = []
    for left, right in zip(terms, terms[1:], strict=False):
        for sign in (1, -1):
            if operator in (("<=", "<", "=", "==") if sign == 1 else (">=", ">", "=", "==")):
                total = Linear()
                total.plus(left, Fraction(sign))
                total.plus(right, Fraction(-sign))
                rows.append(Row(total.coefficients, -total.constant, operator in ("<", ">")))
    return rows
