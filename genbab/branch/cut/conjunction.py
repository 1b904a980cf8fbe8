"""What several rows of a clause say together: an unsafe point must satisfy all of them at once.

Each row has a linear form <form, x> + constant below it on the box, so an unsafe point lies in the
half-spaces <form, x> + constant <= rhs of all rows of its clause. Shapes: form (B, S, D), constant (B, S),
query of B boxes; C clauses of at most R rows each.
"""

from __future__ import annotations

import torch
from torch import Tensor

from genbab.bounds import Interval
from genbab.branch.cut.clipping import row_limits
from genbab.network.roundoff import gamma
from genbab.problem import Query

ROUNDS = 12
"""Steps of the search for weights of the rows."""

LEAST = 1e-12
"""Added to the widths that rows are scaled by, which may be 0."""


def combine(query: Query, margins: Tensor, form: Tensor, constant: Tensor) -> Tensor:
    """Margins (B, S), raised in clauses whose half-spaces are seen to have no common point in the box.

    For weights w >= 0 of the rows of a clause, min over the box of Σ w·(<form, x> + constant - rhs) > 0
    refutes the clause (weak duality). The weights are searched by multiplicative updates on rows scaled by
    their own width.
    """
    members = _members(query)
    if members.shape[1] == 1 or not bool((~(query.worst(margins) > 0)).any()):
        return margins
    low, high = query.lower[:, None], query.upper[:, None]
    offset = constant - query.rhs
    far = torch.maximum(low.abs(), high.abs())
    mass = (offset.abs() + (form.abs() * far).sum(-1))[:, members]
    size = ((form.abs() * (high - low)).sum(-1) + LEAST)[:, members]
    rows, base = form[:, members], offset[:, members]
    weight = 1 / size
    best = torch.full_like(weight[..., 0], -torch.inf)
    for _ in range(ROUNDS):
        joint = torch.einsum("bcr,bcrd->bcd", weight, rows)
        point = torch.where(joint > 0, low, high)
        total = (joint * point).sum(-1) + (weight * base).sum(-1)
        total = total - charge((weight * mass).sum(-1), far.sum(-1), members.shape[1], form.shape[-1])
        best = torch.maximum(best, total)
        value = torch.einsum("bcd,bcrd->bcr", point, rows) + base
        weight = weight * torch.exp((2.0 * value / size).clamp_(-2.0, 2.0))
    best = torch.nan_to_num(best, nan=-torch.inf, posinf=-torch.inf)
    raised = margins.clone()
    first = members[:, 0]
    raised[:, first] = torch.where(best > 0, torch.maximum(margins[:, first], best), margins[:, first])
    return raised


def charge(mass: Tensor, far: Tensor, rows: int, inputs: int) -> Tensor:
    """A bound of every rounding error of Σ_d (Σ_r w_r·form_rd)·x_d + Σ_r w_r·(constant_r - rhs_r) in float64.

    The sums may be taken in any order. mass: Σ_r w_r·(Σ_d |form_rd|·|x_d| + |constant_r - rhs_r|); far: Σ_d
    |x_d|, for what underflows: each product of a weight is off by a denormal at most, and then multiplied.
    """
    count = rows + inputs
    lost = torch.finfo(mass.dtype).tiny * count * (1.0 + far)
    return gamma(count, mass.dtype) * mass + lost


def clip(query: Query, margins: Tensor, form: Tensor, constant: Tensor) -> Interval:
    """The boxes cut to where an unsafe point can lie (lower > upper: nowhere); (B, D) each.

    An unsafe point of a clause satisfies every row, hence <form, x> + constant <= rhs, which bounds each x_d
    when the others are at their best (the relaxed clip of Clip-and-Verify, NeurIPS 2025). A box keeps the
    hull over its open clauses.
    """
    row_low, row_high = row_limits((query.lower, query.upper), form, query.rhs - constant)
    members = _members(query)
    clause_low, clause_high = row_low[:, members].amax(2), row_high[:, members].amin(2)
    open_clause = ~(margins[:, members].amax(2) > 0) & (clause_low <= clause_high).all(-1)
    lower = torch.where(open_clause[..., None], clause_low, torch.inf).amin(1)
    upper = torch.where(open_clause[..., None], clause_high, -torch.inf).amax(1)
    return torch.maximum(lower, query.lower), torch.minimum(upper, query.upper)


def _members(query: Query) -> Tensor:
    """Rows of each clause (C, R), short clauses filled up with their first row.

    Where the boxes of the batch group their rows differently, every row stands for itself: what is concluded
    from one row of a clause holds for the clause.
    """
    clause = query.clause
    changes = clause[:, 1:] != clause[:, :-1]
    rows = torch.arange(clause.shape[1], device=clause.device)
    if clause.shape[0] == 0 or clause.shape[1] == 1 or not bool((changes == changes[:1]).all()):
        return rows[:, None]
    number = torch.cat([changes.new_zeros(1, dtype=torch.long), changes[0].long().cumsum(0)])
    counts = torch.bincount(number)
    first = counts.cumsum(0) - counts
    place = torch.arange(int(counts.max()), device=clause.device)
    return first[:, None] + torch.where(place < counts[:, None], place, 0)


def minimiser(query: Query, margins: Tensor, form: Tensor) -> Tensor:
    """Where in its box each domain looks least safe, (B, D).

    The corner at which the linear lower bound of one row is least: the strongest row of the clause that is
    refuted least. The middle where it does not depend on an input.
    """
    best = query.clause_margins(margins)
    row = margins.where(best == best.amin(-1, keepdim=True), -torch.inf).argmax(-1)
    slope = form[torch.arange(len(row), device=row.device), row]
    middle = query.lower + 0.5 * (query.upper - query.lower)
    return torch.where(slope > 0, query.lower, torch.where(slope < 0, query.upper, middle))
