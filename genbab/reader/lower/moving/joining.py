"""Tensors put together from others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from genbab.network import Index, LinearMap
from genbab.reader.tensors.arrange import arrange
from genbab.reader.tensors.builder import Builder
from genbab.reader.tensors.values import Masked, Value, Var


def stacked(b: Builder, parts: Sequence[Value]) -> Value:
    """Tensors of one shape along a new first axis."""
    (made,) = arrange(b, parts, lambda arrays: [np.stack(arrays)])
    assert not isinstance(made, Masked)
    return made


def concatenated(b: Builder, parts: Sequence[Value], axis: int) -> Value:
    """Tensors one after the other along an axis."""
    (made,) = arrange(b, parts, lambda arrays: [np.concatenate(arrays, axis=axis)])
    assert not isinstance(made, Masked)
    return made


def in_one_vector(builder: Builder, outputs: list[Var]) -> Var:
    """All outputs in one vector."""
    total = sum(o.size for o in outputs)
    start = 0
    terms: list[tuple[int, LinearMap]] = []
    builder.label = "outputs"
    for output in outputs:
        index = torch.full((total,), -1, dtype=torch.long)
        index[start : start + output.size] = torch.arange(output.size)
        terms.append((output.node, Index(index, output.size)))
        start += output.size
    return builder.affine((total,), terms)
