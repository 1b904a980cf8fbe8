"""Linear forms carried forward."""

from __future__ import annotations

from genbab.bounds.engine import Engine
from genbab.bounds.methods.method import Method
from genbab.bounds.passes.forward import forward
from genbab.network.roundoff import Interval


def hidden(engine: Engine, box: Interval, steps: int, outputs: bool) -> list[Interval]:
    """Sound intervals (B, N) of every node by linear forms carried forward."""
    return forward(engine.exact, box, ask=engine.check)


METHOD = Method("forward", (), "linear forms carried forward", hidden, None)
