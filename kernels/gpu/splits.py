"""The kernels of branch and bound on GPU tensors: what surrounds the Triton kernels."""

from __future__ import annotations

import torch
import triton
from torch import Tensor

from genbab.kernels.functions import Function
from genbab.kernels.gpu.branching import (
    dual_kernel,
    reach_kernel,
    weights_kernel,
)
from genbab.kernels.gpu.envelopes import envelope_kernel
from genbab.kernels.gpu.launching import laid_out, on
from genbab.kernels.gpu.tables import points_kernel
from genbab.kernels.torch import envelopes, splitting
from genbab.kernels.torch.splitting import Box, Grid

LONGEST = 1024


def _block(columns: int) -> int:
    return int(max(32, min(LONGEST, triton.next_power_of_2(columns))))


def _packed(*tensors: Tensor) -> tuple[Tensor, ...]:
    return tuple(t.detach().contiguous() for t in tensors)


def weights(form: Tensor, middle: Tensor, radius: Tensor, normal: Tensor, level: Tensor) -> Tensor:
    """`splitting.weights`."""
    shape = (batch, rows, inputs) = (len(middle), form.shape[1], form.shape[2])
    halves = level.shape[1]
    if 0 in (*shape, halves):
        return splitting.weights(form, middle, radius, normal, level)
    mine, own, row = laid_out(form, shape)
    found, room = form.new_empty(batch, rows, halves), form.new_empty(shape)
    with on(form):
        weights_kernel[(batch * rows,)](
            mine, *_packed(middle, radius, normal, level), room, found, rows, inputs, halves, own, row,
            BLOCK=_block(inputs),
        )  # fmt: skip
    return found


def dual(form: Tensor, box: Box, normal: Tensor, level: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """`splitting.dual`."""
    shape = (batch, rows, inputs) = (len(box[0]), form.shape[1], form.shape[2])
    if 0 in shape:
        return splitting.dual(form, box, normal, level, weights)
    mine, own, row = laid_out(form, shape)
    value, size = form.new_empty(batch, rows), form.new_empty(batch, rows)
    with on(form):
        dual_kernel[(batch * rows,)](
            mine, *_packed(*box, normal, level, weights), value, size, rows, inputs, level.shape[1], own, row,
            BLOCK=_block(inputs),
        )  # fmt: skip
    return value, size


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
