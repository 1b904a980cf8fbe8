"""Sums over the neurons of a node, and lines picked by the signs of coefficients."""

from __future__ import annotations

import torch
from torch import Tensor

Slopes = tuple[Tensor, ...]
"""One tensor per argument of the function."""

Line = tuple[Slopes, Tensor]
"""(slopes, intercept)."""


def dot(a: Tensor, c: Tensor) -> Tensor:
    """Σ a·c over the last axis, where 0 times infinity counts 0; a (B, S, N), c (B or 1, S or 1, N)."""
    total = (a @ c.mT).squeeze(-1) if c.shape[-2] == 1 else (a * c).sum(-1)
    if bool(torch.isfinite(total).all()):
        return total
    return torch.where(a == 0, 0.0, a * c).sum(-1)


def side_of(a: Tensor) -> Tensor:
    """1.0 where coefficients take the upper line, else 0.0."""
    return torch.lt(a, 0.0, out=torch.empty_like(a, memory_format=torch.contiguous_format))


def picked(a: Tensor, lower: Line, upper: Line) -> Line:
    """The line of each entry of a (B, S, N): `lower` where a >= 0, `upper` where a < 0; finite slopes."""
    side, low, high = side_of(a), lower[1], upper[1]
    slopes = tuple(torch.lerp(k, u, side) for k, u in zip(lower[0], upper[0], strict=True))
    finite = bool(torch.isfinite(low).all()) and bool(torch.isfinite(high).all())
    return slopes, torch.lerp(low, high, side) if finite else torch.where(a < 0, high, low)
