"""A model that was loaded, with some of its outputs only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from genbab.errors import UsageError
from genbab.reader.models.model import Model, build_model
from genbab.reader.onnx.reading import read_proto
from genbab.reader.onnx.wanted import Wanted


def chosen(model: Model, wanted: Wanted, ask: Callable[[], None] = lambda: None) -> Model:
    """The model with what is wanted of it; itself where nothing is said.

    Raises `UsageError` for outputs that it has not, for shapes of inputs other than its own, and for models
    that were put together from several or show hidden tensors.
    """
    if not wanted:
        return model
    if model.parts or model.hidden or model.given:
        raise UsageError(f"{model.source}: outputs and shapes are chosen when a file is read")
    proto, signature = read_proto(model.proto, wanted)
    named = replace(signature, source=model.source)
    made = build_model(proto, named, ask=ask, execution=model.execution)
    return replace(made, notes=tuple(dict.fromkeys((*model.notes, *made.notes))), ones=model.ones)
