"""Regions of inputs and claims about outputs, in the words of the field; all are `Statement`s."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from math import comb
from typing import Any

import numpy as np

from genbab.errors import SpecError
from genbab.specs.lowering.formula import MAX_CLAUSES
from genbab.specs.numbers.arrays import Floats
from genbab.specs.numbers.exact import Ends, around, exact, exact_array
from genbab.specs.words.statements import InBall, Range, Statement, all_of, any_of
from genbab.specs.words.terms import Terms
from genbab.specs.words.variables import SourceVariable

SAID = 3
"""How many places are named where more are wrong."""

Clip = tuple[Any, Any] | None
"""The lowest and highest value of an input, numbers or arrays."""


def box(x: Terms, lower: Any, upper: Any) -> Statement:
    """lower <= x <= upper; numbers or arrays of the shape of x.

    Raises SpecError for other shapes, and where a number of `lower` is above that of `upper`.
    """
    inside = all_of([x >= lower, x <= upper])
    if not isinstance(lower, Terms) and not isinstance(upper, Terms):
        _check_order(
            np.broadcast_to(exact_array(lower), x.shape), np.broadcast_to(exact_array(upper), x.shape)
        )
    return inside


def _check_order(lower: Any, upper: Any) -> None:
    """Raises SpecError where a lower end is above the upper one: the box would have no point."""
    crossed = [tuple(place) for place in np.argwhere((lower > upper).astype(bool)).tolist()]
    if not crossed:
        return
    said = [f"{lower[place]} > {upper[place]} at {list(place)}" for place in crossed[:SAID]]
    more = f" and at {len(crossed) - SAID} more places" if len(crossed) > SAID else ""
    raise SpecError(f"box: lower is above upper, {', '.join(said)}{more}; expected lower <= upper")


def linf(x: Terms, centre: Any, radius: Any, clip: Clip = None) -> Statement:
    """|x - centre| <= radius in every entry, and clip[0] <= x <= clip[1].

    radius: one number ("8/255" is exact) or an array, one per entry. The real ball is inside the region.
    Raises SpecError for shapes that do not fit and a centre whose ball does not meet clip.
    """
    variables, middle = _centred(x, centre)
    wide = exact_array(radius).reshape(-1)
    if wide.size not in (1, middle.size) or any(r < 0 for r in wide):
        raise SpecError(f"the radius must be one number >= 0, or {middle.size} of them")
    lower, upper = _clipped(middle, around(middle, wide), clip)
    names = tuple(variables)
    return Range(names, lower, False, False) & Range(names, upper, True, False)


def l2(x: Terms, centre: Any, radius: Any, clip: Clip = None) -> Statement:
    """The Euclidean distance of x from the centre is at most the radius, and clip[0] <= x <= clip[1].

    Raises SpecError as `linf`, and for a negative radius.
    """
    return _ball(x, centre, radius, clip, 2)


def l1(x: Terms, centre: Any, radius: Any, clip: Clip = None) -> Statement:
    """The sum of |x - centre| is at most the radius, and clip[0] <= x <= clip[1]; raises as `l2`."""
    return _ball(x, centre, radius, clip, 1)


def classified(y: Terms, label: int) -> Statement:
    """The output `label` is larger than every other; raises SpecError for a label that is not there."""
    label = _class(y, label)
    flat = y.reshape(y.size)
    return all_of([flat[label] > flat[j] for j in range(y.size) if j != label])


def among_top(y: Terms, label: int, k: int) -> Statement:
    """Fewer than k of the other outputs are as large as the output `label`.

    Raises SpecError for a label that is not there, k out of 1 <= k < number of outputs, and too many choices.
    """
    label, n = _class(y, label), y.size
    if not 1 <= k < n:
        raise SpecError(f"k is {k}, expected 1 <= k < {n}")
    if comb(n - 1, k) > MAX_CLAUSES:
        raise SpecError(f"{comb(n - 1, k)} choices of {k} of {n - 1} outputs are too many")
    flat = y.reshape(n)
    larger = {j: flat[label] > flat[j] for j in range(n) if j != label}
    return all_of([any_of([larger[j] for j in group]) for group in combinations(larger, k)])


def _class(y: Terms, label: int) -> int:
    if y.size < 2 or isinstance(label, bool) or not isinstance(label, int | np.integer):
        raise SpecError(f"the label {label!r} of {y.size} outputs: expected a whole number, and 2 outputs")
    if not 0 <= label < y.size:
        raise SpecError(f"label {label} of {y.size} classes: expected 0 <= label < {y.size}")
    return int(label)


def _centred(x: Terms, centre: Any) -> tuple[list[SourceVariable], Floats]:
    """The variables of x and the centre as float64, both flat."""
    variables = x.variables()
    if variables is None or any(v.source.computed for v in variables):
        raise SpecError("a ball is around inputs: x = Input(5), or a part of it")
    if len(set(variables)) != len(variables):
        raise SpecError("an input occurs twice in a ball")
    values = exact_array(centre)
    if values.dtype == object or values.size != len(variables):
        kind = "no float64" if values.dtype == object else f"{values.size} numbers"
        raise SpecError(f"the centre has {kind}, expected {len(variables)} float64 numbers")
    return variables, np.asarray(values, np.float64).reshape(-1)


def _clipped(middle: Floats, ends: tuple[Ends, Ends], clip: Clip) -> tuple[Ends, Ends]:
    if clip is None:
        return ends
    try:
        limits = [Ends.of(exact_array(c).reshape(-1), bool(k)) for k, c in enumerate(clip)]
        lower, upper = (_inner(ends[k], limits[k], bool(k)) for k in (0, 1))
    except ValueError:
        raise SpecError(f"clip must be two numbers, or two arrays of {middle.size}") from None
    if not (lower.value <= upper.value).all():
        i = int(np.argmax(~(lower.value <= upper.value)))
        raise SpecError(f"input {i} is {middle[i]}: its ball does not meet clip")
    return lower, upper


def _inner(end: Ends, limit: Ends, upper: bool) -> Ends:
    """Entry by entry the end that leaves less; of two that were rounded to the same the first."""
    np.broadcast_to(limit.value, end.value.shape)  # raises what the caller expects
    closer = np.asarray(limit.value < end.value if upper else limit.value > end.value)
    closer |= (limit.value == end.value) & limit.rounded & ~end.rounded
    return Ends(
        np.where(closer, limit.value, end.value),
        np.where(closer, limit.rounded, end.rounded),
        np.where(closer, limit.said, end.said),
    )


def _ball(x: Terms, centre: Any, radius: Any, clip: Clip, norm: int) -> Statement:
    variables, middle = _centred(x, centre)
    wide = exact(radius)
    if wide < 0:
        raise SpecError(f"the radius {radius} is negative")
    ball = InBall(tuple(variables), middle, wide, norm)
    if clip is None:
        return ball
    one = np.empty(1, object)
    one[0] = wide
    lower, upper = _clipped(middle, around(middle, one), clip)
    gap = np.maximum(0, np.maximum(lower.value - middle, middle - upper.value))
    size = gap.sum() if norm == 1 else np.sqrt((gap * gap).sum())
    if size > float(wide) * (1 + 1e-9) + float(Fraction(1, 10**300)):
        raise SpecError(f"clip is {size:.6g} away from the centre, further than the radius {radius}")
    names = tuple(variables)
    return ball & Range(names, lower, False, False) & Range(names, upper, True, False)
