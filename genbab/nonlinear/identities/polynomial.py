"""Expressions as polynomials in their other functions.

Products are multiplied out, so spellings can be compared.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

from genbab.nonlinear.expressions.expression import Expression, X, apply, combine, multiply
from genbab.nonlinear.expressions.steps import Apply, Argument, Combine, Multiply
from genbab.nonlinear.facts.real import Real, real
from genbab.nonlinear.facts.record import Nonlinearity

MAX_DEGREE = 8
MAX_TERMS = 48

ROUNDING = 2e-15
"""A coefficient this much smaller than another is taken for what rounding left."""

CANCELLATION = 8.0
"""A coefficient much smaller than what was added up to it is not known well enough to be compared."""

Monomial = tuple[tuple[str, int], ...]
ONE: Monomial = ()
ZERO = Fraction(0)
_ORIGINS = itertools.count(1 << 62)


@dataclass(frozen=True)
class Polynomial:
    """Σ exact[m] · m; a monomial m lists (digest of an atom, power > 0), atoms are X and functions.

    Coefficients are rational, so that nothing is lost where they cancel; what is written out again is rounded
    once. `mass[m]` is the sum of the sizes of what was added up to exact[m], `error[m]` how far the real
    coefficient may be from it.
    """

    atoms: Mapping[str, Expression]
    exact: Mapping[Monomial, Fraction]
    mass: Mapping[Monomial, float]
    error: Mapping[Monomial, Fraction] = field(default_factory=dict)

    @cached_property
    def terms(self) -> Mapping[Monomial, Real]:
        """The coefficients, each rounded once."""
        return {m: rounded(c, self.error.get(m, ZERO)) for m, c in self.exact.items()}

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
        return Polynomial(self.atoms, kept, {m: self.mass[m] for m in kept}, self.error)

    def divided(self, atom: str) -> Polynomial | None:
        """Q, where the terms in which the atom occurs are Q · atom and Q is free of it."""
        found: dict[Monomial, Fraction] = {}
        mass: dict[Monomial, float] = {}
        error: dict[Monomial, Fraction] = {}
        for m, c in self.exact.items():
            powers = dict(m)
            if powers.pop(atom, 0) > 1:
                return None
            if len(powers) < len(m):
                rest = tuple(sorted(powers.items()))
                found[rest], mass[rest], error[rest] = c, self.mass[m], self.error.get(m, ZERO)
        return Polynomial(self.atoms, found, mass, error)

    def plus(self, other: Polynomial, factor: float) -> Polynomial:
        """self + factor · other."""
        total, mass, error = dict(self.exact), dict(self.mass), dict(self.error)
        by, off = Fraction(float(factor)), Fraction(real(factor).error)
        for m, c in other.exact.items():
            total[m] = total.get(m, ZERO) + by * c
            mass[m] = mass.get(m, 0.0) + abs(factor) * other.mass[m]
            more = other.error.get(m, ZERO)
            error[m] = error.get(m, ZERO) + abs(by) * more + off * (abs(c) + more)
        return _kept({**self.atoms, **other.atoms}, total, mass, error)

    def over(self, other: Polynomial) -> Real | None:
        """k with self = k · other, if there surely is one: for a single term, or all of exact proportions."""
        if not other.terms or set(self.terms) != set(other.terms) or not (self.clean and other.clean):
            return None
        if len(self.terms) == 1:
            ((m, c),) = self.terms.items()
            k = c / other.terms[m]
            return k if k and math.isfinite(k.error) else None
        if any(self.error.values()) or any(other.error.values()):
            return None
        ratios = {self.exact[m] / other.exact[m] for m in self.exact}
        return rounded(ratios.pop(), ZERO) if len(ratios) == 1 else None

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


def rounded(c: Fraction, error: Fraction) -> Real:
    """The rational number, known to within an error, as a float that knows how far it is."""
    near = float(c)
    off = abs(Fraction(near) - c) + error
    origin = next(_ORIGINS) if error else hash(c)  # no two that are not known are taken for equal
    return Real(near, math.nextafter(float(off), math.inf) if off else 0.0, origin)


def uncertain(error: float) -> Polynomial:
    """A number within this distance of 0."""
    return Polynomial({}, {ONE: ZERO}, {ONE: 0.0}, {ONE: Fraction(error)})


def _kept(
    atoms: Mapping[str, Expression],
    exact: dict[Monomial, Fraction],
    mass: Mapping[Monomial, float],
    error: Mapping[Monomial, Fraction],
) -> Polynomial:
    """The polynomial without the terms that are surely 0."""
    kept = {m: c for m, c in exact.items() if c or error.get(m)}
    return Polynomial(atoms, kept, {m: mass[m] for m in kept}, {m: error.get(m, ZERO) for m in kept})


def expanded(expression: Expression) -> Polynomial | None:
    """The expression multiplied out; None when that makes too many terms or too high a degree."""
    parts: list[Polynomial] = []
    for step in expression.steps:
        if isinstance(step, Argument):
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
    shift = real(step.shift)
    start = {ONE: Fraction(float(shift))} if shift else {}
    total = Polynomial({}, start, {ONE: abs(float(shift))}, {ONE: Fraction(shift.error)})
    for source, factor in step.terms:
        total = total.plus(parts[source], factor)
    return total if len(total.terms) <= MAX_TERMS else None


def _product(x: Polynomial, y: Polynomial) -> Polynomial | None:
    terms: dict[Monomial, Fraction] = {}
    mass: dict[Monomial, float] = {}
    error: dict[Monomial, Fraction] = {}
    for m, c in x.exact.items():
        for n, d in y.exact.items():
            powers = dict(m)
            for atom, power in n:
                powers[atom] = powers.get(atom, 0) + power
            if sum(powers.values()) > MAX_DEGREE:
                return None
            both = tuple(sorted(powers.items()))
            off, more = x.error.get(m, ZERO), y.error.get(n, ZERO)
            terms[both] = terms.get(both, ZERO) + c * d
            mass[both] = mass.get(both, 0.0) + x.mass[m] * y.mass[n]
            error[both] = error.get(both, ZERO) + abs(c) * more + abs(d) * off + off * more
    return _kept({**x.atoms, **y.atoms}, terms, mass, error) if len(terms) <= MAX_TERMS else None


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
