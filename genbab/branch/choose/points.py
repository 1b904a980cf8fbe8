"""Where to split a neuron: at the point of a table of its function, at a kink, or in the middle."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from genbab.kernels import DEFAULT, Kernels
from genbab.network import Network
from genbab.nonlinear import Nonlinearity

Point = Callable[[Network, int, Tensor, Tensor, Mapping[int, Tensor]], Tensor]
"""(network, node, lower (B, N), upper, lines of the rows) -> where to split each neuron, strictly inside."""


def kink_or_middle(
    network: Network, node: int, lower: Tensor, upper: Tensor, weights: Mapping[int, Tensor] | None = None
) -> Tensor:
    """The kink of a function that reads the node where one lies inside the interval, else the middle."""
    point = lower + (upper - lower) / 2
    point = torch.where(torch.isfinite(point), point, torch.zeros_like(point))
    for fn in _unary_readers(network, node).values():
        for kink in fn.kinks:
            point = torch.where((lower < kink) & (kink < upper), torch.full_like(point, kink), point)
    return point


def table_point(
    network: Network,
    node: int,
    lower: Tensor,
    upper: Tensor,
    weights: Mapping[int, Tensor],
    kernels: Kernels = DEFAULT,
) -> Tensor:
    """The point that leaves the least gap, by the table of the function that matters most to the rows.

    Where no function of one variable reads the node: the middle.
    """
    best = kink_or_middle(network, node, lower, upper)
    most = torch.zeros_like(best)
    for reader, fn in _unary_readers(network, node).items():
        if reader not in weights:
            continue
        a = weights[reader].to(torch.float64)
        weight = torch.stack([a.clamp(min=0).sum(1), a.clamp(max=0).neg().sum(1)], -1)
        points = split_points(fn, lower, upper, weight, kernels)
        total = weight.sum(-1)
        best = torch.where(total > most, points.to(best.dtype), best)
        most = torch.maximum(most, total)
    return best


def split_points(
    fn: Nonlinearity, low: Tensor, high: Tensor, weight: Tensor, kernels: Kernels = DEFAULT
) -> Tensor:
    """Points strictly inside [low, high] (..., N), float64, wherever a number lies strictly inside.

    weight (..., N, 2) >= 0: how much the gap of the (lower, upper) line matters. Infinite, empty and
    degenerate intervals give a finite point. The first call for a function may make its table, which is read
    by `kernels` (None: by torch operations).
    """
    from genbab.lut import fallback, generate  # who never reads a table need not load what makes them

    low, high = low.double(), high.double()
    table = generate.table_on(fn, low.device)
    if table is None:
        return fallback.kink_or_middle(fn, low, high)
    return table.points(low, high, weight, kernels)


def _unary_readers(network: Network, node: int) -> dict[int, Nonlinearity]:
    """The functions of one variable that read the node, by number."""
    readers = {i: network.nonlinear[i].fn for i in network.consumers[node] if i in network.nonlinear}
    return {i: fn for i, fn in readers.items() if isinstance(fn, Nonlinearity)}
