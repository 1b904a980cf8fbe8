"""Models read again for the integers of a question: between other numbers, other sums of them wrap around."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from onnx import ModelProto
from torch import Tensor

from genbab.reader.models.model import Model, build_model
from genbab.reader.onnx.files import Signature
from genbab.reader.onnx.whole import kind_limits
from genbab.reader.tensors.values import count

Floats = npt.NDArray[np.float64]


def input_limits(model: Model) -> tuple[Floats, Floats]:
    """What the types of integers hold, per input (D,), (D,): infinite for inputs of other types."""
    low, high = [], []
    for kind, shape in zip(model.input_dtypes, model.input_shapes, strict=True):
        ends = kind_limits(kind) or (-np.inf, np.inf)
        low.append(np.full(count(shape), float(ends[0])))
        high.append(np.full(count(shape), float(ends[1])))
    return np.concatenate(low), np.concatenate(high)


def read_within(model: Model, lower: Tensor, upper: Tensor, ask: Callable[[], None] = lambda: None) -> Model:
    """The model for whole inputs inside the box from lower to upper (D,), whose ends are whole there.

    The same model where it holds there and would not become another one. Raises `UnsupportedError` where
    integers between these numbers may leave what their types, or genbab, can hold.
    """
    whole = model.network.entry.whole
    if whole is None:
        return model
    own = whole.between(lower, upper)
    same = bool((own.low == whole.low).all() and (own.high == whole.high).all())
    if same:
        return model
    if not model.ranged:
        entry = replace(model.network.entry, whole=own)
        return replace(model, network=model.network.with_nodes({0: entry}))
    inputs = model.input_names, model.input_shapes, model.input_dtypes
    signature = Signature(model.source, *inputs, model.opset, whole=own)
    proto = ModelProto.FromString(model.proto)
    made = build_model(proto, signature, not model.execution and model.replayable, ask, model.execution)
    return replace(
        model,
        network=made.network,
        tensors=made.tensors,
        joins=made.joins,
        ranged=made.ranged,
        notes=tuple(dict.fromkeys((*model.notes, *made.notes))),
    )
