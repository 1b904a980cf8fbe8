"""How regions are bounded, with every hidden row anew, and split, where a gap costs most."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from genbab.bounds import (
    NEARLY,
    Engine,
    Question,
    Rows,
    Steps,
    Tightening,
    answer,
    output_premises,
    tighten_all,
)
from genbab.branch.choose.points import kink_or_middle
from genbab.branch.cut.forms import HiddenForms
from genbab.branch.open.domains import INPUT
from genbab.branch.regions.region import NeuronSplit, Region


def bounded(engine: Engine, region: Region, counts: tuple[int, int], memory: int) -> Region | None:
    """The region with every hidden row bounded anew, layer after layer, then its rows.

    None where that shows that no input leads there. counts: slope steps for hidden rows and for the
    specification's; memory: bytes for forms of hidden rows.
    """
    engine.check()
    query, entry = region.query, engine.exact.entry
    box = entry.cut(query.lower, query.upper)
    query = replace(query, lower=box[0], upper=box[1])
    region = replace(
        region, query=query, intervals=[entry.cut(*region.intervals[INPUT]), *region.intervals[1:]]
    )
    forms = HiddenForms(engine, memory, box)
    how = Tightening(Steps.of(counts[0]), record=forms.keep)
    relaxations = tighten_all(engine, box, region.intervals, how)
    if any(bool((low > high).any()) for low, high in relaxations.intervals):
        return None

    def decided(bounds: Tensor) -> bool:
        engine.check()
        return bool((query.worst(query.margins(bounds.double())) > NEARLY).all())

    rows = Rows(engine.exact.output, query.matrix, query.on_input)
    asked = Question(rows, box, relaxations, None, output_premises(engine.exact))
    known = answer(engine, asked, Steps.of(counts[1]), stop=decided)
    margins = torch.maximum(region.margins, query.margins(known.bound))
    forms.complete(relaxations)
    return replace(
        region,
        margins=margins,
        intervals=relaxations.intervals,
        warm=known.certificate,
        weights=known.weights,
        forms=forms,
    )


def costliest_split(engine: Engine, region: Region) -> NeuronSplit | None:
    """The split of the neuron whose gap costs the region's rows most; None where there is none.

    What the gap costs through all intervals that it widens counts, too.
    """
    relaxation = engine.relaxed(region.intervals).exact
    weight = torch.ones(region.query.rhs.shape[1], device=region.margins.device)
    best, chosen = 0.0, None
    for i, cost in region.forms.influence.costs(relaxation, region.weights, weight).items():
        low, high = region.intervals[i]
        points = kink_or_middle(engine.exact, i, low, high, region.weights)
        points = engine.exact.entry.apart(points) if i == INPUT else points
        value, which = torch.where((points > low) & (points < high), cost.double()[None], 0.0).max(-1)
        if float(value) > best:
            best, chosen = float(value), NeuronSplit(i, int(which), float(points[0, which]))
    return chosen
