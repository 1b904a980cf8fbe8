"""Directed rounding of float64 results, and a typed broadcast."""

from __future__ import annotations

import torch
from torch import Tensor


def common_shape(*shapes: torch.Size | tuple[int, ...]) -> torch.Size:
    """The shape these broadcast to."""
    return torch.Size(torch.broadcast_shapes(*shapes))  # type: ignore[no-untyped-call]


def round_down(c: Tensor, dtype: torch.dtype) -> Tensor:
    """c (float64) in `dtype`: never above c, at most three units in the last place below; float64 is kept."""
    if dtype == c.dtype:
        return c
    limits = torch.finfo(dtype)
    lowered = c - c.abs().mul_(limits.eps).add_(2.0 * limits.tiny)
    return lowered.clamp_max_(limits.max).to(dtype)


def round_up(c: Tensor, dtype: torch.dtype) -> Tensor:
    """c (float64) in `dtype`, never below c."""
    return c if dtype == c.dtype else -round_down(-c, dtype)
