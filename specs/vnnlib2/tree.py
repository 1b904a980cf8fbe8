"""From the nodes of a VNN-LIB 2 syntax tree to literals: what is not read in arrays."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from itertools import chain
from typing import Any

import numpy as np

from genbab.errors import SpecError
from genbab.specs.lowering.balls import ball_of
from genbab.specs.lowering.entries import NO_BOUNDS
from genbab.specs.lowering.formula import Dnf, conjunction
from genbab.specs.lowering.literals import Literals
from genbab.specs.lowering.relations import CODES, FLIPPED, Simple, pairs_of, single_of
from genbab.specs.numbers.numbers import directed, first_bad, why_not_a_number
from genbab.specs.numbers.polynomials import Polynomial, plus, times
from genbab.specs.vnnlib2.declared import Declared


class TreeWalk:
    """Takes formulas of a syntax tree (package `tree`) and makes the literals that they are made of.

    Every method raises SpecError for numbers out of range and NoEntry for indices below 0, where it meets
    them.
    """

    def __init__(self, tree: Any, declared: Declared, literals: Literals, source: str) -> None:
        self.tree, self.declared, self.literals, self.source = tree, declared, literals, source
        self.codes = {
            tree.LessEqual: CODES["<="],
            tree.LessThan: CODES["<"],
            tree.GreaterEqual: CODES[">="],
            tree.GreaterThan: CODES[">"],
            tree.Equal: CODES["=="],
        }
        self.singles: list[tuple[int, int, int, str]] = []
        self.pairs: list[tuple[int, int, int, int]] = []

    def conjunct(self, formula: Any, plain: list[int], factors: list[Dnf]) -> None:
        """Take a formula as one more part of a conjunction."""
        kind = type(formula)
        if kind in self.codes:
            plain.append(self._literal(formula, self.codes[kind]))
        elif kind is self.tree.And:
            for part in formula.args:
                self.conjunct(part, plain, factors)
        else:
            found = self._dnf(formula)
            if len(found) == 1:
                plain.extend(found[0])
            else:
                factors.append(found)

    def _dnf(self, formula: Any) -> Dnf:
        kind = type(formula)
        if kind is self.tree.Or:
            return list(chain.from_iterable(map(self._dnf, formula.args)))
        if kind in self.codes:
            return [(self._literal(formula, self.codes[kind]),)]
        if kind is self.tree.NotEqual:
            return [(self._literal(formula, CODES["<"]),), (self._literal(formula, CODES[">"]),)]
        plain: list[int] = []
        factors: list[Dnf] = []
        self.conjunct(formula, plain, factors)
        return conjunction(plain, factors)

    def _literal(self, comparison: Any, code: int) -> int:
        """A new literal that is true where the comparison, of this code, is."""
        literal = self.literals.new()
        self.relation(comparison, code, literal)
        return literal

    def relation(self, comparison: Any, code: int, literal: int) -> None:
        """Let the literal be true where the comparison, of this code, is."""
        left, right = comparison.lhs, comparison.rhs
        variables = type(left) is self.tree.Var, type(right) is self.tree.Var
        if all(variables):
            one, other = self.declared.column(left), self.declared.column(right)
            self.pairs.append((literal, code, one, other))
        elif variables[0] and type(right) is self.tree.Float:
            self.singles.append((literal, code, self.declared.column(left), right.lexeme))
        elif variables[1] and type(left) is self.tree.Float:
            self.singles.append((literal, FLIPPED[code], self.declared.column(right), left.lexeme))
        else:
            difference = plus(self._term(left), self._term(right), -1)
            strict = code in (CODES["<"], CODES[">"])
            ways = {CODES["=="]: (1, -1), CODES[">="]: (-1,), CODES[">"]: (-1,)}.get(code, (1,))
            for sign in ways:
                self._row(literal, difference if sign == 1 else plus({}, difference, sign), strict)

    def _row(self, literal: int, polynomial: Polynomial[int], strict: bool) -> None:
        ball = None if strict else ball_of(polynomial, self.literals.sizes[0])
        if ball is None:
            self.literals.row(literal, polynomial, strict)
        else:
            self.literals.ball(literal, ball)

    def _term(self, term: Any) -> Polynomial[int]:
        """The polynomial of an arithmetic expression, in columns."""
        tree, kind = self.tree, type(term)
        if kind is tree.Var:
            return {(self.declared.column(term),): Fraction(1)}
        if kind is tree.Negate:
            return plus({}, self._term(term.expr), -1)
        if kind is tree.Minus:
            total = self._term(term.head)
            for part in term.rest:
                total = plus(total, self._term(part), -1)
            return total
        if kind is tree.Plus:
            total = {}
            for part in term.args:
                total = plus(total, self._term(part))
            return total
        if kind is tree.Multiply:
            first, *rest = term.args
            total = self._term(first)
            for part in rest:
                total = times(total, self._term(part), order=int)
            return total
        try:
            value = _number(term.lexeme)
        except ValueError as problem:
            raise SpecError(str(problem), self.source) from None
        return {(): value} if value else {}

    def finish(self) -> None:
        """Hand the simple comparisons over, all at once."""
        d = self.literals.sizes[0]
        literal, code, variable, texts = zip(*self.singles, strict=True) if self.singles else ((), (), (), ())
        if bad := first_bad(texts):
            raise SpecError(bad[1], self.source)
        arrays = [np.array(part, np.int64) for part in (literal, code, variable)]
        numbers = (*directed(texts), np.array(texts, object))
        self.literals.many(*single_of(arrays[0], arrays[1], arrays[2], numbers, d))
        simple = Simple(*np.array(self.pairs, np.int64).reshape(-1, 4).T)
        entries = pairs_of(simple)
        self.literals.many(NO_BOUNDS, entries)


@lru_cache(1 << 12)
def _number(text: str) -> Fraction:
    """The number that is written; raises ValueError, with the reason, out of the range of float64."""
    if reason := why_not_a_number(text):
        raise ValueError(reason)
    return Fraction(text)
