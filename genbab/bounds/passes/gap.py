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

from genbab.bounds.passes.backward import descend
from genbab.bounds.passes.taken import Pass, Rows, Starts
from genbab.bounds.relax.relaxation import Relaxation
from genbab.network.computed.values import values
from genbab.network.roundoff import Interval


@dataclass(frozen=True, eq=False)
class Account:
    """What the lines of a pass give away.

    bound (B, S): of the rows, without rounding account; value (B, S): their own where that is attained;
    gaps: per relaxed node, its part (B, S) of value - bound.
    """

    bound: Tensor
    value: Tensor
    gaps: dict[int, Tensor]


def account(relaxation: Relaxation, rows: Rows, box: Interval, start: Starts) -> Account:
    """The gap of one pass with these slopes (default ones where there are none), divided among the nodes.

    For explanations, never for verdicts. Parts are not finite where an interval is not.
    """
    one = descend(relaxation, rows, box, start)
    known = values(relaxation.network, one.corner)
    value = (rows.matrix * known[rows.target]).sum(-1)
    if rows.on_input is not None:
        value = value + (rows.on_input * one.corner).sum(-1)
    lost = {i: _lost_by_lines(one, i, known) for i in one.lines}
    lost |= {i: _lost_by_planes(one, i, known) for i in one.planes}
    return Account(one.bound, value, lost)


def _lost_by_planes(one: Pass, i: int, known: list[Tensor]) -> Tensor:
    """What the planes of grouped node i give away at the point: (B, S)."""
    taken, argument = one.planes[i], one.relaxation.network.nodes[i].sources[0]
    below = (taken.planes.form * known[argument]).sum(-1) + taken.planes.constants.sum(-1)
    return (taken.coefficients * known[i]).sum(-1) - below


def _lost_by_lines(one: Pass, i: int, known: list[Tensor]) -> Tensor:
    """What the lines of nonlinear node i give away at the point: (B, S)."""
    line = one.lines[i]
    along = line.intercept
    for slope, argument in zip(line.slopes, one.relaxation.network.nodes[i].sources, strict=True):
        along = along + slope * known[argument]
    lost = line.coefficients * (known[i] - along)
    return torch.where(line.coefficients == 0, 0.0, lost).sum(-1)
