"""The gains of both children where the parent's bound is attained."""

from __future__ import annotations

from genbab.branch.choose.candidates import Reading
from genbab.branch.choose.score import Gains, NamedScore, score_by, summed
from genbab.branch.choose.view import DomainView
from genbab.branch.tally import balanced


def line_gains(view: DomainView, node: int, readings: list[list[Reading]] | None = None) -> Gains:
    """The gain where the bound is attained, at the argument's value as the lines of the pass have it.

    Taken is the better of the parent's slope with the child's intercept and the child's line of least area.
    """
    return summed(view, node, lambda reading: reading.attained, readings)


line_score = score_by(line_gains, balanced)

SCORE = NamedScore(lambda given: line_score)
