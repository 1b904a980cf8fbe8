"""Room for the slopes of functions whose arguments have premises.

A premise l <= z <= u of a hidden neuron is more than a narrower interval for its function: a slope outside
the range of f' on [l, u] is its Lagrange multiplier (`Freedom`). The room for such slopes is measured on the
interval that the neuron would have without the premise.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from genbab.bounds.ascent.slopes import Freedom
from genbab.bounds.relax.lines import Slopes
from genbab.bounds.relax.relaxation import Relaxation
from genbab.network import Network
from genbab.network.interval import propagate
from genbab.network.roundoff import Interval


def without_premises(network: Network, box: Interval, intervals: list[Interval]) -> list[Interval]:
    """The intervals (B, N) of all nodes, those of nodes with premises as they are without any."""
    if not network.premises:
        return intervals
    plain = propagate(replace(network, premises={}), box)
    return [plain[i] if i in network.premises else interval for i, interval in enumerate(intervals)]


def premise_freedom(search: Network, box: Interval, intervals: list[Interval], dtype: torch.dtype) -> Freedom:
    """Steps for the slopes of every function whose argument has a premise."""
    steps: dict[int, Slopes] = {}
    if not search.premises:
        return Freedom(steps)
    plain = [(low.to(dtype), high.to(dtype)) for low, high in without_premises(search, box, intervals)]
    relaxation = Relaxation(search, plain, dtype)
    for i, node in search.nonlinear.items():
        if any(a in search.premises for a in node.args):
            ranges = relaxation.lines(i).ranges
            steps[i] = tuple(
                with_premise(search, a).to(r.dtype) * r for a, r in zip(node.args, ranges, strict=True)
            )
    return Freedom(steps)


def with_premise(network: Network, i: int) -> Tensor:
    """(N,) whether the network has a premise on each number of node i."""
    if i not in network.premises:
        return torch.zeros(network.nodes[i].size, dtype=torch.bool)
    low, high = network.premises[i]
    return torch.isfinite(low) | torch.isfinite(high)
