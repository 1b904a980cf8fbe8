"""Interval arithmetic."""

from __future__ import annotations

from genbab.bounds.engine import Engine
from genbab.bounds.methods.method import Method
from genbab.network.interval import propagate
from genbab.network.roundoff import Interval


def hidden(engine: Engine, box: Interval, steps: int, outputs: bool) -> list[Interval]:
    """Sound intervals (B, N) of every node by interval arithmetic."""
    return propagate(engine.exact, box, ask=engine.check)


METHOD = Method("interval", ("ibp",), "interval arithmetic (IBP)", hidden, None)
