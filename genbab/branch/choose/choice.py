"""From the settings to the part of the search that decides which neuron to split, and where."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from genbab.bounds import Engine
from genbab.branch.bound.neurons import Root
from genbab.branch.choose.mixed import Mixed
from genbab.branch.choose.neuron import choose_neuron
from genbab.branch.choose.points import Point, kink_or_middle, table_point
from genbab.branch.choose.score import Scoring
from genbab.branch.choose.scores import named
from genbab.branch.cut.forms import HiddenForms
from genbab.branch.open.domains import Splits
from genbab.config import Config


def chooser(
    config: Config, engine: Engine, root: Root, forms: HiddenForms, mixed: Mixed | None = None
) -> Callable[..., Splits]:
    """What `bound_by_neurons` asks for the next split of each domain: a neuron or, if `mixed`, an input."""
    table = partial(table_point, kernels=engine.kernels)
    point: Point = kink_or_middle if config.branching_point == "middle" else table
    kind = named(config.branching_score)
    score = kind.make(Scoring(engine, root, forms, config.seed))
    if mixed is not None:
        return choose_neuron(score, point, rival=mixed.choose)
    return choose_neuron(score, point, estimates=kind.gains)
