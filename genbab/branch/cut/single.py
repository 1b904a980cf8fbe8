"""Boxes of one point: interval arithmetic is as good as any bound there, and nothing is left to split."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from genbab.bounds import Engine, contradicted, interval_rows
from genbab.branch.open.domains import Splits
from genbab.network.interval import propagate
from genbab.problem import Query


def alone(query: Query) -> Tensor:
    """(B,) whether a box holds one point only."""
    return (query.lower == query.upper).all(-1)


def at_points(engine: Engine, query: Query, worst: Tensor) -> Tensor:
    """The bounds (B,), raised by interval arithmetic in boxes of one point that they leave open."""
    which = (alone(query) & ~(worst > 0)).nonzero().squeeze(-1)
    if not which.numel():
        return worst
    some = query.take(which)
    box = some.lower, some.upper
    intervals = propagate(engine.exact, box, ask=engine.check, exact=True)
    rows = interval_rows(some.matrix, intervals[engine.exact.output], some.on_input, box)
    found = torch.where(contradicted(engine.exact, intervals), torch.inf, some.worst(some.margins(rows)))
    return worst.index_copy(0, which, torch.maximum(worst[which], found))


def without_points(splits: Splits, query: Query) -> Splits:
    """The splits, but none of what a box of one point leaves open: no part of it says more than the whole."""
    return replace(splits, node=torch.where(alone(query), -1, splits.node))
