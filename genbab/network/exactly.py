"""Where float64 computes a sum of products exactly, in whatever order: of numbers that have few digits.

A number is a multiple of its last digit, products are of the product of both; sums of multiples of a power of
two, none of which exceeds 2^53 times that, are not rounded.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from genbab.network.maps.base import LinearMap
from genbab.network.maps.weighted import Dense
from genbab.network.nodes import Affine

DIGITS = 52
"""Digits of which a sum is exact, one less than float64 has: sizes are computed with rounding."""

LEAST = -900
"""Numbers with a digit below 2^LEAST count as inexact: nothing is to underflow."""


def without_rounding(node: Affine, points: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """The value (B, N) of an exact node at `points` (B, M) of its sources, and whether it is exact (B,)."""
    value = node.bias.expand(points[0].shape[0] if points else 1, -1)
    sure = torch.ones(len(value), dtype=torch.bool, device=value.device)
    total, size, last = value, value.abs(), last_digit(value)
    for (_, one), x in zip(node.terms, points, strict=True):
        for part in one.parts:
            x, good = _applied(part, x)
            sure = sure & good
        total, size, last = total + x, size + x.abs(), torch.minimum(last, last_digit(x))
    return total, sure & _exact(size, last)


def exact_rows(matrix: Tensor, on_input: Tensor, y: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """The rows matrix·y + on_input·x (B, S) at y (B, O) and x (B, D), and where (B,) they are exact."""
    zeros = matrix.new_zeros(len(matrix))
    return without_rounding(Affine(((0, Dense(matrix)), (1, Dense(on_input))), zeros), [y, x])


def _applied(one: LinearMap, x: Tensor) -> tuple[Tensor, Tensor]:
    """The image (B, N) of x (B, M) under a map that is no composition, and whether it is exact (B,)."""
    weight, last = one.some_weight, last_digit(x)
    if weight is not None:
        last = last + last_digit(weight.reshape(1, -1))
    return one.apply(x), _exact(one.absolute().apply(x.abs()), last)


def _exact(size: Tensor, last: Tensor) -> Tensor:
    """Whether sums of absolute values `size` (B, N), of multiples of 2^last (B,), are exact in every row."""
    few = torch.log2(size.amax(-1).clamp_min(torch.finfo(size.dtype).tiny)) - last <= DIGITS
    return few & (last >= LEAST)


def last_digit(x: Tensor) -> Tensor:
    """(B,) the largest e (at most 0) such that every number of x (B, N) is a multiple of 2^e."""
    mantissa, exponent = torch.frexp(x)
    whole = torch.ldexp(mantissa.nan_to_num(), torch.tensor(53, device=x.device)).long()
    low = torch.log2((whole & -whole).clamp_min(1).double()).long()
    found = torch.where(whole == 0, 0, exponent - 53 + low).to(x.dtype)
    found = torch.where(torch.isfinite(x), found, 2.0 * LEAST)
    return found.amin(-1).clamp(max=0.0) if x.shape[-1] else found.new_zeros(len(x))
