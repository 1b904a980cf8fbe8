"""Choosing between whole tensors by masks of 0.0 and 1.0, and rounding them one way.

A select by a random boolean mask costs ten times an addition on CPUs, a blend by a float mask little more
than one.
"""

from __future__ import annotations

import torch
from torch import Tensor

Side = Tensor | bool
"""0.0 or False: the lower side; 1.0 or True: the upper."""


def blend(lower: Tensor, upper: Tensor, side: Side) -> Tensor:
    """lower where side is 0, upper where it is 1; exactly, if both are finite."""
    if isinstance(side, bool):
        return upper if side else lower
    return torch.lerp(lower, upper, side)


def blend_infinite(lower: Tensor, upper: Tensor, side: Side) -> Tensor:
    """The same for values that may be infinite."""
    if isinstance(side, bool):
        return upper if side else lower
    return torch.where(side > 0.5, upper, lower)


def flip_(x: Tensor, side: Side) -> Tensor:
    """x where side is 0, -x where it is 1, in place; x finite."""
    if isinstance(side, bool):
        return x.neg_() if side else x
    return x.addcmul_(x, side, value=-2.0)


def signed(x: Tensor, side: Side) -> Tensor:
    """x where side is 0, -x where it is 1; x may be infinite, and side of another dtype."""
    if isinstance(side, bool):
        return -x if side else x
    return x * torch.rsub(side, 1.0, alpha=2.0).to(x.dtype)


def less(a: Tensor, b: Tensor) -> Tensor:
    """1.0 where a < b, else 0.0, in the dtype of a."""
    return torch.lt(a, b, out=a.new_empty(common_shape(a.shape, b.shape)))


def better(c: Tensor, other: Tensor, side: Side) -> Tensor:
    """1.0 where `other` is the better of two candidates (smaller; on the upper side larger), else 0.0."""
    if isinstance(side, bool):
        return less(c, other) if side else less(other, c)
    mask = less(other, c)
    return torch.ne(mask, side, out=mask)


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
