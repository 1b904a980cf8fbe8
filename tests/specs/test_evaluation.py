"""The exact judge of VNN-LIB 2 assignments, against the same formula written in Python."""

from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path

import pytest

from genbab.errors import SpecError
from genbab.specs import satisfies

HEAD = """(vnnlib-version <2.0>)
(declare-network f (declare-input X real [2,2]) (declare-input S real []) (declare-output Y real [3]))
(declare-network g (declare-input U real [1]) (declare-output W real [2,1]))
"""


def test_formulas_are_what_they_say(tmp_path: Path) -> None:
    text = (
        "(assert (or (< (- X[0,1] 0.5 Y[2]) (* 2.0 X[1,0] U[0])) (and (!= S (- W[1,0])) (== Y[0] Y[1]))))\n"
        "(assert (and (>= (+ X[0,0] X[1,1] W[0,0]) -1.5) (or (> S 0.0) (<= Y[1] 0.5))))\n"
    )
    (tmp_path / "q.vnnlib").write_text(HEAD + text)
    choose, seen = random.Random(3), set()
    for _ in range(300):
        x, y, (s, u), w = ([choose.randrange(-2, 3) / 2 for _ in range(n)] for n in (4, 3, 2, 2))
        first = x[1] - 0.5 - y[2] < 2 * x[2] * u or (s != -w[1] and y[0] == y[1])
        expected = first and x[0] + x[3] + w[0] >= -1.5 and (s > 0 or y[1] <= 0.5)
        values = {"X": x, "S": [s], "Y": y, "U": [u], "W": w}
        assert satisfies(tmp_path / "q.vnnlib", values) == expected
        seen.add(expected)
    assert seen == {True, False}


def test_decided_exactly_where_floats_agree(tmp_path: Path) -> None:
    third = Fraction(0.1)
    assert third > Fraction(1, 10)
    for relation, true in ((">", True), ("<=", False), ("==", False), ("!=", True)):
        (tmp_path / "q.vnnlib").write_text(f"{HEAD}(assert ({relation} S 0.1))\n")
        values = {"X": [0.0] * 4, "S": [0.1], "Y": [0.0] * 3, "U": [0.0], "W": [0.0] * 2}
        assert satisfies(tmp_path / "q.vnnlib", values) == true


def test_what_cannot_be_read_is_not_judged(tmp_path: Path) -> None:
    (tmp_path / "q.vnnlib").write_text(HEAD + "(assert (<= X[7,0] 1.0))\n")
    with pytest.raises(SpecError, match=r"q\.vnnlib:4:\d+: "):
        satisfies(tmp_path / "q.vnnlib", {})
