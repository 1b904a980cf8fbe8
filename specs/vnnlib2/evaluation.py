"""Whether an assignment satisfies a VNN-LIB 2 query: every assertion evaluated in rational numbers."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from genbab.specs.vnnlib2.declared import NoEntry


class Evaluator:
    """Evaluates the formulas of a query (syntax tree `tree`) at given values.

    values: per tensor its numbers, flat in row-major order; shapes: per tensor its shape.
    """

    def __init__(
        self, tree: Any, values: Mapping[str, Sequence[float]], shapes: Mapping[str, Sequence[int]]
    ) -> None:
        self.tree, self.values = tree, values
        self.strides = {
            name: [math.prod(shape[k + 1 :]) for k in range(len(shape))] for name, shape in shapes.items()
        }
        self.relations: dict[type, Callable[[Fraction, Fraction], bool]] = {
            tree.LessEqual: operator.le,
            tree.LessThan: operator.lt,
            tree.GreaterEqual: operator.ge,
            tree.GreaterThan: operator.gt,
            tree.Equal: operator.eq,
            tree.NotEqual: operator.ne,
        }

    def true(self, formula: Any) -> bool:
        """Whether the formula is true, exactly."""
        kind = type(formula)
        if kind is self.tree.And:
            return all(map(self.true, formula.args))
        if kind is self.tree.Or:
            return any(map(self.true, formula.args))
        return self.relations[kind](self.value(formula.lhs), self.value(formula.rhs))

    def value(self, term: Any) -> Fraction:
        """The exact value of a term; raises NoEntry for an index below 0."""
        tree, kind = self.tree, type(term)
        if kind is tree.Var:
            indices = term.indices
            if indices and min(indices) < 0:
                raise NoEntry(term.name, indices)
            places = zip(indices, self.strides[term.name], strict=True)
            return Fraction(self.values[term.name][sum(i * stride for i, stride in places)])
        if kind is tree.Negate:
            return -self.value(term.expr)
        if kind is tree.Minus:
            return self.value(term.head) - sum(map(self.value, term.rest), Fraction(0))
        if kind is tree.Plus:
            return sum(map(self.value, term.args), Fraction(0))
        if kind is tree.Multiply:
            return math.prod(map(self.value, term.args), start=Fraction(1))
        return Fraction(term.lexeme)
