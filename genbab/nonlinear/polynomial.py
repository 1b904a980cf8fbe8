"""Expressions as polynomials in their other functions: products are multiplied out, so spellings can be
compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from genbab.nonlinear.expression import (
    Apply,
    Combine,
    Expression,
    Multiply,
    Variable,
    X,
    apply,
    combine,
    multiply,
)
from genbab.nonlinear.record import Nonlinearity

MAX_DEGREE = 8
MAX_TERMS = 48

ROUNDING = 2e-15
"""Relative difference of coefficients that float64 arithmetic explains; anything more is another function."""

CANCELLATION = 8.0
"""A coefficient much smaller than what was added up to it is not known well enough to be compared."""

Monomial = tuple[tuple[str, int], ...]
ONE: Monomial = ()


@dataclass(frozen=True)
class Polynomial:
    """Σ exact[m] · m; a monomial m lists (digest of an atom, power > 0), atoms are X and functions.

    Coefficients are rational, so that nothing is lost where they cancel; what is written out again is rounded
    once. `mass[m]` is the sum of the sizes of what was added up to exact[m].
    """

    atoms: Mapping[str, Expression]
    exact: Mapping[Monomial, Fraction]
    mass: Mapping[Monomial, float]

    @cached_property
    def terms(self) -> Mapping[Monomial, float]:
        """The coefficients in float64, each rounded once."""
        return {m: float(c) for m, c in self.exact.items()}

    @cached_property
    def clean(self) -> bool:
        """Whether no coefficient is what a cancellation left over."""
        return all(self.mass[m] <= CANCELLATION * abs(c) for m, c in self.terms.items())

    def without(self, atom: str) -> Polynomial:
        """The terms in which the atom does not occur."""
        return self.only(lambda m: all(a != atom for a, _ in m))

    def only(self, wanted: Callable[[Monomial], bool]) -> Polynomial:
        """The terms whose monomials are wanted."""
        kept = {m: c for m, c in self.exact.items() if wanted(m)}
        return Polynomial(self.atoms, kept, {m: self.mass[m] for m in kept})

    def divided(self, atom: str) -> Polynomial | None:
        """Q, where the terms in which the atom occurs are Q · atom and Q is free of it."""
        found: dict[Monomial, Fraction] = {}
        mass: dict[Monomial, float] = {}
        for m, c in self.exact.items():
            powers = dict(m)
            if powers.pop(atom, 0) > 1:
                return None
            if len(powers) < len(m):
                rest = tuple(sorted(powers.items()))
                found[rest], mass[rest] = c, self.mass[m]
        return Polynomial(self.atoms, found, mass)

    def plus(self, other: Polynomial, factor: float) -> Polynomial:
        """self + factor · other, exactly."""
        total = dict(self.exact)
        mass = dict(self.mass)
        for m, c in other.exact.items():
            total[m] = total.get(m, Fraction(0)) + Fraction(factor) * c
            mass[m] = mass.get(m, 0.0) + abs(factor) * other.mass[m]
        kept = {m: c for m, c in total.items() if c}
        return Polynomial({**self.atoms, **other.atoms}, kept, {m: mass[m] for m in kept})

    def over(self, other: Polynomial) -> float | None:
        """k with self = k · other, every coefficient to float64's rounding, if there is one."""
        if not other.terms or set(self.terms) != set(other.terms) or not (self.clean and other.clean):
            return None
        leading = max(other.terms, key=lambda m: abs(other.terms[m]))
        k = self.terms[leading] / other.terms[leading]
        close = all(
            abs(self.terms[m] - k * c) <= ROUNDING * abs(self.terms[m]) for m, c in other.terms.items()
        )
        return k if close and k else None

    def expression(self) -> Expression:
        """The polynomial, written out."""
        parts: list[tuple[Expression, float]] = []
        for m, c in self.terms.items():
            if m:
                made: Expression | None = None
                for atom, power in m:
                    for _ in range(power):
                        made = self.atoms[atom] if made is None else multiply(made, self.atoms[atom])
                assert made is not None
                parts.append((made, c))
        return combine(parts, self.terms.get(ONE, 0.0))


def expanded(expression: Expression) -> Polynomial | None:
    """The expression multiplied out; None when that makes too many terms or too high a degree."""
    parts: list[Polynomial] = []
    for step in expression.steps:
        if isinstance(step, Variable):
            made: Polynomial | None = _atom(X)
        elif isinstance(step, Combine):
            made = _sum(step, parts)
        elif isinstance(step, Multiply):
            made = _product(parts[step.a], parts[step.b])
        elif isinstance(step, Apply) and step.fn.name == "power" and step.fn.params[0] in (2.0, 3.0, 4.0):
            made = parts[step.a]
            for _ in range(int(step.fn.params[0]) - 1):
                made = _product(made, parts[step.a]) if made is not None else None
        else:
            made = _atom(apply(step.fn, Expression(expression.steps[: step.a + 1])))
        if made is None:
            return None
        parts.append(made)
    return parts[-1]


def _atom(atom: Expression) -> Polynomial:
    itself: Monomial = ((atom.digest, 1),)
    return Polynomial({atom.digest: atom}, {itself: Fraction(1)}, {itself: 1.0})


def _sum(step: Combine, parts: list[Polynomial]) -> Polynomial | None:
    start = {ONE: step.shift} if step.shift else {}
    exact = {m: Fraction(c) for m, c in start.items()}
    total = Polynomial({}, exact, {m: abs(c) for m, c in start.items()})
    for source, factor in step.terms:
        total = total.plus(parts[source], factor)
    return total if len(total.terms) <= MAX_TERMS else None


def _product(x: Polynomial, y: Polynomial) -> Polynomial | None:
    terms: dict[Monomial, Fraction] = {}
    mass: dict[Monomial, float] = {}
    for m, c in x.exact.items():
        for n, d in y.exact.items():
            powers = dict(m)
            for atom, power in n:
                powers[atom] = powers.get(atom, 0) + power
            if sum(powers.values()) > MAX_DEGREE:
                return None
            both = tuple(sorted(powers.items()))
            terms[both] = terms.get(both, Fraction(0)) + c * d
            mass[both] = mass.get(both, 0.0) + x.mass[m] * y.mass[n]
    if len(terms) > MAX_TERMS:
        return None
    kept = {m: c for m, c in terms.items() if c}
    return Polynomial({**x.atoms, **y.atoms}, kept, {m: mass[m] for m in kept})


def outermost(expression: Expression) -> tuple[Nonlinearity, Expression] | None:
    """(fn, u) when the expression is fn(u)."""
    last = expression.steps[-1]
    return (last.fn, Expression(expression.steps[: last.a + 1])) if isinstance(last, Apply) else None


def opened(expression: Expression) -> tuple[list[tuple[Expression, float]], float]:
    """([(part, factor)], shift) with expression = shift + Σ factor · part, no part a sum itself."""
    last = expression.steps[-1]
    if not isinstance(last, Combine):
        return [(expression, 1.0)], 0.0
    return [(Expression(expression.steps[: source + 1]), w) for source, w in last.terms], last.shift
