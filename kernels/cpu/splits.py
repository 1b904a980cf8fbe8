"""The kernels of branch and bound on arrays: what surrounds the compiled loops."""

from __future__ import annotations

import torch
from torch import Tensor

from genbab.kernels.cpu import branching
from genbab.kernels.cpu import envelopes as compiled_envelopes
from genbab.kernels.cpu.arrays import compact, empty, ends_of, full, full_rows, tables_of
from genbab.kernels.cpu.threads import spread
from genbab.kernels.functions import Function
from genbab.kernels.torch import envelopes, reference, splitting
from genbab.kernels.torch.splitting import Box, Grid

SHORT = 32
"""Rows with fewer numbers are not worth a loop of their own."""


def weights(form: Tensor, box: Box, normal: Tensor, level: Tensor) -> Tensor:
    """`splitting.weights`."""
    shape = (len(box[0]), form.shape[1], level.shape[1])
    if 0 in (*shape, form.shape[-1]):
        return splitting.weights(form, box, normal, level)
    middle, radius = (box[0] + box[1]) / 2, (box[1] - box[0]) / 2
    found, array = empty(shape, form)
    spread(
        branching.weight_rows,
        shape[0] * shape[1],
        8 * shape[2] * form.shape[2],
        compact(form, 3),
        *(t.detach().contiguous().numpy() for t in (middle, radius, normal, level)),
        array,
    )
    return found


def dual(form: Tensor, box: Box, normal: Tensor, level: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """`reference.dual`."""
    shape = (len(box[0]), form.shape[1])
    if 0 in (*shape, form.shape[-1]):
        return reference.dual(form, box, normal, level, weight)
    given = (t.detach().contiguous().numpy() for t in (*box, normal, level, weight))
    value, size = empty(shape, form), empty(shape, form)
    spread(
        branching.dual_rows,
        shape[0] * shape[1],
        2 * form.shape[2],
        compact(form, 3),
        *given,
        value[1],
        size[1],
    )
    return value[0], size[0]


def free_gains(
    fn: Function, a: Tensor, box: Box, slope: Tensor, intercept: Tensor, point: Tensor
) -> tuple[Tensor, Tensor]:
    """`splitting.free_gains`."""
    if a.numel() == 0 or fn.name == "reciprocal":
        return splitting.free_gains(fn, a, box, slope, intercept, point)
    (l, u, fl, fu), _, _ = ends_of(fn, *box)  # noqa: E741
    cut = point.masked_fill(~torch.isfinite(point), 1.0)
    left, right = (~(torch.isfinite(end) & torch.isfinite(point)) for end in box)
    none = tuple(full_rows(compact(t, 3), a) for t in (left, left, right, right))
    first, second = empty(a.shape, a), empty(a.shape, a)
    spread(
        branching.free_rows, a.shape[0] * a.shape[1], 4 * a.shape[2],
        fn.code, fn.parameter, *tables_of(fn, a), bool(any(t.any() for t in none)),
        *(full_rows(compact(t, 3), a) for t in (a, slope, intercept)),
        tuple(full_rows(t, a) for t in (l, u, fl, fu)), none, full_rows(compact(cut, 3), a),
        first[1], second[1],
    )  # fmt: skip
    return first[0], second[0]


def reach(form: Tensor, below: Tensor, above: Tensor, weight: Tensor) -> Tensor:
    """`splitting.reach`."""
    if 0 in (*weight.shape, form.shape[-1]):
        return splitting.reach(form, below, above, weight)
    found, array = empty(tuple(weight.shape), form)
    given = (t.detach().contiguous().numpy() for t in (form, below, above, weight))
    spread(branching.reach_rows, len(array), array[0].size * form.shape[2], *given, array)
    return found


def children(
    box: Box, which: Tensor, neuron: Tensor, point: Tensor, hit: Tensor, marks: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """`splitting.children`."""
    shape = (2 * len(which), box[0].shape[1])
    if 0 in shape:
        return splitting.children(box, which, neuron, point, hit, marks)
    lower, upper = empty(shape, box[0]), empty(shape, box[0])
    given = (full(t, tuple(t.shape)) for t in (*box, which, neuron, point.to(box[0].dtype), hit))
    spread(branching.child_rows, len(which), 4 * shape[1], *given, lower[1], upper[1])
    if marks is None:
        return lower[0], upper[0], None
    marked = marks[which].repeat(2, 1)
    rows = hit.nonzero().squeeze(-1)
    marked[torch.cat([rows, len(which) + rows]), neuron[rows].repeat(2)] = True
    return lower[0], upper[0], marked


def points(grid: Grid, l: Tensor, u: Tensor, weight: Tensor) -> Tensor:  # noqa: E741
    """`splitting.points`."""
    found, array = empty((l.numel(),), l)
    flat = (full(t, tuple(t.shape)) for t in (l.reshape(-1), u.reshape(-1), weight.reshape(-1, 2)))
    tables = (grid.centres, grid.between, grid.places, grid.cells, grid.aims, grid.stops, grid.jumps)
    numbers = (grid.first, grid.step, grid.reach, grid.period, *grid.domain, grid.widest)
    arrays = (t.contiguous().numpy() for t in tables)
    spread(branching.point_rows, l.numel(), 30, *flat, *arrays, numbers, grid.rows, array)
    return found.reshape(l.shape)


def envelope(fn: Function, box: Box) -> tuple[Box, Box]:
    """`envelopes.envelope`."""
    low, high = (end.detach().contiguous() for end in box)
    if low.numel() == 0:
        return envelopes.envelope(fn, box)
    found = torch.empty((4, *low.shape), dtype=low.dtype)
    size = low.shape[-1] if low.shape[-1] >= SHORT else low.numel()
    rows = (-1, size)
    spread(
        compiled_envelopes.envelope_rows, low.numel() // size, 60 * size, fn.code,
        low.reshape(rows).numpy(), high.reshape(rows).numpy(), *found.reshape(4, *rows).numpy(),
    )  # fmt: skip
    lower, upper, lows, highs = found.unbind()
    return (lower, upper), (lows, highs)
