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
    model = written("s = Sigmoid(x) p = Mul(x, s) y = Concat<axis=1>(p, s)")
    assert model.functions == {"silu": 4, "sigmoid": 4}


def test_what_is_no_gelu(written: Load) -> None:
    network = written("e = Erf(x) two = Constant<value=float {2.0}>() p = Add(e, two) y = Mul(x, p)").network
    x = torch.linspace(-5.0, 5.0, 4, dtype=torch.float64)
    torch.testing.assert_close(evaluate(network, x), x * (torch.erf(x) + 2.0), rtol=1e-14, atol=1e-14)


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


ALL = constants(
    zero=0.0, half=0.5, one=1.0, two=2.0, three=3.0, six=6.0, low=-1.5, limit=0.1, tenth=0.1, negative=-1.0
)

ONE_FUNCTION = {
    "softplus": "e = Exp(x) p = Add(e, one) y = Log(p)",
    "sigmoid": "n = Neg(x) e = Exp(n) p = Add(one, e) y = Div(one, p)",
    "silu": "n = Neg(x) e = Exp(n) p = Add(one, e) y = Div(x, p)",
    "mish": "e = Exp(x) p = Add(e, one) s = Log(p) t = Tanh(s) y = Mul(t, x)",
    "softsign": "a = Abs(x) p = Add(a, one) y = Div(x, p)",
    "tanh": "n = Neg(x) e = Exp(x) f = Exp(n) a = Sub(e, f) b = Add(e, f) y = Div(a, b)",
    "abs": "s = Mul(x, x) y = Sqrt(s)",
    "hard_swish": "p = Add(x, three) c = Clip(p, zero, six) d = Div(c, six) y = Mul(x, d)",
    "power(2)": "a = Add(x, one) b = Sub(x, three) y = Mul(a, b)",
}


@pytest.mark.parametrize("name", ONE_FUNCTION)
def test_spelled_out_functions_are_known(written: Load, name: str) -> None:
    assert written(ALL + ONE_FUNCTION[name]).functions == {name: 4}


@pytest.mark.parametrize(
    "body",
    [
        "s = Sin(x) q = Mul(s, s) y = Add(q, x)",
        "r = Relu(x) q = Mul(r, r) c = Mul(q, r) h = Mul(c, half) k = Add(q, h) y = Add(k, r)",
        "s = Sigmoid(x) v = Mul(x, s) a = Abs(v) c = GreaterOrEqual(a, limit) y = Where(c, v, zero)",
        "c = Greater(x, zero) e = Exp(x) m = Sub(e, one) y = Where(c, x, m)",
        "a = Max(x, zero) b = Min(a, two) s = Mul(b, b) y = Sub(s, x)",
        "q = Mul(x, x) c = Mul(q, x) d = Mul(c, tenth) y = Add(d, q)",
        "c = Clip(x, low, two) r = Relu(c) y = Mul(r, r)",
        "a = Abs(x) n = Neg(a) e = Exp(n) p = Add(e, one) l = Log(p) r = Relu(x) y = Add(r, l)",
    ],
)
def test_one_tensor_means_one_function(written: Load, body: str) -> None:
    model = written(ALL + body)
    assert len(model.functions) == 1, model.functions
    assert sum(model.functions.values()) == 4


def test_normalisation_divides_by_one_power(written: Load) -> None:
    model = written(
        "m = ReduceMean<axes=[1]>(x) c = Sub(x, m) s = Mul(c, c) v = ReduceMean<axes=[1]>(s) "
        "e = Constant<value=float {0.00001}>() p = Add(v, e) r = Sqrt(p) y = Div(c, r)"
    )
    assert model.functions == {"power(2)": 4, "norm": 4}


def test_rounding_stays_a_step_of_its_own(written: Load) -> None:
    many = constants(scale=50.0, low=-100.0, high=100.0)
    model = written(many + "a = Mul(x, scale) f = Floor(a) y = Clip(f, low, high)")
    assert model.functions["floor"] == 4


def spline(order: int, knots: int) -> str:
    """B-splines by Cox and de Boor's recursion, as efficient KANs write them, on a broadcast copy of x."""
    text = [constants(step=0.5), "x3 = Reshape(x, shape)"]
    grid = [-1.5 + 0.5 * n for n in range(knots)]

    def row(name: str, numbers: list[float]) -> str:
        return f"{name} = Constant<value = float[{len(numbers)}] {{{', '.join(map(str, numbers))}}}>()"

    text.insert(0, "shape = Constant<value = int64[3] {1, 4, 1}>()")
    text += [row("left", grid[:-1]), row("right", grid[1:])]
    text += ["ge = GreaterOrEqual(x3, left) lt = Less(x3, right) both = And(ge, lt) b0 = Cast<to=1>(both)"]
    text += ["axis = Constant<value = int64[1] {2}>() begin = Constant<value = int64[1] {0}>()"]
    text += ["next = Constant<value = int64[1] {1}>() last = Constant<value = int64[1] {-1}>()"]
    text += ["end = Constant<value = int64[1] {99}>()"]
    for k in range(1, order + 1):
        text += [row(f"g{k}", grid[: -k - 1]), row(f"h{k}", grid[k + 1 :])]
        text += [f"w{k} = Constant<value=float {{{0.5 * k}}}>()"]
        text += [f"p{k} = Sub(x3, g{k}) q{k} = Div(p{k}, w{k}) f{k} = Slice(b{k - 1}, begin, last, axis)"]
        text += [f"r{k} = Sub(h{k}, x3) s{k} = Div(r{k}, w{k}) n{k} = Slice(b{k - 1}, next, end, axis)"]
        text += [f"u{k} = Mul(q{k}, f{k}) v{k} = Mul(s{k}, n{k}) b{k} = Add(u{k}, v{k})"]
    return " ".join([*text, f"y = Identity(b{order})"])


@pytest.mark.parametrize("order", [1, 3])
def test_splines_are_one_function_per_basis(written: Load, order: int) -> None:
    model = written(spline(order, 6))
    bases = 5 - order
    assert sum(model.functions.values()) == 4 * bases, model.functions
    assert len(model.functions) <= bases
    x = torch.linspace(-1.6, 1.1, 4, dtype=torch.float64)
    found = evaluate(model.network, x).reshape(4, bases)
    inside = (x >= -1.5 + 0.5 * order) & (x < 1.0 - 0.5 * order)
    torch.testing.assert_close(found.sum(1)[inside], torch.ones_like(x)[inside], rtol=1e-12, atol=0.0)
