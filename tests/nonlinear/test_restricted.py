"""Functions on a part of the line only: their lines hold on every box, choices that use them are exact."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import torch

from genbab.nonlinear import Nonlinearity, interval, make
from genbab.nonlinear.expressions.expression import (
    Expression,
    X,
    apply,
    combine,
    constant,
    multiply,
    substitute,
)
from genbab.nonlinear.identities.known import rewritten
from genbab.nonlinear.identities.restricted import punctured, restricted
from genbab.nonlinear.lines.conjugate import prepare

INF = math.inf
RECORDS = [
    restricted(make("log"), 0.0, INF, (False, True)),
    restricted(make("log"), 0.25, 3.0, (True, False)),
    restricted(make("sqrt"), 0.0, INF, (True, True)),
    restricted(make("reciprocal"), -INF, 0.0, (True, False)),
    restricted(make("reciprocal"), 0.5, INF, (False, True)),
    restricted(make("asin"), -1.0, 1.0, (True, True)),
    restricted(make("power", -0.5), 0.5, INF, (True, True)),
    punctured(make("reciprocal"), 0.0),
]


@pytest.mark.parametrize("fn", RECORDS, ids=str)
def test_lines_and_ranges_hold(fn: Nonlinearity) -> None:
    random = torch.Generator().manual_seed(0)
    places = torch.cat([torch.linspace(-4.0, 4.0, 33), torch.tensor([-1e-9, 0.0, 1e-9, 0.25, 0.5])]).double()
    pick = torch.randint(places.numel(), (2, 400), generator=random)
    low, high = places[pick].sort(0).values
    share = torch.rand(200, 1, generator=random, dtype=torch.float64)
    share[:2] = torch.tensor([[0.0], [1.0]])
    x = torch.cat([torch.lerp(low, high, share), places[:, None].clamp(low, high)])
    y = fn.value(x)
    assert not bool(y.isnan().any())
    lower, upper = interval(fn, low, high)
    assert bool(((lower <= y) & (y <= upper)).all())
    for slope in (-3.0, -0.4, 0.0, 0.7, 5.0):
        k = torch.full_like(low, slope)
        prepared = prepare(fn, low, high)
        below, above = (prepared.intercept(k, side)[0] for side in (False, True))
        assert bool((k * x + below <= y).all() and (y <= k * x + above).all())


def _above(u: Expression, place: float) -> Expression:
    return combine([(apply(make("step"), combine([(u, -1.0)], place)), -1.0)], 1.0)


def _where(condition: Expression, yes: Expression, no: Expression) -> Expression:
    return combine([(no, 1.0), (multiply(condition, combine([(yes, 1.0), (no, -1.0)])), 1.0)])


@pytest.mark.parametrize("number", [-1e4, -3.4e38])
def test_a_huge_number_is_not_added_to_what_is_kept(number: float) -> None:
    found = rewritten(_where(_above(X, 0.0), X, constant(number)))
    x = torch.tensor([-1.0, 0.0, 1e-9, 0.3, 2.0], dtype=torch.float64)
    assert found.value(x).tolist() == [number, number, 1e-9, 0.3, 2.0]
    middle = multiply(_above(X, 0.0), combine([(_above(X, 1.0), -1.0)], 1.0))
    found = rewritten(_where(middle, constant(number), X))
    assert found.value(x).tolist() == [-1.0, 0.0, number, number, 2.0]


def test_steps_of_steps_become_one() -> None:
    inner = apply(make("step"), combine([(X, 2.0)], -1.0))
    turned = rewritten(apply(make("step"), combine([(inner, -1.0)], 0.5)))
    x = torch.tensor([0.0, 0.5, 0.75], dtype=torch.float64)
    assert turned.value(x).tolist() == [1.0, 0.0, 0.0]
    assert len(turned.steps) == 3
    assert rewritten(apply(make("step"), combine([(inner, 1.0)], 0.5))) == constant(1.0)


def test_conditions_on_absolute_values() -> None:
    size = apply(make("abs"), combine([(X, 1.0)], -1.0))
    choice = _where(_above(size, 0.5), apply(make("reciprocal"), combine([(X, 1.0)], -1.0)), constant(7.0))
    found = rewritten(choice)
    x = torch.tensor([-1.0, 0.25, 0.5, 1.0, 1.25, 1.5, 2.0], dtype=torch.float64)
    expected = [-0.5, -4 / 3, 7.0, 7.0, 7.0, 7.0, 1.0]
    assert found.value(x).tolist() == pytest.approx(expected, abs=1e-15)


def test_the_square_is_completed_only_where_that_loses_nothing() -> None:
    for a, b in ((3e-15, 1.0), (1e-10, 100.0), (1e-4, 1.0), (0.5, 1.0), (2.0, -3.0)):
        found = rewritten(multiply(X, combine([(X, a)], b)))
        for x in (0.1, 0.3, -2.0):
            exact = Fraction(a) * Fraction(x) ** 2 + Fraction(b) * Fraction(x)
            value = float(found.value(torch.tensor(x, dtype=torch.float64)))
            assert abs(value - float(exact)) <= 2e-12 * abs(float(exact)), (a, b, x)
    assert substitute(rewritten(multiply(X, combine([(X, 0.5)], 1.0))), X).functions == 1
