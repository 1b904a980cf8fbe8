"""What cannot be read is refused with source, line, column, what was found and what would be accepted."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import genbab.specs.lowering.formula as formula
import genbab.specs.reader as reader
from genbab.errors import SpecError
from genbab.specs import parse_vnnlib, read_vnnlib

HEAD = """(declare-const X_0 Real)
(declare-const Y_0 Real)
(declare-const Y_1 Real)
(assert (and (<= X_0 1) (>= X_0 0)))
"""


@pytest.mark.parametrize(
    ("body", "line", "column", "words"),
    [
        ("(assert (=> Y_0 1))", 5, 9, ["unknown '(=>'", "expected a formula", "<= >= < > = =="]),
        ("(assert (not (<= Y_0 1)))", 5, 9, ["unknown '(not'", "(and ...)"]),
        ("(assert (<= Y_0 (max Y_1 1)))", 5, 17, ["unknown '(max'", "expected a number"]),
        ("(push 1)", 5, 1, ["unknown '(push'", "expected a command", "(assert ...)"]),
        ("(assert (<= Y_0 Z_1))", 5, 17, ["unknown 'Z_1'", "X_i or Y_j"]),
        ("(assert (<= Y_0 Y_2))", 5, 17, ["'Y_2' is not declared", "Y_0 to Y_1"]),
        ("(assert (<= Y_2 Y_0))", 5, 13, ["'Y_2' is not declared"]),
        ("(assert (<= (+ 1\n X_7) Y_0))", 6, 2, ["'X_7' is not declared", "X_0 to X_0"]),
        ("(assert (<= Y_0 nan))", 5, 17, ["'nan' is not a finite decimal number"]),
        ("(assert (<= Y_0 -inf))", 5, 17, ["'-inf' is not a finite decimal number"]),
        ("(assert (<= Y_0 1.2.3))", 5, 17, ["'1.2.3' is not a finite"]),
        ("(assert (<= Y_0 1e400))", 5, 17, ["'1e400' is out of range"]),
        ("(assert (<= (+ Y_0 1e400) 1))", 5, 20, ["'1e400' is out of range"]),
        ("(assert (<= 1e400 1))", 5, 13, ["'1e400' is out of range"]),
        ("(assert (<= Y_0 1.7976931348623158e308))", 5, 17, ["out of range"]),
        ("(assert (<= (+ Y_0 1e308 1e308) 1))", 5, 9, ["a constant here is out of the range"]),
        ("(assert (<= X_0 1e-400))", 5, 17, ["'1e-400' is out of range", "not zero"]),
        ("(assert (<= X_0 1e99999999999999999999))", 5, 17, ["out of range"]),
        ("(assert (<= X_0 0e99999999999999999999))", 5, 17, ["out of range", "exponent"]),
        ("(assert (<= X_0 " + "1" * 3000 + "))", 5, 17, ["3000 characters"]),
        ("(assert (<= (* 1e300 1e300 Y_0) 1))", 5, 9, ["a constant here is out of the range"]),
        ("(assert (<= (* 1e-300 1e-300 Y_0) 1))", 5, 9, ["a constant here is out of the range"]),
        ("(assert (<= (* Y_0 Y_1) 1))", 5, 13, ["product of variables (Y_0 and Y_1)", "not linear"]),
        ("(assert (<= (/ 1 Y_0) 1))", 5, 13, ["division", "constants other than zero"]),
        ("(assert (<= (/ Y_0 0) 1))", 5, 13, ["division"]),
        ("(assert (<= Y_0))", 5, 9, ["has 1 terms, too few"]),
        ("(assert (<= Y_0 (+)))", 5, 17, ["has 0 terms, too few"]),
        ("(assert (or))", 5, 9, ["'(or)' is empty"]),
        ("(assert (or (<= Y_0 1) (and)))", 5, 24, ["'(and)' is empty"]),
        ("(assert)", 5, 1, ["without a formula"]),
        ("(assert (<= Y_0 1) (<= Y_1 1))", 5, 20, ["takes one formula", "(and ...)"]),
        ("(assert (and (or (<= Y_0 1)) ", 5, 9, ["'(and' is never closed"]),
        ("(assert (or (<= Y_0 1))", 5, 1, ["'(assert' is never closed"]),
        ("(assert (<= Y_0 1)\n(assert (<= Y_1 1))", 6, 1, ["'(assert'", "missing for '(assert' of 5:1"]),
        ("(assert (<= Y_0 1)))", 5, 20, ["found ')' without a '('"]),
        ("(<= Y_0 1)", 5, 1, ["'(<='", "expected a command"]),
        ("hello", 5, 1, ["found 'hello'", "expected a command"]),
        ("(assert (or Y_0 (<= Y_1 1)))", 5, 13, ["found 'Y_0'", "expected a formula"]),
        ("(assert (<= Y_0 (+ 1 (<= Y_1 1))))", 5, 22, ["found a relation", "takes"]),
        ("(assert (and (declare-const X_1 Real)))", 5, 14, ["'(declare-const'", "expected a formula"]),
        ("(declare-const Y_0 Real)", 5, 1, ["'Y_0' is declared twice"]),
        ("(declare-const Y_2 Int)", 5, 1, ["(declare-const Y_2 Int)", "(declare-const X_0 Real)"]),
        ("(declare-fun Y_2 (Real) Real)", 5, 1, ["expected (declare-fun X_0 () Real)"]),
        ("(declare-const (or (<= 1 0)) Real)", 5, 20, ["found a relation", "takes words"]),
        ("(declare-const (or X_0) Real)", 5, 1, ["the name '(or ...)'", "X_i or Y_j"]),
        ("(declare-const out Real)", 5, 1, ["'out'", "X_i or Y_j"]),
        ("(declare-const Y_02 Real)", 5, 1, ["'Y_02'", "X_i or Y_j"]),
        ("(declare-const Y_5 Real)", 5, 1, ["Y_2 is not declared, but Y_5 is", "without gaps"]),
        ("(vnnlib-version <2.0>)", 5, 1, ["VNN-LIB 2"]),
    ],
)
def test_place_and_words(body: str, line: int, column: int, words: list[str]) -> None:
    with pytest.raises(SpecError) as caught:
        parse_vnnlib(HEAD + body, "some.vnnlib")
    text = str(caught.value)
    for word in words:
        assert word in text
    assert (caught.value.line, caught.value.column) == (line, column), text
    assert text.startswith(f"some.vnnlib:{line}:{column}: ")


def test_comments_and_newlines_do_not_move_the_place() -> None:
    text = HEAD.replace("\n", " ; a comment (\r\n") + "; another\r\n\t(assert (<= Y_0 ; here\r\n   bad))"
    with pytest.raises(SpecError) as caught:
        parse_vnnlib(text)
    assert (caught.value.line, caught.value.column) == (7, 4)


def test_missing_bounds_are_listed_together() -> None:
    names = "".join(f"(declare-const X_{i} Real)" for i in range(4)) + "(declare-const Y_0 Real)\n"
    with pytest.raises(SpecError) as caught:
        parse_vnnlib(names + "(assert (<= X_0 1)) (assert (= X_1 1)) (assert (>= X_2 1))", "s")
    assert str(caught.value) == (
        "s: X_0 has no lower bound; X_2 has no upper bound; X_3 has no lower and no upper bound; "
        "every input needs both, as in (assert (<= X_0 1.5))"
    )


def test_missing_bounds_name_the_clause() -> None:
    text = "(declare-const X_0 Real)(declare-const Y_0 Real)(assert (>= X_0 0))\n"
    text += "(assert (or (and (<= X_0 1) (<= Y_0 0))\n  (and (<= Y_0 1))))"
    with pytest.raises(SpecError, match="X_0 has no upper bound in clause 1;") as caught:
        parse_vnnlib(text)
    assert (caught.value.line, caught.value.column) == (3, 8)


def test_very_many_missing_bounds_are_cut_off() -> None:
    names = "".join(f"(declare-const X_{i} Real)" for i in range(999)) + "(declare-const Y_0 Real)\n"
    with pytest.raises(SpecError, match=r"X_49 has no lower and no upper bound; \.\.\.;"):
        parse_vnnlib(names)


def test_nothing_declared() -> None:
    with pytest.raises(SpecError, match=r"no inputs are declared; expected \(declare-const X_0 Real\)"):
        parse_vnnlib("; only a comment")
    with pytest.raises(SpecError, match="no outputs are declared"):
        parse_vnnlib("(declare-const X_0 Real)(assert (= X_0 1))")


def test_blow_up_is_refused_before_it_happens() -> None:
    pair = "(assert (or (<= Y_0 1) (<= Y_1 1)))"
    with pytest.raises(SpecError, match=f"{2**40} clauses .* at most {formula.MAX_CLAUSES} clauses"):
        parse_vnnlib(HEAD + pair * 40)
    with pytest.raises(SpecError, match=f"{2**40} clauses") as caught:
        parse_vnnlib(HEAD + "(assert (or (and" + pair.replace("(assert", "").removesuffix(")") * 40 + ")))")
    assert caught.value.line == 5


def test_literals_are_capped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formula, "MAX_LITERALS", 7)
    pair = "(assert (or (<= Y_0 1) (<= Y_1 1)))"
    with pytest.raises(SpecError, match="4 clauses with 8 relations"):
        parse_vnnlib(HEAD + pair * 2)


def test_sizes_must_agree(tmp_path: Path) -> None:
    path = tmp_path / "s.vnnlib"
    path.write_text(HEAD)
    assert read_vnnlib(path, 1, 2).output_size == 2
    with pytest.raises(SpecError, match=r"s\.vnnlib: declares 1 inputs, but the model has 3"):
        read_vnnlib(path, 3, 2)
    with pytest.raises(SpecError, match="declares 2 outputs, but the model has 9"):
        read_vnnlib(path, output_size=9)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b" \n\t", "is empty"),
        (b"\x08\x00\x12\x07pytorch", "is not text"),
        (b"; \xff\xfe\xfa", "is not UTF-8 text: byte 2 is 0xff"),
        (gzip.compress(HEAD.encode(), mtime=0)[:-9], "is damaged gzip"),
        (b"\x1f\x8b\x08nothing", "is damaged gzip"),
    ],
)
def test_files_that_are_no_specs(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "s.vnnlib"
    path.write_bytes(data)
    with pytest.raises(SpecError, match=words) as caught:
        read_vnnlib(path)
    assert str(path) in str(caught.value)


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="no such file"):
        read_vnnlib(tmp_path / "none.vnnlib")
    (tmp_path / "a.vnnlib.gz").write_bytes(b"")
    with pytest.raises(SpecError, match=r"no such file; there is a\.vnnlib\.gz"):
        read_vnnlib(tmp_path / "a.vnnlib")
    with pytest.raises(SpecError, match="cannot be read"):
        read_vnnlib(tmp_path)


def test_decompressed_size_is_capped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bomb.vnnlib.gz"
    path.write_bytes(gzip.compress(b" " * 100_000))
    monkeypatch.setattr(reader, "MAX_BYTES", 50_000)
    with pytest.raises(SpecError, match="is longer than 50000 bytes"):
        read_vnnlib(path)


BROKEN = (
    HEAD
    + "(assert (or (and (<= Y_0 Y_1) (>= X_0 -.5)) (<= (+ (* 2 Y_0) (- X_0)) 3e-1)))\n(assert (< Y_1 4))\n"
)


@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.sampled_from('()<>=;.e-+*/XY_0 9\n|"'))), st.integers(0, 9)
)
@settings(max_examples=300, deadline=None)
def test_damaged_texts_give_a_spec_or_a_spec_error(edits: list[tuple[int, str]], cut: int) -> None:
    text = BROKEN
    for place, letter in edits:
        at = place % (len(text) + 1)
        text = text[:at] + letter * (place % 2) + text[at + cut :]
    try:
        parse_vnnlib(text)
    except SpecError as problem:
        assert str(problem)
