"""Slope optimisation: a few dozen Adam-like steps on the slopes of every row.

The search runs in the relaxation's search dtype; only slopes leave it, and any slope is sound.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from genbab.bounds.ascent.adam import Adam, Steps
from genbab.bounds.ascent.multipliers import Multipliers
from genbab.bounds.passes.backward import descend
from genbab.bounds.passes.sweep import Sweep
from genbab.bounds.passes.taken import Rows, Start, Starts, TakenLine, TakenPlanes
from genbab.bounds.relax.lines import Lines, Slopes
from genbab.bounds.relax.relaxation import Relaxation
from genbab.kernels import Pace
from genbab.network import Nonlinear
from genbab.network.roundoff import Interval

Stop = Callable[[Tensor], bool]
"""Asked after each step with the bounds (B, S); True ends the search (all decided; time is up)."""


@dataclass(frozen=True, eq=False)
class Freedom:
    """Arguments whose interval was cut by a split: their slopes may leave the range of f'.

    A slope outside touches at an end of the interval: that is the Lagrange multiplier of the split's
    constraint (the β of β-CROWN; Wang et al., NeurIPS 2021), in the same variable. steps: per node and
    argument, the size of a step (B, 1, N), 0 where nothing was cut.
    """

    steps: dict[int, Slopes]

    def at(self, i: int) -> Slopes | None:
        """The steps of one node, None where nothing was cut."""
        return self.steps.get(i)


@dataclass(frozen=True, eq=False)
class Objective:
    """What is to be raised, in the dtype of the search: the bounds of rows on boxes.

    Beside slopes inside the range of f' there may be slopes that splits set free, and multipliers, which are
    moved along: the slopes are then those of the rows `multipliers.added(rows)`.
    """

    rows: Rows
    box: Interval
    freedom: Freedom = field(default_factory=lambda: Freedom({}))
    multipliers: Multipliers | None = None


@dataclass(frozen=True, eq=False)
class Searched:
    """What a search leaves.

    starts: slopes per node, those of the last step (the rate decays, so they are near the best); weights: the
    rows' coefficients (B, S, N) at each node's output in its last pass; passes: how many it made.
    """

    starts: Starts = field(default_factory=dict)
    weights: dict[int, Tensor] = field(default_factory=dict)
    passes: int = 0


def optimise(
    relaxation: Relaxation,
    objective: Objective,
    steps: Steps,
    start: Starts | None = None,
    stop: Stop | None = None,
) -> Searched:
    """Slopes that raise every row's lower bound, from those of `start` where it has some."""
    starts: Starts = {i: _settled(relaxation, one, i, objective) for i, one in (start or {}).items()}
    weights: dict[int, Tensor] = {}
    multipliers, adam, rate, passes = objective.multipliers, Adam(), steps.rate, 0
    for _ in range(steps.count):
        rows = objective.rows if multipliers is None else multipliers.added(objective.rows)
        one = descend(relaxation, rows, objective.box, starts)
        passes += 1
        starts, weights = one.starts, one.weights
        if stop is not None and stop(one.bound if multipliers is None else one.bound - multipliers.price()):
            break
        adam.step += 1
        ascent = _Ascent(one, objective=objective, adam=adam, rate=rate)
        value = ascent.run(None if multipliers is None else rows.target)
        if multipliers is not None and value is not None:
            uphill = adam.direction((rows.target, 0), multipliers.uphill(value))
            multipliers.climb(one, uphill, rate)
        starts = ascent.moved()
        rate *= steps.decay
    return Searched(starts, weights, passes)


def _settled(relaxation: Relaxation, start: Start, i: int, objective: Objective) -> Start:
    """The slopes of an earlier pass on another box.

    With the function's own where only that one is undominated here: no step would move it there.
    """
    if i not in relaxation.network.nonlinear:
        return start
    lines, free = relaxation.lines(i), objective.freedom.at(i)
    upper = start.upper.to(relaxation.dtype)
    slopes: list[Tensor] = []
    for place, (k, own, span) in enumerate(
        zip(start.slopes, lines.default(upper), lines.scale(upper), strict=True)
    ):
        fixed = span <= 0 if free is None else (span <= 0) & (free[place] <= 0)
        slopes.append(torch.where(fixed, own, k.to(own.dtype)))
    return Start(tuple(slopes), start.upper)


@dataclass(eq=False, kw_only=True)
class _Ascent(Sweep):
    """A sweep that moves slopes uphill: at once where kernels can, afterwards elsewhere."""

    objective: Objective
    adam: Adam
    rate: float
    climbed: dict[int, Start] = field(default_factory=dict)

    def nonlinear(self, i: int, node: Nonlinear, x: Sequence[Tensor]) -> Tensor:
        relaxation, line = self.one.relaxation, self.one.lines[i]
        lines, kernels = relaxation.lines(i), relaxation.kernels
        if lines.hot is None or line.step is None:
            return super().nonlinear(i, node, x)
        moments = tuple(self.adam.moments((i, place), k) for place, k in enumerate(line.slopes))
        pace = Pace(self.rate * self.adam.correction, (self.adam.first, self.adam.second))
        free = self.objective.freedom.at(i)
        value, slopes = kernels.ascend(
            lines.hot, line.coefficients, relaxation.ready(i), line.step, tuple(x), moments, lines.spans,
            pace, free, lines.defaults,
        )  # fmt: skip
        self.climbed[i] = Start(slopes, line.upper)
        return value

    def moved(self) -> dict[int, Start]:
        """The slopes of every node after the step."""
        lines = {i: self._stepped(i, line) for i, line in self.lines.items()}
        planes = {i: self._touched(i, taken) for i, taken in self.planes.items()}
        return {**self.climbed, **lines, **planes}

    def _touched(self, i: int, taken: TakenPlanes) -> Start:
        """The parameters of swept planes moved uphill."""
        assert taken.point is not None

        def direction(gradient: Tensor) -> Tensor:
            return self.adam.direction((i, 0), gradient)

        moved = taken.planes.moved(taken.at, taken.point, self.rate, direction)
        return Start((moved,), taken.upper)

    def _stepped(self, i: int, line: TakenLine) -> Start:
        """The slopes of a swept line moved uphill."""
        lines, free = self.one.relaxation.lines(i), self.objective.freedom.at(i)
        slopes: list[Tensor] = []
        scale = lines.scale(line.upper)
        for place, (k, partial) in enumerate(zip(line.slopes, line.gradient, strict=True)):
            partial = torch.nan_to_num_(partial, nan=0.0, posinf=0.0, neginf=0.0)
            size = scale[place] if free is None else torch.maximum(scale[place], free[place])
            direction = self.adam.direction((i, place), partial)
            moved = torch.addcmul(k, direction, size, value=self.rate)
            if free is not None:
                moved = _released(lines, line, place, moved, scale[place])
            slopes.append(moved)
        return Start(tuple(slopes), line.upper)


def _released(lines: Lines, line: TakenLine, place: int, slope: Tensor, span: Tensor) -> Tensor:
    """The slope, but the function's own where it is straight here and the constraint is not active."""
    low, high = lines.boxes[place]
    point = line.point[place]
    idle = (span <= 0) & (point >= low) & (point <= high)
    return torch.where(idle, lines.default(line.upper)[place], slope)
