"""Linear terms with rational coefficients, and the rows that relations between them are."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction


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


class NotLinear(Exception):  # becomes a SpecError with a place
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
