"""Truth values that are scattered into others, at all points, against onnxruntime."""

from __future__ import annotations

import itertools

import numpy as np
import onnx
import pytest
import torch

from genbab import Config
from genbab.api import bounds
from genbab.reader import load_onnx
from genbab.reader.onnx.runtime import session

HEAD = '<ir_version: 8, opset_import: ["" : 18]> g (bool[2] x, bool[3] u) => (float y)'
INDICES = {
    "ScatterElements": "i = Constant<value=int64[3] {1, 0, 1}>() ",
    "ScatterND": "i = Constant<value=int64[3,1] {1, 0, 1}>() ",
}
PARTS = {
    "both": "s = {0}<reduction={1}>(x, i, u) ",
    "data": "t = Constant<value=bool[3] {{1, 0, 0}}>() v = {0}<reduction={1}>(x, i, t) "
    "w = Slice(u, o, h) s = And(v, w) ",
    "updates": "t = Constant<value=bool[2] {{1, 0}}>() v = {0}<reduction={1}>(t, i, u) s = And(v, x) ",
}
ENDS = "o = Constant<value=int64[1] {0}>() h = Constant<value=int64[1] {2}>() "


@pytest.mark.parametrize("reduction", ["add", "mul"])
@pytest.mark.parametrize("operator", list(INDICES))
@pytest.mark.parametrize("part", list(PARTS))
def test_sums_are_true_where_one_of_them_is(operator: str, reduction: str, part: str) -> None:
    """Two true ones added are 1, and no 2."""
    scattered = PARTS[part].format(operator, f'"{reduction}"')
    proto = onnx.parser.parse_model(f"{HEAD} {{ {ENDS}{INDICES[operator]}{scattered}y = Cast<to=1>(s) }}")
    model, runner = load_onnx(proto), session(proto.SerializeToString())
    for point in itertools.product((False, True), repeat=5):
        x = torch.tensor(point, dtype=torch.float64)
        there = runner.run(["y"], {"x": np.array(point[:2]), "u": np.array(point[2:])})[0]
        low, high = bounds(model, x, x, "interval", Config())
        assert np.allclose(low, there, atol=1e-6) and np.allclose(high, there, atol=1e-6), point


def test_so_they_are_at_computed_places() -> None:
    """Where all that is scattered is true, or nothing is."""
    body = 'k = ArgMax<axis=0>(x) s = ScatterElements<reduction="add">(c, k, c) y = Cast<to=1>(s)'
    head = '<ir_version: 8, opset_import: ["" : 18]> g (float[1] x) => (float y) <float[1] n = {100.0}>'
    model = load_onnx(onnx.parser.parse_model(f"{head} {{ c = Greater(x, n) {body} }}"))
    assert float(bounds(model, [101.0], [200.0], "interval")[1]) < 1.5
