"""Specifications mean what the standard says, to the last digit."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest

from genbab.check.failures import Unusable
from genbab.check.spec import Specification, read_specification, rounded


def read(unsafe: str, *, bounds: bool = True) -> Specification:
    text = (
        "(declare-const X_0 Real) (declare-const X_1 Real) (declare-const Y_0 Real) (declare-const Y_1 Real)"
    )
    box = "(assert (>= X_0 0.1)) (assert (<= X_0 0.3)) (assert (and (<= -1 X_1) (<= X_1 1)))"
    return read_specification(f"{text}; a comment (\n{box if bounds else ''}{unsafe}", 2, 2)


def test_decimals_are_rounded_outward() -> None:
    (disjunct,) = read("(assert (<= Y_0 0.7))").disjuncts
    assert Fraction(disjunct.low[0]) <= Fraction(1, 10) < Fraction(math.nextafter(disjunct.low[0], 1))
    assert Fraction(disjunct.high[0]) >= Fraction(3, 10) > Fraction(math.nextafter(disjunct.high[0], 0))
    assert Fraction(disjunct.inequalities[0].limit) >= Fraction(7, 10)
    for value in (Fraction(1, 3), Fraction(-1, 3), Fraction(10**400), Fraction(-(10**400)), Fraction(0)):
        assert rounded(value, up=False) <= value <= rounded(value, up=True)


def test_terms_are_linear_forms() -> None:
    found = read("(assert (< (+ (* 2 Y_0) (- Y_1 1.5) (/ X_0 4)) (- (* 3 X_1) Y_0)))")
    (row,) = found.rows
    assert row == {"Y_0": 3, "Y_1": 1, "X_0": Fraction(1, 4), "X_1": -3}
    (inequality,) = found.disjuncts[0].inequalities
    assert inequality.strict and inequality.limit == 1.5
    turned = read("(assert (>= Y_0 2))")
    assert turned.rows == [{"Y_0": -1}] and turned.disjuncts[0].inequalities[0].limit == -2


@pytest.mark.parametrize(
    "text",
    [
        '(set-info :source "a) (assert (<= Y_0 (- 1000))) (set-info :x b") (assert (>= Y_0 0))',
        "(set-info :source |a) (assert (<= Y_0 0)) (b|) (assert (>= Y_0 0))",
        "(assert (>= Y_0 0)) (exit) (assert (<= Y_0 -9))",
        "(assert (>= Y_0 0)) (check-sat) (assert (<= Y_0 -9))",
        "(assert (>= Y_00 0))",
    ],
)
def test_texts_that_say_less_than_they_seem_to_are_refused(text: str) -> None:
    with pytest.raises(Unusable):
        read(text)


def test_nested_formulas_become_disjuncts() -> None:
    text = "(assert (or (and (<= Y_0 1) (or (<= Y_1 2) (<= Y_1 X_0))) (and (<= X_0 0.2) (>= Y_0 5))))"
    found = read(text)
    assert len(found.disjuncts) == 3
    assert sorted(len(d.inequalities) for d in found.disjuncts) == [1, 2, 2]
    assert sorted(d.high[0] for d in found.disjuncts)[0] < 0.21
    crossed = read("(assert (or (<= Y_0 1) (<= Y_0 2)))(assert (or (<= Y_1 1) (<= Y_1 2)))")
    assert len(crossed.disjuncts) == 4 and len(crossed.rows) == 2


def test_a_set_without_rows_is_unsafe_everywhere() -> None:
    (disjunct,) = read("").disjuncts
    assert len(disjunct.inequalities) == 1 and disjunct.inequalities[0].limit == 0.0


@pytest.mark.parametrize("text", ["(assert (= Y_0 Y_1))", "(assert (and (<= Y_0 Y_1) (>= Y_0 Y_1)))"])
def test_equations_are_two_rows(text: str) -> None:
    assert len(read(text).disjuncts[0].inequalities) == 2
