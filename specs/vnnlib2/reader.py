"""Reading VNN-LIB 2 through the typed syntax tree of the package `vnnlib`, which also checks types.

Accepted: one network, several runs of it (`equal-to`), or several networks, whose inputs and outputs then
follow each other as if they were one; inputs, outputs and (of one model) tensors inside of it, of real or
floating-point type; and / or of the relations <= >= < > == != of polynomials. The meaning of bounds, rows and
constants is that of the 1.0 reader. Inputs that an assertion makes equal are one variable; a sum of squares
below a constant is a ball where its numbers allow it. Everything is decided over the real numbers.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, TypeVar

import numpy as np

from genbab.errors import SpecError, UsageError
from genbab.specs.form.spec import Spec
from genbab.specs.lowering.entries import NO_BOUNDS
from genbab.specs.lowering.formula import Dnf, PackedDnf, TooManyClauses, conjoined
from genbab.specs.lowering.literals import Literals
from genbab.specs.lowering.lower import lower
from genbab.specs.lowering.relations import Simple, pairs_of, single_of
from genbab.specs.numbers.arrays import Ints
from genbab.specs.vnnlib2.assertions import NOTHING, Assertions, read_assertions
from genbab.specs.vnnlib2.complaints import beyond, explained, foreign, no_entry
from genbab.specs.vnnlib2.declared import Declared, NoEntry
from genbab.specs.vnnlib2.evaluation import Evaluator
from genbab.specs.vnnlib2.relations import Relations
from genbab.specs.vnnlib2.tree import TreeWalk

T = TypeVar("T")

_PRINTED = re.compile(r"\(vnnlib-version <[^<>()]*>\) ")

VERSION_2 = re.compile(r"\A\ufeff?(?:\s++|;[^\n]*+\n)*+\(\s*+vnnlib-version\b")
"""How every VNN-LIB 2 text begins."""

Node = tuple[int, Any, bool]
"""A formula of the tree, its place in the text's order, whether it is a whole assertion or one relation."""

MAX_DEPTH = 1000
"""Texts with more open parentheses are refused."""

_OTHERS = bytes(set(range(256)) - set(b"()"))


def parse_vnnlib2(text: str, name: str = "specification") -> Spec:
    """The Spec of a VNN-LIB 2 text; `name` is what error messages call it.

    Raises SpecError, with line and column where the package gives them, and UsageError where the package
    `vnnlib` is not installed.
    """
    return _with_tree(text, name, lambda tree, query: _QueryReader(tree, query, name).spec())


def satisfied(text: str, values: Mapping[str, Sequence[float]], name: str = "specification") -> bool:
    """Whether all assertions of a VNN-LIB 2 text are true at these values, decided exactly.

    Strict ones are strict. values: of every tensor that the text declares, flat in row-major order. Raises as
    `parse_vnnlib2`.
    """

    def judged(tree: Any, query: Any) -> bool:
        tensors = [t for n in query.networks for t in (*n.inputs, *n.hidden, *n.outputs)]
        if lost := [t.name for t in tensors if t.name not in values]:
            raise SpecError(f"no values of {', '.join(lost)} are given", name)
        judge = Evaluator(tree, values, {t.name: list(t.shape) for t in tensors})
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
        raise explained(str(problem), text, name) from None
    except NoEntry as problem:
        raise no_entry(problem.args[0], problem.args[1], text, name) from None
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
    except UnicodeDecodeError:  # what the package complains about is the first byte of such a character
        raise foreign(text, name) from None
    except (IndexError, ValueError, OverflowError) as problem:
        if "stod" in str(problem):
            raise beyond(text, name) from None
        raise SpecError(f"has a shape or an index that is out of range ({problem})", name) from None


def _depth(text: str) -> int:
    """The most parentheses that are open at a time; in comments they do not count."""
    plain = re.sub(r";[^\n]*", "", text) if ";" in text else text
    found = np.frombuffer(plain.encode("utf-8", "replace").translate(None, _OTHERS), np.int8)
    return int(np.cumsum(81 - 2 * found.astype(np.int32)).max(initial=0))


class _QueryReader:
    """The Spec of a text: relations become literals in arrays where they can, by a walk of the tree else."""

    def __init__(self, vnnlib: Any, query: Any, source: str) -> None:
        self.tree, self.query, self.source = vnnlib, query, source
        self.declared = Declared(query, source)
        self.text = b""

    def error(self, message: str, _: int | None = None) -> SpecError:
        """A SpecError about this text."""
        return SpecError(message, self.source)

    def spec(self) -> Spec:
        """The Spec of the text."""
        printed, nodes = self._read()
        required = [node for number, node, whole in nodes if whole or printed.required[number]]
        self.declared.tie(np.concatenate([printed.ties(), self._ties(required)]))
        literals = Literals(*self.declared.sizes)
        literals.block(printed.total)
        self._relations(printed.relations, literals)
        try:
            common, terms = self._formula(printed, nodes, literals)
        except TooManyClauses as problem:
            raise self.error(str(problem)) from None
        other = sorted(t for t in self.declared.types if t != "Real")
        notes = (f"the text is about {', '.join(other)}, decided over the real numbers",) if other else ()
        content = literals.content(
            common,
            terms,
            self.error,
            name=self.declared.name,
            example=f"(assert (<= {self.declared.name(0)} 1.5))",
            runs=self.declared.spec_runs(),
            hidden=self.declared.hidden,
            notes=notes,
            declared=self.declared.networks,
            text=self.text,
        )
        return lower(content)

    def _read(self) -> tuple[Assertions, list[Node]]:
        """What is read in arrays, and the nodes of what is not."""
        text = str(self.query)
        version = _PRINTED.match(text)
        head = "".join([version[0] if version else "", *map(str, self.query.networks)])
        try:
            if version and text.startswith(head):
                data, begin = text.encode(), len(head.encode())
                self.text = data
                if found := read_assertions(data, begin, self.declared.tensors):
                    return found, self._nodes(found, data[:begin])
        except ValueError as problem:
            raise self.error(str(problem)) from None
        return NOTHING, [(i, a.expr, True) for i, a in enumerate(self.query.assertions)]

    def _nodes(self, printed: Assertions, head: bytes) -> list[Node]:
        """The nodes of what was not read in arrays: it is parsed once more."""
        numbers, texts, whole = zip(*printed.others, strict=True) if printed.others else ((), (), ())
        if not texts:
            return []
        query = self.tree.parse_query_string(b"".join([head, *texts]).decode())
        return [(n, a.expr, w) for n, a, w in zip(numbers, query.assertions, whole, strict=True)]

    def _ties(self, formulas: list[Any]) -> Ints:
        """The entries (n, 2) that must be equal for these formulas to hold."""
        tree, pairs, todo = self.tree, list[tuple[int, int]](), formulas
        while todo:
            one = todo.pop()
            if type(one) is tree.And:
                todo.extend(one.args)
            elif type(one) is tree.Equal and type(one.lhs) is type(one.rhs) is tree.Var:
                pairs.append((self.declared.entry(one.lhs), self.declared.entry(one.rhs)))
        return np.array(pairs, np.int64).reshape(-1, 2)

    def _relations(self, found: Relations, literals: Literals) -> None:
        """What the literals of these relations mean."""
        columns = self.declared.columns
        number, code, left = found.number, found.code, columns[found.left]
        one, two = np.flatnonzero(found.right < 0), np.flatnonzero(found.right >= 0)
        numbers = found.down[one], found.up[one], found.at[one].astype(object)
        literals.many(*single_of(number[one], code[one], left[one], numbers, literals.sizes[0]))
        pairs = Simple(number[two], code[two], left[two], columns[found.right[two]])
        literals.many(NO_BOUNDS, pairs_of(pairs))

    def _formula(self, printed: Assertions, nodes: list[Node], literals: Literals) -> tuple[Ints, PackedDnf]:
        """(literals that must hold, disjunctions that must hold as one), in the order of the text."""
        walk = TreeWalk(self.tree, self.declared, literals, self.source)
        factors: list[tuple[int, Dnf | PackedDnf]] = list(printed.factors)
        places, more = [printed.common], [printed.common]
        for number, node, whole in nodes:
            if not whole:
                walk.relation(node, walk.codes[type(node)], number)
                continue
            plain: list[int] = []
            found: list[Dnf] = []
            walk.conjunct(node, plain, found)
            factors.extend((number, factor) for factor in found)
            places.append(np.full(len(plain), number))
            more.append(np.array(plain, np.int64))
        walk.finish()
        order = np.argsort(np.concatenate(places), kind="stable")
        factors.sort(key=itemgetter(0))
        return np.concatenate(more)[order], conjoined([factor for _, factor in factors])
