"""Sound bounds of every node and of any linear rows, on a batch of input boxes."""

from __future__ import annotations

from genbab.bounds.answer import NEARLY, Answer, Question, WarmStart, answer, output_premises, search
from genbab.bounds.ascent.adam import Steps
from genbab.bounds.ascent.multipliers import Multipliers, PremiseOutputs, Premises, Unsafe
from genbab.bounds.ascent.premises import with_premise, without_premises
from genbab.bounds.ascent.slopes import Freedom, Objective, Searched, Stop, optimise
from genbab.bounds.costs import SEARCHED, pass_cost, rows_at_once, tightening_cost
from genbab.bounds.engine import Engine, Relaxations, copies
from genbab.bounds.passes.backward import descend
from genbab.bounds.passes.certify import Certified, certify
from genbab.bounds.passes.forward import forward, varying
from genbab.bounds.passes.gap import Account, account
from genbab.bounds.passes.sweep import swept
from genbab.bounds.passes.taken import Pass, Rows, Start, TakenLine, TakenPlanes
from genbab.bounds.plan import (
    Record,
    Tightening,
    cheap_forms,
    cheap_intervals,
    line_gap,
    rows_that_matter,
    tighten_all,
)
from genbab.bounds.relax.lines import Lines, Slopes
from genbab.bounds.relax.relaxation import Masses, Relaxation
from genbab.network.interval import contradicted, intersect, interval_rows, propagate, refined
from genbab.network.roundoff import Interval

__all__ = [
    "SEARCHED",
    "NEARLY",
    "Account",
    "Answer",
    "Certified",
    "Engine",
    "Freedom",
    "Interval",
    "Lines",
    "Masses",
    "Multipliers",
    "Objective",
    "Pass",
    "PremiseOutputs",
    "Premises",
    "Question",
    "Record",
    "Relaxation",
    "Relaxations",
    "Rows",
    "Searched",
    "Slopes",
    "Start",
    "Steps",
    "Stop",
    "TakenLine",
    "TakenPlanes",
    "Tightening",
    "Unsafe",
    "WarmStart",
    "account",
    "answer",
    "certify",
    "cheap_forms",
    "cheap_intervals",
    "contradicted",
    "copies",
    "descend",
    "forward",
    "intersect",
    "interval_rows",
    "line_gap",
    "optimise",
    "output_premises",
    "pass_cost",
    "propagate",
    "refined",
    "rows_at_once",
    "rows_that_matter",
    "search",
    "swept",
    "tighten_all",
    "tightening_cost",
    "varying",
    "with_premise",
    "without_premises",
]
