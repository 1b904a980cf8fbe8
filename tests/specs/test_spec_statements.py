"""Properties written in Python: the compiled Spec says at every point what the statement says."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genbab.errors import SpecError
from genbab.specs import (
    Input,
    Network,
    Spec,
    Statement,
    Terms,
    all_of,
    always,
    among_top,
    any_of,
    box,
    classified,
    l1,
    l2,
    linf,
    monotone,
    never,
    robustness,
)
from genbab.specs.numbers.exact import exact, exact_array
from genbab.specs.words.statements import All, InBall, Range, Relation, Some

X, F = Input(2), Network(2)
Y = F(X)
REGION = box(X, -2, 2)
GRID = st.sampled_from([k / 4 for k in range(-9, 10)])
POINTS = st.lists(st.tuples(GRID, GRID, GRID, GRID), min_size=1, max_size=8)
FACTORS = st.sampled_from([-2, -1, "0.1", 0.5, 1, 3, Fraction(1, 3)])


def terms() -> st.SearchStrategy[Any]:
    leaves = st.sampled_from([X[0], X[1], Y[0], Y[1]])
    return st.recursive(
        leaves,
        lambda t: st.one_of(
            st.builds(lambda a, b: a + b, t, t),
            st.builds(lambda a, b: a - b, t, t),
            st.builds(lambda a, c: a * c, t, FACTORS),
            st.builds(lambda a, c: c + a, t, FACTORS),
            st.builds(lambda a, b: a * b, t, t),
        ),
        max_leaves=3,
    )


def statements() -> st.SearchStrategy[Statement]:
    def compared(a: Any, operator: str, b: Any) -> Statement:
        found: Statement = {
            "<=": lambda: a <= b,
            "<": lambda: a < b,
            ">=": lambda: a >= b,
            ">": lambda: a > b,
            "==": lambda: a == b,
            "!=": lambda: a != b,
        }[operator]()
        return found

    operator = st.sampled_from(["<=", "<", ">=", ">", "==", "!="])
    relations = st.one_of(
        st.builds(compared, terms(), operator, terms()), st.builds(compared, terms(), operator, FACTORS)
    )
    return st.recursive(
        relations,
        lambda s: st.one_of(
            st.builds(lambda a, b: a & b, s, s),
            st.builds(lambda a, b: a | b, s, s),
            st.builds(lambda a: ~a, s),
        ),
        max_leaves=5,
    )


def truth(statement: Statement, values: dict[Any, Fraction]) -> bool:
    """Whether a statement is true where the variables have these values."""
    if isinstance(statement, All | Some):
        parts = [truth(part, values) for part in statement.parts]
        return all(parts) if isinstance(statement, All) else any(parts)
    if isinstance(statement, Range):
        pairs = [
            (values[v], Fraction(n)) for v, n in zip(statement.variables, statement.numbers, strict=True)
        ]
        pairs = [(a, b) if statement.upper else (b, a) for a, b in pairs]
        return all(a < b if statement.strict else a <= b for a, b in pairs)
    assert isinstance(statement, Relation)
    total = Fraction(0)
    for product, factor in statement.polynomial.items():
        for variable in product:
            factor = factor * values[variable]
        total += factor
    return total < 0 or (total == 0 and not statement.strict)


def exactly(spec: Spec) -> bool:
    """Whether no constant was rounded, so that the compiled spec must agree at every point."""
    return all(
        float(v) == round(float(v) * 1e6) / 1e6 and (v * 1024).is_integer()
        for c in spec.clauses
        for a in (c.outputs, c.inputs, c.rhs)
        if a is not None
        for v in a.ravel()
    )


@given(statements(), POINTS)
@settings(max_examples=200, deadline=None)
def test_spec_agrees_with_the_statement(statement: Statement, points: list[tuple[float, ...]]) -> None:
    try:
        spec = never(REGION & statement & (Y[0] <= 100))
        other = always(~statement | (Y[0] > 100), on=REGION)
    except SpecError as error:
        assert "too many" in str(error) or "multiply out" in str(error)
        return
    variables = [*X.variables(), *Y.variables()]  # type: ignore[misc]
    for point in points:
        expected = max(map(abs, point[:2])) <= 2
        expected &= truth(statement, dict(zip(variables, map(Fraction, point), strict=True)))
        for compiled in (spec, other):
            found = compiled.violation(point[:2], point[2:]) is not None
            if exactly(compiled):
                assert found == expected


def test_numbers_are_exact() -> None:
    assert exact("8/255") == Fraction(8, 255) and exact("0.1") == Fraction(1, 10) != exact(0.1)
    assert exact(np.float32(0.1)) == Fraction(float(np.float32(0.1))) and exact(Decimal("0.3")) == Fraction(
        3, 10
    )
    assert exact(np.int64(3)) == 3 and exact_array([1, 2]).dtype == np.float64
    assert exact_array(["0.1", 2]).tolist() == [Fraction(1, 10), Fraction(2)]
    for bad in ("1/0", "a", "", "nan", float("inf"), True, None, "1e999", Decimal("nan"), [1]):
        with pytest.raises(SpecError):
            exact(bad)
    with pytest.raises(SpecError, match=r"\[1\] is not finite"):
        exact_array([0.0, np.nan])


@pytest.mark.parametrize("norm", ["inf", "2", "1"])
def test_the_real_ball_is_inside_its_box_and_as_tight_as_float64_can_say(norm: str) -> None:
    spec = robustness([0.1, 0.7, 0.0], 0, 2, "8/255", norm=norm)
    for low, centre, high in zip(
        spec.lower[0].tolist(), (0.1, 0.7, 0.0), spec.upper[0].tolist(), strict=True
    ):
        a, b = Fraction(centre) - Fraction(8, 255), Fraction(centre) + Fraction(8, 255)
        assert Fraction(low) <= a < Fraction(np.nextafter(low, np.inf))
        assert Fraction(np.nextafter(high, -np.inf)) < b <= Fraction(high)
    assert len(spec.balls) == (norm != "inf")


def test_balls_are_decided_exactly() -> None:
    y = Network(1)(x := Input(2))
    spec = never(l2(x, [0, 0], 5) & (y[0] <= 0))
    assert spec.violation([3, 4], [0]) == 0 and spec.violation([3, np.nextafter(4, 5)], [0]) is None
    spec = never(l1(x, [0.5, 0], "0.3") & (y[0] <= 0))
    assert spec.violation([0.5, 0.25], [0]) == 0 and spec.violation([0.25, 0.25], [0]) is None
    assert spec.violation([0.5, 0.3], [0]) == 0  # float64(0.3) < 3/10
    assert never(l1(x, [0, 0], "0.1") & (y[0] <= 0)).violation([0.1, 0], [0]) is None  # float64(0.1) > 1/10
    quarter = never(l1(x, [0, 0], "1/4") & (y[0] <= 0))
    assert quarter.violation([0.125, -0.125], [0]) == 0
    assert quarter.violation([0.125, np.nextafter(0.125, 1)], [0]) is None
    both = never((l2(x, [0, 0], 1) | l2(x, [3, 0], 1)) & (y[0] <= 0))
    assert both.violation([0.5, 0.5], [0]) == 0 and both.violation([2.5, 0.5], [0]) == 1
    assert both.violation([0.9, 0.9], [0]) is None


def test_classes() -> None:
    y = Network(4)(x := Input(1))
    region = box(x, 0, 1)
    spec = always(among_top(y, 1, 2), on=region)
    for values, safe in (
        ([0, 9, 1, 2], True),
        ([3, 2, 1, 0], True),
        ([3, 2, 1, 3], False),
        ([2, 2, 1, 0], True),
    ):
        assert (spec.violation([0], values) is None) == safe
    targeted = always(~classified(y, 3), on=region)
    assert targeted.violation([0], [0, 0, 0, 1]) == 0 and targeted.violation([0], [0, 1, 0, 1]) is None
    for label in (4, -1, True, 0.5):
        with pytest.raises(SpecError, match="label"):
            classified(y, cast(int, label))
    with pytest.raises(SpecError, match="k is 4"):
        among_top(y, 0, 4)


def test_several_inputs_and_shapes() -> None:
    a, b = Input(2, 2, name="a"), Input(3, name="b")
    y = Network(2, 2)(a, b)
    spec = never(box(a, 0, [[1, 2], [3, 4]]) & box(b, -1, 1) & (y[1].sum() >= a[1] @ b[:2]))
    assert spec.upper.tolist() == [[1, 2, 3, 4, 1, 1, 1]] and spec.products == ((2, 4), (3, 5))
    assert spec.runs == () and spec.output_size == 4
    assert spec.violation([0, 0, 1, 1, 1, 1, 0], [9, 9, 1, 1]) == 0
    assert spec.violation([0, 0, 1, 1, 1, 1, 0], [9, 9, 1, 0.5]) is None


def test_entries_can_be_gone_through() -> None:
    y = Network(3)(Input(2))
    first, *rest = y
    assert len(rest) == 2 and len(list(y)) == 3
    total = sum(y)
    assert isinstance(total, Terms) and total.size == 1 and first.size == 1


def test_runs_share_inputs() -> None:
    spec = monotone([0, 0, 0], [1, 2, 3], feature=1, outputs=2, output=1, tolerance=0.25)
    assert spec.input_size == 4 and spec.output_size == 4 and spec.upper.tolist() == [[1, 2, 3, 2]]
    point = np.array([0.5, 1.0, 2.0, 1.5])
    assert [run.at(point).tolist() for run in spec.runs] == [[0.5, 1, 2], [0.5, 1.5, 2]]
    assert spec.violation(point, [0, 1, 0, 0.75]) == 0 and spec.violation(point, [0, 1, 0, 0.8]) is None
    assert spec.violation([0.5, 1.5, 2.0, 1.0], [0, 1, 0, 0.5]) is None
    falling = monotone([0, 0, 0], [1, 2, 3], 1, 2, 1, falling=True, tolerance=0.5)
    assert falling.violation(point, [0, 1, 0, 0.5]) is None and falling.violation(point, [0, 0, 0, 1]) == 0


def test_a_run_on_sums() -> None:
    t = Input(1, name="t")
    image = np.array([0.25, 0.5])
    spec = always(Network(2)(image + t * [1.0, 0.5])[0] >= 0, on=box(t, -1, 1))
    assert spec.input_size == 1 and spec.runs[0].at(np.array([0.5])).tolist() == [0.75, 0.75]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: never(Y[0] <= 1), r"x\[0\] has no lower and no upper bound.*\(0 <= x\) & \(x <= 1\)"),
        (lambda: never(REGION), "outputs of no network"),
        (lambda: never(REGION & (Network(1)(X)[0] <= Y[0])), "outputs of 2 networks"),
        (lambda: never(REGION & (Y[0] <= Input(1, name="z")[0])), "the input z is not an input of a run"),
        (lambda: bool(Y[0] <= 1), "write `&`, `|`, `~`"),
        (lambda: 0 <= X[0] <= 1, "not true or false"),
        (lambda: Y[0] + (Y[0] <= 1), "a statement is not a number"),
        (lambda: all_of([Y[0] <= 1, cast(Statement, 3)]), "expected a statement like"),
        (lambda: ~l2(X, [0, 0], 1), "outside of a ball"),
        (lambda: linf(X, [0, 0, 0], 1), "3 numbers, expected 2"),
        (lambda: box(X, 1, 0), r"1.* > 0.* at \[0\], 1.* > 0.* at \[1\]; expected lower <= upper"),
        (lambda: box(X, [0, "8/255"], [1, "7/255"]), r"8/255 > 7/255 at \[1\]; expected"),
        (lambda: box(X[0], 1, np.nextafter(1, 0)), "lower is above upper"),
        (lambda: l2(Y, [0, 0], 1), "around inputs"),
        (lambda: l2(X, [0, 0], -1), "negative"),
        (lambda: l2(X, [2, 2], 1, clip=(0, 1)), "further than the radius"),
        (lambda: X[5], "out of bounds.*shape is"),
        (lambda: X + [1, 2, 3], "do not fit"),
        (lambda: X / 0, "division by zero"),
        (lambda: X @ [[1, 2]], "two vectors"),
        (lambda: F(Y) and never(REGION & (F(Y)[0] <= 0)), "outputs of a network"),
        (lambda: Network(0), "whole numbers from 1"),
        (lambda: never(box(X, 0, 1) & (Network(1)(X * X)[0] <= 0)), "not on products"),
    ],
)
def test_mistakes_are_explained(make: Any, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        make()


def test_nothing_to_say() -> None:
    true, false = all_of([]), any_of([])
    assert never(REGION & (Y[0] <= 0) & false).vacuous
    assert never(REGION & (Y[0] <= 0) & true).violation([0, 0], [0, 0]) == 0
    assert isinstance(l2(X, [0, 0], 1), InBall)
