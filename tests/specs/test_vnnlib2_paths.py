"""VNN-LIB 2 read in arrays and read by walking the tree: the same Spec, or the same complaint."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genbab.errors import SpecError
from genbab.specs import Spec, parse_vnnlib
from genbab.specs.lowering import lower
from genbab.specs.numbers.decimals import Text
from genbab.specs.numbers.numbers import directed
from genbab.specs.vnnlib2 import assertions
from genbab.specs.vnnlib2 import reader as reader2
from genbab.specs.vnnlib2 import relations as simple
from genbab.specs.vnnlib2.assertions import read_assertions

pytest.importorskip("vnnlib")

HEAD = "(vnnlib-version <2.0>)(declare-network f (declare-input A real [1, 11])(declare-input X real [3])"
HEAD += "(declare-input Z real [])(declare-output X_1 real [1,2,1])(declare-output Y real [2]))"
SECOND = "(declare-network g (equal-to f) (declare-input A2 real [1,11])(declare-input X2 real [3])"
SECOND += "(declare-input Z2 real [])(declare-output X2_1 real [1, 2,1])(declare-output Y2 real [2]))"
INPUTS = [f"A[0,{j}]" for j in range(11)] + [f"X[{i}]" for i in range(3)] + ["Z"]
OUTPUTS = ["X_1[0,0,0]", "X_1[0,1,0]", "Y[0]", "Y[1]"]
OTHERS = ["A2[0,10]", "X2[0]", "Z2", "X2_1[0,1,0]", "Y2[01]"]
NAMES = [*INPUTS[9:11], *INPUTS[-2:], *OUTPUTS, *OUTPUTS]

digits = st.text("0123456789", min_size=1, max_size=26)
small = st.builds("{}{}.{}".format, st.sampled_from(["", "-"]), st.sampled_from("01"), digits)
wide = st.one_of(
    st.sampled_from(["0.0", "-0.0", "1.0", "-1.5", "0.1", "0.30000000000000001", "123456789.5"]),
    st.builds("{}{}.{}".format, st.sampled_from(["", "-"]), st.integers(0, 99), digits),
    st.builds("{}{}.{}".format, st.sampled_from(["", "-"]), digits, digits),
)


def written(tree: Any) -> str:
    """The text of a tree."""
    return tree if isinstance(tree, str) else f"({' '.join(map(written, tree))})"


def formulas(names: list[str]) -> st.SearchStrategy[Any]:
    """Formulas; most relations are those that are read in arrays."""
    variables = st.sampled_from(names)
    numbers = st.integers(0, 9).flatmap(lambda k: wide if k == 0 else small)
    simple = st.one_of(variables, numbers)
    codes = st.sampled_from(["<=", ">=", "<", ">", "=="])
    terms = st.recursive(
        simple, lambda t: st.tuples(st.sampled_from("+*-"), t, t) | st.tuples(st.just("-"), t), max_leaves=3
    )
    relation = st.one_of(
        st.tuples(codes, variables, numbers),
        st.tuples(codes, variables, numbers),
        st.tuples(codes, numbers, variables),
        st.tuples(codes, variables, variables),
        st.tuples(codes, terms, terms),
        st.tuples(st.just("!="), variables, simple),
    )

    def joined(parts: st.SearchStrategy[Any], *words: str) -> st.SearchStrategy[Any]:
        some = st.lists(parts, min_size=1, max_size=3)
        return st.builds(lambda word, found: (word, *found), st.sampled_from(words), some)

    conjunctions = joined(relation, "and")
    deep = joined(joined(relation | joined(relation | conjunctions, "or"), "and") | relation, "or")
    return st.one_of(
        relation,
        joined(relation | conjunctions, "or"),
        deep,
        st.recursive(relation, lambda f: joined(f, "and", "or"), max_leaves=9),
    )


def parts(spec: Spec) -> list[Any]:
    """Everything that a specification says, comparable."""
    return [
        (spec.lower.tobytes(), spec.upper.tobytes(), spec.lower.shape, spec.output_size, spec.notes),
        (spec.products, spec.hidden, spec.declared, len(spec.clauses)),
        *(
            (c.box, c.outputs.tobytes(), c.rhs.tobytes(), None if c.inputs is None else c.inputs.tobytes())
            for c in spec.clauses
        ),
        *(None if c.strict is None else c.strict.tobytes() for c in spec.clauses),
        *([(b.columns.tobytes(), b.centre.tobytes(), b.radius, b.norm) for b in one] for one in spec.balls),
        *((r.row.tobytes(), r.column.tobytes(), r.value.tobytes(), r.offset.tobytes()) for r in spec.runs),
    ]


def outcome(text: str) -> list[Any] | str:
    """What a text says, or why it is refused."""
    try:
        return parts(parse_vnnlib(text))
    except SpecError as problem:
        return str(problem)


def walked(text: str) -> list[Any] | str:
    """The same by the walk alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader2, "read_assertions", lambda *_: None)
        return outcome(text)


BOX = "".join(f"(assert (and (<= {n} 2.0) (>= {n} -2.0)))" for n in INPUTS)
BOX2 = "".join(f"(assert (== {n[0]}2{n[1:]} {n}))" for n in INPUTS[:-4])
BOX2 += "(assert (and (and (== X2[0] X[0]) (!= X[0] 0.25)) (== X2[1] X[1])))"
BOX2 += "".join(f"(assert (<= {n} 2.0))(assert (<= -2.0 {n}))" for n in ("X2[2]", "Z2"))
GAPS = st.sampled_from([" ", "\n", " ; (assert (or [ . \n", "\t"])


@given(st.data(), st.booleans(), GAPS, st.sampled_from([1, 300, 1 << 18]), st.sampled_from([3, 1 << 14]))
@settings(max_examples=120, deadline=None)
def test_arrays_and_walk_agree(
    data: st.DataObject, twice: bool, gap: str, together: int, relations: int
) -> None:
    trees = data.draw(st.lists(formulas(NAMES + OTHERS * twice), min_size=1, max_size=4))
    where = data.draw(st.integers(0, len(trees)))
    body = [f"(assert{gap}{written(tree).replace(' ', gap)})" for tree in trees]
    body.insert(where, BOX + BOX2 * twice)
    text = HEAD + SECOND * twice + gap.join(body)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assertions, "_TOGETHER", together)
        patch.setattr(simple, "_TOGETHER", relations)
        assert outcome(text) == walked(text)


@pytest.mark.parametrize(
    "formula",
    [
        "(or (and a (or b c)) d)",
        "(or (or (and a b) c) (and d (and e f)))",
        "(and (or a b) c (or d (and e f)))",
        "(or (and (or a b)) (and (or c d) (or e f)))",
        "(and (or (and a b)) (and c) (or (or d) e))",
        "(or (and a (and b (or c (and d e)))) f)",
    ],
)
def test_nested_formulas_agree(formula: str) -> None:
    names = {name: f"(<= Y[{k % 2}] {k}.5)" for k, name in enumerate("abcdef")}
    text = re.sub(r"\b[a-f]\b", lambda found: names[found[0]], formula)
    found = outcome(f"{HEAD}{BOX}(assert {text})")
    assert found == walked(f"{HEAD}{BOX}(assert {text})") and not isinstance(found, str)


def test_most_of_a_text_is_read_in_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[assertions.Assertions | None] = []

    def spied(*arguments: Any) -> Any:
        seen.append(read_assertions(*arguments))
        return seen[-1]

    monkeypatch.setattr(reader2, "read_assertions", spied)
    body = "(assert (or (and (<= Y[0] 1.5) (<= (+ Y[0] Y[1]) 2.5)) (<= Z 0.0) (and (>= Y[1] Y[0]))))"
    parse_vnnlib(f"{HEAD}{BOX}{body}(assert (!= Y[0] 0.0))")
    (found,) = seen
    assert found is not None
    assert found.total == 2 * len(INPUTS) + 5 and len(found.factors) == 1
    assert [text for _, text, _ in found.others] == [
        b"(assert (<= Z 2.0))",
        b"(assert (>= Z -2.0))",
        b"(assert (<= (+ Y [0] Y [1]) 2.5))",
        b"(assert (<= Z 0.0))",
        b"(assert (!= Y [0] 0.0))",
    ]


@given(st.lists(wide, min_size=1, max_size=30))
@settings(max_examples=100, deadline=None)
def test_decimals_are_rounded_as_their_text(texts: list[str]) -> None:
    rounded_as_text(texts)


def rounded_as_text(texts: list[str]) -> None:
    """Assert that both ways of rounding agree on these decimals."""
    data = " " * 32 + " ".join(texts)
    ends = 31 + np.cumsum([len(text) + 1 for text in texts])
    starts = ends - [len(text) for text in texts]
    points = starts + [text.index(".") for text in texts]
    found = Text(data.encode()).decimals(starts, points, ends)
    for one, other in zip(found, directed(texts), strict=True):
        assert one.tobytes() == other.tobytes()


def test_decimals_at_and_beside_halves_of_ulps() -> None:
    rng = np.random.default_rng(0)
    texts = []
    for whole in rng.integers(2**52, 2**53, 300).tolist():
        texts += [f"{whole}.{tail}" for tail in ("5", "500000000000001", "499999999999999", "0")]
    texts += [f"0.{n:017d}" for n in rng.integers(0, 10**17, 300).tolist()]
    texts += [f"0.{'0' * k}{n}" for k in range(18) for n in (1, 3, 99, 2**50)]
    rounded_as_text(texts)


@given(st.lists(st.lists(st.integers(0, 2), min_size=3, max_size=3), min_size=1, max_size=20), st.booleans())
def test_equal_rows_are_found_whatever_the_hash(rows: list[list[int]], useless: bool) -> None:
    table = np.array(rows, np.int64)
    with pytest.MonkeyPatch.context() as patch:
        if useless:
            patch.setattr(lower, "_hashes", lambda table: np.zeros(len(table), np.uint64))
        first, group = lower._groups(table)
    assert (table[first][group] == table).all() and len(first) == len(set(map(tuple, rows)))
    assert sorted(first.tolist()) == first.tolist()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("(assert (<= X[-1] 1.0))", r"X\[-1\] is out of range"),
        ("(assert (or (<= Y[0] 1.0)\n  (<= (- A[0 ,\n-02]) 1.0)))", r"3:\d+: A\[0,-2\] is out of range"),
        ("(assert (<= X[0] é))", r"2:\d+: syntax error: found 'é'"),
        ("(assert (<= Y[0] 1" + "0" * 400 + ".0))", r"2:\d+: '1000.* is out of range"),
        ("(assert (<= (+ Y[0] 1" + "0" * 400 + ".0) 0.0))", r"2:\d+: .*403 characters\)' is out of range"),
        ("(assert (<= Y[0] 0." + "0" * 400 + "1))", r"2:\d+: '0\.000.* is out of range"),
    ],
)
def test_complaints_are_those_of_the_walk(text: str, words: str) -> None:
    whole = f"; é\n{HEAD}{BOX}{text}"
    found = outcome(whole)
    assert isinstance(found, str) and re.search(words, found), found
    assert found == walked(whole)
