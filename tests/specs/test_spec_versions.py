"""VNN-LIB 2: what is written is read back the same, also by way of 1.0; errors say where."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from genbab.errors import SpecError, UsageError
from genbab.specs import (
    Input,
    Network,
    Spec,
    box,
    format_vnnlib,
    format_vnnlib2,
    l1,
    l2,
    monotone,
    never,
    parse_vnnlib,
    read_vnnlib,
    robustness,
    version_of,
    write_vnnlib2,
)

vnnlib = pytest.importorskip("vnnlib")

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "benchmarks"
FILES = sorted([*FOLDER.rglob("*.vnnlib"), *FOLDER.rglob("*.vnnlib.gz")])
HEAD = (
    "(vnnlib-version <2.0>)\n(declare-network f\n  (declare-input X real [2])\n"
    "  (declare-output Y real [2])\n)\n"
)
BOX = "".join(f"(assert (<= X[{i}] 1.0))\n(assert (>= X[{i}] 0.0))\n" for i in range(2))


def same(a: Spec, b: Spec) -> None:
    """Assert that two specs are equal, part by part."""
    assert np.array_equal(a.lower, b.lower) and np.array_equal(a.upper, b.upper)
    assert (a.output_size, a.products, len(a.clauses)) == (b.output_size, b.products, len(b.clauses))
    for x, y in zip(a.clauses, b.clauses, strict=True):
        assert x.box == y.box and np.array_equal(x.outputs, y.outputs) and np.array_equal(x.rhs, y.rhs)
        for left, right in ((x.inputs, y.inputs), (x.strict, y.strict)):
            assert (left is None) == (right is None)
            assert left is None or right is None or np.array_equal(left, right)
    assert len(a.balls) == len(b.balls) and len(a.runs) == len(b.runs)
    for p, q in zip((p for one in a.balls for p in one), (q for one in b.balls for q in one), strict=True):
        assert np.array_equal(p.columns, q.columns) and np.array_equal(p.centre, q.centre)
        assert (p.radius, p.norm) == (q.radius, q.norm)
    for r, s in zip(a.runs, b.runs, strict=True):
        assert all(np.array_equal(getattr(r, k), getattr(s, k)) for k in ("row", "column", "value", "offset"))


def agree(a: Spec, b: Spec, generator: np.random.Generator, count: int) -> None:
    """Assert that both decide random points, and points at the corners of boxes, in the same way."""
    scale = max(1.0, *(np.abs(c.rhs).max(initial=0.0) for c in a.clauses))
    for _ in range(count):
        k = int(generator.integers(len(a.lower)))
        weight = generator.choice([0.0, 1.0, generator.random()], a.input_size)
        x = np.clip(a.lower[k] * (1 - weight) + a.upper[k] * weight, a.lower[k], a.upper[k])
        y = generator.normal(0, scale, a.output_size).round(int(generator.integers(0, 3)))
        assert a.violation(x, y) == b.violation(x, y)


@pytest.mark.skipif(not FILES, reason="no benchmark folder beside the repository")
def test_benchmarks_survive_both_versions() -> None:
    generator = np.random.default_rng(0)
    for path in sorted(FILES, key=lambda p: p.stat().st_size)[:-8:2]:
        first = read_vnnlib(path)
        text = format_vnnlib2(first)
        second = parse_vnnlib(text)
        third = parse_vnnlib(format_vnnlib(second))
        same(first, second)
        same(first, third)
        agree(first, second, generator, 5)


def test_what_only_version_2_can_say() -> None:
    x, z = Input(2), Input(2, name="z")
    f = Network(2)
    y = f(x)
    specs = [
        monotone([0, 0], [1, 2], 1, 2),
        robustness([0.1, 0.2], 1, 3, "8/255", clip=(0, 1), norm=2),
        never((y[0] * y[1] >= x[0] ** 3 + "0.1") & box(x, -1, 1)),
        never(((y[0] <= 0.1) & l2(x, [0.5, -0.5], "0.3")) | ((y[1] != 3) & box(x, 0, 2))),
        never(box(x, 0, 1) & box(z, 0, 1) & (f(z)[0] > y[0]) & (x[0] + z[0] < 1)),
    ]
    for spec in specs:
        again = parse_vnnlib(format_vnnlib2(spec))
        same(spec, again)
        agree(spec, again, np.random.default_rng(1), 50)
        with pytest.raises(SpecError, match=r"VNN-LIB 1\.0 cannot say"):
            format_vnnlib(spec)


def test_what_no_version_can_say() -> None:
    t = Input(1, name="t")
    with pytest.raises(SpecError, match="norm 1"):
        format_vnnlib2(never(l1(t, [0], 1) & (Network(1)(t)[0] <= 0)))
    with pytest.raises(SpecError, match="run on sums"):
        format_vnnlib2(never(box(t, 0, 1) & (Network(1)(np.ones(3) + t)[0] <= 0)))


def test_shapes_numbers_and_notes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lower = rng.normal(size=12) * 10.0 ** rng.integers(-30, 30, 12)
    x = Input(12)
    spec = never(box(x, lower, lower + np.abs(lower) / 3) & (Network(2)(x)[0] <= -1e-30))
    text = format_vnnlib2(spec, [(1, 3, 2), (2, 3)], [(1, 2)])
    assert "(declare-input X0 real [1, 3, 2])" in text and "X1[1,2]" in text
    assert not re.search(r"\de", text)
    same(spec, parse_vnnlib(text))
    write_vnnlib2(spec, tmp_path / "a.vnnlib.gz")
    assert version_of(tmp_path / "a.vnnlib.gz") == "2.0"
    same(spec, read_vnnlib(tmp_path / "a.vnnlib.gz", 12, 2))
    with pytest.raises(SpecError, match="do not hold 12 inputs"):
        format_vnnlib2(spec, [(3,)])
    noted = Spec(spec.lower, spec.upper, (), 2, ("two\nlines",))
    assert parse_vnnlib(format_vnnlib2(noted)).vacuous


def test_constants_are_rounded_outward_and_floats_are_noted() -> None:
    spec = parse_vnnlib(
        HEAD.replace("real", "float32") + BOX.replace("1.0", "0.1") + "(assert (>= Y[0] 0.3))"
    )
    assert spec.upper[0, 0] == 0.1 and spec.clauses[0].rhs[0] == -0.3 + 0.0 or spec.clauses[0].rhs[0] > -0.3
    assert "F32, decided over the real numbers" in spec.notes[0]
    low = parse_vnnlib(HEAD + BOX.replace("0.0", "0.1") + "(assert (<= Y[0] 0.3))").lower[0, 0]
    assert low < 0.1 == np.nextafter(low, 1)  # float64(0.1) > 1/10


def test_forms_of_relations() -> None:
    body = "(assert (!= Y[0] (+ 1.0 (- 0.5) (* 2.0 X[0]))))(assert (>= 1.0 X[0]))"
    body += "(assert (or (== Y[1] Y[0]) (and (< Y[1] (- X[1] 1.0 Y[0])) (> 0.5 Y[0]))))"
    spec = parse_vnnlib(HEAD + BOX + body)
    for x0, x1, y0, y1 in np.random.default_rng(0).integers(-2, 3, (200, 4)) / 2:
        inside = 0 <= x0 <= 1 and 0 <= x1 <= 1
        expected = inside and y0 != 0.5 + 2 * x0 and (y1 == y0 or (y1 < x1 - 1 - y0 and y0 < 0.5))
        assert (spec.violation([x0, x1], [y0, y1]) is not None) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HEAD + "(assert (<= X[0] 1))", r"s:6:.*Expected type 'Real'"),
        (HEAD + "(assert (<= X[7] 1.0))", r"s:6:13: .*out of bounds"),
        (HEAD + "(assert (<= X[0] 1e-3))", r"s:6:\d+: "),
        (HEAD + "(assert (<= X[0] 1.0)", r"s:6:\d+: .*syntax error"),
        (
            HEAD + BOX.replace("(assert (>= X[1] 0.0))", "") + "(assert (<= Y[0] 1.0))",
            r"s: X\[1\] has no lower",
        ),
        (HEAD.replace("<2.0>", "<3.0>") + BOX, "s:1:.*version"),
        (HEAD.replace("real", "int32") + "(assert (<= X[0] 1))", r"X\[0\] has no lower"),
        (HEAD.replace(")\n)", ')\n  (declare-hidden H real [3] "h")\n)') + BOX, "s"),
        (
            HEAD + HEAD.split("\n", 1)[1].replace("f", "g").replace("X", "X2").replace("Y", "Y2") + BOX,
            r"X2\[0\] has no lower",
        ),
    ],
)
def test_errors_say_where(text: str, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        parse_vnnlib(text, "s")


def test_the_package_is_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vnnlib", None)
    with pytest.raises(UsageError, match=r"pip install 'genbab\[vnnlib\]'"):
        parse_vnnlib(HEAD + BOX)


@pytest.mark.parametrize(
    "form",
    [
        "(- (* X[0] X[0]) (* Y[0] Y[0]))",
        "(+ (* X[0] X[0]) (* Y[0] Y[0]))",
        "(+ (* X[0] X[0]) (* X[1] X[1]) Y[0])",
        "(+ (* X[0] X[0]) (* X[1] X[1]) (* X[0] X[1]))",
        "(+ (* X[0] X[0]) (* X[1] X[1]) (* Y[0] Y[1]))",
    ],
)
def test_what_is_almost_a_ball_is_none(form: str) -> None:
    """Unsafe where the polynomial says so, term by term, at random points."""
    spec = parse_vnnlib(f"{HEAD}{BOX}(assert (<= {form} 1.0))\n")
    python = re.sub(r"\((\S) ", r"f('\1', ", form).replace(" ", ", ").replace(",,", ",")

    def f(sign: str, *terms: float) -> float:
        first, *rest = terms
        for term in rest:
            first = first * term if sign == "*" else first - term if sign == "-" else first + term
        return first

    generator = np.random.default_rng(0)
    for _ in range(40):
        x, y = generator.random(2), 2.0 * generator.normal(size=2)
        unsafe = eval(python, {"f": f, "X": x, "Y": y}) <= 1.0  # noqa: S307
        assert (spec.violation(x, y) is not None) == unsafe
