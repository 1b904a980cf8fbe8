"""Floating-point formats, and what one rounding in each may change."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Format:
    """A binary format of IEEE 754, or of the same kind.

    unit: the most that rounding to nearest changes, relative to the result; tiny: the least normal number,
    more than what underflow or flushing to zero changes; largest: the largest finite number.
    """

    name: str
    unit: float
    tiny: float
    largest: float

    @property
    def wide(self) -> Format:
        """The shortest format that sums of its numbers are kept in."""
        return FLOAT32 if self.unit > FLOAT32.unit else self

    @property
    def short(self) -> bool:
        """Whether its numbers may be kept in a wider format instead of being rounded to it."""
        return self.wide is not self

    def gamma(self, roundings: Tensor | float) -> Tensor:
        """n·u / (1 - n·u): the most that n roundings one after the other change; infinite where n·u >= 1.

        Higham, Accuracy and Stability of Numerical Algorithms, lemma 3.1.
        """
        product = torch.as_tensor(roundings, dtype=torch.float64) * self.unit
        found = product / (1.0 - product) * (1.0 + 2.0**-40)
        return torch.where(product < 1.0, found, torch.inf)


FLOAT64 = Format("float64", 2.0**-53, 2.0**-1022, torch.finfo(torch.float64).max)
FLOAT32 = Format("float32", 2.0**-24, 2.0**-126, torch.finfo(torch.float32).max)
FLOAT16 = Format("float16", 2.0**-11, 2.0**-14, 65504.0)
BFLOAT16 = Format("bfloat16", 2.0**-8, 2.0**-126, torch.finfo(torch.bfloat16).max)

FORMATS = {made.name: made for made in (FLOAT64, FLOAT32, FLOAT16, BFLOAT16)}
"""The formats by name."""
