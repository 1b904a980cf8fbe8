"""`AffineGrid`: places of an image, linear in the matrix that moves them."""

from __future__ import annotations

import numpy as np

from genbab.reader.lower.algebra.linear import matmul_near
from genbab.reader.lower.table import lowering
from genbab.reader.tensors.builder import Builder
from genbab.reader.tensors.values import Op, Refused, Value, Var, known_integers, needed


@lowering("AffineGrid", how="affine")
def _affine_grid(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    """theta (N, rank, rank + 1) applied to the coordinates, -1 to 1, of an image of this size (N, C, ...)."""
    theta, size = needed(inputs, 0), known_integers(needed(inputs, 1), "the size of its image")
    if not isinstance(theta, Var):
        raise Refused("a grid of constants")
    rank, corners = len(size) - 2, op.integer("align_corners", 0)
    if corners and 1 in size[2:]:
        raise Refused("align_corners=1 with an axis of one entry: its place is left open")
    axes = []
    for n in size[2:]:
        step = np.arange(n, dtype=np.float64)
        axes.append(step * 2 / max(n - 1, 1) - 1 if corners else (step * 2 + 1) / n - 1)
    grid = np.stack([*np.meshgrid(*axes, indexing="ij")[::-1], np.ones(size[2:])], axis=-1)
    table = grid.reshape(-1, rank + 1).T
    off = np.where(np.arange(rank + 1)[:, None] < rank, 2.0**-51, 0.0) * np.ones_like(table)
    made = matmul_near(b, theta.reshaped((size[0] * rank, rank + 1)), (table, off))
    places = np.arange(made.size).reshape(size[0], rank, -1)
    return b.gather(made, np.swapaxes(places, 1, 2).reshape(size[0], *size[2:], rank))
