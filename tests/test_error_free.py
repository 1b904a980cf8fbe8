"""What sums and products lose is what rational arithmetic says, for numbers, arrays and tensors."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from genbab.error_free import product_error, sum_error

KINDS: dict[str, Callable[[Any], Any]] = {"array": np.asarray, "tensor": torch.from_numpy}


def drawn(seed: int) -> tuple[Any, Any]:
    """Numbers of many sizes and of both signs, a few of them 0 or near those of the other."""
    random = np.random.default_rng(seed)
    a, b = (random.standard_normal(500) * 2.0 ** random.integers(-80, 80, 500) for _ in range(2))
    a[:20], b[20:40] = 0.0, 0.0
    b[40:200] = -a[40:200] * (1 + random.integers(-3, 4, 160) * 2.0**-52)
    return a, b


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", KINDS)
def test_of_arrays_and_tensors(kind: str, seed: int) -> None:
    a, b = drawn(seed)
    x, y = KINDS[kind](a), KINDS[kind](b)
    of_sum, of_product = sum_error(x, y, x + y).tolist(), product_error(x, y, x * y).tolist()
    for i, (p, q) in enumerate(zip(a.tolist(), b.tolist(), strict=True)):
        assert Fraction(of_sum[i]) == Fraction(p) + Fraction(q) - Fraction(p + q)
        assert Fraction(of_product[i]) == Fraction(p) * Fraction(q) - Fraction(p * q)


def test_of_numbers() -> None:
    a, b = drawn(9)
    for p, q in zip(a.tolist(), b.tolist(), strict=True):
        assert Fraction(sum_error(p, q, p + q)) == Fraction(p) + Fraction(q) - Fraction(p + q)
        assert Fraction(product_error(p, q, p * q)) == Fraction(p) * Fraction(q) - Fraction(p * q)
