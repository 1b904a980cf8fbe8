"""Sound bounds of every node and of any linear rows, on a batch of input boxes."""

from __future__ import annotations

from genbab.bounds.ascent.multipliers import Multipliers, Shown, Unsafe
from genbab.bounds.ascent.premises import constrained, loosened
from genbab.bounds.ascent.slopes import Freedom, Steps, optimise
from genbab.bounds.passes.backward import Chosen, Rows, descend
from genbab.bounds.passes.certify import certified, certify
from genbab.bounds.passes.forward import forward, varying
from genbab.bounds.passes.gap import Account, account
from genbab.bounds.plan import (
    Engine,
    Record,
    cheap_forms,
    cheap_intervals,
    line_gap,
    pass_cost,
    row_bounds,
    tighten_all,
    tightening_cost,
)
from genbab.bounds.relax.relaxation import Lines, Relaxation, Slopes
from genbab.network.interval import Interval, contradicted, intersect, interval_rows, propagate, refined

__all__ = [
    "Account",
    "Chosen",
    "Engine",
    "Freedom",
    "Interval",
    "Lines",
    "Multipliers",
    "Record",
    "Relaxation",
    "Rows",
    "Shown",
    "Slopes",
    "Steps",
    "Unsafe",
    "account",
    "certified",
    "certify",
    "cheap_forms",
    "cheap_intervals",
    "constrained",
    "contradicted",
    "descend",
    "forward",
    "intersect",
    "interval_rows",
    "line_gap",
    "loosened",
    "optimise",
    "pass_cost",
    "propagate",
    "refined",
    "row_bounds",
    "tighten_all",
    "tightening_cost",
    "varying",
]
