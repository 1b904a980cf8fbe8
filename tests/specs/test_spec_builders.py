"""The robustness builder and the writer; what is written is read back the same."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genbab.errors import SpecError
from genbab.specs import Clause, Spec, format_vnnlib, parse_vnnlib, read_vnnlib, robustness, write_vnnlib
from genbab.specs.numbers.numbers import directed, text_of

FINITE = st.floats(allow_nan=False, allow_infinity=False)
CENTRES = st.lists(st.floats(-3, 3), min_size=1, max_size=4)


def same(a: Spec, b: Spec) -> None:
    """Assert that two specs are equal, array by array."""
    assert np.array_equal(a.lower, b.lower) and np.array_equal(a.upper, b.upper)
    assert (a.output_size, len(a.clauses)) == (b.output_size, len(b.clauses))
    for x, y in zip(a.clauses, b.clauses, strict=True):
        assert x.box == y.box and np.array_equal(x.outputs, y.outputs) and np.array_equal(x.rhs, y.rhs)
        none = np.zeros((len(x.rhs), a.input_size))
        assert np.array_equal(none if x.inputs is None else x.inputs, none if y.inputs is None else y.inputs)
        plain = np.zeros(len(x.rhs), bool)
        left, right = (plain if c.strict is None else c.strict for c in (x, y))
        assert np.array_equal(left, right)


def test_robustness_rows_and_box() -> None:
    spec = robustness([[0.5, 0.25]], label=1, n_classes=3, epsilon=0.125)
    assert spec.lower.tolist() == [[0.375, 0.125]] and spec.upper.tolist() == [[0.625, 0.375]]
    assert [c.outputs.tolist() for c in spec.clauses] == [[[-1, 1, 0]], [[0, 1, -1]]]
    assert spec.violation([0.5, 0.25], [0, 1, 0.5]) is None
    assert spec.violation([0.5, 0.25], [0, 1, 1]) == 1


def test_robustness_clips_and_takes_a_radius_per_input() -> None:
    spec = robustness(np.array([0.0, 1.0], np.float32), 0, 2, [0.5, 0.25], clip=(0.0, 1.0))
    assert spec.lower.tolist() == [[0, 0.75]] and spec.upper.tolist() == [[0.5, 1]]


@given(CENTRES, st.floats(0, 1))
@settings(max_examples=100, deadline=None)
def test_robustness_box_holds_the_real_ball_tightly(x: list[float], epsilon: float) -> None:
    spec = robustness(x, 0, 2, epsilon)
    for low, centre, high in zip(spec.lower[0].tolist(), x, spec.upper[0].tolist(), strict=True):
        a, b = Fraction(centre) - Fraction(epsilon), Fraction(centre) + Fraction(epsilon)
        assert Fraction(low) <= a < Fraction(float(np.nextafter(low, np.inf)))
        assert Fraction(float(np.nextafter(high, -np.inf))) < b <= Fraction(high)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([0.0], 2, 2, 0.1), "label 2 of 2 classes"),
        (([0.0], -1, 2, 0.1), "label -1"),
        (([0.0], 0, 1, 0.1), "label 0 of 1"),
        (([0.0], 0, 2, -0.1), "not negative"),
        (([np.nan], 0, 2, 0.1), "finite"),
        (([], 0, 2, 0.1), "at least one"),
        (([0.0, 1.0], 0, 2, [0.1] * 3), "epsilon has 3 values, expected 1 or 2"),
        (([0.0, 3.0], 0, 2, 0.1, (0.0, 1.0)), "input 1 is 3.0: its ball does not meet"),
    ],
)
def test_robustness_refuses(arguments: tuple[object, ...], words: str) -> None:
    with pytest.raises(SpecError, match=words):
        robustness(*arguments)  # type: ignore[arg-type]


@given(CENTRES, st.floats(0, 1), st.integers(2, 4))
@settings(max_examples=50, deadline=None)
def test_robustness_round_trip(x: list[float], epsilon: float, classes: int) -> None:
    spec = robustness(x, classes - 1, classes, epsilon)
    same(spec, parse_vnnlib(format_vnnlib(spec)))


@given(FINITE)
@settings(max_examples=300, deadline=None)
def test_numbers_survive_writing(value: float) -> None:
    down, up = directed([text_of(value, upper=False)])[0][0], directed([text_of(value, upper=True)])[1][0]
    assert down == value == up


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9))
@settings(max_examples=200, deadline=None)
def test_directed_rounding_encloses(value: object) -> None:
    down, up = directed([str(value)])
    exact = Fraction(str(value))
    assert Fraction(float(down[0])) <= exact <= Fraction(float(up[0]))
    assert up[0] <= np.nextafter(down[0], np.inf)


def rich() -> Spec:
    """A spec with several boxes, mixed rows, general coefficients and strict rows."""
    clauses = (
        Clause(0, np.array([[1.0, -1.0], [0.3, 1.0]]), None, np.array([0.0, 0.1]), np.array([True, False])),
        Clause(1, np.array([[0.0, -1.0]]), np.array([[1.0, 0.0]]), np.array([0.0])),
        Clause(1, np.array([[0.0, 0.0]]), np.array([[-0.1, 2.5]]), np.array([-1e-20])),
        Clause(0, np.array([[0.0, -1.0]]), None, np.array([0.7]), np.array([True])),
        Clause(1, np.zeros((0, 2)), None, np.zeros(0)),
        Clause(0, np.array([[1.0, 1.0]]), None, np.array([-3e7])),
    )
    return Spec(np.array([[0.1, -0.3], [1e-9, 2.0]]), np.array([[0.7, 0.3], [1e9, 2.0]]), clauses, 2)


@pytest.mark.parametrize("name", ["a.vnnlib", "a.vnnlib.gz"])
def test_files_round_trip(tmp_path: Path, name: str) -> None:
    write_vnnlib(rich(), tmp_path / name)
    same(rich(), read_vnnlib(tmp_path / name, 2, 2))
    assert ((tmp_path / name).read_bytes()[:2] == b"\x1f\x8b") == name.endswith(".gz")


def test_one_box_one_clause_and_empty_rows_round_trip() -> None:
    spec = rich()
    for clauses in (spec.clauses[:1], spec.clauses[4:5], (spec.clauses[0], spec.clauses[3])):
        box = clauses[0].box
        moved = tuple(Clause(0, c.outputs, c.inputs, c.rhs, c.strict) for c in clauses)
        part = Spec(spec.lower[box : box + 1], spec.upper[box : box + 1], moved, 2)
        same(part, parse_vnnlib(format_vnnlib(part)))
    rows = tuple(Clause(0, np.zeros((0, 2)), None, np.zeros(0)) for _ in range(2))
    bare = Spec(spec.lower[:1], spec.upper[:1], rows, 2)
    same(bare, parse_vnnlib(format_vnnlib(bare)))


def test_vacuous_specs_stay_vacuous() -> None:
    spec = parse_vnnlib(format_vnnlib(Spec(np.zeros((0, 1)), np.zeros((0, 1)), (), 1, ("some\nnote",))))
    assert spec.vacuous and spec.input_size == 1


def test_writing_where_one_cannot(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cannot be written"):
        write_vnnlib(rich(), tmp_path / "none" / "a.vnnlib")
