"""Linear forms carried back from every hidden row, default slopes (CROWN; Zhang et al., NeurIPS 2018)."""

from __future__ import annotations

from genbab.bounds.engine import Engine
from genbab.bounds.methods.method import Method
from genbab.bounds.plan import Tightening, tighten_all
from genbab.network.interval import propagate
from genbab.network.roundoff import Interval


def hidden(engine: Engine, box: Interval, steps: int, outputs: bool) -> list[Interval]:
    """Sound intervals (B, N) of every node by backward passes with default slopes."""
    plain = propagate(engine.exact, box, ask=engine.check)
    return tighten_all(engine, box, plain, Tightening(outputs=outputs)).intervals


METHOD = Method(
    "backward",
    ("crown",),
    "linear forms carried back from every hidden row and from the outputs, default slopes (CROWN)",
    hidden,
    lambda steps: 0,
)
