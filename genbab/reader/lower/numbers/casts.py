"""`Cast` and `CastLike`."""

from __future__ import annotations

import numpy as np
from onnx import helper

from genbab.reader.lower.table import lowering
from genbab.reader.tensors.builder import Builder
from genbab.reader.tensors.casts import cast
from genbab.reader.tensors.values import Op, Value, Var, element, needed


@lowering(
    "Cast", "CastLike", how="the same number, wrapped between integers; to integers floor; to bool steps"
)
def _cast(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    x = needed(inputs, 0)
    target = op.integer("to", 1) if op.kind == "Cast" else element(needed(inputs, 1))
    if not isinstance(x, Var):
        return x.astype(np.dtype(helper.tensor_dtype_to_np_dtype(target)))
    return cast(b, x, target)
