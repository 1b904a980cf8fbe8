"""Multipliers for a network's premises.

A constraint l <= z <= u of a hidden neuron is more than a narrower interval for its function: a slope outside
the range of f' on [l, u] is the constraint's Lagrange multiplier (`Freedom`). The room for such slopes is
measured on the interval that the neuron would have without the constraint.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from genbab.bounds.ascent.slopes import Freedom
from genbab.bounds.relax.relaxation import Relaxation, Slopes
from genbab.network import Network, Nonlinear
from genbab.network.interval import Interval, propagate


def loosened(network: Network, box: Interval, intervals: list[Interval]) -> list[Interval]:
    """The intervals (B, N) of all nodes, those of constrained nodes as they are without any constraint."""
    if not network.premises:
        return intervals
    plain = propagate(replace(network, premises={}), box)
    return [plain[i] if i in network.premises else interval for i, interval in enumerate(intervals)]


def room(search: Network, box: Interval, intervals: list[Interval], dtype: torch.dtype) -> Freedom | None:
    """Steps for the slopes of every function whose argument is constrained; None where nothing is."""
    if not search.premises:
        return None
    plain = [(low.to(dtype), high.to(dtype)) for low, high in loosened(search, box, intervals)]
    relaxation = Relaxation(search, plain, dtype)
    steps: dict[int, Slopes] = {}
    for i, node in enumerate(search.nodes):
        if isinstance(node, Nonlinear) and any(a in search.premises for a in node.args):
            ranges = relaxation.lines(i).ranges
            steps[i] = tuple(
                constrained(search, a).to(r.dtype) * r for a, r in zip(node.args, ranges, strict=True)
            )
    return Freedom(steps)


def constrained(network: Network, i: int) -> torch.Tensor:
    """(N,) whether the network has a premise on each number of node i."""
    if i not in network.premises:
        return torch.zeros(network.nodes[i].size, dtype=torch.bool)
    low, high = network.premises[i]
    return torch.isfinite(low) | torch.isfinite(high)
