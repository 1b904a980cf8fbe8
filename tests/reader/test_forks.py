"""Slices that begin where the input says, and what is scattered to places that it says."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from genbab.errors import UnsupportedError
from genbab.network import evaluate
from genbab.network.interval import propagate
from genbab.reader import load_onnx
from genbab.reader.onnx.runtime import session

HEAD = '<ir_version: 8, opset_import: ["" : 18]> g (float[6] x) => (float y) {'
ENDS = (
    "i = Constant<value=int64[1] {0}>() o = Constant<value=int64 {1}>() ax = Constant<value=int64[1] {1}>() "
    "p = Gather<axis=0>(x, i) s = Cast<to=7>(p) e = Add(s, o) "
)
ONES = "n = Constant<value=int64[2] {2, 5}>() one = ConstantOfShape<value=float[1] {1}>(n) "


def model(body: str) -> onnx.ModelProto:
    proto = onnx.parser.parse_model(HEAD + body + "}")
    ramp = np.arange(10, dtype=np.float32).reshape(2, 5) ** 2
    proto.graph.initializer.append(numpy_helper.from_array(ramp, "ramp"))
    return proto


def patched(value: str) -> str:
    """The data with a column at s set to 7, where s is in it."""
    return (
        f"data = Identity({value}) part = Slice(data, s, e, ax) sh = Shape(part) "
        "c = Constant<value=float {7}>() upd = Expand(c, sh) r5 = Constant<value=int64[5] {0, 1, 2, 3, 4}>() "
        "at = Slice(r5, s, e, i) r2 = Constant<value=int64[2,1] {0, 1}>() zero = Constant<value=int64 {0}>() "
        "row = Add(r2, zero) nought = Mul(at, zero) rows = Add(row, nought) cols = Add(at, zero) "
        "rz = Mul(row, zero) colsx = Add(rz, cols) m = Constant<value=int64[1] {-1}>() "
        "a = Unsqueeze(rows, m) b = Unsqueeze(colsx, m) idx = Concat<axis=2>(a, b) "
        "z = ScatterND(data, idx, upd) "
        "w = Constant<value=int64[1] {0}>() y = Mul(z, p)"
    )


def points() -> np.ndarray:
    starts = [0.0, 0.5, 1.0, 2.0, 3.75, 4.0, 5.0, 6.0, 40.0]
    rest = np.random.default_rng(1).standard_normal((len(starts), 5))
    return np.column_stack([starts, rest]).astype(np.float32).astype(np.float64)


@pytest.mark.parametrize("data", ["one", "ramp"])
def test_a_patch_where_the_input_says(data: str) -> None:
    """Inside the axis the column is replaced, beyond it nothing is: as onnxruntime has it."""
    proto = model(ENDS + ONES + patched(data))
    read = load_onnx(proto)
    one = session(proto.SerializeToString())
    for x in points():
        (truth,) = one.run(["y"], {"x": x.astype(np.float32)})
        found = evaluate(read.network, torch.from_numpy(x)).numpy()
        np.testing.assert_allclose(found, np.asarray(truth).reshape(-1), atol=1e-9)
        box = torch.from_numpy(x)[None]
        low, high = propagate(read.network, (box, box))[read.network.output]
        assert (low.numpy() <= np.asarray(truth).reshape(-1)).all()
        assert (np.asarray(truth).reshape(-1) <= high.numpy()).all()


def test_starts_below_zero_are_not_excluded() -> None:
    """They count from the end; any place is taken to be possible there."""
    proto = model(ENDS + ONES + patched("ramp"))
    read = load_onnx(proto)
    one = session(proto.SerializeToString())
    for start in (-1.0, -2.0, -5.0, -6.0):
        x = np.array([start, *np.zeros(5)])
        (truth,) = one.run(["y"], {"x": x.astype(np.float32)})
        box = torch.from_numpy(x)[None]
        low, high = propagate(read.network, (box, box))[read.network.output]
        flat = np.asarray(truth).reshape(-1)
        assert (low.numpy() <= flat).all() and (flat <= high.numpy()).all()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("z = Slice(ramp, s, e, ax) y = Identity(z)", "shape depends"),
        ("f = Add(e, o) z = Slice(ramp, s, f, ax) y = ReduceSum(z)", "from s to s \\+ 1"),
        ("z = Slice(ramp, s, i, ax) y = ReduceSum(z)", "from s to s \\+ 1"),
        (
            "k = Constant<value=int64[1,1] {0}>() a = Add(k, s) "
            "u = Constant<value=float[1,5] {1, 2, 3, 4, 5}>() "
            "y = ScatterND(ramp, a, u)",
            "may be negative or too large",
        ),
    ],
)
def test_what_is_refused(body: str, reason: str) -> None:
    with pytest.raises(UnsupportedError, match=reason):
        load_onnx(model(ENDS + body))


@pytest.mark.parametrize("data", ["one", "ramp"])
def test_a_sum_over_a_slice_that_may_be_empty(data: str) -> None:
    proto = model(ENDS + ONES + f"z = Slice({data}, s, e, ax) y = ReduceSum<keepdims=0>(z)")
    read = load_onnx(proto)
    one = session(proto.SerializeToString())
    for x in points():
        (truth,) = one.run(["y"], {"x": x.astype(np.float32)})
        assert evaluate(read.network, torch.from_numpy(x)).item() == pytest.approx(float(truth))
