"""What a sum or a product of float64 numbers loses by rounding, as a number: error-free transformations.

For numbers, arrays and tensors alike. TwoSum is Knuth's, TwoProduct Dekker's with the halves of Veltkamp
(Ogita, Rump and Oishi, Accurate sum and dot product, SIAM Journal on Scientific Computing, 2005).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import numpy.typing as npt
    from torch import Tensor

Numbers = TypeVar("Numbers", float, "npt.NDArray[Any]", "Tensor")

SPLIT = 2.0**27 + 1
"""Divides a float64 number into halves of 26 bits."""


def sum_error(a: Numbers, b: Numbers, total: Numbers) -> Numbers:
    """a + b - total, where that is the rounded sum: exactly, unless the sum overflows."""
    back = total - a
    lost: Numbers = (a - (total - back)) + (b - back)
    return lost


def product_error(a: Numbers, b: Numbers, product: Numbers) -> Numbers:
    """a · b - product, where that is the rounded product.

    Exactly where the halves of the numbers neither overflow nor underflow in products.
    """
    (a1, a2), (b1, b2) = _halves(a), _halves(b)
    lost: Numbers = a2 * b2 - (((product - a1 * b1) - a2 * b1) - a1 * b2)
    return lost


def _halves(a: Numbers) -> tuple[Numbers, Numbers]:
    wide = SPLIT * a
    high: Numbers = wide - (wide - a)
    low: Numbers = a - high
    return high, low
