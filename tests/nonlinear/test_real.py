"""Numbers that know how far they are from the real ones: what arithmetic gives holds the exact result."""

from __future__ import annotations

import math
import operator
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genbab.nonlinear.facts.real import Real, exact, real, root

SIZES = st.floats(min_value=1e-250, max_value=1e250)
NUMBERS = st.builds(
    lambda value, sign, share: (value * sign, abs(value) * share),
    SIZES,
    st.sampled_from([1.0, -1.0]),
    st.sampled_from([0.0, 0.0, 1e-17, 1e-9]),
)
Pair = tuple[float, float]
OPERATIONS: list[Any] = [operator.add, operator.sub, operator.mul, operator.truediv]


def ends(number: Pair) -> list[Fraction]:
    value, error = (Fraction(part) for part in number)
    return [value - error, value, value + error]


@pytest.mark.parametrize("operation", OPERATIONS)
@given(x=NUMBERS, y=NUMBERS)
def test_the_real_result_lies_within_the_error(operation: Any, x: Pair, y: Pair) -> None:
    made = operation(Real(*x, 1), Real(*y, 2))
    if not (math.isfinite(made) and math.isfinite(made.error)):
        return
    low, high = Fraction(float(made)) - Fraction(made.error), Fraction(float(made)) + Fraction(made.error)
    for a in ends(x):
        for b in ends(y):
            assert low <= operation(a, b) <= high


@given(x=NUMBERS, n=st.integers(min_value=1, max_value=5))
def test_powers_and_roots_hold_theirs(x: Pair, n: int) -> None:
    made = Real(*x, 1) ** n
    if math.isfinite(made) and math.isfinite(made.error):
        for a in ends(x):
            assert abs(a**n - Fraction(float(made))) <= Fraction(made.error)
    size = Real(abs(x[0]), x[1], 1)
    square = root(size)
    for a in ends((abs(x[0]), x[1])):
        low, high = (Fraction(float(square)) + sign * Fraction(square.error) for sign in (-1, 1))
        assert (low <= 0 or low * low <= a) and a <= high * high


@given(a=st.integers(-(2**20), 2**20), b=st.integers(-(2**20), 2**20))
def test_what_float64_holds_is_exact(a: int, b: int) -> None:
    x, y = real(a / 8), real(b / 4)
    assert exact(x + y, x - y, x * y, -x, abs(x), x**2)
    if b and (a * 8) % b == 0:
        assert exact(x / y)


def test_numbers_that_are_not_exact_are_equal_only_when_made_alike() -> None:
    third = real(1.0) / 3.0
    assert not third.exact
    assert third == real(1.0) / 3.0
    assert third * 0.1 == third * 0.1
    assert third != float(third)
    assert real(1.0) / 3.0 != Real(float(third), third.error, 17)
    assert real(0.5) == 0.5
    assert bool(Real(0.0, 1e-30, 1)) and not bool(real(0.0))


def test_comparisons_are_true_only_where_they_are_certain() -> None:
    near = Real(1.0, 0.5, 1)
    assert near > 0.4 and near < 1.6 and near >= 0.49 and near <= 1.51
    assert not near > 0.6 and not near < 1.4 and not near >= 0.6 and not near <= 1.4


def test_division_by_what_may_be_zero_is_no_finite_number() -> None:
    assert not math.isfinite((real(1.0) / Real(1e-3, 1e-2, 1)).error)
