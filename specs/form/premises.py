"""Premises: a finished specification, asked only of inputs whose hidden values lie in intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from genbab.errors import SpecError
from genbab.specs.form.clauses import Clause
from genbab.specs.form.elements import Hidden
from genbab.specs.form.rows import Row
from genbab.specs.form.spec import Spec
from genbab.specs.numbers.arrays import Floats

Interval = tuple[str, Floats, Floats]
"""A hidden tensor's name, and the ends (n,), (n,) of its values; infinite where nothing is said."""


def with_premises(spec: Spec, intervals: Sequence[Interval]) -> Spec:
    """The spec that asks the same of those inputs only whose hidden values lie in all intervals.

    Raises SpecError for a spec of several runs, or one that speaks of hidden tensors already.
    """
    if spec.runs or spec.hidden:
        raise SpecError(
            "hidden values can be taken for granted in specs of one plain run without any of them"
        )
    hidden = tuple(Hidden(name, len(low)) for name, low, _ in intervals)
    size = spec.output_size + sum(h.size for h in hidden)
    rows, rhs = _rows(spec, intervals, size + len(spec.products))

    def widened(outputs: Floats) -> Floats:
        plain, products = np.split(outputs, [spec.output_size], axis=1)
        return np.concatenate([plain, np.zeros((len(outputs), size - spec.output_size)), products], axis=1)

    clauses = []
    for one in spec.clauses:
        inputs = None if one.inputs is None else np.pad(one.inputs, ((0, len(rows)), (0, 0)))
        strict, rounded = (
            None if f is None else np.pad(f, (0, len(rows))) for f in (one.strict, one.rounded)
        )
        outputs = np.concatenate([widened(one.outputs), rows])
        both = np.concatenate([one.rhs, rhs])
        written = {k: _moved(row, spec.output_size, size) for k, row in one.written.items()}
        clauses.append(Clause(one.box, outputs, inputs, both, strict, rounded, written))
    boxes = tuple(Clause(box, rows, None, rhs) for box in sorted({c.box for c in spec.clauses}))
    asked = replace(spec, clauses=tuple(clauses), output_size=size, hidden=hidden)
    return replace(asked, premises=replace(asked, clauses=boxes))


def _moved(row: Row, before: int, after: int) -> Row:
    """The row whose products come after so many outputs now."""
    found = {}
    for name, value in row.coefficients.items():
        place = int(name[2:])
        far = name[0] == "Y" and place >= before
        found[f"Y_{place - before + after}" if far else name] = value
    return Row(found, row.rhs, row.strict)


def _rows(spec: Spec, intervals: Sequence[Interval], width: int) -> tuple[Floats, Floats]:
    """(rows (R, width), right-hand sides (R,)): upper ends first, tensor by tensor."""
    columns: list[int] = []
    signs: list[float] = []
    limits: list[float] = []
    start = spec.output_size
    for _, low, high in intervals:
        for sign, ends in ((1.0, high), (-1.0, -low)):
            said = np.flatnonzero(np.isfinite(ends))
            columns += (start + said).tolist()
            signs += [sign] * len(said)
            limits += (ends[said] + 0.0).tolist()
        start += len(low)
    rows = np.zeros((len(columns), width))
    rows[np.arange(len(columns)), columns] = signs
    return rows, np.array(limits, np.float64)
