"""The exponential inside softmax, seen from outside: e_i/e_0 of rows [0, x_1, ..., x_63] with x_i < 0."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import torch
from onnx import TensorProto, helper

from elementary_functions.runtimes import Array, Run

ROW = 64
FIRST, LAST = 0x33800000, 0x42D00000
"""Patterns of -x: from 2^-24, where exp(x) still differs from 1, to 104, where it is no float32 number."""
BLOCK = 256 * (ROW - 1)


def softmax(runtime: str) -> Run:
    """Softmax of every row."""
    if runtime == "torch":
        return lambda x: torch.softmax(torch.from_numpy(x), -1).numpy()
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", ROW]) for n in "xy"]
    graph = helper.make_graph([helper.make_node("Softmax", ["x"], ["y"])], "one", values[:1], values[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    made = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])

    def run(x: Array) -> Array:
        y: Array = made.run(None, {"x": x})[0]
        return y

    return run


def worst(run: Run) -> dict[str, Any]:
    """The largest relative errors of y_i/y_0 and of y_i where y_i is normal, and errors elsewhere."""
    ratio, whole, small = (0.0, 0.0), (0.0, 0.0), (0.0, 0.0)
    for start in range(FIRST, LAST, BLOCK):
        bits = np.arange(start, start + BLOCK, dtype=np.uint32) | np.uint32(0x80000000)
        x = np.zeros((BLOCK // (ROW - 1), ROW), np.float32)
        x[:, 1:] = bits.view(np.float32).reshape(-1, ROW - 1)
        y, powers = run(x).astype(np.float64), np.exp(x.astype(np.float64))
        exact = powers / powers.sum(1, keepdims=True)
        normal = exact >= 2.0**-126
        both = np.abs(y / y[:, :1] / powers - 1.0) * normal, np.abs(y / exact - 1.0) * normal
        below = np.abs(y - exact) * ~normal
        ratio, whole, small = (
            max(known, (float(found.max()), float(x.flat[found.argmax()])))
            for known, found in zip((ratio, whole, small), (*both, below), strict=True)
        )
    named = zip(("ratio", "relative", "below"), (ratio, whole, small), strict=True)
    return {"row": ROW, **{name: {"error": error, "at": at} for name, (error, at) in named}}
