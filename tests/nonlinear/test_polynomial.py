"""Multiplying out loses nothing."""

from __future__ import annotations

import random
from fractions import Fraction

import torch

from genbab.nonlinear import Expression
from genbab.nonlinear.expressions.expression import X, combine, multiply
from genbab.nonlinear.expressions.steps import Apply, Combine, Multiply
from genbab.nonlinear.identities.polynomial import expanded
from genbab.nonlinear.identities.switches import switched

from .expressions import call


def exact(expression: Expression, x: Fraction) -> Fraction:
    """The polynomial (with steps) at x, in rational numbers."""
    known: list[Fraction] = []
    for step in expression.steps:
        if isinstance(step, Apply) and step.fn.name == "step":
            known.append(Fraction(int(known[step.a] >= 0)))
        elif isinstance(step, Apply):
            known.append(known[step.a] ** int(step.fn.params[0]))
        elif isinstance(step, Multiply):
            known.append(known[step.a] * known[step.b])
        elif isinstance(step, Combine):
            terms = (Fraction(w) * known[source] for source, w in step.terms)
            known.append(Fraction(step.shift) + sum(terms, Fraction(0)))
        else:
            known.append(x)
    return known[-1]


def test_a_small_rest_of_large_numbers_stays() -> None:
    """(x - 1e4)**3 + 0.01, written with numbers up to 1e12."""
    inner = combine([(multiply(X, combine([(X, 1.0)], -3e4)), 1.0)], 3e8)
    cubic = combine([(multiply(X, inner), 1.0)], -(1e12 - 0.01))
    above = call("step", combine([(X, 1.0)], -1e4))
    for expression in (multiply(cubic, above), switched(multiply(cubic, above))):
        for place in (1e4 + 0.001, 1e4 + 0.01):
            assert abs(float(exact(expression, Fraction(place))) - (place - 1e4) ** 3 - 0.01) < 1e-4


def test_pieces_are_rewritten_without_loss() -> None:
    chance = random.Random(7)
    for _ in range(60):
        a, b, c, t = (chance.uniform(-3.0, 3.0) for _ in range(4))
        quadratic = combine([(multiply(X, combine([(X, a)], b)), 1.0)], c)
        whole = combine([(multiply(quadratic, call("step", combine([(X, 1.0)], -100 * t))), 1.0), (X, 0.5)])
        other = switched(whole)
        for _ in range(6):
            x = Fraction(chance.uniform(-400.0, 400.0))
            true = exact(whole, x)
            assert abs(exact(other, x) - true) <= Fraction(1e-13) * (1 + abs(true))


def test_coefficients_that_cancel_are_exact() -> None:
    big = combine([(multiply(X, X), 1e16), (X, 1.0)])
    difference = combine([(multiply(X, big), 1.0), (call("power", X, 3), -1e16)])
    found = expanded(difference)
    assert found is not None
    x = torch.tensor([2.0], dtype=torch.float64)
    assert float(found.expression().value(x)) == 4.0
