"""Models in onnxruntime, without anything of genbab in between."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def session_of(model: bytes | Path) -> Any:
    """onnxruntime on these bytes, or on this file, without optimisations."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    source = str(model) if isinstance(model, Path) else model
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def feed(one: Any, x: Floats) -> dict[str, Any]:
    """The numbers of x as the model's inputs, axes without a size being 1."""
    made, start = {}, 0
    for value in one.get_inputs():
        shape = [n if isinstance(n, int) else 1 for n in value.shape]
        stop = start + int(np.prod(shape))
        kind = np.float64 if "double" in value.type else np.float16 if "float16" in value.type else np.float32
        made[value.name] = x[start:stop].astype(kind).reshape(shape)
        start = stop
    return made


def outputs(one: Any, x: Floats) -> Floats:
    """The outputs (O,) at the inputs x (D,)."""
    found = one.run(None, feed(one, x))
    return np.concatenate([np.asarray(a, np.float64).reshape(-1) for a in found])
