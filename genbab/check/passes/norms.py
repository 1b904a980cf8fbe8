"""Rows of a norm's entries, replaced by planes of its arguments.

Axes: B boxes, R rows, G rows of the norm with K entries each, N = G K.
"""

from __future__ import annotations

import numpy as np

from genbab.check.functions.norm import planes
from genbab.check.functions.softmax import SharePlanes
from genbab.check.intervals import Array, Pair
from genbab.check.model.program import NormedStep
from genbab.check.model.values import Values, norm_rows
from genbab.check.passes.sums import RowSums


def carried(step: NormedStep, values: Values, a: Array, account: RowSums, shift: Array | None) -> Array:
    """The coefficients (B, R, N) of the argument for those of the norm; `shift` (B, R, N): of the slopes."""
    rows = a.reshape(*a.shape[:2], -1, step.length)
    moved = None if shift is None else np.broadcast_to(shift, a.shape).reshape(rows.shape)
    k, c = _found(step, values, rows, moved)
    account.sum(c)
    return k.reshape(a.shape)


def entry_planes(step: NormedStep, values: Values) -> SharePlanes:
    """Planes (B, G, ...) below and above every entry."""
    unit = np.eye(step.length)[:, None]
    ends = [_found(step, values, sign * unit, None) for sign in (1.0, -1.0)]
    (below, low), (above, high) = (tuple(part.swapaxes(1, 2) for part in end) for end in ends)
    return SharePlanes(below, low, -above, -high, np.zeros_like(low))


def _found(step: NormedStep, values: Values, a: Array, shift: Array | None) -> Pair:
    x, squares = norm_rows(step, values.ranges)
    wide = [(low[:, None], high[:, None]) for low, high in (x, squares)]
    return planes(wide[0], wide[1], step.floor, a, shift)
