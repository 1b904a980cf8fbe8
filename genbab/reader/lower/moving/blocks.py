"""Depth to space and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from genbab.reader.lower.table import moves
from genbab.reader.tensors.values import Array, Op


@moves("DepthToSpace")
def _depth_to_space(op: Op, a: list[Any]) -> Array:
    n, c, h, w = a[0].shape
    s = op.integer("blocksize", 1)
    if op.text("mode", "DCR") == "DCR":
        return np.asarray(
            a[0].reshape(n, s, s, c // s**2, h, w).transpose(0, 3, 4, 1, 5, 2).reshape(n, -1, h * s, w * s)
        )
    return np.asarray(
        a[0].reshape(n, c // s**2, s, s, h, w).transpose(0, 1, 4, 2, 5, 3).reshape(n, -1, h * s, w * s)
    )


@moves("SpaceToDepth")
def _space_to_depth(op: Op, a: list[Any]) -> Array:
    n, c, h, w = a[0].shape
    s = op.integer("blocksize", 1)
    blocks = a[0].reshape(n, c, h // s, s, w // s, s).transpose(0, 3, 5, 1, 2, 4)
    return np.asarray(blocks.reshape(n, c * s * s, h // s, w // s))
