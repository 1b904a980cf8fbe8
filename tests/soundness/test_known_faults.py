"""Mistakes that other verifiers made, by name: bounds and verdicts of the public functions must not repeat
them.

Most were found by trying a library's relaxations on random intervals; the others are from competitions and
issue trackers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

import genbab
from genbab.api import METHODS
from genbab.nonlinear import Nonlinearity, default_slopes, intercept, make
from genbab.reader import Model
from genbab.specs import Clause

Function = Callable[[Any], Any]


def written(body: str, size: int = 1) -> Model:
    """The model of a graph in ONNX's text format, input x and output y."""
    head = f'<ir_version: 8, opset_import: ["" : 17]> g (float[1,{size}] x) => (float[1,{size}] y)'
    return genbab.load(onnx.parser.parse_model(head + " {" + body + "}").SerializeToString())


def assert_encloses(body: str, truth: Function, low: float, high: float) -> tuple[float, float]:
    """Bounds by every method hold on a fine grid; the tightest of them."""
    model = written(body)
    value = truth(np.linspace(low, high, 4001))
    best = -math.inf, math.inf
    for method in METHODS:
        lower, upper = (float(end) for end in genbab.output_bounds(model, [low], [high], method))
        assert lower <= value.min() and value.max() <= upper, (method, lower, upper)
        best = max(best[0], lower), min(best[1], upper)
    return best


def assert_lines_hold(fn: Nonlinearity, l: Tensor, u: Tensor) -> None:  # noqa: E741
    """Default lines on all boxes, on a fine grid."""
    x = torch.lerp(l, u, torch.linspace(0.0, 1.0, 2001, dtype=torch.float64)[:, None])
    value = fn.value(x)
    for upper, slope in zip((False, True), default_slopes(fn, l, u), strict=True):
        line = slope * x + intercept(fn, slope, l, u, upper)[0]
        assert bool(((line >= value) if upper else (line <= value)).all())


def intervals(low: float, high: float, least: float, most: float) -> tuple[Tensor, Tensor]:
    """2000 boxes with an end in [low, high] and widths in [least, most]."""
    share = torch.rand(2, 2000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    start = low + (high - low) * share[0]
    return start, start + least + (most - least) * share[1]


@pytest.mark.parametrize("name", ("sin", "cos"))
def test_sine_over_more_than_half_a_period(name: str) -> None:
    """Widths of 3.15 to 8: up to a third of the intervals had lines off by up to 5.7."""
    assert_lines_hold(make(name), *intervals(-20.0, 20.0, 3.15, 8.0))
    operator = {"sin": "Sin", "cos": "Cos"}[name]
    for low, width in ((-1.0, 3.2), (0.3, 5.0), (2.0, 6.5), (-7.5, 7.9)):
        truth = getattr(np, name)
        assert_encloses(f"y = {operator} (x)", truth, low, low + width)


@pytest.mark.parametrize("power", (2, 4))
def test_an_even_power_right_of_zero(power: int) -> None:
    """A tangent was taken for an upper line on [0, 3]: wrong by 2.25 for the square, by 55.7 for x**4."""
    assert_lines_hold(make("power", power), *intervals(-1.0, 4.0, 0.01, 4.0))
    body = f"p = Constant <value_float = {float(power)}> () y = Pow (x, p)"
    assert_encloses(body, lambda x: x**power, 0.0, 3.0)
    assert_encloses("y = Mul (x, x)", lambda x: x * x, 0.0, 3.0)


@pytest.mark.parametrize("square", ("s = Mul (x, x)", "p = Constant <value_float = 2.0> () s = Pow (x, p)"))
def test_relu_of_a_square_less_seven(square: str) -> None:
    """relu(x**2 - 7) on [0, 3] reaches 2; the upper bound was 0."""
    body = square + " c = Constant <value_float = 7.0> () d = Sub (s, c) y = Relu (d)"
    lower, upper = assert_encloses(body, lambda x: np.maximum(x * x - 7.0, 0.0), 0.0, 3.0)
    assert upper >= 2.0 and upper <= 2.001 and -1e-6 <= lower <= 0.0


def test_tangent() -> None:
    """Lines were off by 10; over a pole nothing may be claimed."""
    tan = make("tan")
    l, u = intervals(-1.57, 0.0, 1e-3, 1.5)  # noqa: E741
    assert_lines_hold(tan, l, u)
    assert_encloses("y = Tan (x)", np.tan, -1.2, 1.5)
    for low, high in ((1.0, 2.0), (-2.0, -1.0), (-10.0, 10.0), (1.5707963, 1.5707964)):
        box = torch.tensor([low], dtype=torch.float64), torch.tensor([high], dtype=torch.float64)
        for upper, nothing in ((False, -math.inf), (True, math.inf)):
            assert float(intercept(tan, torch.zeros(1, dtype=torch.float64), *box, upper)[0]) == nothing


@pytest.mark.parametrize("name", ("gelu", "gelu_tanh"))
def test_gelu_just_right_of_zero(name: str) -> None:
    """A table that began at 0.01 put lines off by 4.6e-3 on [0, 0.01]."""
    assert_lines_hold(make(name), *intervals(-0.01, 0.01, 1e-6, 0.02))


GELU = (
    "r = Constant <value_float = 1.4142135> () d = Div (x, r) e = Erf (d) o = Constant <value_float = 1.0> ()"
    "s = Add (e, o) m = Mul (x, s) h = Constant <value_float = 0.5> () y = Mul (m, h)"
)


def test_gelu_written_out_just_right_of_zero() -> None:
    def truth(x: Any) -> Any:
        return np.array([0.5 * v * (1.0 + math.erf(v / float(np.float32(1.4142135)))) for v in x])

    assert_encloses(GELU, truth, 0.0, 0.01)


@pytest.mark.parametrize("name", ("sigmoid", "tanh"))
def test_derivatives_of_sigmoid_and_tanh_near_their_inflections(name: str) -> None:
    """s*(1 - s) and 1 - t**2 bend twice; their lines were off by 0.03 to 0.13 near there."""
    slope = {
        "sigmoid": "s = Sigmoid (x) o = Constant <value_float = 1.0> () q = Sub (o, s) y = Mul (s, q)",
        "tanh": "t = Tanh (x) o = Constant <value_float = 1.0> () q = Mul (t, t) y = Sub (o, q)",
    }[name]
    derivative = make(name).derivative

    def truth(x: Any) -> Any:
        return derivative(torch.from_numpy(x)).numpy()

    bend = {"sigmoid": 1.3169578969, "tanh": 0.6584789485}[name]
    for low, high in ((-0.1, 0.1), (-0.5, 0.2), (-1.0, 2.0), (-3.0, 0.1)):
        for centre in (-bend, 0.0, bend):
            assert_encloses(slope, truth, centre + low, centre + high)


@pytest.mark.parametrize(("low", "high"), ((None, 0.5), (-0.5, None), (-1.0, 1.0), (0.25, 0.25)))
def test_clip_with_either_end_left_out(low: float | None, high: float | None) -> None:
    """hardtanh and clip with a missing end came out of exporters in forms that were read wrongly."""
    ends = [
        (f"{name} = Constant <value_float = {end}> ()", name) if end is not None else ("", '""')
        for name, end in (("lo", low), ("hi", high))
    ]
    body = " ".join(text for text, _ in ends) + f" y = Clip (x, {ends[0][1]}, {ends[1][1]})"
    assert_encloses(body, lambda x: np.clip(x, low, high), -2.0, 1.5)


def test_hardtanh_exported_by_torch() -> None:
    for module in (nn.Hardtanh(-0.5, 2.0), nn.ReLU6(), nn.Hardsigmoid(), nn.Hardswish()):
        net = nn.Sequential(nn.Linear(2, 3), module, nn.Linear(3, 1)).eval()
        low, high = torch.full((2,), -3.0), torch.full((2,), 4.0)
        model = genbab.load(net, torch.zeros(1, 2))
        share = torch.rand(4000, 2, generator=torch.Generator().manual_seed(1))
        value = net(low + share * (high - low)).detach()
        for method in METHODS:
            lower, upper = genbab.output_bounds(model, low, high, method)
            assert float(lower) <= float(value.min()) + 1e-5 and float(upper) >= float(value.max()) - 1e-5


def test_exponentials_of_large_values() -> None:
    """Lines with a clamped denominator were off by 2e-3 where values reach thousands."""
    l, u = intervals(-2.0, 8.0, 1e-9, 1e-6)  # noqa: E741
    for fn in (make("exp"), make("power", 3), make("power", 5)):
        assert_lines_hold(fn, l, u)


def test_a_margin_that_is_not_a_number_is_not_robust() -> None:
    """max(NaN) <= tolerance is false, so a verifier took exploding bounds for a proof."""
    grow = "a = Exp (x) b = Exp (a) c = Exp (b) d = Sub (c, c) y = Add (d, x)"
    model = written(grow)
    lower, upper = genbab.output_bounds(model, [-1.0], [50.0], "interval")
    assert not torch.isnan(lower).any() and not torch.isnan(upper).any()
    clause = Clause(0, np.ones((1, 1)), None, np.array([0.0]))
    spec = genbab.Spec(np.array([[-1.0]]), np.array([[50.0]]), (clause,), 1)
    assert genbab.verify(model, spec, genbab.Config(timeout=2.0)).verdict != "verified"


def test_a_network_whose_every_neuron_is_stable() -> None:
    """Optimising slopes where no neuron has any raised KeyError."""
    body = "o = Constant <value_float = 10.0> () a = Add (x, o) b = Relu (a) y = Sub (b, o)"
    lower, upper = assert_encloses(body, lambda x: x, -1.0, 2.0)
    assert lower == pytest.approx(-1.0, abs=1e-5) and upper == pytest.approx(2.0, abs=1e-5)
