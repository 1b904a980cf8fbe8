"""What a split changes in the lines of the functions that read the neuron: for all neurons of a node at once.

A function with coefficient A contributes A·(slope·z + intercept) to a row. In a child it has other lines: its
parent's slope with the child's own intercept (never worse), or the child's lines of least area.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from genbab.bounds import Interval, TakenLine
from genbab.bounds.relax.lines import Lines, Slopes, shaped
from genbab.kernels import DEFAULT, Kernels
from genbab.network import Nonlinear

HUGE = 1e6
"""What an infinite gain counts: a child in which a bound becomes finite."""


@dataclass(frozen=True, eq=False)
class Reading:
    """One function that reads the node, in one child; all (B, S, N).

    same: gain at the parent's slopes, >= 0 and certain; slope, offset: change of the contribution
    `coefficient·z + constant` with the child's lines of least area; value: z where the parent's bound is
    attained; others: (node, change of its coefficient) for the function's other argument, and its value.
    """

    same: Tensor
    slope: Tensor
    offset: Tensor
    value: Tensor
    others: tuple[tuple[int, Tensor, Tensor], ...] = ()

    @property
    def attained(self) -> Tensor:
        """The gain where the parent's bound is attained, with the better of the two lines; >= 0."""
        gain = torch.addcmul(self.offset, self.slope, self.value)
        for _, change, value in self.others:
            gain = torch.addcmul(gain, change, value)
        return torch.maximum(tidy(gain), self.same)

    def halves(self) -> tuple[Reading, Reading]:
        """The reading of a single number per domain, (2 P, S, 1), as two of (P, S)."""
        same, slope, offset, value = (
            t[..., 0].chunk(2) for t in (self.same, self.slope, self.offset, self.value)
        )
        others = [(node, change[..., 0].chunk(2), v[..., 0].chunk(2)) for node, change, v in self.others]
        first, second = (
            Reading(same[k], slope[k], offset[k], value[k], tuple((n, c[k], v[k]) for n, c, v in others))
            for k in (0, 1)
        )
        return first, second

    def take(self, which: Tensor) -> Reading:
        """The first axis selected."""
        others = tuple((node, change[which], value[which]) for node, change, value in self.others)
        return Reading(self.same[which], self.slope[which], self.offset[which], self.value[which], others)


@dataclass(frozen=True, eq=False)
class Candidates:
    """P splits of a node: of neuron `neurons` (P,) in domain `which` (P,) at `points` (P,).

    readings: of the lower and of the upper child, (P, S); coefficient (P, S): the neuron's in the rows by the
    functions that `readings` has; extra (P, S): what grouped readers lose, half for each child.
    """

    node: int
    which: Tensor
    neurons: Tensor
    points: Tensor
    readings: tuple[list[Reading], list[Reading]]
    coefficient: Tensor
    extra: Tensor

    def __len__(self) -> int:
        return self.which.numel()

    def take(self, some: Tensor) -> Candidates:
        """The candidates selected."""
        low, high = ([one.take(some) for one in side] for side in self.readings)
        at = self.points[some], (low, high), self.coefficient[some], self.extra[some]
        return Candidates(self.node, self.which[some], self.neurons[some], *at)


def read(
    reading: Nonlinear,
    boxes: list[Interval],
    node: int,
    cut: Interval,
    line: TakenLine,
    kernels: Kernels = DEFAULT,
) -> Reading:
    """What changes in a reader's contribution when the interval of one of its arguments becomes `cut`.

    boxes: of all its arguments; node: the argument that is cut; line: the reader's swept line.
    """
    boxes = [cut if a == node else box for a, box in zip(reading.args, boxes, strict=True)]
    lines = Lines(reading.fn, tuple(shaped(box, line.intercept.dtype) for box in boxes), kernels)
    a = line.coefficients
    kept, slopes, least = _both_lines(lines, line)
    same, offset = tidy(a * (kept - line.intercept)), a * (least - line.intercept)
    slope, value = torch.zeros_like(a), torch.zeros_like(a)
    others = []
    for argument, k, before, v in zip(reading.args, slopes, line.slopes, line.point, strict=True):
        if argument == node:
            slope, value = torch.addcmul(slope, a, k - before), v
        else:
            others.append((argument, a * (k - before), v))
    return Reading(same, slope, offset, value, tuple(others))


def _both_lines(lines: Lines, line: TakenLine) -> tuple[Tensor, Slopes, Tensor]:
    """(intercept at the line's slopes, slopes of least area, their intercept) on other boxes."""
    a, kernels = line.coefficients, lines.kernels
    if lines.hot is None:
        slopes = lines.default(line.upper)
        found = (lines.intercept(k, line.upper, rigorous=False)[0] for k in (line.slopes, slopes))
        return next(found), slopes, next(found)
    across = a.shape[-1] == 1  # candidates, one neuron each: as neurons of one domain they make longer rows

    def turned(t: Tensor) -> Tensor:
        return t.transpose(0, 2) if across else t

    boxes = tuple((turned(low), turned(high)) for low, high in lines.boxes)
    ready, mine = kernels.prepare(lines.hot, boxes), turned(a).contiguous()
    own = tuple(twice(turned(k.expand_as(a)), 1) for k in line.slopes)
    low, high = (tuple(map(turned, side)) for side in lines.defaults)
    upper = mine < 0
    before = torch.cat([upper, ~upper], 1)  # the second half seems to change sides: it takes default slopes
    both = kernels.relax(lines.hot, twice(mine, 1), ready, own, (low, high), before)
    assert both.intercept is not None, "kept"
    (same, default), slopes = both.intercept.chunk(2, 1), tuple(k.chunk(2, 1)[1] for k in both.slopes)
    return turned(same), tuple(map(turned, slopes)), turned(default)


def twice(t: Tensor, axis: int = 0) -> Tensor:
    """The same once more, along an axis."""
    return torch.cat([t, t], axis)


def repeated(line: TakenLine) -> TakenLine:
    """The line for two batches of the same."""
    a, upper, intercept = twice(line.coefficients), twice(line.upper), twice(line.intercept)
    return TakenLine(a, upper, tuple(map(twice, line.slopes)), intercept, (), tuple(map(twice, line.point)))


def tidy(gain: Tensor) -> Tensor:
    """The gain, at least 0; what is no number counts 0, infinity a lot."""
    return torch.nan_to_num(gain, nan=0.0, posinf=HUGE).clamp(0.0, HUGE)
