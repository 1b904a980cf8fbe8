"""Rows mean what is written: coefficients are not rounded where a factor for the row makes them exact."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genbab.specs import Spec, format_vnnlib, format_vnnlib2, parse_vnnlib

HEAD = "".join(f"(declare-const {v} Real)" for v in ("X_0", "Y_0", "Y_1")) + "(assert (<= 0 X_0 1))"
DIGITS = st.integers(-999_999, 999_999).filter(bool)


def _text(first: str, second: str, limit: str) -> str:
    return f"{HEAD}(assert (<= (+ (* {first} Y_0) (* {second} Y_1)) {limit}))"


def _row(spec: Spec) -> list[Fraction]:
    """Coefficients and right-hand side of the only row."""
    (clause,) = spec.clauses
    return [Fraction(v) for v in (*clause.outputs[0].tolist(), float(clause.rhs[0]))]


@settings(max_examples=200, deadline=None)
@given(DIGITS, DIGITS, st.integers(0, 9), st.integers(0, 9))
def test_decimals_keep_their_ratio(a: int, b: int, i: int, k: int) -> None:
    first, second = Fraction(a, 10**i), Fraction(b, 10**k)
    spec = parse_vnnlib(_text(f"{a}e-{i}", f"{b}e-{k}", "0"))
    found = _row(spec)
    assert found[0] * second == found[1] * first and found[0] * first > 0 and found[2] == 0
    assert not spec.notes and Fraction(1, 2) <= found[0] / first <= 2


@settings(max_examples=100, deadline=None)
@given(DIGITS, DIGITS, DIGITS)
def test_points_of_the_boundary_are_unsafe(a: int, b: int, c: int) -> None:
    """0.001 a y0 + 0.001 b y1 <= 0.001 c at float64 points that are exactly on it."""
    spec = parse_vnnlib(_text(f"{a}e-3", f"{b}e-3", f"{c}e-3"))
    x = np.zeros(1)
    for y0 in (0, 1, -7, 1024):
        y1 = Fraction(c - a * y0, b)
        if Fraction(float(y1)) == y1:
            assert spec.violation(x, np.array([y0, float(y1)])) is not None


def test_rounding_to_nearest_would_have_lost_a_point() -> None:
    """float64's 0.1 is above 1/10: at y = (3, -1), 0.1 y0 + 0.3 y1 is 0, with rounded ones it is not."""
    spec = parse_vnnlib(_text("0.1", "0.3", "0"))
    assert Fraction(0.1) * 3 - Fraction(0.3) > 0
    assert spec.violation(np.zeros(1), np.array([3.0, -1.0])) is not None


def test_too_many_digits_are_rounded_and_said() -> None:
    spec = parse_vnnlib(_text("0.12345678901234567", "1", "0"))
    assert "nearest float64" in spec.notes[0]
    assert _row(spec)[0] == Fraction(0.12345678901234567)


@pytest.mark.parametrize("write", [format_vnnlib, format_vnnlib2])
def test_written_coefficients_are_the_same_numbers(write: object) -> None:
    assert callable(write)
    spec = parse_vnnlib(_text("0.12345678901234567", "3", "0.25"))
    again = parse_vnnlib(write(spec))
    assert _row(again) == _row(spec) and again.notes == spec.notes
