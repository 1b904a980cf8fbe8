"""Formulas of inputs, outputs and derivatives: their values, their bounds, what they do not accept."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import pytest
import torch
from torch import Tensor, nn

import genbab
from genbab.errors import UsageError
from genbab.network import evaluate
from tests.calculus.networks import layers


class Waves(nn.Module):
    """(sin(x0)·x1, exp(x0·x1))."""

    def forward(self, x: Tensor) -> Tensor:
        a, b = x[:, 0], x[:, 1]
        return torch.stack([torch.sin(a) * b, torch.exp(a * b)], 1)


CASES: dict[str, Callable[[float, float], float]] = {
    "y0": lambda a, b: math.sin(a) * b,
    "d(y0, x0)": lambda a, b: math.cos(a) * b,
    "d(y0, x0, x1)": lambda a, b: math.cos(a),
    "d(y0, x1, x0) - d(y0, x0, x1)": lambda a, b: 0.0,
    "d(y1, x0, x0, x0)": lambda a, b: b**3 * math.exp(a * b),
    "d(y1, x1)/x0 - y1 + 2**3": lambda a, b: 8.0,
    "y0*d(y1, x0) + 0.01/pi*d(y0, x0, x0)": lambda a, b: (
        math.sin(a) * b * b * math.exp(a * b) - 0.01 / math.pi * math.sin(a) * b
    ),
    "max(x0, x1)**2 - min(x0, 1)*sin(pi*x1)": lambda a, b: max(a, b) ** 2 - min(a, 1) * math.sin(math.pi * b),
    "-(x0 + x0) + sqrt(y1)": lambda a, b: -2 * a + math.exp(a * b / 2),
    "power(x1, 3) + elu(x0, 0.5) + 4": lambda a, b: b**3 + (a if a > 0 else 0.5 * math.expm1(a)) + 4,
}


def test_formulas_are_what_they_say() -> None:
    model = genbab.load(Waves(), example=torch.zeros(1, 2))
    made = genbab.formulas(model, *CASES)
    for a, b in ((0.3, 0.7), (-0.4, 0.2), (1.1, -0.6)):
        wanted = torch.tensor([f(a, b) for f in CASES.values()], dtype=torch.float64)
        assert torch.allclose(
            evaluate(made.network, torch.tensor([a, b], dtype=torch.float64)), wanted, rtol=1e-12, atol=1e-12
        )
        low, high = genbab.output_bounds(made, [a, b], [a, b])
        assert bool(((low[0] <= wanted + 1e-12) & (wanted - 1e-12 <= high[0])).all())


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1e18*(0.50000000000000001*x0 - 0.5*x0)", 10),
        ("9007199254740993*x0 - 9007199254740992*x0", 1),
        ("1e-324*(1e300*x0)", Fraction(1, 10**24)),
        ("1e-999999999*(1e300*x0)", 0),
        ("0e999999999*x0 + 0x10*x0 + 1_0.5e-1*x0", Fraction(1705, 100)),
        ("max(x0, 2*x0, 3) - min(4, 5*x0, x0)", 2),
    ],
)
def test_every_digit_counts(text: str, wanted: Fraction) -> None:
    made = genbab.formulas(layers(nn.Tanh), text, example=torch.zeros(1, 2))
    low, high = genbab.output_bounds(made, [1.0, 0.0], [1.0, 0.0])
    assert Fraction(float(low)) <= wanted <= Fraction(float(high))


def test_decimals_are_decimals() -> None:
    """0.1·x0 is a tenth of x0, which no float64 is."""
    made = genbab.formulas(layers(nn.Tanh), "0.1*x0 + 0*x1", example=torch.zeros(1, 2))
    low, high = genbab.output_bounds(made, [3.0, 0.0], [3.0, 0.0])
    assert Fraction(float(low)) < Fraction(3, 10) < Fraction(float(high))


def test_formulas_have_a_value_only_where_their_parts_have() -> None:
    made = genbab.formulas(layers(nn.Tanh), "log(x0)*0", "y0", example=torch.zeros(1, 2))
    low, high = genbab.output_bounds(made, [-0.5, 0.0], [0.5, 0.0])
    assert float(low[0, 0]) == -math.inf and float(high[0, 0]) == math.inf


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("d(y9, x0)", "column 3: the model has 2 outputs: y0 to y1"),
        ("x0 + x7", "column 6: the model has 2 inputs"),
        ("d(y0)", "d takes an output and 1 to 4 inputs"),
        ("d(x0, y0)", "a variable such as x0 is needed"),
        ("z + 1", "unknown name 'z'"),
        ("fanh(x0)", "unknown function 'fanh' .did you mean tanh"),
        ("x0/0", "division by zero"),
        ("x0**x1", "an exponent must be a number"),
        ("x0 +", "invalid syntax"),
        ("x0 if x1 else 0", "this cannot be used"),
        ("elu(x0, x1)", "elu takes its argument first"),
        ("x0 + (-2)**0.5", "column 7: a power of a number that is not above 0 must be whole"),
        ("x0*True", "this cannot be used"),
        ("x0 + 1e400", "column 6: this is no finite number"),
        (f"x0 + 1{400 * '0'}", "column 6: this is no finite number"),
        ("max(x0)", "max takes two or more arguments"),
    ],
)
def test_errors_point_at_their_place(text: str, what: str) -> None:
    with pytest.raises(UsageError, match=what):
        genbab.formulas(Waves(), text, example=torch.zeros(1, 2))
