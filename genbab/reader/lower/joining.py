"""Tensors put together from others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from genbab.reader.builder import Builder
from genbab.reader.lower.movement import arrange
from genbab.reader.values import Masked, Value


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
