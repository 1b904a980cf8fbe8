"""What a split changes in the lines of the functions that read the neuron: for all neurons of a node at once.

A function with coefficient A contributes A·(slope·z + intercept) to a row. In a child it has other lines: its
parent's slope with the child's own intercept (never worse), or the child's lines of least area.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from genbab.bounds import Chosen, Interval, Relaxation
from genbab.bounds.backward import Pass
from genbab.bounds.relaxation import Lines, shaped
from genbab.branch.domains import Domains
from genbab.network import Grouped, Nonlinear
from genbab.nonlinear.softmax_planes import lost

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


@dataclass(frozen=True, eq=False)
class View:
    """What scores may look at: B open domains, their last pass and the cuts that are considered.

    `one` is a pass with `lines` (the sweep of it), so its form, corner and lines belong together. margins
    (B, S); hidden: intervals (B, N) per node; points: where each neuron would be split.
    """

    relaxation: Relaxation
    one: Pass
    lines: dict[int, Chosen]
    domains: Domains
    margins: Tensor
    points: dict[int, Tensor]

    def cuts(self, node: int) -> tuple[Interval, Interval]:
        """The intervals of the node in the lower children and in the upper ones."""
        lower, upper = self.domains.hidden[node]
        return (lower, self.points[node]), (self.points[node], upper)

    def readings(self, node: int, cut: Interval) -> list[Reading]:
        """The functions of one or two variables that read the node, where its interval becomes `cut`."""
        return [
            read(self.relaxation, reader, node, cut, line)
            for reader, line in self._readers(node)
            if isinstance(self.relaxation.network.nodes[reader], Nonlinear)
        ]

    def grouped(self, node: int) -> Tensor | None:
        """What grouped readers of the node lose by each of its numbers, half for each child; (B, S, N)."""
        found = [
            _lost(self.relaxation, reader, node, line)
            for reader, line in self._readers(node)
            if isinstance(self.relaxation.network.nodes[reader], Grouped)
        ]
        return sum(found[1:], found[0]) if found else None

    def coefficient(self, node: int) -> Tensor:
        """The node's coefficient in the rows by the functions of one or two variables that read it."""
        total = self.lines_of(node)
        parts = [line.coefficients * line.slopes[place] for line, place in total]
        return sum(parts[1:], parts[0])

    def lines_of(self, node: int) -> list[tuple[Chosen, int]]:
        """(line, place of the node among its arguments) for every argument of a reader that the node is."""
        network = self.relaxation.network
        return [
            (line, place)
            for reader, line in self._readers(node)
            if isinstance(network.nodes[reader], Nonlinear)
            for place, argument in enumerate(network.sources(reader))
            if argument == node
        ]

    def _readers(self, node: int) -> list[tuple[int, Chosen]]:
        consumers = self.relaxation.network.consumers[node]
        found = [(r, self.lines[r]) for r in consumers if r in self.lines and self.lines[r].point]
        return [(r, line) for r, line in found if node in self.relaxation.network.sources(r)]

    @cached_property
    def box(self) -> Interval:
        """The input boxes (B, D) in the dtype of the pass."""
        dtype = self.one.coefficients.dtype
        return self.domains.query.lower.to(dtype), self.domains.query.upper.to(dtype)


def read(relaxation: Relaxation, reader: int, node: int, cut: Interval, line: Chosen) -> Reading:
    """What changes in the reader's contribution when the node's interval is `cut`; `line` its swept line."""
    reading = relaxation.network.nodes[reader]
    assert isinstance(reading, Nonlinear)
    boxes = [cut if a == node else relaxation.intervals[a] for a in reading.args]
    lines = Lines(reading.fn, tuple(shaped(box, line.intercept.dtype) for box in boxes))
    a = line.coefficients
    same = tidy(a * (lines.intercept(line.slopes, line.upper, rigorous=False)[0] - line.intercept))
    slopes = lines.default(line.upper)
    offset = a * (lines.intercept(slopes, line.upper, rigorous=False)[0] - line.intercept)
    slope, value = torch.zeros_like(a), torch.zeros_like(a)
    others = []
    for argument, k, before, v in zip(reading.args, slopes, line.slopes, line.point, strict=True):
        if argument == node:
            slope, value = torch.addcmul(slope, a, k - before), v
        else:
            others.append((argument, a * (k - before), v))
    return Reading(same, slope, offset, value, tuple(others))


def tidy(gain: Tensor) -> Tensor:
    """The gain, at least 0; what is no number counts 0, infinity a lot."""
    return torch.nan_to_num(gain, nan=0.0, posinf=HUGE).clamp(0.0, HUGE)


def _lost(relaxation: Relaxation, reader: int, node: int, line: Chosen) -> Tensor:
    parts = lost(relaxation.groups(reader), line.coefficients, line.slopes[0], line.point[0])
    place = relaxation.network.sources(reader).index(node)
    return torch.nan_to_num(parts[place] / 2, nan=0.0, posinf=HUGE)
