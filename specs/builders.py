"""Specifications for people, without a file."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from genbab.errors import SpecError
from genbab.specs.spec import Clause, Floats, Spec


def robustness(
    x: ArrayLike, label: int, n_classes: int, epsilon: ArrayLike, clip: tuple[float, float] | None = None
) -> Spec:
    """Unsafe: another class reaches at least the output of `label` somewhere in the L-infinity ball around x.

    x has D numbers of any shape, epsilon is one radius or D of them, clip = (lowest, highest) input value.
    The box holds the real ball: x - epsilon is rounded down, x + epsilon up. One clause of one row per other
    class, in order. Raises SpecError for numbers that are not finite, a negative radius, an impossible label,
    or an x that is outside clip by more than the radius.
    """
    centre = np.array(x, np.float64).reshape(-1)
    radius = np.array(epsilon, np.float64).reshape(-1)
    if radius.size not in (1, centre.size):
        raise SpecError(f"epsilon has {radius.size} values, expected 1 or {centre.size}")
    numbers = np.concatenate([centre, radius])
    if not centre.size or not np.isfinite(numbers).all() or (radius < 0).any():
        raise SpecError("x and epsilon must be finite numbers, at least one, epsilon not negative")
    if n_classes < 2 or not 0 <= label < n_classes:
        raise SpecError(f"label {label} of {n_classes} classes: expected 0 <= label < n_classes >= 2")
    lower, upper = -_sum_up(-centre, radius), _sum_up(centre, radius)
    if clip is not None:
        lower, upper = np.maximum(lower, clip[0]), np.minimum(upper, clip[1])
        if not (lower <= upper).all():
            i = int(np.argmax(~(lower <= upper)))
            raise SpecError(f"input {i} is {centre[i]}: its ball does not meet clip = {clip}")
    others = [j for j in range(n_classes) if j != label]
    rows = np.zeros((n_classes - 1, 1, n_classes))
    rows[:, 0, label] = 1.0
    rows[np.arange(n_classes - 1), 0, others] = -1.0
    clauses = tuple(Clause(0, row, None, np.zeros(1)) for row in rows)
    return Spec(lower[None], upper[None], clauses, n_classes)


def _sum_up(a: Floats, b: Floats) -> Floats:
    """The smallest float64 >= a + b, elementwise (the error of the sum is exact: Knuth's TwoSum)."""
    total = a + b
    part = total - a
    error = (a - (total - part)) + (b - part)
    return np.where(error > 0, np.nextafter(total, np.inf), total)
