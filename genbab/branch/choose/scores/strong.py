"""Strong branching below BBPS: its best splits are tried."""

from __future__ import annotations

from genbab.branch.choose.score import NamedScore
from genbab.branch.choose.scores.bbps import bbps_score
from genbab.branch.choose.strong import strong_score

SCORE = NamedScore(lambda given: strong_score(given.engine, given.root, bbps_score(given.forms)))
