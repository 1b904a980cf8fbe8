"""Reductions and comparisons of entries along axes."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto

from tests.reader.cases.case import Case, case, ints, written

SHAPE = (1, 2, 3)
INTEGERS: dict[str, Any] = {"gives": TensorProto.INT64}


def reductions() -> list[Case]:
    """Every reduction with its axes as attribute and as input, kept and dropped, and over all axes."""
    found = []
    for kind in "Sum Mean Max Min Prod L1 L2 SumSquare LogSum LogSumExp".split():
        low = 0.5 if kind in ("LogSum", "L2") else -1.0
        as_input = 13 if kind == "Sum" else 18
        found += [
            case(f"Reduce{kind}", SHAPE, opset=11, low=low, axes=[-1, 1], keepdims=0),
            case(f"Reduce{kind}", SHAPE, ints(2), opset=as_input, low=low),
            case(f"Reduce{kind}", SHAPE, ints(0, 1), opset=as_input, low=low, keepdims=0),
            case(f"Reduce{kind}", SHAPE, opset=as_input, low=low),
        ]
    idle = [
        case(f"Reduce{k}", SHAPE, opset=18, noop_with_empty_axes=1) for k in ("Sum", "Mean", "Max", "Prod")
    ]
    return found + idle


CASES = [
    *reductions(),
    case("ReduceL2", (1, 3)),
    case("ReduceLogSumExp", (1, 4), low=80.0, high=100.0),
    case("CumSum", (2, 3), np.array(1)),
    case("CumSum", (2, 3), np.array(0), exclusive=1),
    case("CumSum", (2, 3), np.array(-1), reverse=1),
    case("CumSum", (2, 3), np.array(1), exclusive=1, reverse=1),
    case("ArgMax", (1, 4), axis=1, **INTEGERS),
    case("ArgMax", (2, 2, 2), axis=1, keepdims=0, select_last_index=1, **INTEGERS),
    case("ArgMax", (1, 2), axis=-1, **INTEGERS),
    case("ArgMin", (3, 2), keepdims=0, **INTEGERS),
    case("ArgMin", (1, 3), axis=1, select_last_index=1, **INTEGERS),
    written("ArgMax", "a = Relu(x) y = ArgMax<axis=1>(a)", **INTEGERS),
    written("ArgMin", "a = Relu(x) y = ArgMin<axis=1, select_last_index=1>(a)", **INTEGERS),
    case("Hardmax", (2, 3)),
    case("Hardmax", (1, 2, 2), opset=11),
    written("Hardmax", "a = Relu(x) y = Hardmax(a)"),
    case("Softmax", (1, 2)),
    case("Softmax", (2, 3)),
    case("Softmax", (1, 3, 2), axis=1),
    case("Softmax", (1, 2, 2), opset=11),
    case("LogSoftmax", (1, 4)),
    case("LogSoftmax", (1, 2), low=-300.0, high=300.0),
    written("Softmax", "y = Softmax(x)", "1,70"),
    written("Softmax", "c = Constant<value_float=1048576.0>() a = Mul(x, c) y = Softmax(a)", "2,4"),
    written("Softmax", "m = Constant<value=float[4] {0, -1e9, 0, -3.4e38}>() a = Add(x, m) y = Softmax(a)"),
    written("LogSoftmax", "m = Constant<value=float[4] {0, -1e9, 0, 0}>() a = Add(x, m) y = LogSoftmax(a)"),
]
