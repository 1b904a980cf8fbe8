"""Bounding and choosing for input splits: every child box gets all its intervals afresh."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from genbab.bounds import Engine, Interval, Relaxation, Rows, Steps, certify, cheap_intervals, tighten_all
from genbab.branch.domains import INPUT, Domains, Splits
from genbab.branch.search import Bound
from genbab.problem import Query


def bound_by_inputs(engine: Engine, output: int, tighten: bool) -> Bound:
    """A `Bound` that rebuilds the intervals of each child box; `tighten` adds backward passes for hidden rows."""

    def bound(children: Domains) -> Domains:
        engine.check()
        margins, form, constant = _margins(engine, children, output, tighten)
        worst = torch.maximum(children.query.worst(margins), children.bound)
        lower, upper = clip(children.query, margins, form, constant)
        worst = torch.where((lower > upper).any(-1), torch.inf, worst)
        clipped = replace(children, query=replace(children.query, lower=lower, upper=upper), bound=worst)
        return replace(clipped, splits=choose_input(clipped, margins, form))

    return bound


def _margins(engine: Engine, domains: Domains, output: int, tighten: bool) -> tuple[Tensor, Tensor, Tensor]:
    """(margins (B, S), coefficients (B, S, D), constant (B, S)) with default slopes; hidden rows tightened where open.

    `<coefficients, x> + constant` lies below the rows on each box.
    """
    query = domains.query
    box: Interval = (query.lower, query.upper)
    intervals = cheap_intervals(engine, box)
    exact = Relaxation(engine.exact, intervals, torch.float64)
    bounds, form, constant = certify(engine.exact, exact, Rows(output, query.matrix, query.on_input), box, {})
    margins = query.margins(bounds)
    undecided = (~(query.worst(margins) > 0)).nonzero().squeeze(-1)
    if not tighten or not undecided.numel():
        return margins, form, constant
    some = query.take(undecided)
    box = (some.lower, some.upper)
    intervals = [(low[undecided], high[undecided]) for low, high in intervals]
    intervals = tighten_all(engine, box, intervals, Steps(0))
    exact = Relaxation(engine.exact, intervals, torch.float64)
    bounds, better, base = certify(engine.exact, exact, Rows(output, some.matrix, some.on_input), box, {})
    margins[undecided] = torch.maximum(margins[undecided], some.margins(bounds))
    form, constant = form.clone(), constant.clone()
    form[undecided], constant[undecided] = better, base
    return margins, form, constant


def clip(query: Query, margins: Tensor, form: Tensor, constant: Tensor) -> Interval:
    """The boxes cut to where an unsafe point can lie (lower > upper: nowhere); (B, D) each.

    An unsafe point of a clause satisfies every row, hence <form, x> + constant <= rhs, which bounds each x_d when the
    others are at their best (the relaxed clip of Clip-and-Verify, NeurIPS 2025). A box keeps the hull over its open
    clauses.
    """
    low, high = query.lower[:, None], query.upper[:, None]
    least = constant + (form * torch.where(form > 0, low, high)).sum(-1)
    size = constant.abs() + query.rhs.abs() + (form.abs() * torch.maximum(low.abs(), high.abs())).sum(-1)
    room = ((query.rhs - least) + 1e-12 * size)[..., None].clamp(min=0)
    reach = torch.nan_to_num(room / form.abs(), nan=torch.inf)
    reach = reach + 1e-12 * (reach + high.abs() + low.abs())
    row_low = torch.where(form < 0, torch.maximum(high - reach, low), low.expand_as(form))
    row_high = torch.where(form > 0, torch.minimum(low + reach, high), high.expand_as(form))
    if form.shape[1] > 1:
        same = query.clause[:, :, None] == query.clause[:, None, :]
        if bool(same.sum() > same.shape[0] * same.shape[1]):
            row_low = torch.where(same[..., None], row_low[:, None], -torch.inf).amax(2)
            row_high = torch.where(same[..., None], row_high[:, None], torch.inf).amin(2)
    still = (~(query.clause_margins(margins) > 0))[..., None] & (row_low <= row_high).all(-1, keepdim=True)
    lower = torch.where(still, row_low, torch.inf).amin(1)
    upper = torch.where(still, row_high, -torch.inf).amax(1)
    return torch.maximum(lower, query.lower), torch.minimum(upper, query.upper)


def choose_input(domains: Domains, margins: Tensor, form: Tensor) -> Splits:
    """The input whose width weighs most in the rows still open: |coefficient| · width, split in the middle.

    Splits that float64 cannot express (no number strictly between the ends) are not offered.
    """
    query = domains.query
    width = query.upper - query.lower
    still = (~(margins > 0)).to(form.dtype)
    weight = torch.einsum("bs,bsd->bd", still, form.abs()) * width
    weight = torch.nan_to_num(weight, nan=0.0) + 1e-12 * width
    middle = query.lower + width / 2
    weight = torch.where((middle > query.lower) & (middle < query.upper), weight, -1.0)
    best, neuron = weight.max(-1)
    node = torch.where(best > 0, INPUT, -1)
    point = middle.gather(1, neuron[:, None]).squeeze(1)
    return Splits(node, neuron, point)
