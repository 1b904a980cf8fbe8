"""What scores may look at: open domains, the last pass of their rows, and the cuts that are considered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from genbab.bounds import Interval, Pass, Relaxation, Rows, TakenLine
from genbab.branch.choose.candidates import HUGE, Candidates, Reading, read, repeated, tidy
from genbab.branch.open.domains import INPUT, Domains
from genbab.network import Nonlinear
from genbab.nonlinear.groups.grouped import group_lost


@dataclass(frozen=True, eq=False)
class DomainView:
    """What scores may look at: B open domains, their last pass and the cuts that are considered.

    last_pass: of `rows`, swept, so its form, corner and lines belong together; price (B, S): of premises that
    these are raised by, None for 0; margins (B, S); place: where a neuron would be split, a `Point`.
    """

    relaxation: Relaxation
    last_pass: Pass
    rows: Rows
    price: Tensor | None
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
            interval, network = self.domains.hidden[node], self.relaxation.network
            found = self.place(network, node, *interval, self.last_pass.weights)
            self._points[node] = network.entry.apart(found) if node == INPUT else found
        return self._points[node]

    def points_of(self, node: int, which: Tensor, neurons: Tensor) -> Tensor:
        """Where neurons (P,) of the node would be split in domains `which` (P,): (P,)."""
        return self._placed(node, which, neurons, self._picked(node, which, neurons))

    def _placed(self, node: int, which: Tensor, neurons: Tensor, lines: dict[int, TakenLine]) -> Tensor:
        low, high = (end[which, neurons][:, None] for end in self.domains.hidden[node])
        weights = {reader: line.coefficients for reader, line in lines.items()}
        network = self.relaxation.network
        found = self.place(network, node, low, high, weights)[:, 0]
        return network.entry.one_apart(found, neurons) if node == INPUT else found

    def cuts(self, node: int) -> tuple[Interval, Interval]:
        """The intervals of the node in the lower children and in the upper ones."""
        lower, upper = self.domains.hidden[node]
        return (lower, self.points(node)), (self.points(node), upper)

    def readings(self, node: int, cut: Interval) -> list[Reading]:
        """The functions of one or two variables that read the node, where its interval becomes `cut`."""
        network, intervals = self.relaxation.network, self.relaxation.intervals
        found = []
        for reader, line in self._elementwise(node).items():
            reading = network.nonlinear[reader]
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
        coefficient = self.last_pass.coefficients.new_zeros(
            which.numel(), self.last_pass.coefficients.shape[1]
        )
        for reader, line in lines.items():
            reading = self.relaxation.network.nonlinear[reader]
            whole = [self.relaxation.intervals[a] for a in reading.args]
            boxes = [(a.expand(count, -1), b.expand(count, -1)) for a, b in whole]
            boxes = [
                (a[which, neurons].repeat(2)[:, None], b[which, neurons].repeat(2)[:, None]) for a, b in boxes
            ]
            both = read(reading, boxes, node, cut, repeated(line), self.relaxation.kernels)
            for side, found in zip(sides, both.halves(), strict=True):
                side.append(found)
            for argument, slope in zip(reading.args, line.slopes, strict=True):
                if argument == node:
                    coefficient = coefficient + (line.coefficients * slope)[..., 0]
        lost = self.grouped(node)
        extra = torch.zeros_like(coefficient) if lost is None else lost[which, :, neurons]
        return Candidates(node, which, neurons, points, sides, coefficient, extra)

    def rough(self, node: int) -> Tensor:
        """About what a split is worth to each row, (B, S, N), for little.

        |A| times the gap between function and line, where the parent's bound is attained and in the middle of
        the interval.
        """
        network, lost = self.relaxation.network, self.grouped(node)
        total = self.last_pass.coefficients.new_zeros(1, 1, 1) if lost is None else lost
        for reader, line in self._elementwise(node).items():
            reading = network.nonlinear[reader]
            boxes = self.relaxation.lines(reader).boxes
            at = [v.clamp(low, high) for v, (low, high) in zip(line.point, boxes, strict=True)]
            middles = [low + (high - low) / 2 for low, high in boxes]
            inside = [m if a == node else v for a, m, v in zip(reading.args, middles, at, strict=True)]
            total = total + _gap(reading, line, at) + _gap(reading, line, inside)
        return total

    def _picked(self, node: int, which: Tensor, neurons: Tensor) -> dict[int, TakenLine]:
        """The lines of the elementwise functions that read the node, for P of its neurons: (P, S, 1)."""
        count, size = len(self.domains), self.relaxation.network.nodes[node].size

        def some(t: Tensor) -> Tensor:
            return t.expand(count, -1, size)[which, :, neurons][..., None]

        found = {}
        for reader, line in self._elementwise(node).items():
            slopes, point = tuple(map(some, line.slopes)), tuple(map(some, line.point))
            a, upper, intercept = some(line.coefficients), some(line.upper), some(line.intercept)
            found[reader] = TakenLine(a, upper, slopes, intercept, (), point)
        return found

    def grouped(self, node: int) -> Tensor | None:
        """What grouped readers of the node lose by each of its numbers, half for each child; (B, S, N)."""
        network = self.relaxation.network
        found = [
            self._parted(reader)[network.sources(reader).index(node)]
            for reader in network.consumers[node]
            if reader in self.last_pass.planes
        ]
        if node in self.last_pass.planes:  # what it loses by its own numbers
            found += self._parted(node)[len(network.sources(node)) :]
        return sum(found[1:], found[0]) if found else None

    def _parted(self, reader: int) -> list[Tensor]:
        """What a grouped node loses by each number of each argument, half for each child."""
        if reader not in self._losses:
            box, taken = self.relaxation.groups(reader), self.last_pass.planes[reader]
            assert taken.point is not None
            parts = group_lost(box, taken.coefficients, taken.at, taken.point, taken.planes)
            self._losses[reader] = [torch.nan_to_num(p / 2, nan=0.0, posinf=HUGE) for p in parts]
        return self._losses[reader]

    def coefficient(self, node: int) -> Tensor:
        """The node's coefficient in the rows by the functions of one or two variables that read it."""
        network = self.relaxation.network
        parts = [
            line.coefficients * line.slopes[place]
            for reader, line in self._elementwise(node).items()
            for place, argument in enumerate(network.sources(reader))
            if argument == node
        ]
        return sum(parts[1:], parts[0])

    def _elementwise(self, node: int) -> dict[int, TakenLine]:
        lines = self.last_pass.lines
        return {r: lines[r] for r in self.relaxation.network.consumers[node] if r in lines}

    @cached_property
    def box(self) -> Interval:
        """The input boxes (B, D) in the dtype of the pass."""
        dtype = self.last_pass.coefficients.dtype
        return self.domains.query.lower.to(dtype), self.domains.query.upper.to(dtype)


def _gap(reading: Nonlinear, line: TakenLine, at: list[Tensor]) -> Tensor:
    """|coefficient| times the distance between the function and its line at a point of the box, (B, S, N)."""
    height = line.intercept
    for k, v in zip(line.slopes, at, strict=True):
        height = torch.addcmul(height, k, v)
    return tidy(line.coefficients * (reading.fn.value(*at) - height))
