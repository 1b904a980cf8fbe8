"""Pooling over windows and over whole images."""

from __future__ import annotations

from typing import Any

from tests.reader.cases.case import case, ints

IMAGE = (1, 2, 4, 5)
WINDOWS: list[dict[str, Any]] = [
    {"kernel_shape": [2, 2]},
    {"kernel_shape": [2, 2], "strides": [2, 2]},
    {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 1]},
    {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]},
    {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1},
    {"kernel_shape": [2, 2], "strides": [3, 3], "pads": [1, 1, 1, 1], "ceil_mode": 1},
    {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER"},
    {"kernel_shape": [2, 2], "strides": [1, 2], "auto_pad": "SAME_LOWER"},
    {"kernel_shape": [2, 2], "auto_pad": "VALID"},
]

CASES = [
    *(case("MaxPool", IMAGE, **w) for w in WINDOWS),
    case("MaxPool", IMAGE, kernel_shape=[2, 2], dilations=[2, 3]),
    case("MaxPool", (1, 1, 6), kernel_shape=[3], strides=[2], pads=[1, 1]),
    case("MaxPool", (1, 1, 2, 3, 2), kernel_shape=[2, 2, 2]),
    *(case("AveragePool", IMAGE, **w) for w in WINDOWS),
    *(case("AveragePool", IMAGE, count_include_pad=1, opset=19, **w) for w in WINDOWS),
    case("AveragePool", IMAGE, kernel_shape=[2, 2], dilations=[2, 1], opset=19),
    case("AveragePool", (1, 1, 2, 3, 2), kernel_shape=[2, 2, 2]),
    *(case("LpPool", IMAGE, low=0.2, opset=18, **w) for w in WINDOWS[:4]),
    case("LpPool", IMAGE, kernel_shape=[2, 2], p=1),
    case("LpPool", (1, 1, 3, 3), kernel_shape=[2, 2], p=3, low=0.3),
    case("GlobalMaxPool", (1, 2, 2, 3)),
    case("GlobalAveragePool", (1, 2, 2, 3)),
    case("GlobalLpPool", (1, 2, 2, 3)),
    case("GlobalLpPool", (1, 2, 3), p=1),
    case("Col2Im", (1, 4, 4), ints(3, 3), ints(2, 2), opset=18),
    case("Col2Im", (1, 8, 2), ints(4, 5), ints(2, 2), opset=18, pads=[0, 1, 1, 0], strides=[3, 5]),
]
