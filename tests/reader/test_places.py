"""Places that depend on the input: where one lies outside of its axis, nothing has a value."""

from __future__ import annotations

import onnx
import pytest
import torch

from genbab import Config
from genbab.api import bounds
from genbab.reader import load_onnx

HEAD = '<ir_version: 8, opset_import: ["" : 18]> g (float[1] x) => (float y)'
CONSTANTS = (
    "zero = Constant<value=float[1] {0}>() one = Constant<value=float[1] {1}>() "
    "far = Constant<value=float[1] {100}>() first = Constant<value=int64[1] {0}>() "
    "c = Constant<value=float[1] {2}>() d = Constant<value=float[2] {2, 3}>() "
)
STEP = "e = GreaterOrEqual(x, far) i = Cast<to=7>(e) "
WINNER = "z = Mul(x, zero) a = Add(z, one) b = Sub(x, far) q = Concat<axis=0>(z, a, b) i = ArgMax<axis=0>(q) "
PLACES = {
    "of one entry": f"{STEP} y = Gather(c, i)",
    "of one entry of its own": f"{STEP} y = GatherElements(c, i)",
    "of one entry of one axis": f"{STEP} y = GatherND(c, i)",
    "of more winners": f"{WINNER} y = Gather(d, i)",
    "of more winners of its own": f"{WINNER} y = GatherElements(d, i)",
    "of more winners of one axis": f"{WINNER} y = GatherND(d, i)",
    "of more winners met": f"{WINNER} s = ScatterElements(d, i, c) y = Gather(s, first)",
}


@pytest.mark.parametrize("place", list(PLACES))
def test_what_is_outside_has_no_value(place: str) -> None:
    """As onnxruntime raises an error there."""
    model = load_onnx(onnx.parser.parse_model(f"{HEAD} {{ {CONSTANTS}{PLACES[place]} }}"))
    for high, finite in ((99.0, True), (102.0, False)):
        low, top = bounds(model, torch.tensor([1.0]), torch.tensor([high]), "interval", Config())
        assert bool(torch.isfinite(low).all() and torch.isfinite(top).all()) == finite
