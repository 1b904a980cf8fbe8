"""Inputs of integers and truth values as they are read, bounded and refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
import torch

import genbab
from genbab.api import bounds
from genbab.errors import ModelError, SpecError, UnsupportedError, UsageError
from genbab.reader import Model, read_within
from genbab.specs import Input, Network, always, box, classified, linf, monotone


def made(inputs: str, body: str, output: str = "float[1] y") -> Model:
    """A loaded model from the text of a graph."""
    text = f'<ir_version: 8, opset_import: ["" : 18]> g ({inputs}) => ({output}) {{ {body} }}'
    return genbab.load(onnx.parser.parse_model(text).SerializeToString())


def said(model: Model, least: float, most: float, at_least: float) -> str:
    """The verdict on: the output is at least so much for one input between least and most.

    Without an attack, too, nothing is verified that is false.
    """
    x = Input(1)
    spec = always(Network(1)(x)[0] >= at_least, on=box(x, least, most))
    verdict = genbab.verify(model, spec, genbab.Config(timeout=10)).verdict.value
    if verdict == "falsified":
        alone = genbab.verify(model, spec, genbab.Config(timeout=0.5, attack_restarts=0))
        assert alone.verdict != "verified"
    return verdict


@pytest.mark.parametrize("kind", ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"])
def test_every_type_of_integers_is_read(kind: str) -> None:
    model = made(f"{kind}[1] x", "y = Cast<to=1>(x)")
    assert model.input_dtypes == (np.dtype(kind),)
    assert said(model, 1.25, 5.5, 1.75) == "verified"
    assert said(model, 1.25, 5.5, 2.25) == "falsified"
    signed = kind.startswith("int")
    assert said(model, -3.5, 5.5, -0.5) == ("falsified" if signed else "verified")


def test_truth_values_choose_and_multiply() -> None:
    body = "n = Not(b) f = Cast<to=1>(n) m = Mul(f, x) w = Where(b, x, m) y = Sub(w, x)"
    model = made("bool[1] b, float[1] x", body)
    x = Input(2)
    y = Network(1)(x)
    assert (
        genbab.verify(model, always((y[0] <= 0.001) & (y[0] >= -0.001), on=box(x, 0, 1))).verdict
        == "verified"
    )
    picked = made("bool[1] b, float[1] x", "n = Neg(x) y = Where(b, x, n)")
    found = genbab.verify(picked, always(y[0] >= -0.5, on=box(x, [-3, 0.25], [3, 1]))).counterexample
    assert found is not None and found.numbers()[0] == 0 and isinstance(found.numbers()[0], int)
    assert isinstance(found.numbers()[1], float) and found.integers is not None


def test_sums_wrap_around_where_they_do() -> None:
    """The same property on boxes with and without a number at which the type is left."""
    square = made("int32[1] x", "s = Mul(x, x) y = Cast<to=1>(s)")
    assert said(square, 0, 46340, -0.5) == "verified"
    assert said(square, 0, 46341, -0.5) == "falsified"
    assert float(bounds(square, [0], [46341])[0]) <= 46341**2 - 2**32
    negative = made("int8[1] x", "s = Neg(x) y = Cast<to=1>(s)")
    assert said(negative, -127, 127, -127.5) == "verified"
    assert said(negative, -128, 127, -127.5) == "falsified"
    assert float(bounds(negative, [-128], [127])[0]) <= -128
    assert said(negative, -500, 500, -127.5) == "falsified"


def test_sums_in_wider_types_are_refused_where_they_leave_theirs() -> None:
    model = made("int32[3] x", "a = Constant<value=int64[1] {0}>() s = ReduceSum(x, a) y = Cast<to=1>(s)")
    x = Input(3)
    y = Network(1)(x)
    assert genbab.verify(model, always(y[0] <= 30.5, on=box(x, 0, 10))).verdict == "verified"
    with pytest.raises(UnsupportedError, match="beyond int32"):
        genbab.verify(model, always(y[0] <= 30.5, on=box(x, 0, 2_000_000_000)))


@pytest.mark.parametrize("arithmetic", ["real", "float32"])
def test_casts_round_beyond_what_float32_holds(arithmetic: Any) -> None:
    """2^24 + 1 is no number of float32: what it becomes is known to within 1."""
    body = "f = Cast<to=1>(x) c = Constant<value=float[1] {16777216}>() y = Sub(f, c)"
    model, x = made("int64[1] x", body), Input(1)
    y, config = Network(1)(x), genbab.Config(arithmetic=arithmetic, timeout=10)
    assert genbab.verify(model, always(y[0] <= 0.5, on=box(x, 0, 2**24)), config).verdict == "verified"
    assert genbab.verify(model, always(y[0] <= 2.5, on=box(x, 0, 2**24 + 1)), config).verdict == "verified"
    tight = genbab.verify(model, always(y[0] <= 0.5, on=box(x, 0, 2**24 + 1)), config)
    assert tight.verdict == "unknown"
    with pytest.raises(SpecError, match="beyond 2\\^52"):
        genbab.verify(model, always(y[0] <= 0.5, on=box(x, 2**53, 2**53 + 4)))


def test_a_box_without_integers_is_empty() -> None:
    model = made("int8[1] x", "y = Cast<to=1>(x)")
    x = Input(1)
    y = Network(1)(x)
    with pytest.raises(SpecError, match="the input set is empty: .*1 of 1 boxes hold no integers"):
        genbab.verify(model, always(y[0] >= 100, on=box(x, 0.25, 0.75)))
    half = always(y[0] >= 2.5, on=box(x, 0.25, 0.75) | box(x, 2.5, 4))
    assert genbab.verify(model, half).verdict == "verified"
    with pytest.raises(UsageError, match="no integer"):
        bounds(model, [0.25], [0.75])


def test_bounds_are_those_of_the_integers_in_a_box() -> None:
    model = made("int64[2] x", "s = Mul(x, x) y = Cast<to=1>(s)", "float[2] y")
    low, high = bounds(model, [0.5, 70_000], [3.25, 70_000.5])
    torch.testing.assert_close(low, torch.tensor([[1.0, 4.9e9]]).double(), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(high, torch.tensor([[9.0, 4.9e9]]).double(), rtol=1e-6, atol=1e-6)
    with pytest.raises(UsageError, match="read for other integers"):
        bounds(model.network, [0, 0], [70_000, 70_000])
    near = read_within(model, torch.zeros(2).double(), torch.full((2,), 70_000.0).double())
    bounds(near.network, [0, 0], [70_000, 70_000])


def test_images_of_bytes_and_what_torch_takes() -> None:
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(1, 2, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(32, 3)
    )

    class Bytes(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = net(x.float() / 255.0)
            return found

    image = torch.randint(0, 256, (1, 1, 6, 6), dtype=torch.uint8)
    model, label = genbab.load(Bytes(), example=image), int(Bytes()(image).argmax())
    x = Input(36)
    y, centre = Network(3)(x), image.flatten().numpy().astype(float)
    near = always(classified(y, label), on=linf(x, centre, 1.5, clip=(0, 255)))
    assert genbab.verify(model, near).verdict == "verified"
    far = genbab.verify(model, always(classified(y, label), on=linf(x, centre, 200, clip=(0, 255))))
    assert far.counterexample is not None
    ((pixels,),) = (model.inputs(far.counterexample.x).values(),)
    assert pixels.dtype == np.uint8 and pixels.shape == (1, 1, 6, 6)
    assert int(Bytes()(torch.from_numpy(pixels)).argmax()) != label
    with pytest.raises(UsageError, match="preprocessing: for inputs of floating-point numbers"):
        genbab.load(model, preprocessing={"mean": 0.5, "std": 0.5})


def test_runs_keep_to_integers() -> None:
    model = made(
        "int32[2] x", "f = Cast<to=1>(x) w = Constant<value=float[2,1] {1.5,-0.5}>() y = MatMul(f, w)"
    )
    assert genbab.verify(model, monotone([0, 0], [9.5, 9], 0, 1)).verdict == "verified"
    found = genbab.verify(model, monotone([0, 0], [9.5, 9], 1, 1)).counterexample
    assert found is not None and found.integers is not None and found.integers.all()
    a, f = Input(2), Network(1)
    moved = genbab.verify(model, always(f(a + 1)[0] <= 5.4, on=box(a, 0, 3))).counterexample
    assert moved is not None and moved.x.tolist() == [3, 0]
    with pytest.raises(SpecError, match="no integers"):
        genbab.verify(model, always(f(a + 0.5 * np.ones(2))[0] <= 20, on=box(a, 0, 3)))


def test_variables_that_need_be_no_integers_are_refused() -> None:
    """2 x is 1 where x is 1/2, unless another run takes x as it is."""
    model = made("int32[1] x", "y = Cast<to=1>(x)")
    x, two, net = Input(1), Input(2), Network(1)
    for y, where in (
        (net(2 * x)[0], box(x, 0, 1)),
        (net(two[0:1] + two[1:2])[0], box(two, 0, 0.75)),
    ):
        with pytest.raises(SpecError, match="a multiple or a sum of variables"):
            genbab.verify(model, always((y <= 0.5) | (y >= 1.5), on=where))
    both = always((net(2 * x)[0] <= 0.5) | (net(-x)[0] <= -0.5), on=box(x, 0, 1))
    assert genbab.verify(model, both, genbab.Config(timeout=10)).verdict == "verified"


def test_integer_outputs_make_strict_limits_provable() -> None:
    """That a number of a class is at most 1 excludes 2 only, which bounds of closed sets can tell from 1."""
    model = made("float[1,3] x", "y = ArgMax<axis=1, keepdims=0>(x)", "int64[1] y")
    x = Input(3)
    y, region = Network(1)(x), box(x, [0, 2, 0], [1, 3, 1])
    assert genbab.verify(model, always(y[0] == 1, on=region)).verdict == "verified"
    assert genbab.verify(model, always(y[0] < 1, on=region)).verdict == "falsified"


def test_other_inputs_are_refused_by_name() -> None:
    with pytest.raises(ModelError, match="input 'x' holds STRING; genbab reads .* BOOL and INT8 to UINT64"):
        made("string[1] x", "y = Identity(x)", "string[1] y")
    with pytest.raises(ModelError, match="input 0 holds complex64"):
        genbab.load(torch.nn.Identity(), example=torch.zeros(2, dtype=torch.complex64))


def test_studies_take_samples_of_integers() -> None:
    weights = "w = Constant<value=float[2,2] {1,-1,-1,1}>() f = Cast<to=1>(x) y = MatMul(f, w)"
    model, x = made("uint8[1,2] x", weights, "float[1,2] y"), np.array([[9, 2], [3, 5]], np.uint8)
    found = genbab.certified_accuracy(model, x, [0, 1], eps=2, bounds=(0, 255))
    assert [s.status for s in found.samples] == ["certified", "attacked"]
    plain = genbab.load(torch.nn.Linear(2, 2), example=torch.zeros(1, 2))
    with pytest.raises(UsageError, match="x holds uint8: give floating-point numbers"):
        genbab.certified_accuracy(plain, x, [0, 1], eps=2, bounds=(0, 255))
