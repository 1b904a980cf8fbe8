"""The width of the neuron's interval."""

from __future__ import annotations

from torch import Tensor

from genbab.branch.choose.score import NamedScore
from genbab.branch.choose.view import DomainView


def widest_score(view: DomainView) -> dict[int, Tensor]:
    """The width of the interval."""
    return {i: (view.domains.hidden[i][1] - view.domains.hidden[i][0]).abs() for i in view.nodes}


SCORE = NamedScore(lambda given: widest_score, gains=False)
