"""Tensors as the arrays that compiled loops take."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from genbab.kernels.cpu.rows import end_rows
from genbab.kernels.functions import GATED, Function, gate


def compact(x: Tensor, rank: int) -> Any:
    """The tensor as a C-contiguous array of this rank with expanded axes of length 1; copies if it must."""
    if x.requires_grad:
        x = x.detach()
    if x.dim() == rank and x.is_contiguous():
        return x.numpy()
    for axis, (size, stride) in enumerate(zip(x.shape, x.stride(), strict=True)):
        if size > 1 and stride == 0:
            x = x.narrow(axis, 0, 1)
    return x.reshape((1,) * (rank - x.dim()) + tuple(x.shape)).contiguous().numpy()


def full(x: Tensor, shape: tuple[int, ...]) -> Any:
    """The tensor, expanded to the shape, as a C-contiguous array."""
    return x.detach().expand(shape).contiguous().numpy()


def empty(shape: tuple[int, ...], like: Tensor) -> tuple[Tensor, Any]:
    """A new tensor and the array on its memory."""
    made = torch.empty(shape, dtype=like.dtype)
    return made, made.numpy()


def several(count: int, like: Tensor) -> tuple[tuple[Tensor, ...], list[Any]]:
    """So many new tensors of the shape of another, and the arrays on their memory, which is one piece."""
    whole = torch.empty((count, *like.shape), dtype=like.dtype)
    return whole.unbind(), list(whole.numpy())


def full_rows(x: Any, a: Tensor) -> Any:
    """The array with as many neurons as a has."""
    if x.shape[-1] == a.shape[-1]:
        return x
    return np.ascontiguousarray(np.broadcast_to(x, (*x.shape[:-1], a.shape[-1])))


def ends_of(fn: Function, l: Tensor, u: Tensor) -> tuple[tuple[Any, ...], tuple[Any, Any], bool]:  # noqa: E741
    """((l, u, f(l), f(u)), where there is no (lower, upper) line: (B or 1, 1, N) each; whether anywhere)."""
    low, high = compact(l, 3), compact(u, 3)
    if low.shape != high.shape:
        low, high = np.broadcast_arrays(low, high)
        low, high = np.ascontiguousarray(low), np.ascontiguousarray(high)
    ends, none = np.empty((4, *low.shape), low.dtype), np.empty((2, *low.shape), np.bool_)
    is_open = False
    if low.size:
        flat = low.reshape(-1), high.reshape(-1), ends.reshape(4, -1), none.reshape(2, -1)
        is_open = end_rows(fn.code, fn.parameter, *flat)
    return tuple(ends), (none[0], none[1]), is_open


def tables_of(fn: Function, a: Tensor) -> tuple[Any, float, float]:
    """The tables of gelu and its like, and their two numbers; for other functions anything."""
    return _tables(fn.name, a.dtype)


@cache
def _tables(name: str, dtype: torch.dtype) -> tuple[Any, float, float]:
    if name not in GATED:
        return torch.empty(1, dtype=dtype).numpy(), 1.0, 1.0
    one = gate(name, dtype, torch.device("cpu"))
    return torch.cat([one.convex, one.tail]).numpy(), one.steepest - 0.5, one.reach
