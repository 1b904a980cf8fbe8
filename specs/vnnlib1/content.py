"""What a parsed VNN-LIB 1.0 text says: its relations as arrays.

Axis letters: D inputs, O outputs. Numbers are rounded as in `lowering.entries`.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import repeat

import numpy as np

from genbab.errors import SpecError
from genbab.specs.form.rows import Linear, rows_of
from genbab.specs.lowering.content import Content
from genbab.specs.lowering.entries import Bounds, Entries, entries_of
from genbab.specs.lowering.formula import packed
from genbab.specs.lowering.relations import CODES, FLIPPED, DenseRows, Simple, dense, pairs_of, single_of
from genbab.specs.numbers.arrays import Ints
from genbab.specs.numbers.numbers import directed, first_bad, why_not_a_number
from genbab.specs.vnnlib1.parser import Parsed


def content_of(parsed: Parsed) -> Content:
    """What a parsed text says; raises SpecError, with its place, for gaps in declarations and numbers."""
    sizes = _sizes(parsed)
    found, notes = _relations(parsed, sizes)
    terms = packed(parsed.terms)
    return Content(sizes, parsed.common, terms, *found, error=parsed.source.error, notes=notes)


def _sizes(parsed: Parsed) -> tuple[int, int]:
    """(D, O) from the declarations, which must number both kinds from 0 without gaps."""
    counts = []
    for kind, what in (("X", "inputs"), ("Y", "outputs")):
        names = [name for name in parsed.declared if name[0] == kind]
        if not names:
            raise parsed.source.error(f"no {what} are declared; expected (declare-const {kind}_0 Real)")
        gap = next((i for i in range(len(names)) if f"{kind}_{i}" not in parsed.declared), None)
        if gap is not None:
            top = max(names, key=lambda name: int(name[2:]))
            text = f"{kind}_{gap} is not declared, but {top} is; the {what} are numbered from 0 without gaps"
            raise parsed.source.error(text, parsed.declared[top])
        counts.append(len(names))
    return counts[0], counts[1]


def _relations(
    parsed: Parsed, sizes: tuple[int, int]
) -> tuple[tuple[Bounds, DenseRows, Ints], tuple[str, ...]]:
    """((bounds, rows, literals that no point satisfies), notes) for sizes (D, O).

    Relations that every point satisfies are in none of them.
    """
    simple = _simple(parsed, sizes[0])
    single_bounds, single_rows = _single(parsed, simple, sizes[0])
    general_bounds, general_rows, notes = _general(parsed, simple, sizes[0])
    bounds = Bounds(*(np.concatenate(c) for c in zip(single_bounds, general_bounds, strict=True)))
    rows, never = dense([single_rows, pairs_of(simple), general_rows], sizes, parsed.source.error)
    return (bounds, rows, never), notes


def _simple(parsed: Parsed, d: int) -> Simple:
    """The simple relations as columns; raises SpecError for variables that are not declared."""
    column = {name: int(name[2:]) + (d if name[0] == "Y" else 0) for name in parsed.declared}
    tokens = parsed.tokens
    used = [k for k, token in enumerate(tokens) if token[1]]
    sides = []
    for side in (2, 3):
        texts = [tokens[k][side] for k in used]
        codes = np.fromiter(map(column.get, texts, repeat(-1)), np.int64, len(used))
        for i in np.flatnonzero(codes < 0).tolist():
            if texts[i][0] in "XY":
                raise _undeclared(parsed, texts[i], used[i])
        sides.append(codes)
    for name, k in parsed.uses.items():
        if name not in column:
            raise _undeclared(parsed, name, k)
    relation = np.fromiter((CODES[tokens[k][1]] for k in used), np.int64, len(used))
    return Simple(np.array(used, np.int64), relation, sides[0], sides[1])


def _undeclared(parsed: Parsed, name: str, token: int) -> SpecError:
    kinds = [[n for n in parsed.declared if n[0] == kind] for kind in "XY"]
    known = " and ".join(f"{k[0]} to {k[-1]}" for k in kinds if k)
    return parsed.source.error(f"'{name}' is not declared; declared are {known}", token, name)


def _single(parsed: Parsed, simple: Simple, d: int) -> tuple[Bounds, Entries]:
    """The simple relations between one variable and a number: bounds of inputs, rows of single outputs."""
    chosen = np.flatnonzero((simple.left < 0) != (simple.right < 0))
    token, left, right = simple.token[chosen], simple.left[chosen], simple.right[chosen]
    side = np.where(right < 0, 3, 2)
    texts = [parsed.tokens[k][s] for k, s in zip(token.tolist(), side.tolist(), strict=True)]
    if bad := first_bad(texts):
        raise parsed.source.error(bad[1], int(token[bad[0]]), texts[bad[0]])
    code = np.where(right < 0, simple.code[chosen], np.array(FLIPPED)[simple.code[chosen]])
    return single_of(token, code, np.maximum(left, right), (*directed(texts), np.array(texts, object)), d)


def _general(parsed: Parsed, simple: Simple, d: int) -> tuple[Bounds, Entries, tuple[str, ...]]:
    """The relations with arithmetic, and those between two numbers: bounds of single inputs, rows."""
    todo = [(k, row) for k, rows in parsed.general.items() for row in rows]
    for k in simple.token[(simple.left < 0) & (simple.right < 0)].tolist():
        terms = []
        for text in parsed.tokens[k][2:4]:
            if reason := why_not_a_number(text):
                raise parsed.source.error(reason, k, text)
            terms.append(Linear(constant=Fraction(text)))
        todo += [(k, row) for row in rows_of(parsed.tokens[k][1], terms)]
    return entries_of(todo, d, parsed.source.error)
