"""How many roundings weights went through, and what single operations lost."""

from __future__ import annotations

import torch
from torch import Tensor

UNIT = 2.0**-53
"""Unit roundoff of float64: what one rounding to nearest may change, relative to the result."""

TINY = 2.0**-1000
"""Products below this are taken for results of underflow: what they lost is not relative to them."""

LEAST = 2.0**-1070
"""More than what one operation loses by underflow."""

MOST = 256
SPREAD = 16
"""Roundings are accounted for as relative ones up to so many, or so many times those of the sums; more are a
distance of their own.
"""


def relative(weight: Tensor, mass: Tensor, roundings: int) -> int | None:
    """The roundings k with roundings · UNIT · mass <= k · UNIT · |weight| in every entry, at most `MOST`.

    None where there is no such k: what a cancellation or an underflow left is no measure of what was lost.
    mass (like weight): the sum of the sizes of what was added up.
    """
    if not roundings or not weight.numel():
        return roundings
    used, size = mass > 0, weight.abs()
    if bool((used & ~(size >= TINY)).any()) or not bool(torch.isfinite(mass).all()):
        return None
    ratio = float(torch.where(used, mass / torch.where(used, size, 1.0), 1.0).max())
    wanted = roundings * ratio * (1 + 2.0**-20)
    return int(wanted) + 1 if wanted < max(MOST, SPREAD * roundings) else None


def of_error(value: Tensor, error: Tensor) -> int | None:
    """The least k with error <= k · UNIT · |value| in every entry; None where there is none up to `MOST`."""
    wrong = error != 0
    if not bool(wrong.any()):
        return 0
    size = value.abs()[wrong]
    if not bool((size > TINY).all()):
        return None
    ratio = float((error[wrong] / size).max()) / UNIT
    return int(ratio) + 1 if ratio < MOST else None


def of_product(weight: Tensor, factors: Tensor, product: Tensor) -> int | None:
    """The roundings, 0 or 1, of an elementwise product (broadcast); None where it leaves float64's range."""
    used = (weight != 0) & (factors != 0)
    if bool((used & ~(product.abs() >= TINY)).any()) or not bool(torch.isfinite(product).all()):
        return None
    return 0 if _bits(weight) + _bits(factors) <= 53 else 1


def grain(numbers: Tensor | None) -> int:
    """The largest g with every number a multiple of 2^g; 0 for none, and where all are 0."""
    if numbers is None:
        return 0
    _, low = _ends(numbers)
    return int(low.min()) if low.numel() else 0


def _bits(numbers: Tensor) -> int:
    """The most bits that a number has from its first to its last one."""
    top, low = _ends(numbers)
    return int((top - low).max()) if low.numel() else 0


def _ends(numbers: Tensor) -> tuple[Tensor, Tensor]:
    """Exponents of the first bit (from above) and of the last bit of every number but 0."""
    mantissa, exponent = torch.frexp(numbers[numbers != 0].double())
    whole = (mantissa.abs() * 2.0**53).long()
    last = torch.frexp((whole & -whole).double())[1] - 1
    return exponent, exponent - 53 + last
