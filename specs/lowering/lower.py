"""From what a property says to a `Spec`: boxes from the bounds, clauses from the rows.

Axis letters: C clauses of the disjunctive normal form, D inputs, O outputs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genbab.specs.form.clauses import Clauses, Stack
from genbab.specs.form.rows import Row
from genbab.specs.form.spec import Spec
from genbab.specs.lowering.boxes import Boxes, ClauseLiterals, any_row, boxes_of, join
from genbab.specs.lowering.content import Content
from genbab.specs.lowering.relations import MAX_ENTRIES, DenseRows
from genbab.specs.numbers.arrays import Bools, Floats, Ints

_SHOWN = 50


def lower(content: Content) -> Spec:
    """The Spec of what was said; raises SpecError for missing bounds and what is too large."""
    literal, lengths = content.terms
    clause = np.repeat(np.arange(len(lengths)), lengths)
    literals = ClauseLiterals(np.array(content.common, np.int64), literal, clause, len(lengths))
    boxes = boxes_of(content, literals)
    empty = boxes.empty
    impossible = np.isin(literals.common, content.never).any()
    alive = ~empty[boxes.of_clause] & ~impossible
    alive[literals.clause[np.isin(literals.literal, content.never)]] = False
    _require_bounds(content, literals, boxes, alive)
    used, of_clause = _distinct(boxes, alive)
    clauses = _clauses(content, literals, alive, of_clause)
    balls = tuple(boxes.balls[box] for box in used.tolist()) if content.balls else ()
    lower_open, upper_open = (ends[used] if ends[used].any() else None for ends in boxes.open)
    return Spec(
        _frozen(boxes.lower[used]),
        _frozen(boxes.upper[used]),
        clauses,
        content.sizes[1],
        (*content.notes, *_notes(content, boxes, empty, alive)),
        balls if any(balls) else (),
        content.runs,
        content.products,
        content.hidden,
        declared=content.declared,
        lower_open=lower_open,
        upper_open=upper_open,
    )


def _frozen(array: Floats) -> Floats:
    array.flags.writeable = False
    return array


def _require_bounds(content: Content, literals: ClauseLiterals, boxes: Boxes, alive: Bools) -> None:
    """Raise SpecError listing the inputs that miss a bound in some clause."""
    no_lower, no_upper = np.isinf(boxes.lower), np.isinf(boxes.upper)
    bad = np.flatnonzero(alive & any_row(no_lower | no_upper)[boxes.of_clause])
    if not len(bad):
        return
    first: dict[int, str] = {}
    for k in bad.tolist():
        box = boxes.of_clause[k]
        for i in np.flatnonzero(no_lower[box] | no_upper[box]).tolist():
            sides = " and no ".join(["lower"] * bool(no_lower[box, i]) + ["upper"] * bool(no_upper[box, i]))
            where = f" in clause {k}" if literals.total > 1 else ""
            first.setdefault(i, f"{content.name(i)} has no {sides} bound{where}")
        if len(first) > _SHOWN:
            break
    listed = "; ".join(text for _, text in sorted(first.items())[:_SHOWN])
    own = literals.literal[literals.clause == bad[0]]
    token = int(own[0]) if literals.total > 1 and len(own) else None
    more = "; ..." if len(first) > _SHOWN else ""
    raise content.error(f"{listed}{more}; every input needs both, as in {content.example}", token)


def _distinct(boxes: Boxes, alive: Bools) -> tuple[Ints, Ints]:
    """(candidates that are kept, number among them of the box of every clause (C,)); equal boxes once."""
    used = boxes.of_clause[alive]
    shared = np.flatnonzero(used == 0)
    used = np.delete(used, shared[1:])
    parts = [boxes.lower[used].view(np.int64), boxes.upper[used].view(np.int64)]
    parts += [_packed(ends[used]) for ends in boxes.open]
    if any(boxes.balls):  # balls tell boxes apart, too
        seen: dict[tuple[int, ...], int] = {}
        kinds = [seen.setdefault(tuple(map(id, boxes.balls[k])), len(seen)) for k in used.tolist()]
        parts.append(np.array(kinds, np.int64)[:, None])
    first, group = _groups(np.concatenate(parts, axis=1))
    number = np.full(len(boxes.lower), -1)
    number[used] = group
    return used[first], number[boxes.of_clause]


def _packed(flags: Bools) -> Ints:
    """The flags (n, m) as numbers (n, k), the same for equal rows."""
    octets = np.packbits(flags, axis=1)
    padded = np.pad(octets, ((0, 0), (0, -octets.shape[1] % 8)))
    return np.ascontiguousarray(padded).view(np.int64)


def _groups(table: Ints) -> tuple[Ints, Ints]:
    """(the first of each group of equal rows, the number of the group of each row), in order; table (n, m).

    Rows are sorted by a hash, which is not believed: where it does not tell rows apart, they are compared.
    """
    _, first, group = np.unique(_hashes(table), return_index=True, return_inverse=True)
    doubtful = np.flatnonzero(first[group] != np.arange(len(table)))
    if not np.array_equal(table[doubtful], table[first[group[doubtful]]]):
        _, first, group = np.unique(table, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return first[order], rank[group.reshape(-1)]


def _hashes(table: Ints) -> NDArray[np.uint64]:
    """A number for each row (n,), the same for equal rows; table (n, m)."""
    factor = np.random.default_rng(0).integers(2**63, size=table.shape[1], dtype=np.uint64) * 2 + 1
    words = table.view(np.uint64)
    return np.asarray((words ^ (words >> np.uint64(31))) @ factor, np.uint64)


def _clauses(content: Content, literals: ClauseLiterals, alive: Bools, box: Ints) -> Clauses:
    """The clauses that are alive, with their box."""
    rows = content.rows
    _, common = join(literals.common, rows.literal)
    i, own = join(literals.literal, rows.literal)
    kept = np.flatnonzero(alive)
    clause = np.concatenate([np.repeat(kept, len(common)), literals.clause[i]])
    row = np.concatenate([np.tile(common, len(kept)), own])
    order = np.argsort(clause, kind="stable")
    order = order[alive[clause[order]]]
    clause, row = clause[order], row[order]
    mixed = rows.mixed[row]
    has_inputs = np.zeros(literals.total, bool)
    has_inputs[clause[mixed >= 0]] = True
    o, d = rows.outputs.shape[1], rows.inputs.shape[1]
    if len(row) * o + int(has_inputs[clause].sum()) * d > MAX_ENTRIES:
        raise content.error(f"{len(row)} rows of {o} outputs and {d} inputs are too many", None)
    start = np.append(np.searchsorted(clause, kept), len(clause))
    written = _placed(rows, row)
    flags = rows.strict[row], rows.rounded[row]
    stack = Stack(
        rows.outputs[row], rows.inputs, mixed, rows.rhs[row], flags[0], start, box[kept], flags[1], written
    )
    return Clauses(stack, o, d)


def _placed(rows: DenseRows, row: Ints) -> dict[int, Row]:
    """The written rows by their places, where row (T,) is the row at each place."""
    if not rows.written:
        return {}
    places = np.flatnonzero(np.isin(row, list(rows.written)))
    return {t: rows.written[k] for t, k in zip(places.tolist(), row[places].tolist(), strict=True)}


def _notes(content: Content, boxes: Boxes, empty: Bools, alive: Bools) -> tuple[str, ...]:
    """What happened to clauses that are empty."""
    if not len(alive):
        return ("the unsafe set is empty: no case is left",)
    dropped = np.flatnonzero(~alive)
    if not len(dropped):
        return ()
    note = f"{len(dropped)} of {len(alive)} clauses are empty and were dropped"
    inverted = np.unique(boxes.of_clause[dropped][empty[boxes.of_clause[dropped]]])
    reasons = []
    for i in np.flatnonzero(boxes.crossed[inverted].any(axis=0)).tolist()[:_SHOWN]:
        box = next(b for b in inverted.tolist() if boxes.crossed[b, i])
        reasons.append(boxes.said(content.name(i), box, i))
    if (~empty[boxes.of_clause[dropped]]).any():
        reasons.append("a relation between constants is false")
    if not alive.any():
        note = "the input set is empty" if empty[boxes.of_clause].all() else "the unsafe set is empty"
    return (f"{note}: {'; '.join(reasons)}",)
