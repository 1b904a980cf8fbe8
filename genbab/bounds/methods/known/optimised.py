"""Linear forms carried back with slopes optimised for every row (alpha-CROWN; Xu et al., ICLR 2021)."""

from __future__ import annotations

from genbab.bounds.ascent.adam import Steps
from genbab.bounds.engine import Engine
from genbab.bounds.methods.known import backward
from genbab.bounds.methods.method import Method
from genbab.bounds.plan import Tightening, tighten_all
from genbab.network.roundoff import Interval


def hidden(engine: Engine, box: Interval, steps: int, outputs: bool) -> list[Interval]:
    """Sound intervals (B, N) of every node: by default slopes, then by slopes optimised for every row."""
    intervals = backward.hidden(engine, box, steps, outputs)
    if not steps:
        return intervals
    return tighten_all(engine, box, intervals, Tightening(Steps.of(steps), outputs=outputs)).intervals


METHOD = Method(
    "optimised",
    ("alpha-crown", "crown-optimized", "optimized"),
    "as backward, with slopes optimised for every row (alpha-CROWN)",
    hidden,
    lambda steps: steps,
)
