"""Operators that only move numbers, against onnxruntime."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from genbab.network import Affine
from genbab.reader import Model

Load = Callable[..., Model]


def ints(*values: int) -> Any:
    return np.array(values, dtype=np.int64)


CASES: list[tuple[str, list[Any], dict[str, Any]]] = [
    ("Reshape", [(1, 2, 6), ints(0, -1, 3)], {}),
    ("Reshape", [(1, 2, 6), ints(12)], {}),
    ("Reshape", [(1, 2, 6), ints(1, 3, 4)], {"opset": 14, "allowzero": 1}),
    ("Flatten", [(2, 3, 4)], {"axis": 2}),
    ("Flatten", [(2, 3, 4)], {"axis": 0}),
    ("Flatten", [(2, 3, 4)], {"axis": -1}),
    ("Squeeze", [(1, 3, 1)], {}),
    ("Squeeze", [(1, 3, 1), ints(2)], {}),
    ("Squeeze", [(1, 3, 1)], {"opset": 11, "axes": [2]}),
    ("Unsqueeze", [(1, 3), ints(0, -1)], {}),
    ("Unsqueeze", [(1, 3)], {"opset": 11, "axes": [1, 3]}),
    ("Transpose", [(1, 2, 3)], {}),
    ("Transpose", [(1, 2, 3)], {"perm": [2, 0, 1]}),
    ("Expand", [(1, 3, 1), ints(2, 1, 4)], {}),
    ("Expand", [(3, 1), ints(1, 1, 2)], {}),
    ("Tile", [(1, 2, 3), ints(1, 3, 2)], {}),
    ("Slice", [(1, 5, 6), ints(1, 2), ints(4, 9223372036854775807), ints(1, 2)], {}),
    ("Slice", [(1, 5, 6), ints(-1), ints(-9223372036854775807), ints(1), ints(-2)], {}),
    ("Slice", [(1, 5, 6), ints(4), ints(1), ints(2), ints(-1)], {}),
    ("Slice", [(1, 5, 6), ints(0), ints(6), ints(2), ints(4)], {}),
    ("Slice", [(1, 5, 6)], {"opset": 9, "starts": [1, -3], "ends": [3, 100], "axes": [1, 2]}),
    ("Gather", [(1, 5, 2), ints(3, 0, 3, -1)], {"axis": 1}),
    ("Gather", [(1, 5, 2), np.array(2)], {"axis": 1}),
    ("Gather", [(1, 5, 2), ints(0, 1, 1, 0).reshape(2, 2)], {"axis": -1}),
    ("GatherElements", [(2, 3), ints(0, -1, 1, 1).reshape(2, 2)], {"axis": 1}),
    ("GatherND", [(2, 3, 2), ints(0, 1, 1, 2).reshape(2, 2)], {}),
    ("GatherND", [(2, 3, 2), ints(2, 0).reshape(2, 1)], {"batch_dims": 1}),
    ("ScatterND", [(1, 4), ints(0, 1, 0, 3).reshape(2, 2), (2,)], {}),
    ("ScatterElements", [(2, 3), ints(0, -1, 1, 0).reshape(2, 2), (2, 2)], {"axis": 1}),
    ("Concat", [(1, 2, 2), np.ones((1, 1, 2), np.float32), (1, 3, 2)], {"axis": 1}),
    ("Concat", [(1, 2), (1, 3)], {"axis": -1}),
    ("Split", [(1, 6), ints(2, 4)], {"axis": 1, "outputs": 2}),
    ("Split", [(1, 7)], {"axis": 1, "outputs": 3, "opset": 18, "num_outputs": 3}),
    ("Split", [(1, 6)], {"axis": -1, "outputs": 2, "opset": 11, "split": [1, 5]}),
    ("Pad", [(1, 2, 3), ints(0, 1, 2, 0, 0, 1)], {}),
    ("Pad", [(1, 2, 3), ints(0, 1, 2, 0, 0, 1), np.array(1.5, np.float32)], {}),
    ("Pad", [(1, 2, 3), ints(0, 0, -1, 0, 1, 2)], {}),
    ("Pad", [(1, 2, 4), ints(0, 0, 2, 0, 1, 3)], {"mode": "reflect"}),
    ("Pad", [(1, 2, 4), ints(0, 0, 2, 0, 1, 3)], {"mode": "edge"}),
    ("Pad", [(1, 2, 4), ints(2, 1), None, ints(2)], {"opset": 18}),
    ("Pad", [(1, 2, 3)], {"opset": 10, "pads": [0, 1, 0, 0, 0, 1]}),
    ("Where", [np.array([[True, False, True]]), (1, 3), (1, 3)], {}),
    ("Where", [np.array([[True, False, True]]), (1, 3), np.array(0.25, np.float32)], {}),
    ("Trilu", [(1, 3, 3)], {"upper": 0}),
    ("Trilu", [(1, 3, 4), np.array(1)], {}),
    ("DepthToSpace", [(1, 8, 2, 3)], {"blocksize": 2}),
    ("DepthToSpace", [(1, 8, 2, 3)], {"blocksize": 2, "mode": "CRD"}),
    ("SpaceToDepth", [(1, 2, 4, 6)], {"blocksize": 2}),
    ("CumSum", [(2, 3), np.array(1)], {}),
    ("CumSum", [(2, 3), np.array(0)], {"exclusive": 1, "reverse": 1}),
]


@pytest.mark.parametrize(("operator", "inputs", "options"), CASES)
def test_moves(lowered: Load, operator: str, inputs: list[Any], options: dict[str, Any]) -> None:
    model = lowered(operator, *inputs, **options)
    assert model.functions == {}
    assert sum(isinstance(n, Affine) for n in model.network.nodes) <= 1


def test_shape_arithmetic(written: Load) -> None:
    """What torch writes for x.view(x.shape[0], -1) and for expand."""
    model = written(
        "s = Shape(x) zero = Constant<value=int64 {0}>() b = Gather<axis=0>(s, zero) "
        "axes = Constant<value=int64[1] {0}>() "
        "bb = Unsqueeze(b, axes) rest = Constant<value=int64[1] {-1}>() t = Concat<axis=0>(bb, rest) "
        "r = Reshape(x, t) "
        "n = Size(x) nn = Unsqueeze(n, axes) c = ConstantOfShape<value=float[1] {2.0}>(nn) m = Mul(r, c) "
        "one = Constant<value=int64 {1}>() k = Range(zero, n, one) e = Equal(k, one) f = Cast<to=1>(e) "
        "g = Add(m, f) "
        "w = Where(e, m, g) two = Constant<value=int64 {2}>() h = Div(n, two) hh = Unsqueeze(h, axes) "
        "y = Slice(w, axes, hh, rest)",
        shape="1,2,3",
    )
    assert model.output_shapes == ((1, 3),)


RESIZE_MODES = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric"]


@pytest.mark.parametrize("coordinates", RESIZE_MODES)
@pytest.mark.parametrize("nearest", ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"])
@pytest.mark.parametrize("scale", [2.0, 0.7, 1.7])
def test_resize_nearest(lowered: Load, coordinates: str, nearest: str, scale: float) -> None:
    options = {"coordinate_transformation_mode": coordinates, "nearest_mode": nearest, "opset": 19}
    scales = np.array([1, 1, scale, 3.0], np.float32)
    assert lowered("Resize", (1, 2, 5, 4), None, scales, **options).functions == {}


@pytest.mark.parametrize("coordinates", RESIZE_MODES)
@pytest.mark.parametrize("size", [(7, 9), (3, 2), (1, 8)])
def test_resize_to_a_size(lowered: Load, coordinates: str, size: tuple[int, int]) -> None:
    for mode in ("nearest", "linear"):
        options = {"coordinate_transformation_mode": coordinates, "mode": mode, "opset": 19}
        lowered("Resize", (1, 2, 5, 4), None, None, ints(1, 2, *size), **options)


def test_upsample_of_old_opsets(lowered: Load) -> None:
    scales = np.array([1, 1, 2.0, 3.0], np.float32)
    lowered("Upsample", (1, 2, 3, 2), opset=7, scales=[1.0, 1.0, 2.0, 2.5])
    lowered("Upsample", (1, 2, 3, 2), scales, opset=9)
    lowered("Resize", (1, 2, 3, 2), scales, opset=10)
    lowered("Resize", (1, 2, 6, 6), np.array([1, 1, 0.5, 0.4], np.float32), opset=10)
    lowered("Resize", (1, 2, 3, 2), np.zeros(0, np.float32), scales, opset=11)
