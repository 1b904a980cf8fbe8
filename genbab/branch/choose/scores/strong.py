"""Strong branching: the few splits that a score ranks highest are tried, and the best of these is taken."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from genbab.bounds import Engine, Steps, WarmStart, descend, search
from genbab.branch.bound.neurons import Root, question
from genbab.branch.choose.score import Combine, NamedScore, Score, worth
from genbab.branch.choose.scores.bbps import bbps_score
from genbab.branch.choose.view import DomainView
from genbab.branch.open.domains import Domains, Splits, bisect
from genbab.branch.tally import balanced

TRIED = 4
"""Splits of each domain that are tried."""

STEPS = 3
"""Slope steps for a trial."""


def strong_score(
    engine: Engine, root: Root, first: Score, tried: int = TRIED, combine: Combine = balanced
) -> Score:
    """The gain that a few slope steps find in both children, for the splits that `first` ranks highest."""

    def score(view: DomainView) -> dict[int, Tensor]:
        rough = first(view)
        if not rough:
            return rough
        nodes = list(rough)
        everything = torch.cat([rough[i] for i in nodes], 1)
        top = everything.topk(min(tried, everything.shape[1]), 1)
        sizes = torch.tensor([rough[i].shape[1] for i in nodes], device=everything.device)
        ends = sizes.cumsum(0)
        place = torch.bucketize(top.indices, ends, right=True)
        neuron = top.indices - (ends - sizes)[place]
        which, column = (top.values > 0).nonzero(as_tuple=True)
        found = {i: torch.zeros_like(r) for i, r in rough.items()}
        if not which.numel():
            return found
        chosen = torch.tensor(nodes, device=everything.device)[place[which, column]]
        neurons = neuron[which, column]
        points = view.margins.new_zeros(which.numel(), dtype=torch.float64)
        for i in nodes:
            mine = (chosen == i).nonzero().squeeze(-1)
            points[mine] = view.points_of(i, which[mine], neurons[mine]).double()
        parents = replace(view.domains, warm=WarmStart(view.last_pass.starts).expanded()).take(which)
        parents = replace(parents, splits=Splits(chosen, neurons, points))
        gains = _tried(engine, root, parents, view, which)
        value = combine(gains[: len(parents)], gains[len(parents) :])
        for i in nodes:
            mine = chosen == i
            found[i][which[mine], neurons[mine]] = value[mine].to(found[i].dtype)
        return found

    return score


def _tried(engine: Engine, root: Root, parents: Domains, view: DomainView, which: Tensor) -> Tensor:
    """What both children of each parent gain, (2 P,), all lower children first.

    The parents are those of the view. Nothing is certified, and multiples of premises stay what they are in
    the view.
    """
    children, both = bisect(parents), which.repeat(2)
    query = children.query
    rows = view.rows.take(both, len(view.domains))
    asked = replace(question(engine, root, children), rows=rows, premises=None)
    found, _ = search(engine, asked, Steps.of(STEPS), children.warm)
    box = engine.cast(asked.box)
    bound = descend(asked.relaxations.search, rows.to(engine.dtype), box, found.starts).bound.double()
    bound = bound if view.price is None else bound - view.price[both]
    before = view.margins[both]
    gains = torch.nan_to_num(query.margins(bound) - before, nan=0.0).clamp(min=0)
    return worth(query, before, gains[..., None])[:, 0]


SCORE = NamedScore(lambda given: strong_score(given.engine, given.root, bbps_score(given.forms)))
