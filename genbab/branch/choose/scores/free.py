"""The gains of both children at the parent's slopes: certain, but 0 for ReLU."""

from __future__ import annotations

from genbab.branch.choose.score import Gains, NamedScore, score_by, summed
from genbab.branch.choose.view import DomainView
from genbab.branch.tally import balanced


def free_gains(view: DomainView, node: int) -> Gains:
    """The gain at the parent's slopes: the intercept's improvement times |A|. Certain, but 0 for ReLU."""
    return summed(view, node, lambda reading: reading.same)


SCORE = NamedScore(lambda given: score_by(free_gains, balanced))
