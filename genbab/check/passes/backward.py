"""Rows of a step carried back to the inputs, each formula replaced by a line, every rounding paid.

Axes: B boxes, R rows, N entries of a step, D inputs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from genbab.check.functions.lines import Slant, intercepts, linear_in_one, sides
from genbab.check.intervals import TINY, UNIT, Array, Indices, Mask, gamma, magnitude
from genbab.check.model.program import AffineStep, ElementwiseStep, NormedStep, Program, RowStep
from genbab.check.model.values import Lines, Values
from genbab.check.passes import norms, shares
from genbab.check.passes.quadratic import Quadratic
from genbab.check.passes.sums import ROOM, RowSums

MOST = 1 << 22  # numbers of one array


class Chosen(NamedTuple):
    """Slopes of a step by a hint: of each argument (r, N); the side each is meant for; the row of each."""

    slopes: list[Array]
    upper: Mask | None
    row: Indices  # (R,) or (B, R)


class Forms(NamedTuple):
    """Affine lower bounds of rows: coefficients (B, R, D), constants (B, R) that pay for all roundings."""

    coefficients: Array
    constant: Array


def descend(
    program: Program, values: Values, start: int, rows: Array, chosen: Mapping[int, Chosen] | None = None
) -> Forms:
    """Affine lower bounds of rows (R, N) of a step, on the boxes of the values."""
    batch = len(values.ranges[0][0])
    account = RowSums((batch, len(rows)), Quadratic(values, len(rows)) if values.bands else None)
    waiting: dict[int, Array] = {start: np.broadcast_to(rows, (batch, *rows.shape))}
    with np.errstate(all="ignore"):
        for number in range(start, 0, -1):
            a = waiting.pop(number, None)
            if a is None or not a.any():
                continue
            values.look()
            step = program.steps[number]
            if number in values.error:
                account.pay(a, values.error[number])
            if isinstance(step, AffineStep):
                parts = _affine(step, values.slack[number], a, account)
            elif isinstance(step, ElementwiseStep):
                parts = _elementwise(step, number, values, a, account, (chosen or {}).get(number))
            else:
                assert step is not None
                parts = [_rowwise(step, number, values, a, account, (chosen or {}).get(number))]
            for source, part in zip(step.sources, parts, strict=False):  # none for differences
                if source in waiting:
                    part = waiting[source] + part
                    account.pay(part, 2 * UNIT * magnitude(values.ranges[source]))
                waiting[source] = part
        constant = account.total()
    a = waiting.get(0)
    return Forms(np.zeros((batch, len(rows), program.inputs)) if a is None else np.array(a), constant)


def _rowwise(
    step: RowStep, number: int, values: Values, a: Array, account: RowSums, chosen: Chosen | None
) -> Array:
    """The coefficients of the argument, with what a hint says of the planes in the place of slopes."""
    hinted = None if chosen is None else chosen.slopes[0][chosen.row]
    if isinstance(step, NormedStep):
        return norms.carried(step, values, a, account, hinted)
    return shares.carried(step, number, values, a, account, hinted)


def _affine(step: AffineStep, slack: Array, a: Array, account: RowSums) -> list[Array]:
    account.pay(a, slack)
    middle = step.low / 2 + step.high / 2
    account.add(a, np.broadcast_to(middle, slack.shape))
    if not np.array_equal(step.low, step.high):
        width = np.nextafter(np.maximum(step.high - middle, middle - step.low), np.inf)
        account.pay(a, np.broadcast_to(width, slack.shape))
    return [term.map.adjoint(a) for term in step.terms]


def _elementwise(
    step: ElementwiseStep, number: int, values: Values, a: Array, account: RowSums, chosen: Chosen | None
) -> list[Array]:
    if number not in values.lines:
        values.lines[number] = default_lines(step, values)
    below, low, above, high = values.lines[number]
    if chosen is not None and linear_in_one(step.formula, len(step.sources)):
        return _with_chosen(step, values, a, account, chosen, values.lines[number])
    up, down = np.maximum(a, 0.0), np.minimum(a, 0.0)
    account.add(up, low)
    account.add(down, high)
    if account.quadratic is not None:
        taken = (_by_sign(a, k, m) for k, m in zip([*below, low], [*above, high], strict=True))
        *slopes, constant = taken
        account.quadratic.add(step, a, slopes, constant)
    parts = []
    for source, k, m in zip(step.sources, below, above, strict=True):
        part = up * k[:, None] + down * m[:, None]
        account.pay(part, 2 * UNIT * magnitude(values.ranges[source]))
        parts.append(part)
    return parts


def default_lines(step: ElementwiseStep, values: Values) -> Lines:
    """Lines (B, N) below and above a step with default slopes."""
    pairs = [values.ranges[source] for source in step.sources]
    shape = pairs[0][0].shape
    entries = np.tile(np.arange(step.size), shape[0])
    flat = [(low.ravel(), high.ravel()) for low, high in pairs]
    found: list[tuple[list[Array], Array]] = []
    for sign in (1.0, -1.0):
        slopes, icpt = sides(step.formula, entries, flat, np.full(entries.shape, sign))
        found.append(([k.reshape(shape) for k in slopes], icpt.reshape(shape)))
    return found[0][0], found[0][1], found[1][0], found[1][1]


def _with_chosen(
    step: ElementwiseStep, values: Values, a: Array, account: RowSums, chosen: Chosen, lines: Lines
) -> list[Array]:
    """Lines with the slopes of a hint; default ones where it was meant for the other side."""
    below, _, above, _ = lines
    slopes = [_by_sign(a, k, m) for k, m in zip(below, above, strict=True)]
    meant = np.ones(a.shape, dtype=bool)
    if chosen.upper is not None:
        meant &= chosen.upper[chosen.row] == (a < 0)
    slopes = [np.where(meant, hint[chosen.row], k) for hint, k in zip(chosen.slopes, slopes, strict=True)]
    box, row, entry = np.nonzero(a)
    ranges = [values.ranges[source] for source in step.sources]
    question = Slant(
        step.formula,
        entry,
        [(low[box, entry], high[box, entry]) for low, high in ranges],
        [k[box, row, entry] for k in slopes],
        np.where(a[box, row, entry] >= 0, 1.0, -1.0),
    )
    used, icpt = intercepts(question)
    constant = np.zeros(a.shape)
    constant[box, row, entry] = icpt
    account.sum(a * constant)
    parts = []
    for k, source in zip(used, step.sources, strict=True):
        result = np.zeros(a.shape)
        result[box, row, entry] = a[box, row, entry] * k
        account.pay(result, 2 * UNIT * magnitude(values.ranges[source]))
        parts.append(result)
    if account.quadratic is not None:
        slopes = [np.zeros(a.shape) for _ in used]
        for whole, k in zip(slopes, used, strict=True):
            whole[box, row, entry] = k
        account.quadratic.add(step, a, slopes, constant)
    return parts


def _by_sign(a: Array, below: Array, above: Array) -> Array:
    """What is taken (B, R, N) of numbers (B, N) for lines below and above."""
    return np.where(a >= 0, below[:, None], above[:, None])


def least_on(forms: Forms, low: Array, high: Array) -> Array:
    """Lower bounds (B, R) of the forms on boxes (B, D)."""
    c = forms.coefficients
    with np.errstate(all="ignore"):
        ends = np.maximum(c, 0.0) @ low[..., None] + np.minimum(c, 0.0) @ high[..., None]
        size = np.abs(c) @ np.maximum(np.abs(low), np.abs(high))[..., None]
        cost = (gamma(2 * c.shape[-1] + 4) * size[..., 0] + UNIT * np.abs(forms.constant)) * ROOM + TINY
        bound = np.nextafter(ends[..., 0] + forms.constant - cost * 2, -np.inf)
    return np.where(np.isnan(bound), -np.inf, bound)


def in_parts(
    program: Program, values: Values, start: int, rows: Array, chosen: Mapping[int, Chosen] | None = None
) -> Iterator[Forms]:
    """Affine lower bounds of rows of a step, some rows after the other so that they fit into memory."""
    widest = max(program.size(i) for i in range(start + 1))
    part = max(1, MOST // (widest * len(values.ranges[0][0])))
    for i in range(0, len(rows), part):
        index = slice(i, i + part)
        taken = {n: Chosen(c.slopes, c.upper, c.row[..., index]) for n, c in (chosen or {}).items()}
        yield descend(program, values, start, rows[index], taken)


def bounded(
    program: Program, values: Values, start: int, rows: Array, chosen: Mapping[int, Chosen] | None = None
) -> Array:
    """Lower bounds (B, R) of rows of a step."""
    parts = in_parts(program, values, start, rows, chosen)
    return np.concatenate([least_on(forms, *values.ranges[0]) for forms in parts], 1)


def tightened(program: Program, values: Values, number: int) -> tuple[Array, Array]:
    """The intervals of the last step, met with bounds of its own entries where these vary."""
    low, high = values.ranges[number]
    wide: Mask = np.any(low < high, axis=0)
    entries = np.flatnonzero(wide & _bent(program, number, low, high))
    if not len(entries):
        return low, high
    rows = np.zeros((2 * len(entries), low.shape[1]))
    rows[np.arange(len(entries)), entries] = 1.0
    rows[np.arange(len(entries), 2 * len(entries)), entries] = -1.0
    found = bounded(program, values, number, rows)
    low, high = low.copy(), high.copy()
    low[:, entries] = np.maximum(low[:, entries], found[:, : len(entries)])
    high[:, entries] = np.minimum(high[:, entries], -found[:, len(entries) :])
    return low, high


def _bent(program: Program, number: int, low: Array, high: Array) -> Mask:
    """Entries whose interval some formula is not affine on: all, unless it has one kink at 0."""
    hinges = all(
        isinstance(step, ElementwiseStep)
        and step.formula.op == "hinge"
        and step.formula.kids[0].op == "argument"
        for step in program.steps
        if isinstance(step, ElementwiseStep | RowStep) and number in step.sources
    )
    crossing: Mask = np.any((low < 0) & (high > 0), axis=0)
    return crossing if hinges else np.ones(low.shape[1], dtype=np.bool_)
