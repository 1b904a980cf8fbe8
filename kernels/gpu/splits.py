"""The kernels of branch and bound on GPU tensors: what surrounds the Triton kernels."""

from __future__ import annotations

import torch
import triton
from torch import Tensor

from genbab.kernels.functions import Function
from genbab.kernels.gpu.branching import (
    children_kernel,
    dual_kernel,
    free_kernel,
    reach_kernel,
    weights_kernel,
)
from genbab.kernels.gpu.envelopes import envelope_kernel
from genbab.kernels.gpu.launching import grid, keys, laid_out, mask_of, on, shares, tables_of
from genbab.kernels.gpu.tables import points_kernel
from genbab.kernels.torch import envelopes, reference, splitting
from genbab.kernels.torch.splitting import Box, Grid

LONGEST = 1024


def _block(columns: int) -> int:
    return int(max(32, min(LONGEST, triton.next_power_of_2(columns))))


def _packed(*tensors: Tensor) -> tuple[Tensor, ...]:
    return tuple(t.detach().contiguous() for t in tensors)


def weights(form: Tensor, box: Box, normal: Tensor, level: Tensor) -> Tensor:
    """`splitting.weights`."""
    shape = (batch, rows, inputs) = (len(box[0]), form.shape[1], form.shape[2])
    halves = level.shape[1]
    if 0 in (*shape, halves):
        return splitting.weights(form, box, normal, level)
    middle, radius = (box[0] + box[1]) / 2, (box[1] - box[0]) / 2
    mine, own, row = laid_out(form, shape)
    found, room = form.new_empty(batch, rows, halves), form.new_empty(shape)
    with on(form):
        weights_kernel[(batch * rows,)](
            mine, *_packed(middle, radius, normal, level), room, found, rows, inputs, halves, own, row,
            BLOCK=_block(inputs),
        )  # fmt: skip
    return found


def dual(form: Tensor, box: Box, normal: Tensor, level: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """`reference.dual`."""
    shape = (batch, rows, inputs) = (len(box[0]), form.shape[1], form.shape[2])
    if 0 in shape:
        return reference.dual(form, box, normal, level, weight)
    mine, own, row = laid_out(form, shape)
    value, size = form.new_empty(batch, rows), form.new_empty(batch, rows)
    with on(form):
        dual_kernel[(batch * rows,)](
            mine, *_packed(*box, normal, level, weight), value, size, rows, inputs, level.shape[1], own, row,
            BLOCK=_block(inputs),
        )  # fmt: skip
    return value, size


def free_gains(
    fn: Function, a: Tensor, box: Box, slope: Tensor, intercept: Tensor, point: Tensor
) -> tuple[Tensor, Tensor]:
    """`splitting.free_gains`."""
    if a.numel() == 0:
        return splitting.free_gains(fn, a, box, slope, intercept, point)
    shape = (batch, rows, size) = tuple(a.shape)
    mine, k, c = (laid_out(t, shape) for t in (a, slope, intercept))
    l, u, cut = (laid_out(t, shape) for t in (*box, point))  # noqa: E741
    table, steepest, reach = tables_of(fn, a)
    gains = a.new_empty(shape), a.new_empty(shape)
    many = shares(batch, rows, size)
    with on(a):
        free_kernel[grid(batch, rows, many)](
            mine[0], k[0], c[0], l[0], u[0], cut[0], table, *gains, batch, rows, size,
            *mine[1:], *k[1:], *c[1:], l[1], u[1], cut[1],
            p=fn.parameter, steepest=steepest, reach=reach, **keys(rows, size), CODE=fn.code,
        )  # fmt: skip
    return gains


def reach(form: Tensor, below: Tensor, above: Tensor, weight: Tensor) -> Tensor:
    """`splitting.reach`."""
    count, rows, many = weight.shape
    inputs = form.shape[-1]
    if 0 in (count, rows, many, inputs):
        return splitting.reach(form, below, above, weight)
    found = form.new_empty(count, rows, many)
    with on(form):
        reach_kernel[(count * rows,)](
            *_packed(form, below, above, weight), found, rows, inputs, many,
            MANY=triton.next_power_of_2(many), BLOCK=_block(inputs),
        )  # fmt: skip
    return found


def children(
    box: Box, which: Tensor, neuron: Tensor, point: Tensor, hit: Tensor, marks: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """`splitting.children`."""
    count, size = len(which), box[0].shape[1]
    if 0 in (count, size):
        return splitting.children(box, which, neuron, point, hit, marks)
    low, high = _packed(*box)
    lower, upper = low.new_empty(2 * count, size), low.new_empty(2 * count, size)
    was = mask_of(hit if marks is None else marks.contiguous())
    marked = torch.empty(2 * count, size if marks is not None else 1, dtype=torch.bool, device=low.device)
    block = _block(size)
    with on(low):
        children_kernel[(2 * count, triton.cdiv(size, block))](
            low, high, was, *_packed(which, neuron, point.to(low.dtype), mask_of(hit)), lower, upper,
            mask_of(marked), count, size, size, size, size, MARKS=marks is not None, BLOCK=block,
        )  # fmt: skip
    return lower, upper, marked if marks is not None else None


def points(table: Grid, l: Tensor, u: Tensor, weight: Tensor) -> Tensor:  # noqa: E741
    """`splitting.points`."""
    if l.numel() == 0:
        return splitting.points(table, l, u, weight)
    found = torch.empty_like(l, memory_format=torch.contiguous_format)
    ends = (table.first, table.step, table.reach, *table.domain, table.widest)
    numbers = torch.tensor(ends, dtype=torch.float64, device=l.device)
    read = (table.centres, table.between, table.places, table.cells, table.aims, table.stops, table.jumps)
    longest = max(len(t) for t in (table.between, table.places, table.aims, table.jumps))
    block = 256
    with on(l):
        points_kernel[(triton.cdiv(l.numel(), block),)](
            *_packed(l, u, weight, *read), numbers, found, l.numel(),
            period=float(table.period), lines=table.rows, CENTRES=len(table.centres),
            BETWEEN=len(table.between), PLACES=len(table.places), AIMS=len(table.aims),
            STOPS=len(table.stops), JUMPS=len(table.jumps), DEPTH=longest.bit_length() + 1, BLOCK=block,
        )  # fmt: skip
    return found


def envelope(fn: Function, box: Box) -> tuple[Box, Box]:
    """`envelopes.envelope`."""
    low, high = _packed(*box)
    if low.numel() == 0:
        return envelopes.envelope(fn, box)
    found = low.new_empty(4, *low.shape)
    with on(low):
        envelope_kernel[(triton.cdiv(low.numel(), 256),)](
            low, high, *found.unbind(), low.numel(), CODE=fn.code, BLOCK=256
        )
    lower, upper, lows, highs = found.unbind()
    return (lower, upper), (lows, highs)
