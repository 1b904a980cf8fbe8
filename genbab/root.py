"""The root of a run: bounds of all boxes without branching, from the cheapest to the dearest, on what is
still open.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from genbab.bounds import (
    Chosen,
    Engine,
    Interval,
    Record,
    Relaxation,
    Rows,
    Steps,
    cheap_forms,
    interval_rows,
    row_bounds,
    tighten_all,
)
from genbab.network import Grouped, Network, Nonlinear
from genbab.problem import Query


@dataclass(frozen=True, eq=False)
class RootState:
    """Open boxes with what is known of them: margins (B, S) certified so far, and intervals of every node."""

    query: Query
    margins: Tensor
    intervals: list[Interval]

    def open(self) -> Tensor:
        """Indices of the boxes that are not decided."""
        return (~(self.query.worst(self.margins) > 0)).nonzero().squeeze(-1)

    def take(self, which: Tensor) -> RootState:
        """The boxes selected."""
        intervals = [(low[which], high[which]) for low, high in self.intervals]
        return RootState(self.query.take(which), self.margins[which], intervals)

    @property
    def box(self) -> Interval:
        """The input boxes."""
        return self.query.lower, self.query.upper

    def layers(self, network: Network) -> list[dict[str, Any]]:
        """How wide the arguments of every relaxed node are on the least refuted box: its number, functions,
        neurons, mean and greatest width.
        """
        worst = int(self.query.worst(self.margins).argmin())
        found = []
        for i, node in enumerate(network.nodes):
            if isinstance(node, Nonlinear | Grouped):
                widths = torch.cat(
                    [(high - low)[worst] for low, high in (self.intervals[a] for a in node.args)]
                )
                size = {"neurons": node.size, "mean": float(widths.mean()), "widest": float(widths.max())}
                found.append({"node": i, "function": node.fn.name, **size})
        return found

    def rows(self, output: int) -> Rows:
        """The rows to be bounded."""
        return Rows(output, self.query.matrix, self.query.on_input)


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
    return _backward(engine, replace(state, intervals=relaxation.intervals), output, relaxation)


def optimised(  # noqa: PLR0913
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

    def decided(bounds: Tensor) -> bool:
        engine.check()
        margins = torch.maximum(state.margins, state.query.margins(bounds.to(torch.float64)) - 1e-4)
        return bool((state.query.worst(margins) > 0).all())

    final = Steps.of(max(counts[1], 2 * counts[0]))
    bounds, slopes = row_bounds(engine, relaxation, state.rows(output), state.box, final, decided)
    margins = torch.maximum(state.margins, state.query.margins(bounds))
    return RootState(state.query, margins, relaxation.intervals), slopes


def _backward(
    engine: Engine, state: RootState, output: int, relaxation: Relaxation | None = None
) -> RootState:
    """One certified backward pass with default slopes for the boxes still open."""
    which = state.open()
    if not which.numel():
        return state
    whole = relaxation is not None and which.numel() == len(state.query)
    part = state if whole else state.take(which)
    exact = relaxation if whole and relaxation else engine.certifying(part.intervals)
    bounds, _ = row_bounds(engine, exact, part.rows(output), part.box, Steps(0))
    margins = state.margins.clone()
    margins[which] = torch.maximum(part.margins, part.query.margins(bounds))
    return replace(state, margins=margins)
