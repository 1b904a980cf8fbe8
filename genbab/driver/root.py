"""The root: bounds of all boxes without branching, from cheap to dear, on what is still open."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from genbab.bounds import (
    NEARLY,
    Answer,
    Engine,
    Interval,
    Multipliers,
    Question,
    Record,
    Relaxation,
    Relaxations,
    Rows,
    Steps,
    Tightening,
    WarmStart,
    account,
    answer,
    cheap_forms,
    contradicted,
    interval_rows,
    output_premises,
    tighten_all,
)
from genbab.branch import HiddenForms, Region
from genbab.network import Network
from genbab.problem import Query

WITH_PREMISES = 3
"""How many times the steps of the specification's rows with premises: few rows, many multipliers."""


@dataclass(frozen=True, eq=False)
class RootState:
    """Open boxes with what is known of them.

    margins (B, S): certified so far; intervals: of every node; lines: of a single box, those on these
    intervals, where they are at hand.
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

    def each(self) -> list[RootState]:
        """The boxes one by one."""
        return [self.take(torch.tensor([k])) for k in range(len(self.query))]

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
        """How wide the arguments of every relaxed node are on the least refuted box.

        Its number, function, neurons, mean and greatest width.
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

    def explained(self, engine: Engine, warm: WarmStart) -> tuple[list[dict[str, Any]], dict[str, float]]:
        """(layers, gap): where the bound of the least refuted row of the least refuted box is lost.

        The layers with their part, "gap", each; and of the row the "clause", the margin "bound" of one pass
        with these slopes, and "value", the network's own margin where that bound is attained. No gaps where
        they are not finite.
        """
        network = engine.exact
        layers, box = self.layers(network), int(self.query.worst(self.margins).argmin())
        one = self.take(torch.tensor([box], device=self.margins.device))
        best = one.query.clause_margins(one.margins)
        row = int(torch.where(best == one.margins, one.margins, torch.inf).argmin())
        rows = one.rows(network.output)
        on_input = None if rows.on_input is None else rows.on_input[:, row : row + 1]
        rows = replace(rows, matrix=rows.matrix[:, row : row + 1], on_input=on_input)
        relaxation = one.lines or engine.relaxed(one.intervals).exact
        picked, rhs, premises = warm.one(box, row), one.query.rhs[0, row], output_premises(network)
        if picked.multipliers is not None and premises is not None:
            weighed = Multipliers(premises, one.intervals, rows, picked.multipliers)
            rhs, rows = rhs + weighed.price()[0, 0], weighed.added(rows)
        found = account(relaxation, rows, one.box, picked.starts)
        parts = {i: float(gap) for i, gap in found.gaps.items()}
        ends = (float(end - rhs) for end in (found.bound, found.value))
        about = {"clause": int(one.query.clause[0, row]), **dict(zip(("bound", "value"), ends, strict=True))}
        if not all(map(math.isfinite, (*parts.values(), *about.values()))):
            return layers, {}
        return [{**layer, "gap": max(0.0, parts.get(layer["node"], 0.0))} for layer in layers], about

    def rows(self, output: int) -> Rows:
        """The rows to be bounded."""
        return Rows(output, self.query.matrix, self.query.on_input)


@dataclass(frozen=True, eq=False)
class RootFound:
    """The root of one box after the stage of this number, -1 before the first.

    forms: of its hidden rows, so far; warm and weights: of its rows, what a search starts from and their
    coefficients at every relaxed node (`Region`), if they were bounded; seconds: that the stage took.
    """

    state: RootState
    forms: HiddenForms
    stage: int = -1
    warm: WarmStart | None = None
    weights: Mapping[int, Tensor] = field(default_factory=dict)
    seconds: float = 0.0

    def after(self, state: RootState, known: Answer | None, seconds: float) -> RootFound:
        """The same after one more stage of so many seconds, and what it found of the rows, if any."""
        warm = None if known is None else known.certificate
        weights = {} if known is None else known.weights
        return RootFound(state, self.forms, self.stage + 1, warm, weights, seconds)

    def region(self) -> Region:
        """The region of the box, with the rows that are open, once they were bounded."""
        state, warm = self.state, self.warm
        assert warm is not None
        parts = state.query, state.margins, state.intervals, (), warm, self.weights, self.forms
        opened = Region(*parts).opened()
        assert opened is not None
        return opened


def _decided(engine: Engine, state: RootState) -> RootState:
    """The state with every box refuted in which no input has the hidden values that are taken as given."""
    empty = contradicted(engine.exact, state.intervals)
    if not bool(empty.any()):
        return state
    return replace(state, margins=torch.where(empty[:, None], torch.inf, state.margins))


def cheap(engine: Engine, query: Query, output: int) -> RootState:
    """Interval arithmetic, forward bounds where few inputs vary, one backward pass where still open."""
    intervals, linear = cheap_forms(engine, (query.lower, query.upper))
    bounds = interval_rows(query.matrix, intervals[output], query.on_input, (query.lower, query.upper))
    state = RootState(query, query.margins(bounds), intervals)
    return _backward(engine, state, output, engine.relaxed(intervals, None, linear))


def tightened(
    engine: Engine, state: RootState, output: int, share: float, record: Record | None = None
) -> RootState:
    """Hidden rows bounded backwards with default slopes, then the specification's rows."""
    how = Tightening(seconds=share, record=record)
    relaxations = tighten_all(engine, state.box, state.intervals, how)
    tighter = replace(state, intervals=relaxations.intervals, lines=None)
    return _backward(engine, tighter, output, relaxations)


def optimised(
    engine: Engine, state: RootState, output: int, how: Tightening, steps: int
) -> tuple[RootState, Answer | None]:
    """The state with slopes optimised for hidden rows and then, in so many steps, for the specification's.

    Without steps in `how` no hidden row is bounded anew. With what is found of the specification's rows; None
    where that is not needed.
    """
    if how.steps.count:
        relaxations = tighten_all(engine, state.box, state.intervals, how)
    else:
        relaxations = engine.relaxed(state.intervals)
    state = _decided(engine, replace(state, intervals=relaxations.intervals))
    if not state.open().numel():
        return state, None

    def decided(bounds: Tensor) -> bool:
        engine.check()
        margins = torch.maximum(state.margins, state.query.margins(bounds.to(torch.float64)) - NEARLY)
        return bool((state.query.worst(margins) > 0).all())

    premises = output_premises(engine.exact)
    asked = Question(state.rows(output), state.box, relaxations, None, premises)
    known = answer(
        engine, asked, Steps.of(steps if premises is None else WITH_PREMISES * steps), stop=decided
    )
    margins = torch.maximum(state.margins, state.query.margins(known.bound))
    lines = relaxations.exact if len(state.query) == 1 else None
    return RootState(state.query, margins, relaxations.intervals, lines), known


def _backward(
    engine: Engine, state: RootState, output: int, relaxations: Relaxations | None = None
) -> RootState:
    """One certified backward pass with default slopes for the boxes still open."""
    state = _decided(engine, state)
    which = state.open()
    if not which.numel():
        return state
    whole = relaxations is not None and which.numel() == len(state.query)
    part = state if whole else state.take(which)
    mine = relaxations if whole and relaxations is not None else engine.relaxed(part.intervals)
    known = answer(engine, Question(part.rows(output), part.box, mine), Steps(0))
    margins = state.margins.clone()
    margins[which] = torch.maximum(part.margins, part.query.margins(known.bound))
    return replace(state, margins=margins, lines=mine.exact if len(state.query) == 1 else None)
