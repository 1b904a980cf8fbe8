"""The sigmoid and tanh inside onnxruntime's recurrent operators, which are not those of Sigmoid and Tanh.

One step of an operator whose other gates are open or closed gives the function of its input.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from elementary_functions.runtimes import Array, Run

STRIDE = 509
"""One float32 number in so many is tried."""

ROOM = 1.25
"""What is found among some of the numbers is taken times this."""

BLOCK = 1 << 20
WIDTHS = (1, 19)
"""Sizes of the state: kernels take vectors and what remains of these in different ways."""

OPEN, CLOSED = 1e4, -1e4
GATES = {"RNN": ("h",), "GRU": ("z", "r", "h"), "LSTM": ("i", "o", "f", "c")}
STATES = {"RNN": (), "GRU": ("h0",), "LSTM": ("h0", "c0")}
CASES = (
    ("RNN", "h", "tanh", {}, {"activations": ["Tanh"]}),
    ("RNN", "h", "sigmoid", {}, {"activations": ["Sigmoid"]}),
    ("GRU", "h", "tanh", {"z": CLOSED}, {}),
    ("GRU", "z", "sigmoid", {"h0": 1.0}, {}),
    ("LSTM", "f", "sigmoid", {"i": CLOSED, "c0": 1.0}, {}),
    ("LSTM", "i", "sigmoid", {"f": CLOSED, "c": OPEN}, {}),
    ("LSTM", "o", "sigmoid", {"i": CLOSED, "f": OPEN, "c0": 100.0}, {}),
    ("LSTM", "c", "tanh", {"i": OPEN, "f": CLOSED}, {}),
    ("LSTM", "c0", "tanh", {"i": CLOSED, "f": OPEN, "o": OPEN}, {}),
)
"""Operator, what the input drives, the function it goes through, biases and states, attributes."""

EXACT: dict[str, Callable[[Any], Any]] = {
    "tanh": np.tanh,
    "sigmoid": lambda x: np.exp(np.minimum(x, 0.0)) / (1.0 + np.exp(-np.abs(x))),
}


def made(case: tuple[str, str, str, dict[str, float], dict[str, Any]], width: int) -> Run:
    """The function as the operator has it, of many numbers at once."""
    kind, driven, _, given, attributes = case
    gates, states = GATES[kind], STATES[kind]
    weights = np.zeros((1, len(gates) * width, 1), np.float32)
    biases = np.zeros((1, 2 * len(gates) * width), np.float32)
    for k, gate in enumerate(gates):
        weights[0, k * width : (k + 1) * width] = float(gate == driven)
        biases[0, k * width : (k + 1) * width] = given.get(gate, 0.0)
    constants = {"W": weights, "R": np.zeros((1, len(gates) * width, width), np.float32), "B": biases}
    outputs = ["", "y", "c"] if kind == "LSTM" else ["", "y"]
    read = ["x", *constants, *(["", *states] if states else [])]
    node = helper.make_node(kind, read, outputs, hidden_size=width, **attributes)
    sides = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, None, width if n != "x" else 1])
        for n in ("x", *states)
    ]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in outputs[1:]]
    tensors = [numpy_helper.from_array(v, n) for n, v in constants.items()]
    graph = helper.make_graph([node], "one", sides, ends, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    wanted = "c" if kind == "LSTM" and driven in ("i", "f", "c") else "y"

    def run(x: Array) -> Array:
        feed = {"x": np.zeros((1, x.size, 1), np.float32) if driven in states else x.reshape(1, -1, 1)}
        for state in states:
            start = np.full((1, x.size, width), given.get(state, 0.0), np.float32)
            feed[state] = np.repeat(x, width).reshape(start.shape) if state == driven else start
        y: Array = session.run([wanted], feed)[0].reshape(x.size, width)
        return y

    return run


def numbers(stride: int) -> Iterator[Array]:
    """One in so many of the finite float32 numbers."""
    for start in range(0, 1 << 32, BLOCK * stride):
        bits = start + np.arange(0, BLOCK * stride, stride, dtype=np.uint64)
        x = bits[bits < 1 << 32].astype(np.uint32).view(np.float32)
        yield x[np.isfinite(x)]


def worst(runtime: str) -> dict[str, Any]:
    """By function, an absolute error that none of the operators exceeds; nothing where none is measured."""
    found: dict[str, Any] = {}
    for case in CASES if runtime == "onnxruntime" else ():
        kind, driven, name, *_ = case
        for width in WIDTHS:
            run = made(case, width)
            for x in numbers(STRIDE * width):
                off = np.abs(run(x).astype(np.float64) - EXACT[name](x.astype(np.float64))[:, None]).max(1)
                k = int(np.nan_to_num(off, nan=np.inf).argmax()) if x.size else 0
                if x.size and not off[k] <= found.get(name, {}).get("error", 0.0):
                    found[name] = {"error": float(off[k]), "at": float(x[k]), "in": f"{kind} {driven}"}
    return {name: {"absolute": of["error"] * ROOM, **of, "stride": STRIDE} for name, of in found.items()}
