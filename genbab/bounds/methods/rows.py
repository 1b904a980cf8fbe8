"""Sound bounds of linear functions of the outputs, and linear functions around them, by any method."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from genbab.bounds.answer import Question, answer
from genbab.bounds.ascent.adam import Steps
from genbab.bounds.costs import rows_at_once
from genbab.bounds.engine import Engine
from genbab.bounds.methods.known import KNOWN
from genbab.bounds.passes.certify import Certified
from genbab.bounds.passes.taken import Rows
from genbab.network.interval import interval_rows
from genbab.network.roundoff import Interval


@dataclass(frozen=True, eq=False)
class LinearBounds:
    """Linear functions around C·y(x), for every x of each box and over the reals, all float64.

    lower_matrix·x + lower_constant <= C·y(x) <= upper_matrix·x + upper_constant; matrices (B, S, D),
    constants (B, S).
    """

    lower_matrix: Tensor
    lower_constant: Tensor
    upper_matrix: Tensor
    upper_constant: Tensor


def row_ranges(
    engine: Engine, box: Interval, matrix: Tensor, method: str, steps: int
) -> tuple[Tensor, Tensor, LinearBounds]:
    """Sound lower and upper bounds (B, S) of matrix·y, matrix (B or 1, S, O), and linear functions around it.

    Methods that keep no linear function of the outputs give constant ones.
    """
    known = KNOWN[method]
    intervals = known.hidden(engine, box, steps, False)
    output = intervals[engine.exact.output]
    matrix = matrix.expand(box[0].shape[0], -1, -1)
    lower = interval_rows(matrix, output, None, box)
    upper = -interval_rows(-matrix, output, None, box)
    flat = matrix.new_zeros(*lower.shape, box[0].shape[1])
    if known.rows is None:
        return lower, upper, LinearBounds(flat, lower, flat, upper)
    below, above = _forms(engine, box, intervals, matrix, known.rows(steps))
    linear = LinearBounds(below[1], below[2], -above[1], -above[2])
    return torch.maximum(lower, below[0]), torch.minimum(upper, -above[0]), linear


Form = tuple[Tensor, Tensor, Tensor]
"""Bound (B, S), matrix (B, S, D) and constant (B, S) of linear functions below rows."""


def _forms(
    engine: Engine, box: Interval, intervals: list[Interval], matrix: Tensor, steps: int
) -> tuple[Form, Form]:
    """Forms below matrix·y and below -matrix·y, in chunks that fit the memory."""
    relaxations = engine.relaxed(intervals)
    size = max(1, rows_at_once(engine, box[0].shape[0], engine.exact.output, steps > 0) // 2)
    parts: list[Form] = []
    for part in torch.split(matrix, size, 1):
        engine.check()
        rows = Rows(engine.exact.output, torch.cat([part, -part], 1))
        parts.append(_usable(answer(engine, Question(rows, box, relaxations), Steps.of(steps)).certified))
    sides = []
    for side in (0, 1):
        halves = [[t.chunk(2, 1)[side] for t in part] for part in parts]
        sides.append(tuple(torch.cat(same, 1) for same in zip(*halves, strict=True)))
    return (sides[0][0], sides[0][1], sides[0][2]), (sides[1][0], sides[1][1], sides[1][2])


def _usable(known: Certified) -> Form:
    """The forms, minus infinity where there is no finite one."""
    bound, form, constant = known.bound, known.form, known.constant
    good = torch.isfinite(bound) & torch.isfinite(constant) & torch.isfinite(form).all(-1)
    return bound, torch.where(good[..., None], form, 0.0), torch.where(good, constant, -torch.inf)
