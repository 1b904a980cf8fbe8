"""Tensors as the arrays that compiled loops take."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numba import config, get_num_threads, set_num_threads
from torch import Tensor

from genbab.kernels import conjugates
from genbab.kernels.functions import GATED, Function, gate


def compact(x: Tensor, rank: int) -> Any:
    """The tensor as a C-contiguous array of this rank with expanded axes of length 1; copies if it must."""
    x = x.detach()
    for axis, (size, stride) in enumerate(zip(x.shape, x.stride(), strict=True)):
        if size > 1 and stride == 0:
            x = x.narrow(axis, 0, 1)
    return x.reshape((1,) * (rank - x.dim()) + tuple(x.shape)).contiguous().numpy()


def full(x: Tensor, shape: tuple[int, ...]) -> Any:
    """The tensor, expanded to the shape, as a C-contiguous array."""
    return x.detach().expand(shape).contiguous().numpy()


def nothing(like: Any, rank: int) -> Any:
    """An array that stands for one that is not there."""
    return np.empty((1,) * rank, dtype=like.dtype)


def empty(shape: tuple[int, ...], like: Tensor) -> tuple[Tensor, Any]:
    """A new tensor and the array on its memory."""
    made = torch.empty(shape, dtype=like.dtype)
    return made, made.numpy()


def share_threads() -> None:
    """Compiled loops use as many threads as torch does."""
    settings: Any = config
    wanted = min(torch.get_num_threads(), settings.NUMBA_NUM_THREADS)
    if get_num_threads() != wanted:
        set_num_threads(wanted)


def full_rows(x: Any, a: Tensor) -> Any:
    """The array with as many neurons as a has."""
    if x.shape[-1] == a.shape[-1]:
        return x
    return np.ascontiguousarray(np.broadcast_to(x, (*x.shape[:-1], a.shape[-1])))


def ends_of(fn: Function, l: Tensor, u: Tensor) -> tuple[tuple[Any, ...], tuple[Any, Any]]:  # noqa: E741
    """((l, u, f(l), f(u)), where there is no (lower, upper) line), arrays (B or 1, 1, N)."""
    unknown = ~(torch.isfinite(l) & torch.isfinite(u))
    l, u = l.masked_fill(unknown, 1.0), u.masked_fill(unknown, 1.0)  # noqa: E741
    fl, fu = conjugates.value(fn, l), conjugates.value(fn, u)
    no_lower = no_upper = unknown
    if fn.name == "reciprocal":
        point = (l == 0) & (u == 0)
        no_lower, no_upper = (unknown | point | (within & (l <= 0) & (u >= 0)) for within in (l < 0, u > 0))
        fl, fu = fl.masked_fill(l == 0, torch.inf), fu.masked_fill(u == 0, -torch.inf)
    return tuple(compact(t, 3) for t in (l, u, fl, fu)), (compact(no_lower, 3), compact(no_upper, 3))


def tables_of(fn: Function, a: Tensor) -> tuple[Any, float, float]:
    """The tables of gelu and its like, and their two numbers; for other functions anything."""
    if fn.name not in GATED:
        return nothing(a.detach().numpy(), 1), 1.0, 1.0
    one = gate(fn.name, a.dtype, a.device)
    return torch.cat([one.convex, one.tail]).numpy(), one.steepest - 0.5, one.reach
