"""Directed rounding of float64 results, and a typed broadcast."""

from __future__ import annotations

import torch
from torch import Tensor


def common_shape(*shapes: torch.Size | tuple[int, ...]) -> torch.Size:
    """The shape these broadcast to."""
    return torch.Size(torch.broadcast_shapes(*shapes))  # type: ignore[no-untyped-call]


def round_outward(c: Tensor, upper: Tensor | bool, dtype: torch.dtype) -> Tensor:
    """c in `dtype`, never above c where not upper, never below c where upper; float64 stays as it is."""
    if dtype == c.dtype:
        return c
    near = c.to(dtype)
    back = near.to(c.dtype)
    below, above = near.new_tensor(-torch.inf), near.new_tensor(torch.inf)
    down = torch.where(back > c, torch.nextafter(near, below), near)
    up = torch.where(back < c, torch.nextafter(near, above), near)
    if isinstance(upper, bool):
        return up if upper else down
    return torch.where(upper, up, down)
