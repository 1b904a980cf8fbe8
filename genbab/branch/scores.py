"""Which neuron to split, and where."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from genbab.bounds import Chosen, Interval, Relaxation
from genbab.bounds.relaxation import Lines, shaped
from genbab.branch.domains import Domains, Splits
from genbab.network import Grouped, Network, Nonlinear
from genbab.nonlinear import Nonlinearity
from genbab.nonlinear.softmax_planes import lost

Point = Callable[[Network, int, Tensor, Tensor], Tensor]
"""(network, node, lower (B, N), upper) -> where to split each neuron of the node, strictly inside."""

Score = Callable[[Relaxation, dict[int, Chosen], int, Tensor, Tensor], Tensor]
"""(relaxation, lines, node, points (B, N), row weights (B, S)) -> the gain expected of splitting each
neuron (B, N).
"""


def kink_or_middle(network: Network, node: int, lower: Tensor, upper: Tensor) -> Tensor:
    """The kink of a function that reads the node where one lies inside the interval, else the middle."""
    point = lower + (upper - lower) / 2
    point = torch.where(torch.isfinite(point), point, torch.zeros_like(point))
    for reader in network.consumers[node]:
        reading = network.nodes[reader]
        if isinstance(reading, Nonlinear) and isinstance(reading.fn, Nonlinearity):
            for kink in reading.fn.kinks:
                point = torch.where((lower < kink) & (kink < upper), torch.full_like(point, kink), point)
    return point


def line_score(
    relaxation: Relaxation, chosen: dict[int, Chosen], node: int, point: Tensor, weight: Tensor
) -> Tensor:
    """The gain of a split where the bound is attained: |A| times how much a child's line improves on the
    parent's.

    Taken is the better of two lines of the child: the parent's slope with the child's intercept (its gain is
    guaranteed), and the child's own default line, both at the argument's value v at the minimising input.
    The gains of
    both children are added (docs/search.md has the comparison). No propagation: O(B·S·N).
    """
    network = relaxation.network
    lower, upper = relaxation.intervals[node]
    gains: list[Tensor] = []
    for cut in ((lower, point), (point, upper)):
        total = torch.zeros_like(point)
        for reader in network.consumers[node]:
            line = chosen.get(reader)
            if line is None or not line.point:
                continue
            if isinstance(network.nodes[reader], Grouped):
                gain = _lost(relaxation, reader, node, line)
            else:
                gain = line.coefficients.abs() * _improvement(relaxation, reader, node, cut, line)
            total = total + torch.einsum("bs,bsn->bn", weight.to(gain.dtype), gain).to(total.dtype)
        gains.append(total)
    return gains[0] + gains[1]


def _improvement(relaxation: Relaxation, reader: int, node: int, cut: Interval, line: Chosen) -> Tensor:
    """How far the better of the child's two lines lies inside the parent's, at the line's point; (B, S, N),
    >= 0.
    """
    reading = relaxation.network.nodes[reader]
    assert isinstance(reading, Nonlinear)
    boxes = [cut if a == node else relaxation.intervals[a] for a in reading.args]
    lines = Lines(reading.fn, tuple(shaped(box, line.intercept.dtype) for box in boxes))
    outward = 1 - 2 * line.upper
    same = (lines.intercept(line.slopes, line.upper, rigorous=False)[0] - line.intercept) * outward
    own_slopes = lines.default(line.upper)
    own = lines.intercept(own_slopes, line.upper, rigorous=False)[0] - line.intercept
    for k, before, v in zip(own_slopes, line.slopes, line.point, strict=True):
        own = torch.addcmul(own, k - before, v)
    gain = torch.maximum(same, own * outward)
    return torch.nan_to_num(gain, nan=0.0, posinf=1e6).clamp_(min=0)


def _lost(relaxation: Relaxation, reader: int, node: int, line: Chosen) -> Tensor:
    """What the relaxation of each argument of a grouped node loses at the line's point; (B, S, N), >= 0."""
    parts = lost(relaxation.groups(reader), line.coefficients, line.slopes[0], line.point[0])
    place = relaxation.network.sources(reader).index(node)
    return torch.nan_to_num(parts[place] / 2, nan=0.0, posinf=1e6)


def choose_neuron(score: Score, point: Point, width: float = 1e-7) -> Callable[..., Splits]:
    """A chooser: the neuron of highest score among those at least `width` wide (relative to their size)."""

    def choose(
        relaxation: Relaxation, chosen: dict[int, Chosen], domains: Domains, margins: Tensor
    ) -> Splits:
        network, count = relaxation.network, len(domains)
        device = margins.device
        best = torch.zeros(count, dtype=torch.float64, device=device)
        node = torch.full((count,), -1, device=device)
        neuron = torch.zeros(count, dtype=torch.long, device=device)
        where = torch.zeros(count, dtype=torch.float64, device=device)
        weight = (~(margins > 0)).to(torch.float64)
        for i in network.relaxed:
            if i not in domains.hidden:
                continue
            lower, upper = domains.hidden[i]
            points = point(network, i, lower, upper)
            scores = score(relaxation, chosen, i, points, weight)
            wide = (upper - lower) > width * (1 + torch.maximum(lower.abs(), upper.abs()))
            scores = torch.where(
                wide & (points > lower) & (points < upper), scores + 1e-12 * (upper - lower), 0.0
            )
            top, which = scores.max(-1)
            better = top > best
            best = torch.where(better, top, best)
            node = torch.where(better, i, node)
            neuron = torch.where(better, which, neuron)
            where = torch.where(better, points.gather(1, which[:, None]).squeeze(1), where)
        return Splits(node, neuron, where)

    return choose
