"""Intervals of all steps of a program on a batch of boxes, and what roundings at each step may cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from genbab.check.functions.formula import partial, undefined
from genbab.check.functions.lines import ranges
from genbab.check.functions.norm import ranges as normed
from genbab.check.functions.norm import undefined as rootless
from genbab.check.functions.softmax import SharePlanes
from genbab.check.functions.softmax import ranges as shares
from genbab.check.intervals import (
    FARTHEST,
    TINY,
    Array,
    Indices,
    Mask,
    Pair,
    down,
    gamma,
    magnitude,
    meet,
    mul,
    negative,
    point,
    tidy,
    up,
)
from genbab.check.model.maps import EntryScale, Gather, Transposed
from genbab.check.model.program import (
    AffineStep,
    ElementwiseStep,
    Moment,
    NormedStep,
    Program,
    SoftmaxStep,
    Step,
    Term,
)

Lines = tuple[list[Array], Array, list[Array], Array]  # slopes and intercepts, below and above


class Band(NamedTuple):
    """A step's centre C X + c, its half width H X + r, and the size of all of it on the box (B, N).

    C and H are (B, V, N), c and r are (B, N), with V inputs that vary.
    """

    slope: Array
    centre: Array
    bend: Array
    radius: Array
    size: Array


@dataclass
class Values:
    """Intervals (B, N) of steps, what the rounding of affine ones costs at most, lines once asked for."""

    ranges: list[Pair]
    slack: dict[int, Array] = field(default_factory=dict)
    lines: dict[int, Lines] = field(default_factory=dict)
    planes: dict[int, SharePlanes] = field(default_factory=dict)
    bands: list[Band] = field(default_factory=list)  # of the steps so far, where few inputs vary
    varying: Indices = field(default_factory=lambda: np.zeros(0, dtype=np.int64))  # these inputs
    look: Callable[[], object] = bool  # asked now and then; may end the check
    error: dict[int, Array] = field(default_factory=dict)  # of executed steps, what their charges say
    lost: Mask = field(init=False)  # (B,): something may have no value, or none that is finite as executed

    def __post_init__(self) -> None:
        """Nothing is lost yet."""
        self.lost = np.zeros(len(self.ranges[0][0]), dtype=np.bool_)

    @property
    def empty(self) -> Mask:
        """For each box whether some interval is empty: no point of the box is in question."""
        found = np.zeros(len(self.ranges[0][0]), dtype=bool)
        for low, high in self.ranges:
            found |= (low > high).any(-1)
        return found


def extend(program: Program, values: Values, known: Mapping[int, Pair]) -> Pair:
    """The interval of the next step, met with what is known of it, after it is added to the values."""
    number = len(values.ranges)
    step = program.steps[number]
    values.look()
    with np.errstate(all="ignore"):
        if isinstance(step, AffineStep):
            found, values.slack[number] = affine_range(step, values.ranges)
        elif isinstance(step, SoftmaxStep):
            found = _flat(shares(*rows_of(step, values.ranges)))
        elif isinstance(step, NormedStep):
            x, squares = norm_rows(step, values.ranges)
            found = _flat(normed(x, squares, step.floor))
        else:
            assert isinstance(step, ElementwiseStep)
            found = elementwise_range(step, values.ranges)
        outside = _outside(step, values.ranges)
    if outside is not None and outside.any():
        values.lost |= outside & ~values.empty
    low, high = _executed(program, values, tidy(*found))
    result = np.where(low < -FARTHEST, -np.inf, low), np.where(high > FARTHEST, np.inf, high)
    result = meet(result, known[number]) if number in known else result
    values.ranges.append(result)
    return result


def _executed(program: Program, values: Values, found: Pair) -> Pair:
    """The interval of the next step as an execution computes it, after its charge is noted."""
    number = len(values.ranges)
    step = program.steps[number]
    if step is None or step.charge is None:
        return found
    with np.errstate(all="ignore"):
        error = step.charge(Moment(program, values.ranges, values.error, number, found))
        error = np.where(np.isfinite(found[0]) & np.isfinite(found[1]) & np.isfinite(error), error, np.inf)
    if not error.any():
        return found
    values.error[number] = error
    bad = np.isinf(error).any(-1)
    if bad.any():
        values.lost |= bad & ~values.empty  # no point of an empty box is in question
    return tidy(down(found[0] - error), up(found[1] + error))


def _outside(step: Step, ranges_: list[Pair]) -> Mask | None:
    """For each box (B,) whether the step may have no value there; None if it always has one."""
    if isinstance(step, NormedStep):
        return rootless(*norm_rows(step, ranges_), step.floor)
    some = partial(step.formula) if isinstance(step, ElementwiseStep) else []
    if not some:
        return None
    shape = ranges_[step.sources[0]][0].shape
    flat = [(ranges_[source][0].ravel(), ranges_[source][1].ravel()) for source in step.sources]
    found = undefined(some, flat, np.tile(np.arange(step.size), shape[0]))
    return np.asarray(found.reshape(shape).any(-1))


def elementwise_range(step: ElementwiseStep, ranges_: list[Pair]) -> Pair:
    """Intervals of a formula's entries."""
    arguments = [ranges_[source] for source in step.sources]
    shape = arguments[0][0].shape
    entries = np.tile(np.arange(step.size), shape[0])
    low, high = ranges(step.formula, entries, [(a.ravel(), b.ravel()) for a, b in arguments])
    return np.broadcast_to(low, entries.shape).reshape(shape), np.broadcast_to(high, entries.shape).reshape(
        shape
    )


def rows_of(step: SoftmaxStep, ranges_: list[Pair]) -> tuple[Pair, Pair | None]:
    """Intervals of a softmax's rows (B, G, K), and of the differences x_j - x_k at [..., j, k], if known."""
    count = step.length
    low, high = (end.reshape(len(end), -1, count) for end in ranges_[step.source])
    if step.differences is None:
        return (low, high), None
    least, most = down(low[..., :, None] - high[..., None, :]), up(high[..., :, None] - low[..., None, :])
    first, second = np.triu_indices(count, 1)
    for (i, j), part in (
        ((first, second), ranges_[step.differences]),
        ((second, first), negative(ranges_[step.differences])),
    ):
        known = [end.reshape(*low.shape[:2], -1) for end in part]
        least[..., i, j] = np.maximum(least[..., i, j], known[0])
        most[..., i, j] = np.minimum(most[..., i, j], known[1])
    return (low, high), (least, most)


def norm_rows(step: NormedStep, ranges_: list[Pair]) -> tuple[Pair, Pair]:
    """Intervals of a norm's rows (B, G, K), and of their sums of squares (B, G, 1)."""
    low, high = (end.reshape(len(end), -1, step.length) for end in ranges_[step.source])
    least, most = (end[..., None] for end in ranges_[step.squares])
    return (low, high), (least, most)


def _flat(x: Pair) -> Pair:
    """Rows (B, G, K) as (B, N)."""
    return x[0].reshape(len(x[0]), -1), x[1].reshape(len(x[1]), -1)


def affine_range(step: AffineStep, ranges_: list[Pair]) -> tuple[Pair, Array]:
    """Intervals of an affine step, and more than |W| |x| gamma + |radius| |x|: what roundings cost."""
    batch = ranges_[0][0].shape[0]
    low, high = np.zeros((batch, step.size)) + step.low, np.zeros((batch, step.size)) + step.high
    weight = np.maximum(np.abs(step.low), np.abs(step.high)) + np.zeros_like(low)
    extra, rounded = np.zeros_like(low), 0
    for term in step.terms:
        x = ranges_[term.source]
        size = magnitude(x)
        part = _term(term, x)
        low, high = low + part[0], high + part[1]
        weight = weight + term.map.absolute().apply(size)
        if term.radius is not None:
            extra = extra + term.radius.apply(size)
        rounded = max(rounded, term.map.terms)
    if step.exact:
        return (low, high), weight * gamma(rounded) if rounded else np.zeros_like(low)
    terms = rounded + len(step.terms) + 1
    slack = (4 * gamma(terms) * weight + extra * (1 + gamma(terms))) * 1.01 + TINY
    slack = np.where(np.isnan(slack), np.inf, slack)
    return (down(low - slack), up(high + slack)), slack


def _term(term: Term, x: Pair) -> Pair:
    """The map of an interval, up to rounding."""
    map_ = term.map
    if isinstance(map_, EntryScale):
        return mul(point(map_.weight), x)
    if isinstance(map_, Gather) or (isinstance(map_, Transposed) and isinstance(map_.of, Gather)):
        return map_.apply(x[0]), map_.apply(x[1])
    centre = x[0] / 2 + x[1] / 2
    radius = map_.absolute().apply(np.maximum(x[1] - centre, centre - x[0]))
    middle = map_.apply(centre)
    return middle - radius, middle + radius


def evaluate(program: Program, box: Pair) -> Values:
    """Intervals of all steps on boxes (B, D)."""
    values = Values([box])
    while len(values.ranges) < len(program.steps):
        extend(program, values, {})
    return values
