"""What can be said: relations of polynomials, ranges, balls; and, or, not. Immutable.

Statements are joined by `&`, `|` and `~` (in parentheses: Python binds them tighter than `<=`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from genbab.errors import SpecError
from genbab.specs.numbers.arrays import Floats
from genbab.specs.numbers.exact import Ends

if TYPE_CHECKING:
    from genbab.specs.words.variables import Polynomial, SourceVariable


class Statement:
    """Something that is true or false of an input and the outputs there."""

    def __and__(self, other: Statement) -> Statement:
        return all_of([self, _statement(other)])

    def __or__(self, other: Statement) -> Statement:
        return any_of([self, _statement(other)])

    def __invert__(self) -> Statement:
        raise NotImplementedError

    def __bool__(self) -> bool:
        raise SpecError(
            "a statement is not true or false by itself: write `&`, `|`, `~` for `and`, `or`, `not`, "
            "and (0 <= x) & (x <= 1) for 0 <= x <= 1"
        )


@dataclass(frozen=True, eq=False)
class Relation(Statement):
    """polynomial <= 0, or < 0 where strict."""

    polynomial: Polynomial
    strict: bool

    def __invert__(self) -> Statement:
        return Relation({k: -v for k, v in self.polynomial.items()}, not self.strict)


@dataclass(frozen=True, eq=False)
class Range(Statement):
    """Every variable is at most (upper) or at least its number, or below or above it where strict.

    numbers (n,): float64, Fractions, or `Ends`.
    """

    variables: tuple[SourceVariable, ...]
    numbers: Any
    upper: bool
    strict: bool

    def __invert__(self) -> Statement:
        numbers = self.numbers.unrounded() if isinstance(self.numbers, Ends) else self.numbers
        one = zip(self.variables, range(len(self.variables)), strict=True)
        flipped = [Range((v,), numbers[i : i + 1], not self.upper, not self.strict) for v, i in one]
        return any_of(flipped)


@dataclass(frozen=True, eq=False)
class InBall(Statement):
    """The variables are at a distance of at most `radius` from the centre (n,), in the norm 1 or 2."""

    variables: tuple[SourceVariable, ...]
    centre: Floats
    radius: Fraction
    norm: int

    def __invert__(self) -> Statement:
        raise SpecError("the outside of a ball cannot be asked for; use it as a region only")


@dataclass(frozen=True, eq=False)
class All(Statement):
    """Every part holds."""

    parts: tuple[Statement, ...]

    def __invert__(self) -> Statement:
        return any_of([~part for part in self.parts])


@dataclass(frozen=True, eq=False)
class Some(Statement):
    """At least one part holds."""

    parts: tuple[Statement, ...]

    def __invert__(self) -> Statement:
        return all_of([~part for part in self.parts])


def relation(polynomial: Polynomial, strict: bool) -> Statement:
    """polynomial <= 0, or < 0 where strict."""
    return Relation(polynomial, strict)


def all_of(statements: Iterable[Statement]) -> Statement:
    """All of them; nothing to say is always true."""
    parts = _joined(statements, All)
    return parts[0] if len(parts) == 1 else All(tuple(parts))


def any_of(statements: Iterable[Statement]) -> Statement:
    """At least one of them; none of nothing is never true."""
    parts = _joined(statements, Some)
    return parts[0] if len(parts) == 1 else Some(tuple(parts))


def _joined(statements: Iterable[Statement], kind: type[All] | type[Some]) -> Sequence[Statement]:
    found: list[Statement] = []
    for one in statements:
        found.extend(one.parts if isinstance(one, kind) else [_statement(one)])
    return found


def _statement(value: object) -> Statement:
    if not isinstance(value, Statement):
        raise SpecError(f"expected a statement like y[0] <= 1, found {type(value).__name__}")
    return value
