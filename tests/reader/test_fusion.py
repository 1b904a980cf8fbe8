"""However a model writes them: powers, SiLU, GELU and gates become one function."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from genbab.network import evaluate
from genbab.reader import Model

Load = Callable[..., Model]


def constants(**values: float) -> str:
    return " ".join(f"{name} = Constant<value=float {{{value!r}}}>()" for name, value in values.items()) + " "


ERF = constants(half=0.5, one=1.0, root=1.4142135, inverse=0.70710677, two=2.0)


@pytest.mark.parametrize(
    "body",
    [
        "a = Div(x, root) e = Erf(a) p = Add(e, one) m = Mul(x, p) y = Mul(m, half)",
        "a = Mul(x, inverse) e = Erf(a) p = Add(one, e) h = Mul(half, x) y = Mul(h, p)",
        "a = Div(x, root) e = Erf(a) p = Add(e, one) h = Mul(p, half) y = Mul(h, x)",
        "a = Div(x, root) e = Erf(a) h = Mul(x, half) he = Mul(h, e) y = Add(he, h)",
        "a = Div(x, root) e = Erf(a) p = Add(e, one) h = Div(x, two) y = Mul(p, h)",
    ],
)
def test_gelu_by_erf(written: Load, body: str) -> None:
    model = written(ERF + body)
    assert model.functions == {"gelu": 4}


def test_gelu_of_a_scaled_argument(written: Load) -> None:
    model = written(ERF + "a = Mul(x, half) e = Erf(a) p = Add(e, one) y = Mul(p, x)")
    assert model.functions == {"gelu": 4}


TANH = constants(half=0.5, one=1.0, three=3.0, cubic=0.044715, unit=0.7978846, two=2.0)


@pytest.mark.parametrize(
    "body",
    [
        "c = Pow(x, three) d = Mul(c, cubic) i = Add(x, d) a = Mul(i, unit) t = Tanh(a) p = Add(t, one) "
        "m = Mul(x, p) y = Mul(m, half)",
        "s = Mul(x, x) c = Mul(s, x) d = Mul(cubic, c) i = Add(d, x) a = Mul(unit, i) t = Tanh(a) "
        "p = Add(one, t) "
        "h = Mul(half, x) y = Mul(h, p)",
    ],
)
def test_gelu_by_tanh(written: Load, body: str) -> None:
    assert written(TANH + body).functions == {"gelu_tanh": 4}


@pytest.mark.parametrize(
    "body",
    [
        "s = Sigmoid(x) y = Mul(x, s)",
        "s = Sigmoid(x) y = Mul(s, x)",
        "k = Mul(x, half) s = Sigmoid(k) y = Mul(x, s)",
        "k = Mul(x, half) t = Tanh(k) p = Add(t, one) m = Mul(p, x) y = Mul(m, half)",
    ],
)
def test_silu(written: Load, body: str) -> None:
    assert written(TANH + body).functions == {"silu": 4}


@pytest.mark.parametrize(
    ("body", "functions"),
    [
        ("y = Mul(x, x)", {"power(2)": 4}),
        ("s = Mul(x, x) y = Mul(s, x)", {"power(3)": 4}),
        ("s = Mul(x, x) y = Mul(s, s)", {"power(4)": 4}),
        ("k = Mul(x, two) y = Mul(k, x)", {"power(2)": 4}),
        ("s = Mul(x, x) y = Pow(s, three)", {"power(6)": 4}),
        ("k = Sub(x, two) y = Mul(k, k)", {"power(2)": 4}),
    ],
)
def test_powers(written: Load, body: str, functions: dict[str, int]) -> None:
    assert written(TANH + body).functions == functions


def test_other_uses_of_the_parts_are_kept(written: Load) -> None:
    model = written("s = Sigmoid(x) p = Mul(x, s) y = Add(p, s)")
    assert model.functions == {"silu": 4, "sigmoid": 4}


@pytest.mark.parametrize(
    "body", ["e = Erf(x) one = Constant<value=float {2.0}>() p = Add(e, one) y = Mul(x, p)"]
)
def test_what_is_no_gelu(written: Load, body: str) -> None:
    assert "gelu" not in written(body).functions


ALMOST = constants(almost=1.0000003576278687, million=1e6, half=0.5, one=1.0)


@pytest.mark.parametrize(
    ("body", "point", "value"),
    [
        ("t = Tanh(x) p = Add(t, almost) y = Mul(x, p)", -1e6, -0.3576278687),
        ("e = Erf(x) p = Add(e, almost) y = Mul(x, p)", -1e6, -0.3576278687),
        (
            "s = Mul(x, million) a = Add(s, half) b = Add(s, one) g = Sigmoid(b) y = Mul(a, g)",
            0.0,
            0.3655292893,
        ),
        ("s = Sigmoid(x) g = Mul(x, s) y = Mul(g, almost)", 3.0, 2.8577223804673002 * 1.0000003576278687),
    ],
)
def test_constants_that_are_almost_right_are_kept(
    written: Load, body: str, point: float, value: float
) -> None:
    x = torch.full((4,), point, dtype=torch.float64)
    found = evaluate(written(ALMOST + body).network, x)
    torch.testing.assert_close(found, torch.full_like(found, value), rtol=1e-8, atol=0.0)


def split(body: str) -> str:
    return "a, b = Split<axis=1>(x) " + body


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ("s = Sigmoid(b) y = Mul(a, s)", "sigmoid"),
        ("s = Tanh(b) y = Mul(s, a)", "tanh"),
        ("y = Div(a, b)", "reciprocal"),
        ("s = Sin(b) t = Sigmoid(a) y = Mul(t, s)", "sigmoid"),
    ],
)
def test_gates(written: Load, body: str, name: str) -> None:
    functions = written(split(body), opset=13).functions
    assert any(name in f and f.startswith("gate") for f in functions), functions
    assert "product" not in functions


def test_a_factor_that_others_read_stays_a_node(written: Load) -> None:
    functions = written(split("s = Sigmoid(b) p = Mul(a, s) y = Add(p, s)"), opset=13).functions
    assert functions == {"product": 2, "sigmoid": 2}
