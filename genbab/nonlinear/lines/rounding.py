"""Directed rounding of float64 results, and a typed broadcast."""

from __future__ import annotations

import torch
from torch import Tensor


def common_shape(*shapes: torch.Size | tuple[int, ...]) -> torch.Size:
    """The shape these broadcast to (torch's own function costs 50 µs a call and a slow import)."""
    first = shapes[0]
    if all(s == first for s in shapes):
        return torch.Size(first)
    rank = max(len(s) for s in shapes)
    padded = [(1,) * (rank - len(s)) + tuple(s) for s in shapes]
    sizes = [{n for n in axis if n != 1} for axis in zip(*padded, strict=True)]
    if any(len(n) > 1 for n in sizes):
        raise ValueError(f"shapes {', '.join(str(tuple(s)) for s in shapes)} do not broadcast")
    return torch.Size([n.pop() if n else 1 for n in sizes])


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
