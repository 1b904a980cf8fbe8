"""A model as it is executed: its bounds hold for what its file computes in floating-point numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from genbab.reader.models.model import Model, build_model
from genbab.reader.onnx.reading import read_proto
from genbab.reader.rounding.execution import Execution


def as_executed(model: Model, execution: Execution | None, ask: Callable[[], None] = lambda: None) -> Model:
    """The model whose bounds hold for its file as it is executed; None: over the reals.

    Raises `UnsupportedError` that lists every operator whose rounding has no rule, `UsageError` where the
    file computes in another format.
    """
    if model.execution == execution:
        return model
    proto, signature = read_proto(model.proto)
    known = replace(signature, source=model.source, whole=model.network.entry.whole)
    made = build_model(proto, known, False, ask, execution)
    return replace(model, network=made.network, execution=execution, ranged=made.ranged)
