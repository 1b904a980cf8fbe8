"""The root of a run: bounds of all boxes without branching, from the cheapest to the dearest, on what is
still open.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from genbab.bounds import (
    Chosen,
    Engine,
    Interval,
    Multipliers,
    Record,
    Relaxation,
    Rows,
    Shown,
    Steps,
    account,
    cheap_forms,
    contradicted,
    interval_rows,
    row_bounds,
    tighten_all,
)
from genbab.network import Network
from genbab.problem import Query

GIVEN = 3
"""How many times the steps of the specification's rows where something is given of hidden neurons: few rows,
many multipliers.
"""


@dataclass(frozen=True, eq=False)
class RootState:
    """Open boxes with what is known of them: margins (B, S) certified so far, and intervals of every node; of
    a single box the lines on these intervals, where they are at hand.
    """

    query: Query
    margins: Tensor
    intervals: list[Interval]
    lines: Relaxation | None = None

    def worst(self) -> float:
        """The margin of the least refuted clause of all boxes."""
        return float(self.query.worst(self.margins).min())

    def open(self) -> Tensor:
        """Indices of the boxes that are not decided."""
        return (~(self.query.worst(self.margins) > 0)).nonzero().squeeze(-1)

    def take(self, which: Tensor) -> RootState:
        """The boxes selected by their numbers."""
        if which.numel() == len(self.query) == 1:
            return self
        intervals = [(low[which], high[which]) for low, high in self.intervals]
        return RootState(self.query.take(which), self.margins[which], intervals)

    def merged(self, better: RootState, which: Tensor) -> RootState:
        """The boxes with what is known anew of some of them, selected by their numbers."""
        if len(self.query) == 1:
            return better
        margins = self.margins.clone()
        margins[which] = better.margins
        intervals = []
        for (low, high), (new_low, new_high) in zip(self.intervals, better.intervals, strict=True):
            low, high = low.clone(), high.clone()
            low[which], high[which] = new_low, new_high
            intervals.append((low, high))
        return RootState(self.query, margins, intervals)

    @property
    def box(self) -> Interval:
        """The input boxes."""
        return self.query.lower, self.query.upper

    def layers(self, network: Network) -> list[dict[str, Any]]:
        """How wide the arguments of every relaxed node are on the least refuted box: its number, functions,
        neurons, mean and greatest width.
        """
        found = []
        for i, widths in self.widths(network).items():
            node = network.functions[i]
            size = {"neurons": node.size, "mean": float(widths.mean()), "widest": float(widths.max())}
            found.append({"node": i, "name": network.name(i), "function": node.fn.name, **size})
        return found

    def widths(self, network: Network) -> dict[int, Tensor]:
        """Per relaxed node, the widths of all its arguments' intervals on the least refuted box."""
        worst = int(self.query.worst(self.margins).argmin())
        return {
            i: torch.cat([(high - low)[worst] for low, high in (self.intervals[a] for a in node.args)])
            for i, node in network.functions.items()
        }

    def explained(
        self, engine: Engine, slopes: Mapping[int, Chosen] | None = None
    ) -> tuple[list[dict[str, Any]], dict[str, float]]:
        """(layers, gap): the layers with their part of the gap of the least refuted row of the least refuted
        box, "gap" each; and of that row the "clause", the margin "bound" of one pass with these slopes, and
        "value", the network's own margin where that bound is attained. No gaps where they are not finite.
        """
        network = engine.exact
        layers, box = self.layers(network), int(self.query.worst(self.margins).argmin())
        one = self.take(torch.tensor([box], device=self.margins.device))
        best = one.query.clause_margins(one.margins)
        row = int(torch.where(best == one.margins, one.margins, torch.inf).argmin())
        rows = one.rows(network.output)
        on_input = None if rows.on_input is None else rows.on_input[:, row : row + 1]
        rows = replace(rows, matrix=rows.matrix[:, row : row + 1], on_input=on_input)
        relaxation = one.lines or engine.certifying(one.intervals)
        picked = {i: line.one(box, row) for i, line in (slopes or {}).items()}
        rhs = one.query.rhs[0, row]
        if network.output in picked and (shown := Shown.of(network)) is not None:
            weight = picked.pop(network.output).slopes[0]
            given = Multipliers(shown, one.intervals, rows, weight)
            rhs, rows = rhs + given.price()[0, 0], given.added(rows)
        found = account(network, relaxation, rows, one.box, picked)
        parts = {i: float(gap) for i, gap in found.gaps.items()}
        ends = (float(end - rhs) for end in (found.bound, found.value))
        about = {"clause": int(one.query.clause[0, row]), **dict(zip(("bound", "value"), ends, strict=True))}
        if not all(map(math.isfinite, (*parts.values(), *about.values()))):
            return layers, {}
        return [{**layer, "gap": max(0.0, parts.get(layer["node"], 0.0))} for layer in layers], about

    def rows(self, output: int) -> Rows:
        """The rows to be bounded."""
        return Rows(output, self.query.matrix, self.query.on_input)


def _decided(engine: Engine, state: RootState) -> RootState:
    """The state with every box refuted in which no input has the hidden values that are taken as given."""
    empty = contradicted(engine.exact, state.intervals)
    if not bool(empty.any()):
        return state
    return replace(state, margins=torch.where(empty[:, None], torch.inf, state.margins))


def cheap(engine: Engine, query: Query, output: int) -> RootState:
    """Interval arithmetic, forward bounds where few inputs vary, and one backward pass where these do not
    decide.
    """
    intervals, linear = cheap_forms(engine, (query.lower, query.upper))
    bounds = interval_rows(query.matrix, intervals[output], query.on_input, (query.lower, query.upper))
    state = RootState(query, query.margins(bounds), intervals)
    return _backward(engine, state, output, engine.certifying(intervals, linear=linear))


def tightened(engine: Engine, state: RootState, output: int, share: float) -> RootState:
    """Hidden rows bounded backwards with default slopes, then the specification's rows."""
    relaxation = tighten_all(engine, state.box, state.intervals, Steps(0), share)
    tighter = replace(state, intervals=relaxation.intervals, lines=None)
    return _backward(engine, tighter, output, relaxation)


def optimised(
    engine: Engine,
    state: RootState,
    output: int,
    counts: tuple[int, int],
    share: float,
    record: Record | None = None,
) -> tuple[RootState, dict[int, Chosen]]:
    """Slopes optimised for hidden rows, layer after layer, then for the specification's rows; with the last
    slopes. counts: steps for hidden rows (0: none are bounded anew) and for the specification's; `record` is
    told the linear forms of hidden rows.
    """
    hidden = Steps.of(counts[0])
    if hidden.count:
        relaxation = tighten_all(engine, state.box, state.intervals, hidden, share, record=record)
    else:
        relaxation = engine.certifying(state.intervals)
    state = _decided(engine, replace(state, intervals=relaxation.intervals))
    if not state.open().numel():
        return state, {}

    def decided(bounds: Tensor) -> bool:
        engine.check()
        margins = torch.maximum(state.margins, state.query.margins(bounds.to(torch.float64)) - 1e-4)
        return bool((state.query.worst(margins) > 0).all())

    final = Steps.of((1 if engine.shown is None else GIVEN) * max(counts[1], 2 * counts[0]))
    bounds, slopes = row_bounds(engine, relaxation, state.rows(output), state.box, final, decided)
    margins = torch.maximum(state.margins, state.query.margins(bounds))
    lines = relaxation if len(state.query) == 1 else None
    return RootState(state.query, margins, relaxation.intervals, lines), slopes


def _backward(
    engine: Engine, state: RootState, output: int, relaxation: Relaxation | None = None
) -> RootState:
    """One certified backward pass with default slopes for the boxes still open."""
    state = _decided(engine, state)
    which = state.open()
    if not which.numel():
        return state
    whole = relaxation is not None and which.numel() == len(state.query)
    part = state if whole else state.take(which)
    exact = relaxation if whole and relaxation else engine.certifying(part.intervals)
    bounds, _ = row_bounds(engine, exact, part.rows(output), part.box, Steps(0))
    margins = state.margins.clone()
    margins[which] = torch.maximum(part.margins, part.query.margins(bounds))
    return replace(state, margins=margins, lines=exact if len(state.query) == 1 else None)
