"""What rounding and unknown digits may cost: γ, underflow, and the uncertainty of affine nodes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from genbab.network.nodes import Affine

Interval = tuple[Tensor, Tensor]
"""(lower, upper), each (B, N)."""


def gamma(terms: int, dtype: torch.dtype) -> float:
    """Relative error of a sum of `terms` products in any order, with room for a few more roundings."""
    unit = torch.finfo(dtype).eps / 2
    n = (terms + 8) * unit
    return 2 * n / (1 - n)


def underflow(terms: int, dtype: torch.dtype) -> float:
    """What a sum of `terms` products may lose because products underflow, whatever their sizes."""
    return (terms + 8) * torch.finfo(dtype).smallest_normal * torch.finfo(dtype).eps


def magnitude(interval: Interval) -> Tensor:
    """max |x| over the interval, (B, N)."""
    return torch.maximum(interval[0].abs(), interval[1].abs())


def uncertain(node: Affine, sizes: Sequence[Tensor]) -> Tensor | None:
    """How far the node's true value may be from what its numbers give, (B, N), rounded up; None for 0.

    That is beside its relative roundings. sizes: bounds (B, M) of the absolute values of `node.sources`.
    """
    constant, weights = node.uncertainty.constant, node.uncertainty.weights
    total, terms, gain = constant, 1, 1.0
    for (_, one), size in zip(weights, sizes[len(node.terms) :], strict=True):
        spread = one.apply(size)
        total, terms = spread if total is None else total + spread, terms + one.terms
        gain = max(gain, one.gain)
    if total is None:
        return None
    dtype = node.bias.dtype
    rounded = torch.nan_to_num(total, nan=torch.inf, posinf=torch.inf) * (1 + gamma(terms, dtype))
    return rounded + underflow(terms, dtype) * gain
