"""Rows of a softmax's entries, replaced by planes of its arguments.

Entries of a row add up to 1, so a form of them is c and the same form with coefficients less c.
Axes: B boxes, R rows, G rows of the softmax with K entries each, N = G K.
"""

from __future__ import annotations

import numpy as np

from genbab.check.functions.softmax import SharePlanes, knapsack, planes
from genbab.check.intervals import UNIT, Array, gamma, magnitude
from genbab.check.model.program import SoftmaxStep
from genbab.check.model.values import Values, rows_of
from genbab.check.passes.sums import RowSums

MOST = 1 << 24  # coefficients of planes with points of their own


def default_planes(step: SoftmaxStep, number: int, values: Values) -> SharePlanes:
    """SharePlanes (B, G, ...) at the middle of the box."""
    if number not in values.planes:
        x, apart = rows_of(step, values.ranges)
        values.planes[number] = planes(x, apart, x[0] / 2 + x[1] / 2)
    return values.planes[number]


def carried(
    step: SoftmaxStep, number: int, values: Values, a: Array, account: RowSums, at: Array | None
) -> Array:
    """The coefficients (B, R, N) of the argument for those of the softmax; `at` (B, R, N): other points."""
    rows = a.reshape(*a.shape[:2], -1, step.length)
    if at is None or a.size * step.length > MOST:
        found = SharePlanes(*(part[:, None] for part in default_planes(step, number, values)))
    else:
        found = _at_points(step, values, np.broadcast_to(at, a.shape).reshape(rows.shape))
    low, high = (
        (matrix @ found.at[..., None])[..., 0] + icpt
        for matrix, icpt in ((found.below, found.low), (found.above, found.high))
    )
    c = knapsack(rows, low, high)
    up, down = np.maximum(rows - c, 0.0), np.minimum(rows - c, 0.0)
    size = magnitude(values.ranges[step.source]).reshape(len(a), 1, -1, step.length)
    size = np.where(np.isfinite(size), size, 0.0)[..., None]  # where it is not, planes are flat
    account.sum(c)
    total = np.zeros(rows.shape)
    for part, matrix, icpt in ((up, found.below, found.low), (down, found.above, found.high)):
        account.sum(part * icpt)
        owed = 2 * UNIT + gamma(2 * step.length + 8) * (np.abs(matrix) @ size)[..., 0]
        account.owe(np.abs(part) * owed)
        total = total + _times(part, matrix)
    return total.reshape(a.shape)


def _at_points(step: SoftmaxStep, values: Values, at: Array) -> SharePlanes:
    """SharePlanes (B, R, G, ...) at points of each row."""
    x, apart = rows_of(step, values.ranges)
    low, high = (np.broadcast_to(end[:, None], at.shape) for end in x)
    return planes((low, high), None if apart is None else (apart[0][:, None], apart[1][:, None]), at)


def _times(a: Array, matrix: Array) -> Array:
    """The sums of a (B, R, G, K) times matrices (B, R or 1, G, K, K) over their rows."""
    if matrix.shape[1] == a.shape[1]:
        return np.asarray((a[..., None, :] @ matrix)[..., 0, :])
    return np.asarray((a.swapaxes(1, 2) @ matrix[:, 0]).swapaxes(1, 2))
