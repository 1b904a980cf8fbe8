"""Specifications about inputs of which some are whole numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from genbab.specs.form.clauses import Clauses, Stack
from genbab.specs.form.spec import Spec
from genbab.specs.numbers.arrays import Bools, Floats


def on_whole_numbers(spec: Spec, whole: Bools, low: Floats, high: Floats) -> Spec:
    """The same question about points whose entries marked by `whole` are integers from low to high, all (D,).

    Bounds of these become the outermost such integers; boxes that hold none are left out with their clauses,
    and `notes` says so. Vacuous where no clause is left.
    """
    lower, upper = spec.lower.copy(), spec.upper.copy()
    inner = spec.inner
    lower[:, whole] = np.maximum(np.ceil(inner[0]), low)[:, whole]
    upper[:, whole] = np.minimum(np.floor(inner[1]), high)[:, whole]
    kept: Bools = np.asarray(~(lower > upper).any(1))
    flags = tuple(None if one is None else (one & ~whole)[kept] for one in spec.open_ends)
    clauses, notes = spec.clauses, spec.notes
    if not kept.all():
        assert isinstance(clauses, Clauses)
        clauses = Clauses(_without(clauses.stack, kept), spec.width, spec.input_size)
        notes = (*notes, f"{(~kept).sum()} of {len(kept)} boxes hold no integers at inputs of integers")
    return replace(
        spec,
        lower=lower[kept],
        upper=upper[kept],
        clauses=clauses,
        notes=notes,
        balls=tuple(balls for balls, stays in zip(spec.balls, kept, strict=bool(spec.balls)) if stays),
        premises=None if spec.premises is None else on_whole_numbers(spec.premises, whole, low, high),
        lower_open=flags[0],
        upper_open=flags[1],
    )


def of_whole_outputs(spec: Spec, whole: Bools) -> Spec:
    """The same question about outputs of which those marked by `whole` (O,) are integers.

    A row whole·y < 5 says whole·y <= 4 then, which bounds of closed sets can tell from whole·y = 5.
    """
    assert isinstance(spec.clauses, Clauses)
    stack = spec.clauses.stack
    others = (stack.outputs != np.rint(stack.outputs)) | (
        (stack.outputs != 0) & ~np.pad(whole, (0, len(spec.products)))
    )
    mine = ~others.any(1) & (stack.mixed < 0) & (np.abs(stack.rhs) < 2.0**52)
    mine[list(stack.written)] = False
    if not mine.any():
        return spec
    open_ = stack.strict | stack.rounded
    rhs = np.where(mine, np.where(open_, np.ceil(stack.rhs) - 1.0, np.floor(stack.rhs)), stack.rhs)
    made = stack._replace(rhs=rhs, strict=stack.strict & ~mine, rounded=stack.rounded & ~mine)
    return replace(spec, clauses=Clauses(made, spec.width, spec.input_size))


def _without(stack: Stack, kept: Bools) -> Stack:
    """The clauses in boxes that are kept, which are numbered anew."""
    mine = kept[stack.box]
    rows = mine[stack.clause]
    place = np.cumsum(rows) - 1
    return Stack(
        stack.outputs[rows],
        stack.inputs,
        stack.mixed[rows],
        stack.rhs[rows],
        stack.strict[rows],
        np.concatenate([[0], np.cumsum(np.diff(stack.start)[mine])]),
        (np.cumsum(kept) - 1)[stack.box[mine]],
        stack.rounded[rows],
        {int(place[t]): row for t, row in stack.written.items() if rows[t]},
    )
