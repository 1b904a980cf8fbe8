"""Random formulas: evaluating the tree at a point and asking the compiled Spec give the same answer."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from math import prod
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from genbab.specs import format_vnnlib, parse_vnnlib

Tree = str | tuple[Any, ...]
Point = dict[str, Fraction]

NAMES = ("X_0", "X_1", "Y_0", "Y_1")
ZERO: Point = dict.fromkeys(NAMES, Fraction(0))
NUMBERS = st.sampled_from(["0", "1", "-1", "2", "0.5", "-.25", "1.5e0", "-2E+0", "+3", "0.1", "-0.7"])
FACTORS = st.sampled_from(["0", "1", "-1", "2", "0.5", "-.25", "(- 2)"])


def terms() -> st.SearchStrategy[Tree]:
    """Linear terms."""
    leaves = st.one_of(st.sampled_from(NAMES), NUMBERS)
    return st.recursive(
        leaves,
        lambda t: st.one_of(
            st.tuples(st.just("+"), t, t),
            st.tuples(st.just("-"), t),
            st.tuples(st.just("-"), t, t, t),
            st.tuples(st.just("*"), FACTORS, t),
            st.tuples(st.just("*"), t, FACTORS, FACTORS),
            st.tuples(st.just("/"), t, st.sampled_from(["2", "-0.5"])),
        ),
        max_leaves=4,
    )


def formulas() -> st.SearchStrategy[Tree]:
    """Formulas; most relations are the simple ones of real files."""
    operator = st.sampled_from(["<=", ">=", "<", ">", "=", "=="])
    simple = st.one_of(st.sampled_from(NAMES), NUMBERS)
    relation = st.one_of(
        st.tuples(operator, st.sampled_from(NAMES), NUMBERS),
        st.tuples(operator, simple, simple),
        st.tuples(operator, terms(), terms()),
        st.tuples(operator, terms(), terms(), terms()),
    )
    return st.recursive(
        relation,
        lambda f: st.lists(f, min_size=1, max_size=4).flatmap(
            lambda fs: st.sampled_from([("and", *fs), ("or", *fs)])
        ),
        max_leaves=8,
    )


def words(tree: Tree) -> list[str]:
    """The text of a tree as a list of words."""
    return [tree] if isinstance(tree, str) else ["(", tree[0], *(w for t in tree[1:] for w in words(t)), ")"]


def value(tree: Tree, point: Point) -> Fraction:
    """The value of a term at a point."""
    if isinstance(tree, str):
        return Fraction(-2) if tree == "(- 2)" else point[tree] if tree in point else Fraction(tree)
    first, *rest = (value(t, point) for t in tree[1:])
    if tree[0] == "+":
        return first + sum(rest)
    if tree[0] == "-":
        return first - sum(rest) if rest else -first
    return first * prod(rest) if tree[0] == "*" else first / prod(rest)


def holds(tree: Tree, point: Point) -> bool:
    """Whether a formula is true at a point."""
    if tree[0] in ("and", "or"):
        results = [holds(t, point) for t in tree[1:]]
        return all(results) if tree[0] == "and" else any(results)
    for a, b in pairwise(tree[1:]):
        difference = ("-", a, b)
        delta = value(difference, point)
        closed = delta == 0 and tree[0] not in ("<", ">")
        if not (closed or (delta < 0 and tree[0][0] == "<") or (delta > 0 and tree[0][0] == ">")):
            return False
    return True


COORDINATES = st.sampled_from([k / 4 for k in range(-9, 10)])
POINTS = st.lists(st.tuples(COORDINATES, COORDINATES, COORDINATES, COORDINATES), min_size=1, max_size=12)
GAPS = st.lists(st.sampled_from([" ", "\n", "  ", "\t", " ; note (\n"]), min_size=1, max_size=5)
HEAD = "".join(f"(declare-const {n} Real)\n" for n in NAMES)
BOX = "".join(f"(assert (<= X_{i} 2)) (assert (>= X_{i} -2))\n" for i in range(2))


@given(st.lists(formulas(), min_size=1, max_size=3), POINTS, GAPS)
@settings(max_examples=300, deadline=None)
def test_compiled_form_agrees_with_direct_evaluation(
    trees: list[Tree], points: list[tuple[float, float, float, float]], gaps: list[str]
) -> None:
    body = [w for tree in trees for w in ("(", "assert", *words(tree), ")")]
    text = HEAD + BOX + "".join(w + gaps[i % len(gaps)] for i, w in enumerate(body))
    spec = parse_vnnlib(text)
    again = parse_vnnlib(format_vnnlib(spec))
    assert spec.vacuous == (not spec.clauses) and (not spec.vacuous or spec.notes)
    for point in points:
        exact = dict(zip(NAMES, map(Fraction, point), strict=True))
        expected = max(map(abs, point[:2])) <= 2 and all(holds(tree, exact) for tree in trees)
        assert (spec.violation(point[:2], point[2:]) is not None) == expected
        assert (again.violation(point[:2], point[2:]) is not None) == expected
