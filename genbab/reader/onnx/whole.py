"""Which inputs of a model are whole numbers, and between which of them it is read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from genbab.network import WholeInputs
from genbab.reader.tensors.values import count

FIRST = 2**10
"""Until a question says more, inputs of more than 16 bits are taken to be at most so large."""


def whole_inputs(
    shapes: Sequence[tuple[int, ...]], kinds: Sequence[np.dtype[np.generic]]
) -> WholeInputs | None:
    """The inputs of integers and truth values; None where there are none."""
    ends = [(kind_limits(kind), count(shape)) for kind, shape in zip(kinds, shapes, strict=True)]
    mask = torch.cat([torch.full((size,), found is not None) for found, size in ends])
    if not mask.any():
        return None
    known = [(found, size) for found, size in ends if found is not None]
    low, high = (
        torch.cat([torch.full((size,), _first(found[k]), dtype=torch.float64) for found, size in known])
        for k in (0, 1)
    )
    return WholeInputs(mask.nonzero().squeeze(-1), low, high)


def _first(end: int) -> float:
    """The end of a type, or what stands for it until a question says more."""
    return float(end if abs(end) <= 1 << 16 else max(-FIRST, min(FIRST, end)))


def kind_limits(kind: np.dtype[np.generic]) -> tuple[int, int] | None:
    """The least and the largest number of a type of integers or truth values; None for other types."""
    if kind == np.bool_:
        return 0, 1
    ends = np.iinfo(kind.name) if kind.kind in "iu" else None
    return None if ends is None else (int(ends.min), int(ends.max))
