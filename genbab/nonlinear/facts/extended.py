"""Closed forms of points of given slope that stay finite: "beyond every box" is 1e30 and not infinity.

log and sqrt of 0 and infinity take a slow path in some vector libraries (thirty times the usual cost for
whole arrays), and 0*inf is NaN in later blends.
"""

from __future__ import annotations

import torch
from torch import Tensor

FAR = 1e30
TINY = 1e-36


def log(k: Tensor) -> Tensor:
    """log(k) for k > 0; beyond every box to the left for k < 0."""
    return k.clamp_min(TINY).log_().add_(k.clamp_max(0.0), alpha=FAR)


def below(peak: float, k: Tensor) -> float:
    """The largest number below `peak` in the dtype of k, about."""
    return peak * (1.0 - torch.finfo(k.dtype).eps)


def positive(k: Tensor) -> Tensor:
    """k, at least 1e-36."""
    return k.clamp_min(TINY)
