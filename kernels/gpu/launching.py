"""How kernels are laid over rows: what all of them share.

A program works on a block of rows of one domain and a share of the neurons; shares are added up afterwards in
a fixed order, so results do not depend on scheduling. Rows may lie anywhere as long as a row's own numbers
are neighbours; offsets are 64-bit.
"""

from __future__ import annotations

import contextlib
from typing import Any

import torch
import triton
from torch import Tensor

from genbab.kernels.functions import GATED, Function, gate

PROGRAMS = 1024
"""About how many programs keep a GPU busy."""

_SIZES = ((1, 1024, 4), (4, 256, 4), (8, 128, 4), (16, 64, 4), (1, 256, 2))

CONFIGS = [triton.Config({"ROWS": r, "COLUMNS": c}, num_warps=w) for r, c, w in _SIZES]
"""Blocks that are tried once for each kernel, dtype, and power of two of rows and neurons."""

if triton.knobs.runtime.interpret:
    CONFIGS = [triton.Config({"ROWS": 4, "COLUMNS": 64}, num_warps=1)]

tuned = triton.autotune(CONFIGS, key=["ROWS_KEY", "COLUMNS_KEY"])

tuned_in_place = triton.autotune(
    CONFIGS, key=["ROWS_KEY", "COLUMNS_KEY"], restore_value=["mean", "square", "value"]
)
"""For kernels that change what they read: trying a block must not change it."""


def laid_out(x: Tensor, shape: tuple[int, ...]) -> tuple[Tensor, int, int]:
    """(tensor, strides of its first two axes) expanded to (B, S, N), neighbours along the last axis."""
    x = x.detach()
    if x.dim() < 3:
        x = x.reshape((1,) * (3 - x.dim()) + tuple(x.shape))
    if x.shape[-1] != shape[-1] or (x.stride(-1) != 1 and shape[-1] > 1):
        x = x.expand(*x.shape[:-1], shape[-1]).contiguous()
    x = x.expand(shape)
    return x, x.stride(0), x.stride(1)


def mask_of(x: Tensor) -> Tensor:
    """A mask in a dtype that kernels read."""
    return x.view(torch.uint8) if x.dtype == torch.bool else x


def shares(batch: int, rows: int, columns: int) -> int:
    """Into how many shares the neurons are cut so that there are enough programs."""
    blocks = batch * triton.cdiv(rows, 4)
    return int(max(1, min(triton.cdiv(columns, 512), PROGRAMS // max(1, blocks))))


def grid(batch: int, rows: int, cut: int) -> Any:
    """The launch grid for a kernel with a block size of rows."""
    return lambda chosen: (batch * triton.cdiv(rows, chosen["ROWS"]), cut)


def keys(rows: int, columns: int) -> dict[str, int]:
    """What a tuned choice of blocks is remembered by."""
    return {"ROWS_KEY": triton.next_power_of_2(rows), "COLUMNS_KEY": triton.next_power_of_2(columns)}


def total(partial: Tensor) -> Tensor:
    """The sum of the shares (cut, B, S)."""
    return partial[0] if partial.shape[0] == 1 else partial.sum(0)


def on(x: Tensor) -> Any:
    """The device of the tensor as the current one."""
    return torch.cuda.device(x.device) if x.is_cuda else contextlib.nullcontext()


def tables_of(fn: Function, a: Tensor) -> tuple[Tensor, float, float]:
    """The tables of gelu and its like, and their two numbers; for other functions anything."""
    if fn.name not in GATED:
        return a, 1.0, 1.0
    one = gate(fn.name, a.dtype, a.device)
    return torch.cat([one.convex, one.tail]), one.steepest, one.reach
