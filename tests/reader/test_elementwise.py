"""Elementwise operators against onnxruntime: the self-check at load does the comparison."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from genbab.errors import UnsupportedError
from genbab.network import evaluate
from genbab.reader import Model

Load = Callable[..., Model]
F = np.float32


def array(*values: float, shape: tuple[int, ...] | None = None) -> Any:
    made = np.array(values, dtype=F)
    return made.reshape(shape) if shape is not None else made


PLAIN = {
    "Relu": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh", "Sin": "sin", "Cos": "cos", "Exp": "exp",
    "Log": "log", "Sqrt": "sqrt", "Reciprocal": "reciprocal", "Abs": "abs", "Softplus": "softplus",
    "Erf": "erf", "Floor": "floor", "Elu": "elu(1)", "LeakyRelu": "leaky_relu(0.01)",
}  # fmt: skip


@pytest.mark.parametrize("operator", PLAIN)
def test_one_function(lowered: Load, operator: str) -> None:
    model = lowered(operator, (1, 3, 2))
    assert model.functions == {PLAIN[operator]: 6}
    assert len(model.network.nodes) == 2
    assert model.output_shapes == ((1, 3, 2),)


@pytest.mark.parametrize(
    ("operator", "options"),
    [
        ("LeakyRelu", {"alpha": 0.3}),
        ("Elu", {"alpha": 0.7}),
        ("Selu", {}),
        ("Celu", {"alpha": 1.5}),
        ("Gelu", {"opset": 20}),
        ("Gelu", {"opset": 20, "approximate": "tanh"}),
        ("HardSigmoid", {"alpha": 0.3, "beta": 0.4}),
        ("HardSwish", {}),
        ("Softsign", {}),
        ("Mish", {"opset": 18}),
        ("ThresholdedRelu", {"alpha": 0.3}),
        ("Neg", {}),
        ("Identity", {}),
        ("Sign", {}),
        ("Ceil", {}),
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
    with pytest.raises(UnsupportedError, match="differ from entry to entry"):
        lowered("Pow", (1, 2), array(2.0, 3.0))


@pytest.mark.parametrize(
    "limits",
    [(None, None), (array(-0.5), None), (None, array(0.5)), (array(-0.3), array(0.4)), (array(1), array(-1))],
)
def test_clip(lowered: Load, limits: tuple[Any, Any]) -> None:
    lowered("Clip", (1, 9), *limits)


def test_clip_with_attributes(lowered: Load) -> None:
    model = lowered("Clip", (1, 9), opset=7, min=0.0, max=6.0)
    assert model.functions == {"relu": 18}
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
    assert any("step" in name for name in model.functions)


def test_logic(written: Load) -> None:
    written(
        "h = Constant<value=float {0.5}>() n = Neg(h) a = Less(x, h) b = Greater(x, n) both = And(a, b) "
        "either = Or(a, b) "
        "no = Not(both) p = Cast<to=1>(no) q = Cast<to=1>(either) y = Add(p, q)"
    )


def test_conversions(written: Load) -> None:
    written("d = Cast<to=11>(x) e = Cast<to=1>(d) y = Sin(e)")
    for kind in (6, 7, 9, 10, 16):
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
