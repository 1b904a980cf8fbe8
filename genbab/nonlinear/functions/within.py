"""within(low, high): x itself, defined for low <= x <= high only."""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

from genbab.errors import UsageError
from genbab.nonlinear.facts.record import Nonlinearity
from genbab.nonlinear.facts.registry import register


def _value(x: Tensor, low: float, high: float) -> Tensor:
    return torch.where((x >= low) & (x <= high), x, torch.nan)


def within(low: float, high: float) -> Nonlinearity:
    """x for low <= x <= high, elsewhere undefined; UsageError unless low < high, one of them finite."""
    low, high = float(low), float(high)
    if not low < high or math.isinf(low) and math.isinf(high):
        raise UsageError(f"within({low:g}, {high:g}): the limits must ascend, and one must be finite")
    return Nonlinearity(
        "within",
        functools.partial(_value, low=low, high=high),
        torch.ones_like,
        params=(low, high),
        curvature=(0,),
        domain=(low, high),
        noise=0.0,
        second=torch.zeros_like,
    )


register("within", within, [(-1.0, 2.0), (0.0, 255.5)])
