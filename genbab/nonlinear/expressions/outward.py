"""Interval arithmetic in float64, rounded outward: ends are tensors, infinite where nothing is known."""

from __future__ import annotations

import torch
from torch import Tensor

from genbab.error_free import sum_error

Ends = tuple[Tensor, Tensor]


def down(x: Tensor) -> Tensor:
    """The next number below."""
    return torch.nextafter(x, torch.full_like(x, -torch.inf))


def up(x: Tensor) -> Tensor:
    """The next number above."""
    return torch.nextafter(x, torch.full_like(x, torch.inf))


def add(x: Ends, y: Ends) -> Ends:
    """x + y; exact sums stay as they are."""
    low, high = x[0] + y[0], x[1] + y[1]
    low = torch.where(sum_error(x[0], y[0], low) != 0, down(low), low)
    high = torch.where(sum_error(x[1], y[1], high) != 0, up(high), high)
    return low.nan_to_num(-torch.inf, torch.inf, -torch.inf), high.nan_to_num(
        torch.inf, torch.inf, -torch.inf
    )


def scale(x: Ends, by: float) -> Ends:
    """x times a number."""
    low, high = (x[0] * by, x[1] * by) if by >= 0 else (x[1] * by, x[0] * by)
    if abs(by) == 1.0:
        return low, high
    low = torch.where(low == 0, torch.minimum(low, -_lost(x, by)), down(low))
    high = torch.where(high == 0, torch.maximum(high, _lost(x, by)), up(high))
    return low.nan_to_num(-torch.inf, torch.inf, -torch.inf), high.nan_to_num(
        torch.inf, torch.inf, -torch.inf
    )


def _lost(x: Ends, by: float) -> Tensor:
    """The least positive number where a product may have vanished, 0 where it is 0."""
    some = (x[0] != 0) | (x[1] != 0)
    return torch.where(some & (by != 0), 5e-324, 0.0)


def multiply(x: Ends, y: Ends) -> Ends:
    """x · y; an unbounded factor times 0 is 0."""
    products = torch.stack([a * b for a in x for b in y]).nan_to_num(0.0, torch.inf, -torch.inf)
    low, high = products.amin(0), products.amax(0)
    zero = ((x[0] == 0) & (x[1] == 0)) | ((y[0] == 0) & (y[1] == 0))
    low = torch.where(zero | ((low == 0) & _one_sided(x, y)), low, down(low))
    high = torch.where(zero | ((high == 0) & _one_sided(x, y)), high, up(high))
    return low, high


def _one_sided(x: Ends, y: Ends) -> Tensor:
    """Whether an end 0 of the product is exact: a factor is 0 there, and nothing underflowed."""
    return (x[0] == 0) | (x[1] == 0) | (y[0] == 0) | (y[1] == 0)


def square(x: Ends) -> Ends:
    """x², never below 0."""
    low, high = multiply(x, x)
    inner = torch.minimum(x[0].abs(), x[1].abs())
    least = torch.where((x[0] <= 0) & (x[1] >= 0), 0.0, down(inner * inner).clamp_min(0.0))
    return torch.maximum(low, least), high


def size(x: Ends) -> Tensor:
    """The largest absolute value."""
    return torch.maximum(x[0].abs(), x[1].abs())


def widen(x: Ends, by: Tensor) -> Ends:
    """x with this much room on both sides."""
    low, high = x[0] - by, x[1] + by
    low = torch.where(by == 0, x[0], down(low))
    high = torch.where(by == 0, x[1], up(high))
    return low.nan_to_num(-torch.inf, torch.inf, -torch.inf), high.nan_to_num(
        torch.inf, torch.inf, -torch.inf
    )


def meet(x: Ends, y: Ends) -> Ends:
    """What both enclose."""
    return torch.maximum(x[0], y[0]), torch.minimum(x[1], y[1])


def hull(parts: list[Tensor]) -> Ends:
    """The range of some tensors, elementwise; unbounded where one is NaN."""
    stacked = torch.stack(parts)
    return (
        stacked.nan_to_num(-torch.inf, torch.inf, -torch.inf).amin(0),
        stacked.nan_to_num(torch.inf, torch.inf, -torch.inf).amax(0),
    )
