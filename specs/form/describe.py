"""What a specification asks, in words and numbers, for people."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from genbab.specs.form.clauses import Clause
from genbab.specs.form.declarations import own_models
from genbab.specs.form.spec import Spec
from genbab.specs.numbers.arrays import Floats

SHOWN = 6
"""Clauses that are written out."""
TERMS = 6
"""Terms of a row that are written out."""


def describe(spec: Spec) -> list[str]:
    """A few lines: the inputs, the boxes, what must not happen."""
    lines = [f"inputs    {spec.input_size}", f"outputs   {spec.output_size}", *_runs(spec)]
    if spec.hidden:
        tensors = ", ".join(f"{h.name} ({h.size})" for h in spec.hidden)
        lines.append(f"hidden    {tensors}, counted among the outputs of every run")
    if spec.vacuous:
        return [*lines, "asks for nothing: the unsafe set is empty", *(f"note      {n}" for n in spec.notes)]
    lines += _boxes(spec)
    lines += [f"ball      {text}" for text in _balls(spec)]
    if spec.products:
        lines.append(f"products  {len(spec.products)} of variables, such as {_names(spec)[1][-1]}")
    return [*lines, *_unsafe(spec), *(f"note      {note}" for note in spec.notes)]


def _runs(spec: Spec) -> Iterator[str]:
    if len(own := own_models(spec.declared)) > 1:
        yield f"networks  {', '.join(n.name for n in spec.declared)}; {', '.join(own)} have a model each"
    elif spec.runs:
        size = len(spec.runs[0].offset)
        yield f"runs      {len(spec.runs)} of the model, which has {size} inputs"


def _boxes(spec: Spec) -> Iterator[str]:
    width = spec.upper - spec.lower
    varying = (width > 0).any(0)
    count = len(spec.lower)
    yield f"boxes     {count}, in which {int(varying.sum())} of {spec.input_size} inputs vary"
    box, i = np.unravel_index(int(width.argmax()), width.shape)
    low, high = float(spec.lower[box, i]), float(spec.upper[box, i])
    where = f" of box {box}" if count > 1 else ""
    yield f"widest    X_{i}{where}: {low:.6g} to {high:.6g} (width {high - low:.6g})"
    inside = width[:, varying]
    if inside.size:
        yield f"widths    {inside.min():.6g} to {inside.max():.6g}, median {np.median(inside):.6g}"


def _balls(spec: Spec) -> Iterator[str]:
    found = {id(b): b for balls in spec.balls for b in balls}
    for ball in list(found.values())[:SHOWN]:
        yield f"norm {ball.norm}, radius {float(ball.radius):.6g}, around {len(ball.centre)} inputs"
    if len(found) > SHOWN:
        yield f"... {len(found)} balls in all"


def _unsafe(spec: Spec) -> Iterator[str]:
    rows = sum(len(c.rhs) for c in spec.clauses)
    yield f"unsafe    {len(spec.clauses)} clause(s) with {rows} row(s); one clause is enough"
    label = _label(spec)
    if label is not None:
        yield f"          that is: another output reaches output {label} (it is classified {label} otherwise)"
    names = _names(spec)
    for k, clause in enumerate(spec.clauses[:SHOWN]):
        said = [_row(clause, r, names) for r in range(min(SHOWN, len(clause.rhs)))] or ["always"]
        said += [f"... {len(clause.rhs)} rows in all"] if len(clause.rhs) > SHOWN else []
        where = f"box {clause.box}: " if len(spec.lower) > 1 else ""
        yield f"  clause {k}  {where}{' and '.join(said)}"
    if len(spec.clauses) > SHOWN:
        yield f"  ... {len(spec.clauses) - SHOWN} more"


def _label(spec: Spec) -> int | None:
    """The class that all clauses say is reached by each of the others, if they say that."""
    rows = [c.outputs[0] for c in spec.clauses if len(c.rhs) == 1 and c.inputs is None and not c.rhs.any()]
    if spec.products or spec.runs or len(rows) != len(spec.clauses) or spec.output_size < 2:
        return None
    labels = {int(np.argmax(row)) for row in rows}
    others = {int(np.argmin(row)) for row in rows}
    label = labels.pop()
    plain = all(np.count_nonzero(row) == 2 and row.max() == 1 and row.min() == -1 for row in rows)
    return label if plain and not labels and len(others) == spec.output_size - 1 else None


def _names(spec: Spec) -> tuple[list[str], list[str]]:
    """The names of the inputs, and of the columns of rows."""
    inputs = [f"X_{i}" for i in range(spec.input_size)]
    inside = [f"{h.name}[{k}]" for h in spec.hidden for k in range(h.size)]
    runs = max(1, len(spec.runs))
    size = spec.output_size // runs
    plain = size - len(inside)
    outputs = [
        f"Y_{run * plain + j}" if j < plain else inside[j - plain] + "'" * run
        for run in range(runs)
        for j in range(size)
    ]
    both = inputs + outputs
    return inputs, outputs + ["·".join(both[c] for c in columns) for columns in spec.products]


def _row(clause: Clause, r: int, names: tuple[list[str], list[str]]) -> str:
    terms = [] if clause.inputs is None else list(_terms(clause.inputs[r], names[0]))
    terms = list(_terms(clause.outputs[r], names[1])) + terms
    shown = " ".join(terms[:TERMS]).removeprefix("+ ") or "0"
    more = f" ... ({len(terms)} terms)" if len(terms) > TERMS else ""
    strict = clause.strict is not None and clause.strict[r]
    return f"{shown}{more} {'<' if strict else '<='} {clause.rhs[r]:.6g}"


def _terms(row: Floats, names: list[str]) -> Iterator[str]:
    for i in np.flatnonzero(row).tolist():
        factor = "" if abs(row[i]) == 1 else f"{abs(row[i]):.6g}·"
        yield f"{'-' if row[i] < 0 else '+'} {factor}{names[i]}"
