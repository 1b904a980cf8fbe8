"""Every construct of VNN-LIB 1.0 that the reader knows, and its meaning."""

from __future__ import annotations

import gzip
import math
from pathlib import Path

import numpy as np
import pytest

from genbab.specs import Spec, parse_vnnlib, read_vnnlib
from genbab.specs.lowering.lower import lower
from genbab.specs.vnnlib1.content import content_of
from genbab.specs.vnnlib1.parser import Parser
from genbab.specs.vnnlib1.tokens import SourceText


def parse(body: str, d: int = 2, o: int = 2, box: bool = True) -> Spec:
    """The spec of `body` with d inputs (in [-4, 4] if box) and o outputs declared."""
    names = [f"X_{i}" for i in range(d)] + [f"Y_{j}" for j in range(o)]
    lines = [f"(declare-const {name} Real)" for name in names]
    if box:
        lines += [f"(assert (<= X_{i} 4))\n(assert (>= X_{i} -4))" for i in range(d)]
    return parse_vnnlib("\n".join([*lines, body]))


def only(spec: Spec) -> tuple[list[list[float]], list[list[float]] | None, list[float]]:
    """outputs, inputs and rhs of the only clause."""
    (clause,) = spec.clauses
    inputs = None if clause.inputs is None else clause.inputs.tolist()
    return clause.outputs.tolist(), inputs, clause.rhs.tolist()


@pytest.mark.parametrize(
    ("body", "outputs", "rhs"),
    [
        ("(assert (<= Y_0 1.5))", [[1, 0]], [1.5]),
        ("(assert (>= Y_0 1.5))", [[-1, 0]], [-1.5]),
        ("(assert (<= 1.5 Y_0))", [[-1, 0]], [-1.5]),
        ("(assert (>= 1.5 Y_0))", [[1, 0]], [1.5]),
        ("(assert (<= Y_0 Y_1))", [[1, -1]], [0]),
        ("(assert (>= Y_0 Y_1))", [[-1, 1]], [0]),
        ("(assert (= Y_0 2))", [[1, 0], [-1, 0]], [2, -2]),
        ("(assert (== Y_0 Y_1))", [[1, -1], [-1, 1]], [0, 0]),
        ("(assert (<= (+ Y_0 Y_1) 3))", [[1, 1]], [3]),
        ("(assert (<= (- Y_0 Y_1 1) 3))", [[1, -1]], [4]),
        ("(assert (<= (- Y_0) 3))", [[-1, 0]], [3]),
        ("(assert (<= (* 2 Y_0) 3))", [[2, 0]], [3]),
        ("(assert (<= (* Y_0 2 -0.5) 3))", [[-1, 0]], [3]),
        ("(assert (<= (/ Y_0 4) (* 2 3)))", [[0.25, 0]], [6]),
        ("(assert (<= (+ (* 2 Y_0) (* Y_1 (- 3))) (- (+ Y_1 1) 5)))", [[2, -4]], [-4]),
        ("(assert (<= (* 2 (+ Y_0 (- Y_1 (* 3 Y_0)))) 0))", [[-4, 2]], [0]),
        ("(assert (<= 1 Y_0 2))", [[-1, 0], [1, 0]], [-1, 2]),
        ("(assert (and (<= Y_0 1) (>= Y_1 2)))", [[1, 0], [0, -1]], [1, -2]),
        ("(assert (<= Y_0 1))(assert (<= Y_1 2))", [[1, 0], [0, 1]], [1, 2]),
        ("(assert (or (<= Y_0 1)))", [[1, 0]], [1]),
        ("(assert (<= Y_0 9765625e-07))", [[1, 0]], [0.9765625]),
        ("(assert (<= Y_0 +.5E+1))", [[1, 0]], [5]),
        ("(assert (<= Y_0 5.))", [[1, 0]], [5]),
        ("(assert (<= Y_0 1))(assert (<= 0 1))(assert (<= (+ 0 0) 0))", [[1, 0]], [1]),
        ("(assert (<= Y_0 1))(assert (<= Y_1 Y_1))", [[1, 0]], [1]),
    ],
)
def test_output_rows(body: str, outputs: list[list[float]], rhs: list[float]) -> None:
    assert only(parse(body)) == (outputs, None, rhs)


@pytest.mark.parametrize(
    ("body", "outputs", "inputs", "rhs"),
    [
        ("(assert (<= X_0 X_1))", [[0, 0]], [[1, -1]], [0]),
        ("(assert (<= X_0 Y_1))", [[0, -1]], [[1, 0]], [0]),
        ("(assert (<= (+ X_0 X_1) 1))", [[0, 0]], [[1, 1]], [1]),
        ("(assert (<= (+ X_0 (* 2 X_1) Y_0) 1))", [[1, 0]], [[1, 2]], [1]),
        ("(assert (<= Y_0 1)) (assert (<= X_0 Y_1))", [[1, 0], [0, -1]], [[0, 0], [1, 0]], [1, 0]),
    ],
)
def test_rows_with_inputs(
    body: str, outputs: list[list[float]], inputs: list[list[float]], rhs: list[float]
) -> None:
    assert only(parse(body)) == (outputs, inputs, rhs)


@pytest.mark.parametrize(
    ("body", "low", "high"),
    [
        ("(assert (<= X_0 1)) (assert (<= X_0 2)) (assert (>= X_0 -1)) (assert (>= X_0 -2))", -1, 1),
        ("(assert (= X_0 0.5))", 0.5, 0.5),
        ("(assert (== 0.5 X_0))", 0.5, 0.5),
        ("(assert (<= (* 2 X_0) 3))", -4, 1.5),
        ("(assert (<= (* -2 X_0) 3))", -1.5, 4),
        ("(assert (<= (+ X_0 1) (- 2 X_0)))", -4, 0.5),
        ("(assert (< X_0 1))", -4, 1),
        ("(assert (> 1 X_0))", -4, 1),
        ("(assert (<= (- X_0 (* 0 Y_1)) 1))", -4, 1),
        ("(assert (<= -1 X_0 1))", -1, 1),
        ("(assert (and (<= X_0 1) (and (>= X_0 -1))))", -1, 1),
        ("(assert (or (and (<= X_0 1) (>= X_0 -1))))", -1, 1),
    ],
)
def test_bounds_shape_the_box(body: str, low: float, high: float) -> None:
    spec = parse(body)
    assert only(spec) == ([], None, [])
    assert (spec.lower.tolist(), spec.upper.tolist()) == ([[low, -4]], [[high, 4]])


def test_strict_rows_keep_their_strictness() -> None:
    spec = parse("(assert (or (and (< Y_0 1) (<= Y_1 1)) (> (+ Y_0 Y_1) 9) (<= Y_1 -5)))")
    flags = [None if c.strict is None else c.strict.tolist() for c in spec.clauses]
    assert flags == [[True, False], [True], None]
    assert spec.violation([0, 0], [1, 1]) is None
    assert spec.violation([0, 0], [0.5, 1]) == 0


def test_disjuncts_with_their_own_boxes() -> None:
    one, two = (f"(>= X_0 0) (<= X_0 {k}) (>= X_1 0) (<= X_1 1)" for k in (1, 2))
    spec = parse(f"(assert (or (and {one} (<= Y_0 0)) (and {two} (<= Y_0 1)) (and {one})))", box=False)
    assert spec.upper.tolist() == [[1, 1], [2, 1]]
    assert [c.box for c in spec.clauses] == [0, 1, 0]
    assert [len(c.rhs) for c in spec.clauses] == [1, 1, 0]


def test_several_disjunctions_multiply_out() -> None:
    body = """(assert (or (and (<= X_0 -1)) (and (>= X_0 1) (<= X_1 0))))
              (assert (or (<= Y_0 1) (<= Y_0 2) (<= Y_0 3)))
              (assert (<= Y_1 7))"""
    spec = parse(body)
    assert [(c.box, c.outputs.tolist(), c.rhs.tolist()) for c in spec.clauses] == [
        (box, [[0, 1], [1, 0]], [7, k]) for box in (0, 1) for k in (1, 2, 3)
    ]
    assert spec.lower.tolist() == [[-4, -4], [1, -4]]
    assert spec.upper.tolist() == [[-1, 4], [4, 0]]


def test_nested_and_or() -> None:
    spec = parse("(assert (and (or (<= Y_0 1) (and (<= Y_0 2) (or (<= Y_1 3) (<= Y_1 4)))) (<= Y_1 9)))")
    assert [sorted(c.rhs.tolist()) for c in spec.clauses] == [[1, 9], [2, 3, 9], [2, 4, 9]]


def test_layout_does_not_matter() -> None:
    text = "\ufeff; comment (assert\r\n( declare-const\tX_0\r\nReal ) (declare-fun Y_0 () Real);;x\r\n"
    text += "(assert(<= X_0 1))( assert\n( >=\nX_0 0 ) ) ;( \n(assert ( or\n( and (<= ; here\n Y_0 1) ) ) )"
    spec = parse_vnnlib(text)
    assert only(spec) == ([[1]], None, [1])
    assert (spec.lower.tolist(), spec.upper.tolist()) == ([[0]], [[1]])


def test_smt_commands_are_ignored() -> None:
    body = '(set-logic QF_LRA) (set-info :status "x y") (set-option :a (b c)) (assert (<= Y_0 1)) (check-sat)'
    assert only(parse(body + "(get-model)(exit)")) == ([[1, 0]], None, [1])


def test_declarations_in_any_order() -> None:
    text = "(assert (<= X_1 1))(declare-const X_1 Real)(declare-const Y_0 Real)(declare-const X_0 Real)"
    text += "(assert (and (>= X_1 0) (<= X_0 3) (>= X_0 2)))"
    assert parse_vnnlib(text).lower.tolist() == [[2, 0]]


def test_rounding_never_loses_a_point() -> None:
    # 0.1 as float64 is above 0.1, 0.3 is below 0.3
    assert float("0.1").hex() == "0x1.999999999999ap-4"
    spec = parse("(assert (= X_0 0.1)) (assert (= X_1 0.3)) (assert (<= Y_0 0.3)) (assert (>= Y_1 0.1))")
    assert spec.lower.tolist() == [[math.nextafter(0.1, 0), 0.3]]
    assert spec.upper.tolist() == [[0.1, math.nextafter(0.3, 1)]]
    assert only(spec)[2] == [math.nextafter(0.3, 1), -math.nextafter(0.1, 0)]
    general = parse("(assert (<= (* 3 X_0) 1)) (assert (<= (+ Y_0 Y_1) 0.3))")
    assert general.upper[0, 0] == math.nextafter(1 / 3, 1)
    assert only(general)[2] == [math.nextafter(0.3, 1)]
    exact = parse("(assert (= X_0 0.1000000000000000055511151231257827021181583404541015625))")
    assert exact.lower[0, 0] == exact.upper[0, 0] == 0.1


def test_empty_clauses_are_dropped_with_a_note() -> None:
    spec = parse("(assert (or (and (<= X_0 -1) (>= X_0 1)) (<= Y_0 0) (<= 1 0) (< Y_1 Y_1)))")
    assert [c.rhs.tolist() for c in spec.clauses] == [[0]]
    assert not spec.vacuous
    dropped = "3 of 4 clauses are empty and were dropped: X_0 >= 1.0 and <= -1.0"
    assert spec.notes == (f"{dropped}; a relation between constants is false",)


@pytest.mark.parametrize(
    ("body", "note"),
    [
        ("(assert (<= X_1 -9))", "the input set is empty: X_1 >= -4.0 and <= -9.0"),
        (
            "(assert (or (<= X_0 -5) (>= X_1 5)))",
            "the input set is empty: X_0 >= -4.0 and <= -5.0; X_1 >= 5.0 and <= 4.0",
        ),
        ("(assert (< 0 0))", "the unsafe set is empty: a relation between constants is false"),
    ],
)
def test_vacuous(body: str, note: str) -> None:
    spec = parse(body)
    assert spec.vacuous and spec.notes == (note,)
    assert spec.lower.shape == (0, 2) and spec.output_size == 2


def test_deep_nesting_needs_no_recursion() -> None:
    depth = 20_000
    assert only(parse("(assert " + "(and " * depth + "(<= Y_0 1)" + ")" * depth + ")"))[2] == [1]
    assert only(parse("(assert " + "(or (and " * depth + "(<= Y_0 1)" + "))" * depth + ")"))[2] == [1]
    assert only(parse("(assert (<= " + "(+ 1 " * depth + "Y_0" + ")" * depth + " 1))"))[2] == [1 - depth]


def test_simple_and_general_paths_agree() -> None:
    body = "(assert (or (and (<= X_0 {0}) (>= Y_0 {0}) (< Y_0 Y_1)) (= X_1 {0}) (<= {0} Y_1)))"
    fast, slow = parse(body.format("0.7")), parse(body.replace("(<", "(<").format("(+ 0.7)"))
    assert np.array_equal(fast.lower, slow.lower) and np.array_equal(fast.upper, slow.upper)
    for a, b in zip(fast.clauses, slow.clauses, strict=True):
        assert a.box == b.box and np.array_equal(a.outputs, b.outputs) and np.array_equal(a.rhs, b.rhs)


def test_gzip_is_recognised_by_content(tmp_path: Path) -> None:
    text = "(declare-const X_0 Real)(declare-const Y_0 Real)(assert (= X_0 1))(assert (<= Y_0 1))"
    for name in ("a.vnnlib.gz", "b.vnnlib"):
        (tmp_path / name).write_bytes(gzip.compress(text.encode()))
        assert only(read_vnnlib(tmp_path / name, 1, 1)) == ([[1]], None, [1])


def test_arrays_are_read_only_and_literals_shared() -> None:
    spec = parse("(assert (or (<= Y_0 1) (<= Y_0 2)))")
    with pytest.raises(ValueError, match="read-only"):
        spec.lower[0, 0] = 3
    with pytest.raises(ValueError, match="read-only"):
        spec.clauses[0].outputs[0, 0] = 3


def test_parsed_form_keeps_common_literals_apart() -> None:
    text = "(assert (<= X_0 1)) (assert (or (<= Y_0 1) (<= Y_0 2)))"
    parsed = Parser(SourceText.of("t", "(declare-const X_0 Real)(declare-const Y_0 Real)" + text)).run()
    assert len(parsed.common) == 1 and len(parsed.terms) == 2
    with pytest.raises(Exception, match="no lower bound"):
        lower(content_of(parsed))
