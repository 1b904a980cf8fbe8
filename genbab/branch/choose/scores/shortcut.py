"""BBPS as published, with the root's shortcuts as they are, for a long list of neurons."""

from __future__ import annotations

from genbab.branch.choose.score import NamedScore
from genbab.branch.choose.scores.bbps import bbps_score

SHORTLIST = 64
"""Neurons of each domain that are estimated exactly."""

SCORE = NamedScore(lambda given: bbps_score(given.forms, anchored=False, shortlist=SHORTLIST))
