"""Where a backward bound is lost: an exact account of its gap, node by node.

With the lines of one pass, at EVERY input x

    row(x)  =  <A_0, x> + d  +  Σ_i Σ_n A_in · (f_in(x) - line_in(x)),

because each step of the pass replaced A·f by A·line and nothing else. Every term is >= 0 inside of the boxes.
At the input where the form <A_0, x> + d is least, which is the bound, the terms add up to the network's own
value there minus the bound.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from genbab.bounds.passes.backward import Chosen, Pass, Rows, descend
from genbab.bounds.relax.relaxation import Relaxation
from genbab.network import Grouped, Network
from genbab.network.interval import Interval
from genbab.network.values import values


@dataclass(frozen=True, eq=False)
class Account:
    """bound (B, S): of the rows, without rounding account; value (B, S): their own where that is attained;
    gaps: per relaxed node, its part (B, S) of value - bound.
    """

    bound: Tensor
    value: Tensor
    gaps: dict[int, Tensor]


def account(
    network: Network, relaxation: Relaxation, rows: Rows, box: Interval, slopes: dict[int, Chosen]
) -> Account:
    """The gap of one pass with these slopes (default ones where there are none), divided among the nodes.

    For explanations, never for verdicts. Parts are not finite where an interval is not.
    """
    one = descend(network, relaxation, rows, box, slopes)
    known = values(network, one.corner)
    value = (rows.matrix * known[rows.target]).sum(-1)
    if rows.on_input is not None:
        value = value + (rows.on_input * one.corner).sum(-1)
    return Account(one.bound, value, {i: _lost(network, one, i, known) for i in one.chosen})


def _lost(network: Network, one: Pass, i: int, known: list[Tensor]) -> Tensor:
    """What the lines (planes) of node i give away at the point: (B, S)."""
    node, line = network.nodes[i], one.chosen[i]
    if isinstance(node, Grouped):
        assert line.planes is not None
        below = (line.planes.form * known[node.args[0]]).sum(-1) + line.planes.constants.sum(-1)
        return (line.coefficients * known[i]).sum(-1) - below
    along = line.intercept
    for slope, argument in zip(line.slopes, network.sources(i), strict=True):
        along = along + slope * known[argument]
    lost = line.coefficients * (known[i] - along)
    return torch.where(line.coefficients == 0, 0.0, lost).sum(-1)
