"""A point is judged by the numbers as they were written: strict is strict, and no bound is rounded."""

from __future__ import annotations

import math
import operator
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genbab.specs import Input, Network, format_vnnlib, format_vnnlib2, linf, never, parse_vnnlib

HOLDS = {"<=": operator.le, "<": operator.lt, ">=": operator.ge, ">": operator.gt}
DECIMALS = st.one_of(
    st.tuples(st.integers(-40, 40), st.integers(0, 2)).map(lambda t: f"{t[0]}e-{t[1]}"),
    st.floats(-2, 2).map(lambda v: repr(float(np.float32(v)))),
    st.floats(-2, 2).map(lambda v: f"{Fraction(v).numerator / Fraction(v).denominator:.25f}"),
    st.sampled_from(["0.99999999999999999999", "1.00000000000000000001", "0.1", "1", "0", "-0.1"]),
)
LIMIT = st.tuples(st.sampled_from(sorted(HOLDS)), DECIMALS)


def plain(text: str) -> str:
    """The decimal without an exponent, with a point, as VNN-LIB 2 wants it."""
    value = f"{Fraction(text).numerator * 10**40 // Fraction(text).denominator:d}"
    sign, digits = ("-", value[1:]) if value[0] == "-" else ("", value)
    digits = digits.rjust(41, "0")
    return f"{sign}{digits[:-40]}.{digits[-40:].rstrip('0') or '0'}"


def near(texts: list[str]) -> list[float]:
    """float64 numbers at and around these decimals."""
    found = set()
    for text in texts:
        value = float(text)
        found |= {value, math.nextafter(value, 9), math.nextafter(value, -9), float(np.float32(value))}
    return sorted(found)


@settings(max_examples=300, deadline=None)
@given(st.lists(LIMIT, min_size=0, max_size=3), st.tuples(LIMIT, LIMIT), st.booleans())
def test_bounds_and_rows_are_those_of_the_text(
    more: list[tuple[str, str]], rows: tuple[tuple[str, str], tuple[str, str]], second: bool
) -> None:
    """x in [-3, 3] and further limits, two limits of y_0 and of y_0 + 0.5 y_1."""
    if second:
        pytest.importorskip("vnnlib")
    write = plain if second else str
    x, y0, y1 = ("X[0]", "Y[0]", "Y[1]") if second else ("X_0", "Y_0", "Y_1")
    bounds = [(">=", "-3"), ("<=", "3"), *more]
    text = [f"(assert ({r} {x} {write(v)}))" for r, v in bounds]
    (r0, v0), (r1, v1) = rows
    text.append(f"(assert ({r0} {y0} {write(v0)}))")
    text.append(f"(assert ({r1} (+ {y0} (* {write('0.5')} {y1})) {write(v1)}))")
    head = (
        "(vnnlib-version <2.0>)(declare-network f (declare-input X real [1]) (declare-output Y real [2]))"
        if second
        else "".join(f"(declare-const {n} Real)" for n in ("X_0", "Y_0", "Y_1"))
    )
    spec = parse_vnnlib(head + "".join(text))
    exact = [Fraction(plain(v)) if second else Fraction(v) for _, v in (*bounds, *rows)]
    for one in (
        [spec] if spec.vacuous else [spec, parse_vnnlib((format_vnnlib2 if second else format_vnnlib)(spec))]
    ):
        for px in near([v for _, v in bounds]):
            inside = all(HOLDS[r](Fraction(px), e) for (r, _), e in zip(bounds, exact, strict=False))
            for py in near([v0, v1]):
                for pz in (0.0, 1e-300, -1e-300):
                    unsafe = HOLDS[r0](Fraction(py), exact[-2])
                    unsafe &= HOLDS[r1](Fraction(py) + Fraction(pz) / 2, exact[-1])
                    assert (one.violation([px], [py, pz]) is not None) == (inside and unsafe), (px, py, pz)


@settings(max_examples=200, deadline=None)
@given(st.lists(LIMIT, min_size=2, max_size=4))
def test_what_holds_no_real_number_is_empty(limits: list[tuple[str, str]]) -> None:
    text = "(declare-const X_0 Real)(declare-const Y_0 Real)(assert (>= X_0 -9))(assert (<= X_0 9))"
    text += "".join(f"(assert ({r} X_0 {v}))" for r, v in limits) + "(assert (<= Y_0 0))"
    low = max([Fraction(-9), *(Fraction(v) for r, v in limits if r[0] == ">")])
    high = min([Fraction(9), *(Fraction(v) for r, v in limits if r[0] == "<")])
    strict = any(r in "<>" and Fraction(v) in (low, high) for r, v in limits)
    assert parse_vnnlib(text).vacuous == (low > high or (low == high and strict))


def test_boxes_that_differ_only_in_what_they_exclude_are_two() -> None:
    head = "(declare-const X_0 Real)(declare-const Y_0 Real)(assert (>= X_0 0))"
    both = "(assert (or (and (< X_0 1) (<= Y_0 0)) (and (<= X_0 1) (<= Y_0 -1))))"
    spec = parse_vnnlib(head + both)
    assert spec.violation([1.0], [-0.5]) is None
    assert spec.violation([0.5], [-0.5]) == 0
    assert spec.violation([1.0], [-1.0]) == 1


def test_statements_are_exact_too() -> None:
    x = Input(2)
    y = Network(1)(x)
    spec = never((x > 0) & (x < "1/3") & (y < 1))
    third = 1 / 3
    up = third if Fraction(third) > Fraction(1, 3) else math.nextafter(third, 1)
    down = math.nextafter(up, 0)
    assert spec.violation([0.1, down], [0.0]) is not None
    assert spec.violation([0.1, up], [0.0]) is None
    assert spec.violation([0.0, down], [0.0]) is None
    assert spec.violation([0.1, down], [1.0]) is None
    ball = never(linf(x, [0.5, 0.5], "1/3") & (y < 1))
    ends = [Fraction(v) for v in (ball.lower[0, 0], ball.upper[0, 0])]
    assert ends[0] < Fraction(1, 6) and ends[1] > Fraction(5, 6)
    assert ball.violation(ball.lower[0], [0.0]) is None and ball.violation(ball.upper[0], [0.0]) is None
    assert ball.violation(np.nextafter(ball.lower[0], 1), [0.0]) is not None
