"""Writing VNN-LIB 1.0.

Numbers are written so that `read_vnnlib` gives back exactly the same float64: the shortest decimal on the
proper side of the bound, else 17 digits rounded inward (which the reader rounds outward again).
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator

import numpy as np

from genbab.errors import SpecError
from genbab.specs.numbers import text_of
from genbab.specs.spec import Clause, Spec


def write_vnnlib(spec: Spec, path: str | os.PathLike[str]) -> None:
    """Write a specification as a VNN-LIB 1.0 file, compressed when the name ends in .gz. Raises SpecError."""
    data = format_vnnlib(spec).encode()
    try:
        with open(path, "wb") as file:
            file.write(gzip.compress(data, mtime=0) if os.fspath(path).endswith(".gz") else data)
    except OSError as problem:
        raise SpecError(f"cannot be written: {problem.strerror or problem}", os.fspath(path)) from None


def format_vnnlib(spec: Spec) -> str:
    """The VNN-LIB 1.0 text of a specification; reading it gives an equal specification.

    Exceptions: a row on one input only is read back as a bound, a vacuous spec comes back without its boxes.
    """
    return "\n".join(_lines(spec)) + "\n"


def _lines(spec: Spec) -> Iterator[str]:
    for note in spec.notes:
        yield from (f"; {line}" for line in note.splitlines())
    yield from (f"(declare-const X_{i} Real)" for i in range(spec.input_size))
    yield from (f"(declare-const Y_{j} Real)" for j in range(spec.output_size))
    if spec.vacuous:
        yield "(assert (<= 1 0))"
        return
    shared = len({clause.box for clause in spec.clauses}) == 1
    if shared:
        yield from (f"(assert {bound})" for bound in _bounds(spec, spec.clauses[0].box))
    if len(spec.clauses) == 1:
        yield from (f"(assert {row})" for row in _rows(spec.clauses[0]))
        return
    yield "(assert (or"
    for clause in spec.clauses:
        parts = [] if shared else list(_bounds(spec, clause.box))
        yield f"  (and {' '.join([*parts, *_rows(clause)]) or '(<= 0 0)'})"
    yield "))"


def _bounds(spec: Spec, box: int) -> Iterator[str]:
    for i in range(spec.input_size):
        yield f"(>= X_{i} {text_of(float(spec.lower[box, i]), upper=False)})"
        yield f"(<= X_{i} {text_of(float(spec.upper[box, i]), upper=True)})"


def _rows(clause: Clause) -> Iterator[str]:
    for r in range(len(clause.rhs)):
        terms = [(float(clause.outputs[r, j]), f"Y_{j}") for j in np.flatnonzero(clause.outputs[r])]
        if clause.inputs is not None:
            terms += [(float(clause.inputs[r, i]), f"X_{i}") for i in np.flatnonzero(clause.inputs[r])]
        yield _row(terms, float(clause.rhs[r]), clause.strict is not None and bool(clause.strict[r]))


def _row(terms: list[tuple[float, str]], rhs: float, strict: bool) -> str:
    """One relation, in the plain style of the benchmarks where it has that form."""
    below, above = ("<", ">") if strict else ("<=", ">=")
    plus, minus = ([name for value, name in terms if value == sign] for sign in (1.0, -1.0))
    if len(plus) + len(minus) == len(terms):
        if len(terms) == 2 and len(plus) == 1 and rhs == 0.0:
            return f"({below} {plus[0]} {minus[0]})"
        if len(terms) == 1 and minus:
            return f"({above} {minus[0]} {text_of(-rhs + 0.0, upper=False)})"
        if len(terms) == 1:
            return f"({below} {plus[0]} {text_of(rhs, upper=True)})"
    products = [name if value == 1.0 else f"(* {value!r} {name})" for value, name in terms]
    total = f"(+ {' '.join(products)})" if len(products) > 1 else (products or ["0"])[0]
    return f"({below} {total} {text_of(rhs, upper=True)})"
