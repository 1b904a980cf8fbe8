"""The kernels in plain torch operations, one after the other: what runs unless another backend is named.

The callers' own lines of functions are faster here than the definition's, which compares all candidates. So
no function is to be asked for; everything else is the definition's, or what is faster on finite boxes.
"""

from __future__ import annotations

import torch
from torch import Tensor

from genbab.kernels.torch.reference import (
    Box,
    Concrete,
    ascend,
    dual,
    envelope,
    gradient,
    lines,
    points,
    prepare,
    reach,
    relax,
    softmax_planes,
    softmax_ready,
    softmax_values,
    weights,
)

__all__ = [
    "FUNCTIONS",
    "ascend",
    "concretise",
    "dual",
    "envelope",
    "gradient",
    "lines",
    "points",
    "prepare",
    "reach",
    "relax",
    "softmax_planes",
    "softmax_ready",
    "softmax_values",
    "weights",
]

FUNCTIONS: frozenset[str] = frozenset()


def concretise(
    form: Tensor, box: Box, constant: Tensor | None = None, *, corner: bool = False, size: bool = False
) -> Concrete:
    """As `reference.concretise` on finite boxes; NaN where a coefficient meets an infinite end."""
    low, high = box[0][:, None], box[1][:, None]
    at = torch.where(form > 0, low, high)
    bound = (form * at).sum(-1)
    wide = None
    if size:
        wide = (form.abs() @ torch.maximum(box[0].abs(), box[1].abs())[:, :, None]).squeeze(-1)
    return Concrete(bound if constant is None else bound + constant, at if corner else None, wide)
