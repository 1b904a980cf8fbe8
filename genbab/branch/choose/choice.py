"""From the settings to the part of the search that decides which neuron to split, and where."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor

from genbab.bounds import Chosen, Engine
from genbab.branch.bound.neurons import Root
from genbab.branch.choose.bbps import bbps_score
from genbab.branch.choose.mixed import Mixed
from genbab.branch.choose.scores import (
    Point,
    Score,
    choose_neuron,
    free_score,
    kink_or_middle,
    line_score,
    plain_score,
    random_score,
    widest_score,
)
from genbab.branch.choose.strong import strong_score
from genbab.branch.cut.forms import Forms
from genbab.branch.open.domains import Splits
from genbab.config import Config
from genbab.kernels import DEFAULT, Kernels
from genbab.network import Network, Nonlinear
from genbab.nonlinear import Nonlinearity


def chooser(
    config: Config, engine: Engine, root: Root, forms: Forms, mixed: Mixed | None = None
) -> Callable[..., Splits]:
    """What `bound_by_neurons` asks for the next split of each domain: a neuron or, if `mixed`, an input."""
    table = partial(table_point, kernels=engine.kernels)
    point: Point = kink_or_middle if config.branching_point == "middle" else table
    score = score_named(config, engine, root, forms)
    if mixed is not None:
        return choose_neuron(score, point, rival=mixed.choose)
    return choose_neuron(score, point, estimates=config.branching_score not in ("random", "widest"))


def score_named(config: Config, engine: Engine, root: Root, forms: Forms) -> Score:
    """The score that the settings name."""
    scores: dict[str, Callable[[], Score]] = {
        "random": lambda: random_score(config.seed),
        "widest": lambda: widest_score,
        "babsr": lambda: plain_score,
        "free": lambda: free_score,
        "line": lambda: line_score,
        "shortcut": lambda: bbps_score(forms, anchored=False, shortlist=64),
        "bbps": lambda: bbps_score(forms),
        "strong": lambda: strong_score(engine, root, bbps_score(forms)),
    }
    return scores[config.branching_score]()


def table_point(
    network: Network,
    node: int,
    lower: Tensor,
    upper: Tensor,
    lines: Mapping[int, Chosen],
    kernels: Kernels = DEFAULT,
) -> Tensor:
    """The point that leaves the least gap, by the table of the function that matters most to the rows.

    Where no function of one variable reads the node: the middle.
    """
    from genbab.branch.choose.points import split_points

    best = kink_or_middle(network, node, lower, upper)
    most = torch.zeros_like(best)
    for reader in network.consumers[node]:
        reading = network.nodes[reader]
        if not (isinstance(reading, Nonlinear) and isinstance(reading.fn, Nonlinearity) and reader in lines):
            continue
        a = lines[reader].coefficients.to(torch.float64)
        weight = torch.stack([a.clamp(min=0).sum(1), a.clamp(max=0).neg().sum(1)], -1)
        points = split_points(reading.fn, lower, upper, weight, kernels)
        total = weight.sum(-1)
        best = torch.where(total > most, points.to(best.dtype), best)
        most = torch.maximum(most, total)
    return best
