"""What a split changes in the lines of the functions that read the neuron: for all neurons of a node at once.

A function with coefficient A contributes A·(slope·z + intercept) to a row. In a child it has other lines: its
parent's slope with the child's own intercept (never worse), or the child's lines of least area.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from genbab.bounds import Chosen, Interval, Relaxation
from genbab.bounds.passes.backward import Pass
from genbab.bounds.relax.relaxation import Lines, Slopes, shaped
from genbab.branch.open.domains import Domains
from genbab.kernels import DEFAULT, Kernels
from genbab.network import Grouped, Nonlinear
from genbab.nonlinear.groups.grouped import group_lost

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


@dataclass(frozen=True, eq=False)
class View:
    """What scores may look at: B open domains, their last pass and the cuts that are considered.

    `one` is a pass with `lines` (the sweep of it), so its form, corner and lines belong together. margins
    (B, S); place: where a neuron would be split, a `Point`.
    """

    relaxation: Relaxation
    one: Pass
    lines: dict[int, Chosen]
    domains: Domains
    margins: Tensor
    place: Callable[..., Tensor]
    _points: dict[int, Tensor] = field(default_factory=dict)
    _losses: dict[int, list[Tensor]] = field(default_factory=dict)

    @cached_property
    def nodes(self) -> tuple[int, ...]:
        """The nodes whose neurons can be split."""
        return tuple(i for i in self.relaxation.network.relaxed if i in self.domains.hidden)

    def points(self, node: int) -> Tensor:
        """Where each neuron of the node would be split, (B, N)."""
        if node not in self._points:
            interval = self.domains.hidden[node]
            self._points[node] = self.place(self.relaxation.network, node, *interval, self.lines)
        return self._points[node]

    def points_of(self, node: int, which: Tensor, neurons: Tensor) -> Tensor:
        """Where neurons (P,) of the node would be split in domains `which` (P,): (P,)."""
        return self._placed(node, which, neurons, self._picked(node, which, neurons))

    def _placed(self, node: int, which: Tensor, neurons: Tensor, lines: dict[int, Chosen]) -> Tensor:
        low, high = (end[which, neurons][:, None] for end in self.domains.hidden[node])
        return self.place(self.relaxation.network, node, low, high, lines)[:, 0]

    def cuts(self, node: int) -> tuple[Interval, Interval]:
        """The intervals of the node in the lower children and in the upper ones."""
        lower, upper = self.domains.hidden[node]
        return (lower, self.points(node)), (self.points(node), upper)

    def readings(self, node: int, cut: Interval) -> list[Reading]:
        """The functions of one or two variables that read the node, where its interval becomes `cut`."""
        network, intervals = self.relaxation.network, self.relaxation.intervals
        found = []
        for reader, line in self._readers(node):
            reading = network.nodes[reader]
            if isinstance(reading, Nonlinear):
                boxes = [intervals[a] for a in reading.args]
                found.append(read(reading, boxes, node, cut, line, self.relaxation.kernels))
        return found

    def candidates(self, node: int, which: Tensor, neurons: Tensor) -> Candidates:
        """The splits of neurons (P,) of the node in domains `which` (P,)."""
        count, lines = len(self.domains), self._picked(node, which, neurons)
        points = self._placed(node, which, neurons, lines)
        low, high = (end[which, neurons][:, None] for end in self.domains.hidden[node])
        cut = torch.cat([low, points[:, None]]), torch.cat([points[:, None], high])
        sides: tuple[list[Reading], list[Reading]] = ([], [])
        coefficient = self.one.coefficients.new_zeros(which.numel(), self.one.coefficients.shape[1])
        for reader, line in lines.items():
            reading = self.relaxation.network.nodes[reader]
            assert isinstance(reading, Nonlinear)
            whole = [self.relaxation.intervals[a] for a in reading.args]
            boxes = [(a.expand(count, -1), b.expand(count, -1)) for a, b in whole]
            boxes = [
                (a[which, neurons].repeat(2)[:, None], b[which, neurons].repeat(2)[:, None]) for a, b in boxes
            ]
            both = read(reading, boxes, node, cut, _twice(line), self.relaxation.kernels)
            for side, found in zip(sides, both.halves(), strict=True):
                side.append(found)
            for argument, slope in zip(reading.args, line.slopes, strict=True):
                if argument == node:
                    coefficient = coefficient + (line.coefficients * slope)[..., 0]
        lost = self.grouped(node)
        extra = torch.zeros_like(coefficient) if lost is None else lost[which, :, neurons]
        return Candidates(node, which, neurons, points, sides, coefficient, extra)

    def rough(self, node: int) -> Tensor:
        """About what a split is worth to each row, (B, S, N), for little: |A| times the gap between function
        and line, where the parent's bound is attained and in the middle of the interval.
        """
        network, lost = self.relaxation.network, self.grouped(node)
        total = self.one.coefficients.new_zeros(1, 1, 1) if lost is None else lost
        for reader, line in self._readers(node):
            reading = network.nodes[reader]
            if not isinstance(reading, Nonlinear):
                continue
            boxes = self.relaxation.lines(reader).boxes
            at = [v.clamp(low, high) for v, (low, high) in zip(line.point, boxes, strict=True)]
            middles = [low + (high - low) / 2 for low, high in boxes]
            inside = [m if a == node else v for a, m, v in zip(reading.args, middles, at, strict=True)]
            total = total + _gap(reading, line, at) + _gap(reading, line, inside)
        return total

    def _picked(self, node: int, which: Tensor, neurons: Tensor) -> dict[int, Chosen]:
        """The lines of the functions of one or two variables that read the node, for P of its neurons: (P, S,
        1).
        """
        count, size = len(self.domains), self.relaxation.network.nodes[node].size

        def some(t: Tensor) -> Tensor:
            return t.expand(count, -1, size)[which, :, neurons][..., None]

        found = {}
        for reader, line in self._readers(node):
            if isinstance(self.relaxation.network.nodes[reader], Nonlinear):
                slopes, point = tuple(map(some, line.slopes)), tuple(map(some, line.point))
                a, upper, intercept = some(line.coefficients), some(line.upper), some(line.intercept)
                found[reader] = Chosen(a, upper, slopes, intercept, (), point)
        return found

    def grouped(self, node: int) -> Tensor | None:
        """What grouped readers of the node lose by each of its numbers, half for each child; (B, S, N)."""
        found = [
            self._parted(reader, line)[self.relaxation.network.sources(reader).index(node)]
            for reader, line in self._readers(node)
            if isinstance(self.relaxation.network.nodes[reader], Grouped)
        ]
        return sum(found[1:], found[0]) if found else None

    def _parted(self, reader: int, line: Chosen) -> list[Tensor]:
        """What a grouped node loses by each number of each argument, half for each child."""
        if reader not in self._losses:
            box = self.relaxation.groups(reader)
            parts = group_lost(box, line.coefficients, line.slopes[0], line.point[0], line.planes)
            self._losses[reader] = [torch.nan_to_num(p / 2, nan=0.0, posinf=HUGE) for p in parts]
        return self._losses[reader]

    def coefficient(self, node: int) -> Tensor:
        """The node's coefficient in the rows by the functions of one or two variables that read it."""
        network = self.relaxation.network
        parts = [
            line.coefficients * line.slopes[place]
            for reader, line in self._readers(node)
            if isinstance(network.nodes[reader], Nonlinear)
            for place, argument in enumerate(network.sources(reader))
            if argument == node
        ]
        return sum(parts[1:], parts[0])

    def _readers(self, node: int) -> list[tuple[int, Chosen]]:
        consumers = self.relaxation.network.consumers[node]
        found = [(r, self.lines[r]) for r in consumers if r in self.lines and self.lines[r].point]
        return [(r, line) for r, line in found if node in self.relaxation.network.sources(r)]

    @cached_property
    def box(self) -> Interval:
        """The input boxes (B, D) in the dtype of the pass."""
        dtype = self.one.coefficients.dtype
        return self.domains.query.lower.to(dtype), self.domains.query.upper.to(dtype)


def read(  # noqa: PLR0913
    reading: Nonlinear,
    boxes: list[Interval],
    node: int,
    cut: Interval,
    line: Chosen,
    kernels: Kernels = DEFAULT,
) -> Reading:
    """What changes in the reader's contribution when the interval of one of its arguments, the node, becomes
    `cut`; boxes: of all its arguments; line: its swept line.
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


def _both_lines(lines: Lines, line: Chosen) -> tuple[Tensor, Slopes, Tensor]:
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
    before = torch.cat(
        [upper, ~upper], 1
    )  # as if the second half had changed sides: that takes default slopes
    both = kernels.relax(lines.hot, twice(mine, 1), ready, own, (low, high), before)
    assert both.intercept is not None, "kept"
    (same, default), slopes = both.intercept.chunk(2, 1), tuple(k.chunk(2, 1)[1] for k in both.slopes)
    return turned(same), tuple(map(turned, slopes)), turned(default)


def twice(t: Tensor, axis: int = 0) -> Tensor:
    """The same once more, along an axis."""
    return torch.cat([t, t], axis)


def _twice(line: Chosen) -> Chosen:
    """The line for two batches of the same."""
    a, upper, intercept = twice(line.coefficients), twice(line.upper), twice(line.intercept)
    return Chosen(a, upper, tuple(map(twice, line.slopes)), intercept, (), tuple(map(twice, line.point)))


def tidy(gain: Tensor) -> Tensor:
    """The gain, at least 0; what is no number counts 0, infinity a lot."""
    return torch.nan_to_num(gain, nan=0.0, posinf=HUGE).clamp(0.0, HUGE)


def _gap(reading: Nonlinear, line: Chosen, at: list[Tensor]) -> Tensor:
    """|coefficient| times the distance between the function and its line at a point of the box, (B, S, N)."""
    height = line.intercept
    for k, v in zip(line.slopes, at, strict=True):
        height = torch.addcmul(height, k, v)
    return tidy(line.coefficients * (reading.fn.value(*at) - height))
