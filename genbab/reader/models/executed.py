"""A model read otherwise: as it is executed in floating-point numbers, or with every turn of a loop."""

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


def turn_by_turn(model: Model, ask: Callable[[], None] = lambda: None) -> Model:
    """The model with the turns of its loops as they are written: none of them has become a fixed point."""
    if not model.network.implicit:
        return model
    proto, signature = read_proto(model.proto)
    known = replace(signature, source=model.source, whole=model.network.entry.whole)
    made = build_model(proto, known, False, ask, implicit=False)
    return replace(model, network=made.network, tensors=made.tensors, joins=made.joins, ranged=made.ranged)
