"""Elementwise operators against onnxruntime: the self-check at load does the comparison."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import helper

from genbab.api import bounds
from genbab.errors import UnsupportedError
from genbab.network import Nonlinear, evaluate
from genbab.nonlinear.composed.defined import keeps_domain
from genbab.nonlinear.facts.registry import OPERATORS, Operator
from genbab.reader import Model, load_onnx
from genbab.reader.convert.convert import convert
from genbab.reader.onnx.reading import read_proto

from .conftest import node_model

Load = Callable[..., Model]
F = np.float32


def array(*values: float, shape: tuple[int, ...] | None = None) -> Any:
    made = np.array(values, dtype=F)
    return made.reshape(shape) if shape is not None else made


PLAIN = {
    "Relu": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh", "Sin": "sin", "Cos": "cos", "Exp": "exp",
    "Log": "log", "Sqrt": "sqrt", "Reciprocal": "reciprocal", "Abs": "abs", "Softplus": "softplus",
    "Erf": "erf", "Floor": "floor", "Elu": "elu(1)", "LeakyRelu": "leaky_relu(0.01)", "Sign": "sign",
    "Ceil": "ceil", "Round": "round", "Acos": "acos", "Acosh": "acosh", "Asin": "asin", "Asinh": "asinh",
    "Atan": "atan", "Atanh": "atanh", "Cosh": "cosh", "Sinh": "sinh", "Tan": "tan", "Softsign": "softsign",
    "Celu": "celu(1)", "Selu": "selu(1.67326, 1.0507)", "HardSigmoid": "hard_sigmoid(0.2, 0.5)",
    "HardSwish": "hard_swish", "Mish": "mish", "ThresholdedRelu": "thresholded_relu(1)",
    "Shrink": "shrink(0, 0.5)",
}  # fmt: skip
OPSETS = {"Mish": 18}
PARTIAL = {"log", "sqrt", "reciprocal", "acos", "acosh", "asin", "atanh", "tan"}


@pytest.mark.parametrize("operator", PLAIN)
def test_one_function(lowered: Load, operator: str) -> None:
    model = lowered(operator, (1, 3, 2), opset=OPSETS.get(operator, 17))
    assert model.functions == {PLAIN[operator]: 6}
    keeping = any(keeps_domain(getattr(node, "fn", None)) for node in model.network.nodes)
    assert keeping == (PLAIN[operator] in PARTIAL)
    assert len(model.network.nodes) == (4 if keeping else 2)
    assert model.output_shapes == ((1, 3, 2),)


@pytest.mark.parametrize(
    ("operator", "options"),
    [
        ("LeakyRelu", {"alpha": 0.3}),
        ("Elu", {"alpha": 0.7}),
        ("Selu", {"alpha": 1.2, "gamma": 0.8}),
        ("Celu", {"alpha": 1.5}),
        ("Gelu", {"opset": 20}),
        ("Gelu", {"opset": 20, "approximate": "tanh"}),
        ("HardSigmoid", {"alpha": 0.3, "beta": 0.4}),
        ("HardSigmoid", {"alpha": -0.7, "beta": 0.2}),
        ("ThresholdedRelu", {"alpha": 0.3}),
        ("ThresholdedRelu", {"alpha": -0.4}),
        ("ThresholdedRelu", {"alpha": 0.0}),
        ("Shrink", {"bias": 0.2, "lambd": 0.3}),
        ("Shrink", {"bias": 0.3, "lambd": 0.0}),
        ("Neg", {}),
        ("Identity", {}),
        ("Dropout", {}),
        ("MeanVarianceNormalization", {"axes": [1], "opset": 13}),
    ],
)
def test_with_attributes(lowered: Load, operator: str, options: dict[str, Any]) -> None:
    lowered(operator, (1, 8), **options)


@pytest.mark.parametrize("operator", ["Add", "Sub", "Mul", "Div", "Max", "Min"])
@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((1, 3), (1, 3)),
        ((1, 2, 3), (1, 2, 1)),
        ((1, 1, 3), (1, 2, 1)),
        ((1, 3), array(2.0)),
        (array(0.5, -1.0, 2.0), (1, 3)),
        ((1, 1), array(1.0, 2.0, 3.0)),
        ((3,), array(1, 2, 3, 4, 5, 6, shape=(2, 3))),
    ],
)
def test_two_arguments(lowered: Load, operator: str, left: Any, right: Any) -> None:
    model = lowered(operator, left, right)
    shapes = [v if isinstance(v, tuple) else v.shape for v in (left, right)]
    assert model.output_shapes == (np.broadcast_shapes(*shapes),)


@pytest.mark.parametrize("operator", ["Sum", "Mean", "Max", "Min"])
def test_many_arguments(lowered: Load, operator: str) -> None:
    lowered(operator, (1, 3), (1, 1), array(0.1, 0.2, 0.3), (1, 3), (3,))
    lowered(operator, (1, 3))


@pytest.mark.parametrize("exponent", [2.0, 3.0, 5.0, 0.5, -1.0, -2.0, 1.5, 0.3, 0.0, 1.0])
def test_powers(lowered: Load, exponent: float) -> None:
    lowered("Pow", (1, 4), array(exponent))
    lowered("Pow", (1, 4), np.full((2, 4), exponent, F))


def test_powers_with_varying_exponents(lowered: Load) -> None:
    lowered("Pow", array(2.0, 0.5), (1, 2))
    lowered("Pow", (1, 2), (1, 2))
    lowered("Pow", (1, 2), array(2.0, 3.0))


@pytest.mark.parametrize(
    "limits",
    [(None, None), (array(-0.5), None), (None, array(0.5)), (array(-0.3), array(0.4)), (array(1), array(-1))],
)
def test_clip(lowered: Load, limits: tuple[Any, Any]) -> None:
    lowered("Clip", (1, 9), *limits)


def test_clip_with_attributes(lowered: Load) -> None:
    model = lowered("Clip", (1, 9), opset=7, min=0.0, max=6.0)
    assert model.functions == {"clip(0, 6)": 9}
    assert lowered("Clip", (1, 9), opset=7, min=0.0).functions == {"relu": 9}


def test_prelu(lowered: Load) -> None:
    assert lowered("PRelu", (1, 4), array(0.2)).functions == {"leaky_relu(0.2)": 4}
    lowered("PRelu", (1, 2, 3), array(0.2, -0.5, shape=(2, 1)))


@pytest.mark.parametrize("compare", ["Greater", "Less", "GreaterOrEqual", "LessOrEqual"])
def test_where_on_a_comparison(written: Load, compare: str) -> None:
    model = written(
        f"zero = Constant<value=float {{0.1}}>() c = {compare}(x, zero) "
        "two = Constant<value=float {2.0}>() "
        "a = Mul(x, two) s = Sin(x) y = Where(c, a, s)"
    )
    assert any("step" in name or "positive" in name for name in model.functions)


def test_logic(written: Load) -> None:
    written(
        "h = Constant<value=float {0.5}>() n = Neg(h) a = Less(x, h) b = Greater(x, n) both = And(a, b) "
        "either = Or(a, b) "
        "no = Not(both) p = Cast<to=1>(no) q = Cast<to=1>(either) y = Add(p, q)"
    )


def test_conversions(written: Load) -> None:
    written("d = Cast<to=11>(x) e = Cast<to=1>(d) y = Sin(e)")
    for kind in (6, 7, 9):
        written(f"i = Cast<to={kind}>(x) y = Cast<to=1>(i)")
    for kind in (17, 19):  # float8
        with pytest.raises(UnsupportedError, match="conversion"):
            written(f"i = Cast<to={kind}>(x) y = Cast<to=1>(i)")


@pytest.mark.parametrize(
    ("operator", "point", "value"),
    [
        ("Selu", 4.0, 4.2028040885925293),
        ("LeakyRelu", -1.0, -0.009999999776482582),
        ("HardSigmoid", 1.0, 0.7000000029802322),
    ],
)
def test_attributes_left_out_are_float32_numbers(
    lowered: Load, operator: str, point: float, value: float
) -> None:
    network = lowered(operator, (1, 1)).network
    assert evaluate(network, torch.tensor([point], dtype=torch.float64)).item() == pytest.approx(
        value, rel=1e-13
    )


def test_every_operator_of_the_library_is_tried() -> None:
    assert set(PLAIN) == {kind for domain, kind in OPERATORS if not domain}


@pytest.mark.parametrize("divisor", [1.0, 0.7, -0.3])
def test_remainders(lowered: Load, divisor: float) -> None:
    lowered("Mod", (1, 9), array(divisor), fmod=1)
    lowered("Mod", (1, 9), array(*[divisor] * 9), fmod=1)


def test_remainders_by_many(lowered: Load) -> None:
    lowered("Mod", (2, 3), array(1.0, 0.7, -0.3), fmod=1)
    lowered("Mod", (2, 3), (2, 1), fmod=1)


def test_a_test_for_infinity_is_undefined_beyond_float32(written: Load) -> None:
    """1e19 · (1e19 · x) may overflow in float32, which says so, and does not over the reals."""
    body = "k = Constant<value=float {1e19}>() p = Mul(x, k) q = Mul(p, k) a = IsInf(q) y = Cast<to=1>(a)"
    head = '<ir_version: 8, opset_import: ["" : 17]> g (float[1,1] x) => (float y)'
    model = load_onnx(onnx.parser.parse_model(f"{head} {{ {body} }}"))
    for low, high, known in ((0.0, 10.0, False), (0.0, 1.0, True)):
        lower, upper = bounds(model, [low], [high], "interval")
        assert bool(torch.isfinite(lower).all() and torch.isfinite(upper).all()) == known
        assert not known or max(abs(lower.item()), abs(upper.item())) < 1e-300


def test_remainder_at_a_jump(lowered: Load) -> None:
    network = lowered("Mod", (1, 1), array(3.0), fmod=1).network
    x = torch.tensor([6.0], dtype=torch.float64)
    assert evaluate(network, x).item() == 0.0 and evaluate(network, -x).item() == 0.0


def test_what_has_no_rule_says_why(lowered: Load, written: Load) -> None:
    with pytest.raises(UnsupportedError, match="divisor that is 0"):
        lowered("Mod", (1, 2), array(1.0, 0.0), fmod=1)
    with pytest.raises(UnsupportedError, match="int64 integers"):
        written("i = Cast<to=7>(x) a = IsNaN(i) y = Cast<to=1>(a)")


def test_equality(written: Load) -> None:
    written(
        "h = Constant<value=float {0.5}>() r = Round(x) f = Floor(x) a = Equal(r, f) b = Less(x, h) "
        "c = Equal(a, b) d = Xor(a, b) p = Cast<to=1>(a) q = Cast<to=1>(c) s = Cast<to=1>(d) y = Sum(p, q, s)"
    )


def test_custom_operators_of_the_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function registered after the reader was imported is found, with its attributes."""
    operator = Operator("Bent", (("alpha", 0.25),), "com.example")
    monkeypatch.setitem(OPERATORS, ("com.example", "Bent"), ("elu", operator))
    cases: list[tuple[dict[str, Any], str]] = [({}, "elu(0.25)"), ({"alpha": 0.5}, "elu(0.5)")]
    for options, name in cases:
        proto = node_model("Bent", (1, 3), domain="com.example", **options)
        proto.opset_import.append(helper.make_opsetid("com.example", 1))
        read, signature = read_proto(proto)
        shapes = list(zip(signature.input_names, signature.input_shapes, strict=True))
        network = convert(read, shapes, "the model").network
        assert [str(n.fn) for n in network.nodes if isinstance(n, Nonlinear)] == [name]
