"""Random weights of turns."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor


def contracting(size: int, norm: float, seed: int) -> Tensor:
    """A random square matrix of this 2-norm."""
    matrix = torch.randn(size, size, generator=torch.Generator().manual_seed(seed))
    return cast(Tensor, norm * matrix / torch.linalg.matrix_norm(matrix, 2))
