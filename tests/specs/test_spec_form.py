"""Spec, Clause and violation: shapes are checked, points are decided exactly."""

from __future__ import annotations

import numpy as np
import pytest

from genbab.errors import SpecError
from genbab.specs import Clause, Spec


def one_row(
    outputs: list[float], rhs: float, inputs: list[float] | None = None, strict: bool = False
) -> Spec:
    """A spec with the box [0, 1]^2 and one clause of one row."""
    rows = None if inputs is None else np.array([inputs])
    clause = Clause(0, np.array([outputs]), rows, np.array([rhs]), np.array([strict]))
    return Spec(np.zeros((1, 2)), np.ones((1, 2)), (clause,), len(outputs))


def test_violation_needs_the_box_and_every_row() -> None:
    spec = one_row([1.0, -1.0], 0.0)
    assert spec.violation([0.0, 1.0], [2.0, 2.0]) == 0
    assert spec.violation([0.0, 1.0], [2.0, 1.0]) is None
    assert spec.violation([0.0, 1.0 + 1e-15], [2.0, 2.0]) is None
    assert spec.violation(np.array([[0.5, 0.5]], np.float32), np.array([[0.0], [1.0]], np.float32)) == 0


def test_violation_returns_the_first_clause() -> None:
    clauses = tuple(Clause(k % 2, np.array([[1.0]]), None, np.array([float(k)])) for k in range(4))
    spec = Spec(np.array([[0.0], [5.0]]), np.array([[1.0], [6.0]]), clauses, 1)
    assert spec.violation([0.5], [-1.0]) == 0
    assert spec.violation([0.5], [1.5]) == 2
    assert spec.violation([5.5], [1.5]) == 3
    assert spec.violation([3.0], [-9.0]) is None


def test_a_clause_without_rows_is_its_box() -> None:
    clause = Clause(0, np.zeros((0, 3)), None, np.zeros(0))
    spec = Spec(np.zeros((1, 1)), np.ones((1, 1)), (clause,), 3)
    assert spec.violation([1.0], [9.0, 9.0, 9.0]) == 0
    assert spec.violation([1.1], [9.0, 9.0, 9.0]) is None


def test_ties_are_decided_in_rational_arithmetic() -> None:
    # 0.1 + 0.2 > 0.3 in float64 and as the exact sum of these float64 numbers, 0.1 * 3 too; 1e16 swallows 1
    assert one_row([1.0, 1.0], 0.3).violation([0, 0], [0.1, 0.2]) is None
    assert one_row([1.0, 1.0, 1.0], 0.0).violation([0, 0], [1e16, 1.0, -1e16]) is None
    assert one_row([1.0, 1.0, 1.0], 1.0).violation([0, 0], [1e16, 1.0, -1e16]) == 0
    assert one_row([1.0], 0.0, [-1.0, 0.0]).violation([0.1, 0.0], [0.1]) == 0


def test_strict_rows_exclude_equality() -> None:
    assert one_row([1.0], 1.0, strict=True).violation([0, 0], [1.0]) is None
    assert one_row([1.0], 1.0, strict=False).violation([0, 0], [1.0]) == 0
    assert one_row([1.0], 1.0, strict=True).violation([0, 0], [np.nextafter(1.0, 0.0)]) == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_points_that_are_not_finite_never_violate(bad: float) -> None:
    spec = one_row([1.0, 0.0], 1e300)
    assert spec.violation([0.0, 0.0], [0.0, bad]) is None
    assert spec.violation([bad, 0.0], [0.0, 0.0]) is None


def test_huge_values_do_not_overflow_into_a_verdict() -> None:
    assert one_row([1e300, 1e300], 0.0).violation([0, 0], [1e300, -1e300]) == 0
    assert one_row([1e300, 1e300], -1.0).violation([0, 0], [1e300, -1e300]) is None


def test_vacuous() -> None:
    spec = Spec(np.zeros((0, 2)), np.zeros((0, 2)), (), 1, ("why",))
    assert spec.vacuous and spec.input_size == 2
    assert spec.violation([0, 0], [0]) is None


def test_wrong_point_sizes() -> None:
    spec = one_row([1.0], 0.0)
    with pytest.raises(SpecError, match="3 inputs, the specification has 2"):
        spec.violation([0, 0, 0], [0])
    with pytest.raises(SpecError, match="2 outputs, the specification has 1"):
        spec.violation([0, 0], [0, 0])


def test_parts_that_do_not_fit() -> None:
    low, high = np.zeros((1, 2)), np.ones((1, 2))
    good = Clause(0, np.ones((1, 1)), None, np.ones(1))
    with pytest.raises(SpecError, match="arrays of one shape"):
        Spec(low, np.ones((2, 2)), (good,), 1)
    with pytest.raises(SpecError, match="finite"):
        Spec(low, np.full((1, 2), np.nan), (good,), 1)
    with pytest.raises(SpecError, match="box 0 is empty: input 1"):
        Spec(low, np.array([[1.0, -1.0]]), (good,), 1)
    with pytest.raises(SpecError, match="clause 0 names box 1"):
        Spec(low, high, (Clause(1, np.ones((1, 1)), None, np.ones(1)),), 1)
    for rhs, row in ((np.nan, 1.0), (np.inf, 1.0), (1.0, np.nan)):
        with pytest.raises(SpecError, match="coefficient and right-hand side"):
            Spec(low, high, (Clause(0, np.full((1, 1), row), None, np.array([rhs])),), 1)
    for clause in (
        Clause(0, np.ones((1, 2)), None, np.ones(1)),
        Clause(0, np.ones((1, 1)), np.ones((2, 2)), np.ones(1)),
        Clause(0, np.ones((1, 1)), None, np.ones(1), np.zeros(2, bool)),
    ):
        with pytest.raises(SpecError, match="clause 1: its 1 rows need"):
            Spec(low, high, (good, clause), 1)
