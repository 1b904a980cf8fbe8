"""Integers and conversions give what onnxruntime gives, at every point, or are refused by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from genbab.errors import UnsupportedError
from genbab.network.interval import propagate
from genbab.reader import Model, load_onnx
from genbab.reader.onnx.runtime import session
from tests.reader.integer_graphs import points, random_graph

Load = Callable[..., Model]

GRAPHS = 30
SEED = 7_000
CORNERS = (127, 128, 129, 255, 256, 257, 32767, 32768, 65535, 65536, 2**24, 2**31 - 128)


def enclosed(model: Model, proto: onnx.ModelProto, xs: np.ndarray[Any, Any]) -> float:
    """The share of the outputs that the enclosures at points decide; fails where one misses the truth."""
    one = session(proto.SerializeToString())
    x = torch.from_numpy(xs)
    low, high = (end.numpy() for end in propagate(model.network, (x, x))[model.network.output])
    assert not np.isnan(low).any() and not np.isnan(high).any()
    for point, least, most in zip(xs, low, high, strict=True):
        feed = point.astype(np.float32).reshape(model.input_shapes[0])
        truth = np.asarray(one.run(model.output_names, {model.input_names[0]: feed})[0]).reshape(-1)
        inside = (least <= truth) & (truth <= most)
        text = onnx.printer.to_text(proto)
        assert inside.all(), f"at {point.tolist()}: {truth} is not in [{least}, {most}]\n{text}"
    return float(((high - low) < 1e-3).mean())


def law(proto: onnx.ModelProto, xs: np.ndarray[Any, Any]) -> str:
    """ "refused", "unsupported" (by onnxruntime), "decided" or "wide"; fails where the truth is missed."""
    try:
        model = load_onnx(proto, check=False)
    except UnsupportedError:
        return "refused"
    try:
        return "decided" if enclosed(model, proto, xs) > 0.5 else "wide"
    except AssertionError:
        raise
    except Exception:  # noqa: BLE001 - onnxruntime has a class of its own for every failure
        return "unsupported"


def test_enclosures_contain_what_onnxruntime_gives() -> None:
    found = [law(random_graph(SEED + s), points(s, 40)) for s in range(GRAPHS)]
    assert found.count("decided") > GRAPHS // 3, found


def given(body: str) -> onnx.ModelProto:
    """A model from four numbers x to y, which is made a float64 tensor last."""
    head = '<ir_version: 8, opset_import: ["" : 18]> g (float[4] x) => (double y) {'
    return onnx.parser.parse_model(head + body + " y = Cast<to=11>(z) }")


def at(*numbers: float) -> np.ndarray[Any, Any]:
    """(n, 4): each of the numbers, a quarter more, less, and its negative."""
    return np.array([[v, v + 0.25, v - 0.25, -v] for v in numbers]).astype(np.float32).astype(np.float64)


TWO = "two = Constant<value=int32[4] {2, 2, 2, 2}>() big = Constant<value=int32[4] {65536, 65536, 1, 3}>() "
AXIS = "o = Constant<value=int64 {0}>() a = Constant<value=int64[1] {0}>() "
SMALL = "l = Constant<value=float {-128}>() h = Constant<value=float {127}>() c = Clip(x, l, h) "
EXACT = [
    *(f"z = Cast<to={kind}>(x)" for kind in (2, 3, 4, 5, 6, 7, 9, 12, 13)),
    *(f"i = Cast<to=7>(x) z = Cast<to={kind}>(i)" for kind in (2, 3, 4, 5, 6, 9)),
    "r = Round(x) z = Cast<to=6>(r)",
    SMALL + "i = Cast<to=3>(c) n = Neg(i) z = Identity(n)",
    SMALL + "i = Cast<to=3>(c) n = Abs(i) z = Neg(n)",
    SMALL + "i = Cast<to=3>(c) j = Add(i, i) z = Sub(j, i)",
    SMALL + "i = Cast<to=3>(c) u = Cast<to=2>(i) t = Sub(u, u) z = Add(u, t)",
    TWO + "i = Cast<to=6>(x) z = Mul(i, big)",
    TWO + "i = Cast<to=6>(x) z = Add(i, i)",
    AXIS + SMALL + "i = Cast<to=3>(c) j = Cast<to=6>(i) z = ReduceSum(j, a)",
    TWO + AXIS + "i = Cast<to=6>(x) z = CumSum(i, o)",
    TWO + "i = Cast<to=6>(x) z = MatMul(i, big)",
    TWO + "i = Cast<to=6>(x) b = Equal(i, two) f = Cast<to=9>(i) z = Xor(b, f)",
    "i = Cast<to=7>(x) z = CastLike(i, x)",
]


@pytest.mark.parametrize("body", EXACT)
def test_limits_of_types(body: str) -> None:
    """What is decided is exactly what onnxruntime gives, on both sides of the limits of every type."""
    proto = given(body)
    model = load_onnx(proto, check=False)
    assert enclosed(model, proto, at(0, 1, 2, 0.5, 1.5, *CORNERS)) > 0.15
    assert enclosed(model, proto, at(0, 1, 2, 3.5, 17)) >= 0.4


def test_a_conversion_out_of_range_is_open() -> None:
    """ONNX leaves open what becomes of a number that the type does not hold: nothing is claimed there."""
    proto = given("z = Cast<to=2>(x)")
    x = torch.tensor([[-2.0, 300.0, 255.5, -0.5]]).double()
    low, high = propagate(load_onnx(proto, check=False).network, (x, x))[-1]
    assert low[0, :2].isinf().all() and high[0, :2].isinf().all()
    torch.testing.assert_close(low[0, 2:], torch.tensor([255.0, 0.0]).double())
    torch.testing.assert_close(high[0, 2:], torch.tensor([255.0, 0.0]).double())


def test_numbers_of_winners() -> None:
    """One-hot vectors of an ArgMax, and comparisons with its number, are its comparisons: no relaxed sums."""
    numbers = "d = Constant<value=float {4}>() v = Constant<value=float[2] {0, 1}>() "
    body = numbers + AXIS + "k = Constant<value=int64 {2}>() i = ArgMax<axis=0>(x) f = Cast<to=1>(i) "
    proto = given(
        body + "h = OneHot(f, d, v) t = Squeeze(h, a) e = Equal(i, k) q = Cast<to=1>(e) z = Add(t, q)"
    )
    model = load_onnx(proto)
    assert enclosed(model, proto, points(3, 50)) > 0.9
    box = torch.tensor([[3.0, 0.0, 0.0, 0.0]]).double(), torch.tensor([[4.0, 1.0, 1.0, 1.0]]).double()
    low, high = propagate(model.network, box)[-1]
    torch.testing.assert_close(low[0], torch.tensor([1.0, 0.0, 0.0, 0.0]).double())
    torch.testing.assert_close(low, high)


@pytest.mark.parametrize("axis", [-1, 0])
@pytest.mark.parametrize(("kind", "value"), [(1, "float"), (6, "float"), (7, "int64")])
def test_one_hot_counts_from_the_end(axis: int, kind: int, value: str) -> None:
    deep = {1: "float", 6: "int32", 7: "int64"}[kind]
    numbers = f"d = Constant<value={deep} {{3}}>() v = Constant<value={value}[2] {{-1, 5}}>() "
    proto = given(numbers + f"r = Round(x) i = Cast<to={kind}>(r) z = OneHot<axis={axis}>(i, d, v)")
    model = load_onnx(proto)
    assert enclosed(model, proto, at(0, 1, 2, 3, 4, 5)) > 0.9


def test_constants_beyond_float64() -> None:
    """A constant that is no float64 must not meet numbers of the network."""
    k = numpy_helper.from_array(np.array([2**53 + 1]), "k")
    proto = given("i = Cast<to=7>(x) e = Less(i, k) z = Identity(e)")
    proto.graph.initializer.append(k)
    with pytest.raises(UnsupportedError, match="constant integer"):
        load_onnx(proto)


def test_division_of_constants_rounds_towards_zero() -> None:
    """Also where the dividend is the least integer, which has no absolute value."""
    low, two = np.array([-(2**31), 7, -7], np.int32), np.array([2, -2, 2], np.int32)
    proto = given("q = Div(k, t) c = Cast<to=11>(q) w = Slice(x, s, e) d = Cast<to=11>(w) z = Add(c, d)")
    for name, value in {"k": low, "t": two, "s": np.array([0]), "e": np.array([3])}.items():
        proto.graph.initializer.append(numpy_helper.from_array(value, name))
    assert enclosed(load_onnx(proto), proto, at(0, 1)) == 1.0
