"""Writing VNN-LIB 1.0.

Numbers are written so that `read_vnnlib` gives back exactly the same set: a bound that lies in it as the
number itself, in full; one that does not as a short decimal inside, which the reader rounds outward again.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction

import numpy as np

from genbab.errors import SpecError
from genbab.specs.form.clauses import Clause
from genbab.specs.form.declarations import own_models
from genbab.specs.form.rows import Row
from genbab.specs.form.spec import Spec
from genbab.specs.numbers.numbers import text_of

MAX_PLACES = 400
"""Of a number in a row; other rows are written with float64 numbers."""

_EXACT = Context(prec=4 * MAX_PLACES)


def write_vnnlib(spec: Spec, path: str | os.PathLike[str]) -> None:
    """Write a specification as a VNN-LIB 1.0 file, compressed when the name ends in .gz. Raises SpecError."""
    write_text(format_vnnlib(spec), path)


def write_text(text: str, path: str | os.PathLike[str]) -> None:
    """Write a text to a file, compressed when the name ends in .gz; raises SpecError."""
    data = text.encode()
    try:
        with open(path, "wb") as file:
            file.write(gzip.compress(data, mtime=0) if os.fspath(path).endswith(".gz") else data)
    except OSError as problem:
        raise SpecError(f"cannot be written: {problem.strerror or problem}", os.fspath(path)) from None


def format_vnnlib(spec: Spec) -> str:
    """The VNN-LIB 1.0 text of a specification; reading it gives an equal specification.

    Exceptions: a row on one input only is read back as a bound, a vacuous spec comes back without its boxes.
    Raises SpecError for what VNN-LIB 1.0 cannot say: products, balls, several runs, hidden tensors.
    """
    refuse_networks(spec)
    wanted = {"products of variables": spec.products, "balls": spec.balls, "several runs": spec.runs}
    wanted["hidden tensors"] = spec.hidden
    if found := [what for what, parts in wanted.items() if parts]:
        raise SpecError(f"VNN-LIB 1.0 cannot say {' and '.join(found)}; VNN-LIB 2 may")
    return "\n".join(_lines(spec)) + "\n"


def refuse_networks(spec: Spec) -> None:
    """Raise SpecError where the spec is about several models: which inputs are whose cannot be written."""
    if len(names := own_models(spec.declared)) > 1:
        raise SpecError(f"a property of several models ({', '.join(names)}) cannot be written, only read")


def _lines(spec: Spec) -> Iterator[str]:
    for note in spec.notes:
        yield from (f"; {line}" for line in note.splitlines())
    yield from (f"(declare-const X_{i} Real)" for i in range(spec.input_size))
    yield from (f"(declare-const Y_{j} Real)" for j in range(spec.output_size))
    inputs, outputs = ([f"{k}_{i}" for i in range(n)] for k, n in (("X", spec.input_size), ("Y", spec.width)))
    yield from Notation(inputs, outputs).assertions(spec)


@dataclass(frozen=True)
class Notation:
    """How variables and numbers are written: the names of the inputs (D,) and of the columns of rows."""

    inputs: list[str]
    outputs: list[str]

    def number(self, text: str) -> str:
        """A decimal as this language takes it."""
        return text

    def region(self, spec: Spec, box: int) -> Iterator[str]:
        """What says that x lies in this box, relation by relation."""
        ends = spec.lower[box].tolist(), spec.upper[box].tolist()
        flags = ([False] * len(ends[0]) if one is None else one[box].tolist() for one in spec.open_ends)
        for name, low, high, *is_open in zip(self.inputs, *ends, *flags, strict=True):
            yield self._limit(name, low, False, is_open[0])
            yield self._limit(name, high, True, is_open[1])

    def _limit(self, name: str, value: float, upper: bool, is_open: bool) -> str:
        """One bound: with the number itself, or of a set that ends there without it."""
        text = text_of(value, upper) if is_open else _exactly(value)
        strict = is_open and Decimal(text) == Decimal(value)
        return f"({'<' if upper else '>'}{'' if strict else '='} {name} {self.number(text)})"

    def assertions(self, spec: Spec) -> Iterator[str]:
        """The boxes and the clauses."""
        if spec.vacuous:
            yield f"(assert (<= {self.number('1')} {self.number('0')}))"
            return
        shared = len({clause.box for clause in spec.clauses}) == 1
        if shared:
            yield from (f"(assert {bound})" for bound in self.region(spec, spec.clauses[0].box))
        if len(spec.clauses) == 1:
            yield from (f"(assert {row})" for row in self.rows(spec.clauses[0]))
            return
        true = f"(<= {self.number('0')} {self.number('0')})"
        yield "(assert (or"
        for clause in spec.clauses:
            parts = [] if shared else list(self.region(spec, clause.box))
            yield f"  (and {' '.join([*parts, *self.rows(clause)]) or true})"
        yield "))"

    def rows(self, clause: Clause) -> Iterator[str]:
        """The rows of a clause."""
        for r in range(len(clause.rhs)):
            row = clause.written.get(r)
            if row is not None and (said := self._written(row)):
                yield said
                continue
            terms = [
                (float(clause.outputs[r, j]), self.outputs[j]) for j in np.flatnonzero(clause.outputs[r])
            ]
            if clause.inputs is not None:
                own = clause.inputs[r]
                terms += [(float(own[i]), self.inputs[i]) for i in np.flatnonzero(own)]
            flags = [part is not None and bool(part[r]) for part in (clause.strict, clause.rounded)]
            yield self._row(terms, float(clause.rhs[r]), *flags)

    def _written(self, row: Row) -> str:
        """A row as it was written; "" where a number of it has no finite decimal."""
        numbers = [_decimal(v) for v in (*row.coefficients.values(), row.rhs)]
        if not all(numbers):
            return ""
        names = [(self.inputs if n[0] == "X" else self.outputs)[int(n[2:])] for n in row.coefficients]
        products = [f"(* {self.number(v)} {n})" for v, n in zip(numbers, names, strict=False)]
        total = f"(+ {' '.join(products)})" if len(products) > 1 else products[0]
        return f"({'<' if row.strict else '<='} {total} {self.number(numbers[-1])})"

    def _row(self, terms: list[tuple[float, str]], rhs: float, strict: bool, rounded: bool) -> str:
        """One relation, in the plain style of the benchmarks where it has that form."""
        text = text_of(rhs, upper=True) if rounded else _exactly(rhs)
        strict |= rounded and Decimal(text) == Decimal(rhs)
        below, above = ("<", ">") if strict else ("<=", ">=")
        plus, minus = ([name for value, name in terms if value == sign] for sign in (1.0, -1.0))
        limit = self.number(text)
        if len(plus) + len(minus) == len(terms):
            if len(terms) == 2 and len(plus) == 1 and rhs == 0.0:
                return f"({below} {plus[0]} {minus[0]})"
            if len(terms) == 1 and minus:
                return f"({above} {minus[0]} {self.number(_negative(text))})"
            if len(terms) == 1:
                return f"({below} {plus[0]} {limit})"
        products = [
            name if value == 1.0 else f"(* {self.number(_exactly(value))} {name})" for value, name in terms
        ]
        total = f"(+ {' '.join(products)})" if len(products) > 1 else (products or [self.number("0")])[0]
        return f"({below} {total} {limit})"


def _exactly(value: float) -> str:
    """The number itself as a decimal, the shortest text of it where that is exact."""
    short, full = repr(value), Decimal(value)
    return short if Decimal(short) == full else str(full)


def _negative(text: str) -> str:
    """The decimal with the other sign; 0 has none."""
    return text if not Decimal(text) else text.removeprefix("-") if text[0] == "-" else f"-{text}"


def _decimal(value: Fraction) -> str:
    """The number as a decimal; "" where it has none of at most `MAX_PLACES` places."""
    places = next((k for k in range(MAX_PLACES) if not 10**k % value.denominator), None)
    return "" if places is None else format(Decimal(int(value * 10**places)).scaleb(-places, _EXACT), "f")
