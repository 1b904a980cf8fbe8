"""The kernels of branch and bound on arrays: what surrounds the compiled loops."""

from __future__ import annotations

import torch
from torch import Tensor

from genbab.kernels.cpu import branching
from genbab.kernels.cpu import envelopes as compiled_envelopes
from genbab.kernels.cpu.arrays import compact, empty, full
from genbab.kernels.cpu.threads import spread
from genbab.kernels.functions import Function
from genbab.kernels.torch import envelopes, splitting
from genbab.kernels.torch.splitting import Box, Grid

SHORT = 32
"""Rows with fewer numbers are not worth a loop of their own."""


def weights(form: Tensor, middle: Tensor, radius: Tensor, normal: Tensor, level: Tensor) -> Tensor:
    """`splitting.weights`."""
    shape = (len(middle), form.shape[1], level.shape[1])
    if 0 in (*shape, form.shape[-1]):
        return splitting.weights(form, middle, radius, normal, level)
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


def dual(form: Tensor, box: Box, normal: Tensor, level: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """`splitting.dual`."""
    shape = (len(box[0]), form.shape[1])
    if 0 in (*shape, form.shape[-1]):
        return splitting.dual(form, box, normal, level, weights)
    given = (t.detach().contiguous().numpy() for t in (*box, normal, level, weights))
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


def reach(form: Tensor, below: Tensor, above: Tensor, weight: Tensor) -> Tensor:
    """`splitting.reach`."""
    if 0 in (*weight.shape, form.shape[-1]):
        return splitting.reach(form, below, above, weight)
    found, array = empty(tuple(weight.shape), form)
    given = (t.detach().contiguous().numpy() for t in (form, below, above, weight))
    spread(branching.reach_rows, len(array), array[0].size * form.shape[2], *given, array)
    return found


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
