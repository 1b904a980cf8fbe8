"""Reading VNN-LIB 2 through the typed syntax tree of the package `vnnlib`, which also checks types.

Accepted: one network, several runs of it (`equal-to`), or several networks, whose inputs and outputs then
follow each other as if they were one; inputs and outputs of real or floating-point type; and / or of the
relations <= >= < > == != of polynomials. The meaning of bounds, rows and constants is that of the 1.0 reader.
Inputs that an assertion makes equal are one variable; a sum of squares below a constant is a ball where its
numbers allow it. Everything is decided over the real numbers.
"""

from __future__ import annotations

import gc
import json
import re
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from itertools import chain
from typing import Any, TypeVar

import numpy as np

from genbab.errors import SpecError, UsageError
from genbab.specs.atoms import CODES, FLIPPED, NO_BOUNDS, Simple, pairs_of, single_of
from genbab.specs.bulk2 import bulk
from genbab.specs.declared2 import Declared
from genbab.specs.formula import Dnf, TooLarge, conjunction
from genbab.specs.judged import Judge
from genbab.specs.literals import Literals
from genbab.specs.lowering import lower
from genbab.specs.numbers import first_bad, why_not_a_number
from genbab.specs.polynomials import Polynomial, ball_of, plus, times
from genbab.specs.spec import Spec

T = TypeVar("T")

VERSION_2 = re.compile(r"\A\ufeff?(?:\s++|;[^\n]*+\n)*+\(\s*+vnnlib-version\b")
"""How every VNN-LIB 2 text begins."""

MAX_DEPTH = 1000
"""Texts with more open parentheses are refused."""

_OTHERS = bytes(set(range(256)) - set(b"()"))


def parse_vnnlib2(text: str, name: str = "specification") -> Spec:
    """The Spec of a VNN-LIB 2 text; `name` is what error messages call it.

    Raises SpecError, with line and column where the package gives them, and UsageError where the package
    `vnnlib` is not installed.
    """
    return _with_tree(text, name, lambda tree, query: _Reader(tree, query, name).spec())


def satisfied(text: str, values: Mapping[str, Sequence[float]], name: str = "specification") -> bool:
    """Whether all assertions of a VNN-LIB 2 text are true at these values, decided exactly, strict ones as
    strict.

    values: of every tensor that the text declares, flat in row-major order. Raises as `parse_vnnlib2`.
    """

    def judged(tree: Any, query: Any) -> bool:
        tensors = [t for n in query.networks for t in (*n.inputs, *n.outputs)]
        judge = Judge(tree, values, {t.name: list(t.shape) for t in tensors})
        return all(judge.true(assertion.expr) for assertion in query.assertions)

    return _with_tree(text, name, judged)


def _with_tree(text: str, name: str, use: Callable[[Any, Any], T]) -> T:
    """What `use` makes of the package `vnnlib` and the text's syntax tree; errors become ours."""
    try:
        import vnnlib
    except ImportError:
        raise UsageError("VNN-LIB 2 is read by the package vnnlib: pip install 'genbab[vnnlib]'") from None
    collecting = gc.isenabled()
    gc.disable()
    try:
        return use(vnnlib, _parsed(vnnlib, text, name))
    except vnnlib.VNNLibException as problem:
        raise _explained(str(problem), text, name) from None
    except RecursionError:
        raise SpecError("is nested too deeply", name) from None
    finally:
        if collecting:
            gc.enable()


def _parsed(vnnlib: Any, text: str, name: str) -> Any:
    """The typed tree of a text; raises `VNNLibException` and SpecError.

    The package walks texts by recursion in compiled code, whose stack ends without an exception.
    """
    if _depth(text) > MAX_DEPTH:
        raise SpecError(f"is nested too deeply: more than {MAX_DEPTH} open parentheses", name)
    try:
        return vnnlib.parse_query_string(text)
    except (IndexError, ValueError, OverflowError) as problem:
        raise SpecError(f"has a shape or an index that is out of range ({problem})", name) from None


def _depth(text: str) -> int:
    """The most parentheses that are open at a time; in comments they do not count."""
    plain = re.sub(r";[^\n]*", "", text) if ";" in text else text
    found = np.frombuffer(plain.encode("utf-8", "replace").translate(None, _OTHERS), np.int8)
    return int(np.cumsum(81 - 2 * found.astype(np.int32)).max(initial=0))


def _explained(message: str, text: str, name: str) -> SpecError:
    """The package's complaint as one of ours: all errors, the first one's line and column."""
    found = re.search(r"line (\d+), column (\d+)", message)
    if found:
        line, column = int(found[1]), int(found[2])
        return SpecError(message.split(" at line")[0].lower() + message[found.end() :], name, line, column)
    try:
        errors = json.loads(message)["errors"]
        first = errors[0]
        line, symbol = int(first["line"]), str(first["offendingSymbol"])
        told = [f"{e['message']}: {e['hint']}" for e in errors[:20]]
    except (ValueError, KeyError, IndexError, TypeError):
        return SpecError(" ".join(message.split()), name)
    lines = text.splitlines()
    column = lines[line - 1].find(symbol) + 1 if 0 < line <= len(lines) else 0
    told += [f"... and {len(errors) - 20} more"] if len(errors) > 20 else []
    return SpecError("; ".join(told), name, line, max(column, 1))


class _Reader:
    """One pass over the tree: declarations to columns, comparisons to literals."""

    def __init__(self, vnnlib: Any, query: Any, name: str) -> None:
        self.query, self.source, self.tree = query, name, vnnlib
        self.codes = {
            vnnlib.LessEqual: CODES["<="],
            vnnlib.LessThan: CODES["<"],
            vnnlib.GreaterEqual: CODES[">="],
            vnnlib.GreaterThan: CODES[">"],
            vnnlib.Equal: CODES["=="],
        }
        self.declared = Declared(query, vnnlib, name)
        self.literals = Literals(*self.declared.sizes)
        self.singles: list[tuple[int, int, int, str]] = []
        self.pairs: list[tuple[int, int, int, int]] = []

    def error(self, message: str, _: int | None = None) -> SpecError:
        """A SpecError about this text."""
        return SpecError(message, self.source)

    def spec(self) -> Spec:
        """The Spec of the text."""
        plain: list[int] = []
        factors: list[Dnf] = []
        try:
            self._assertions(plain, factors)
            terms = conjunction([], factors)
        except TooLarge as problem:
            raise self.error(str(problem)) from None
        self._collect()
        other = sorted(t for t in self.declared.types if t != "Real")
        notes = (f"the text is about {', '.join(other)}, decided over the real numbers",) if other else ()
        content = self.literals.content(
            plain,
            terms,
            self.error,
            name=self.declared.name,
            example=f"(assert (<= {self.declared.name(0)} 1.5))",
            runs=self.declared.spec_runs(),
            notes=notes,
            declared=self.declared.networks,
        )
        return lower(content)

    def _assertions(self, plain: list[int], factors: list[Dnf]) -> None:
        """Take all assertions; those of the simplest form, usually nearly all, at once."""
        assertions = self.query.assertions
        found = bulk(str(self.query), len(assertions), self.declared.tensors)
        others: Sequence[int] = range(len(assertions))
        if found is not None:
            if bad := first_bad(found.texts):
                raise self.error(bad[1])
            variables = self.declared.columns[found.entry]
            literals = self.literals.block(len(variables))
            inputs = self.literals.sizes[0]
            self.literals.many(*single_of(literals, found.code, variables, found.texts, inputs))
            plain.extend(literals.tolist())
            others = found.others
        for i in others:
            self._conjunct(assertions[i].expr, plain, factors)

    def _conjunct(self, formula: Any, plain: list[int], factors: list[Dnf]) -> None:
        """Take a formula as one more part of a conjunction."""
        kind = type(formula)
        if kind in self.codes:
            plain.append(self._literal(formula, self.codes[kind]))
        elif kind is self.tree.And:
            for part in formula.args:
                self._conjunct(part, plain, factors)
        else:
            found = self._dnf(formula)
            if len(found) == 1:
                plain.extend(found[0])
            else:
                factors.append(found)

    def _dnf(self, formula: Any) -> Dnf:
        kind = type(formula)
        if kind is self.tree.Or:
            return list(chain.from_iterable(map(self._dnf, formula.args)))
        if kind in self.codes:
            return [(self._literal(formula, self.codes[kind]),)]
        if kind is self.tree.NotEqual:
            return [(self._literal(formula, CODES["<"]),), (self._literal(formula, CODES[">"]),)]
        plain: list[int] = []
        factors: list[Dnf] = []
        self._conjunct(formula, plain, factors)
        return conjunction(plain, factors)

    def _literal(self, comparison: Any, code: int) -> int:
        """A new literal that is true where the comparison is."""
        left, right = comparison.lhs, comparison.rhs
        variables = type(left) is self.tree.Var, type(right) is self.tree.Var
        literal = self.literals.new()
        if all(variables):
            one, other = self.declared.column(left), self.declared.column(right)
            self.pairs.append((literal, code, one, other))
        elif variables[0] and type(right) is self.tree.Float:
            self.singles.append((literal, code, self.declared.column(left), right.lexeme))
        elif variables[1] and type(left) is self.tree.Float:
            self.singles.append((literal, FLIPPED[code], self.declared.column(right), left.lexeme))
        else:
            difference = plus(self._term(left), self._term(right), -1)
            strict = code in (CODES["<"], CODES[">"])
            ways = {CODES["=="]: (1, -1), CODES[">="]: (-1,), CODES[">"]: (-1,)}.get(code, (1,))
            for sign in ways:
                self._row(literal, plus({}, difference, sign), strict)
        return literal

    def _row(self, literal: int, polynomial: Polynomial[int], strict: bool) -> None:
        ball = None if strict else ball_of(polynomial, self.literals.sizes[0])
        if ball is None:
            self.literals.row(literal, polynomial, strict)
        else:
            self.literals.ball(literal, ball)

    def _term(self, term: Any) -> Polynomial[int]:
        """The polynomial of an arithmetic expression, in columns."""
        tree, kind = self.tree, type(term)
        if kind is tree.Var:
            return {(self.declared.column(term),): Fraction(1)}
        if kind is tree.Negate:
            return plus({}, self._term(term.expr), -1)
        if kind is tree.Minus:
            total = self._term(term.head)
            for part in term.rest:
                total = plus(total, self._term(part), -1)
            return total
        if kind is tree.Plus:
            total = {}
            for part in term.args:
                total = plus(total, self._term(part))
            return total
        if kind is tree.Multiply:
            total = {(): Fraction(1)}
            for part in term.args:
                total = times(total, self._term(part), order=int)
            return total
        if reason := why_not_a_number(term.lexeme):
            raise self.error(reason)
        value = Fraction(term.lexeme)
        return {(): value} if value else {}

    def _collect(self) -> None:
        """Hand the simple comparisons over, all at once."""
        d = self.literals.sizes[0]
        literal, code, variable, texts = zip(*self.singles, strict=True) if self.singles else ((), (), (), ())
        if bad := first_bad(texts):
            raise self.error(bad[1])
        arrays = [np.array(part, np.int64) for part in (literal, code, variable)]
        self.literals.many(*single_of(arrays[0], arrays[1], arrays[2], texts, d))
        simple = Simple(*np.array(self.pairs, np.int64).reshape(-1, 4).T)
        entries = pairs_of(simple)
        self.literals.many(NO_BOUNDS, entries)
