"""Bounding and choosing for input splits: every child box gets all its intervals afresh."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from genbab.bounds import Engine, Interval, Relaxation, Rows, Steps, certify, cheap_intervals, tighten_all
from genbab.branch.domains import INPUT, Domains, Splits
from genbab.branch.search import Bound


def bound_by_inputs(engine: Engine, output: int, tighten: bool) -> Bound:
    """A `Bound` that rebuilds the intervals of each child box; `tighten` adds backward passes for hidden rows."""

    def bound(children: Domains) -> Domains:
        engine.check()
        margins, form = _margins(engine, children, output, tighten)
        worst = torch.maximum(children.query.worst(margins), children.bound)
        splits = choose_input(children, margins, form)
        return replace(children, bound=worst, splits=splits)

    return bound


def _margins(engine: Engine, domains: Domains, output: int, tighten: bool) -> tuple[Tensor, Tensor]:
    """(margins (B, S), input coefficients (B, S, D)) with default slopes, hidden rows tightened where still open."""
    query = domains.query
    box: Interval = (query.lower, query.upper)
    intervals = cheap_intervals(engine, box)
    rows = Rows(output, query.matrix, query.on_input)
    exact = Relaxation(engine.exact, intervals, torch.float64)
    bounds, form, _ = certify(engine.exact, exact, rows, box, {})
    margins = query.margins(bounds)
    if not tighten:
        return margins, form
    undecided = (~(query.worst(margins) > 0)).nonzero().squeeze(-1)
    if not undecided.numel():
        return margins, form
    some = query.take(undecided)
    box = (some.lower, some.upper)
    intervals = [(low[undecided], high[undecided]) for low, high in intervals]
    intervals = tighten_all(engine, box, intervals, Steps(0))
    exact = Relaxation(engine.exact, intervals, torch.float64)
    bounds, better, _ = certify(engine.exact, exact, Rows(output, some.matrix, some.on_input), box, {})
    margins[undecided] = torch.maximum(margins[undecided], some.margins(bounds))
    form = form.clone()
    form[undecided] = better
    return margins, form


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
