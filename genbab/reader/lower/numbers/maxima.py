"""The largest of groups of numbers: a balanced tree of max(a, b) = a + relu(b - a)."""

from __future__ import annotations

import numpy as np
import torch

from genbab.network import Compose, Diagonal
from genbab.reader.tensors.builder import Builder, index_map
from genbab.reader.tensors.functions import function
from genbab.reader.tensors.values import Array, Var


def tree_max(b: Builder, x: Var, groups: Array, shape: tuple[int, ...]) -> Var:
    """A tensor of this shape: entry g is the largest x.ravel()[groups[g, k]] over k.

    Every index must be >= 0.
    """
    columns = groups
    value = x
    while columns.shape[1] > 1:
        half = columns.shape[1] // 2
        left, right, rest = columns[:, :half], columns[:, half : 2 * half], columns[:, 2 * half :]
        pairs = b.affine(
            left.shape,
            [
                (value.node, index_map(right, value.size)),
                (value.node, Compose((index_map(left, value.size), _minus(left.size)))),
            ],
        )
        gain = b.nonlinear(function("relu"), pairs)
        places = np.concatenate([np.arange(left.size).reshape(left.shape), np.full(rest.shape, -1)], axis=1)
        kept = np.concatenate([left, rest], axis=1)
        value = b.affine(
            kept.shape, [(value.node, index_map(kept, value.size)), (gain.node, index_map(places, gain.size))]
        )
        columns = np.arange(kept.size).reshape(kept.shape)
    chosen = b.gather(value, columns.reshape(shape))
    assert isinstance(chosen, Var)
    return chosen


def _minus(size: int) -> Diagonal:
    return Diagonal(torch.full((size,), -1.0, dtype=torch.float64))
