"""Formulas mean what Python means by them, and whatever else is written is refused at its place."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genbab.errors import UsageError
from genbab.nonlinear import REGISTRY, functions
from genbab.nonlinear.composed.formula import formula, function, signature


def wide(*values: Any) -> list[torch.Tensor]:
    tensors = [torch.as_tensor(v, dtype=torch.float64) for v in values]
    shape = points().shape if any(t.dim() for t in tensors) else ()
    return [t.expand(shape) for t in tensors]


def plain(name: str) -> Any:
    return lambda x: getattr(torch, name)(*wide(x))


SPACE: dict[str, Any] = {
    **{name: plain(name) for name in ("exp", "sin", "tanh", "sigmoid", "abs", "erf", "relu", "sqrt")},
    "elu": lambda x, a: torch.where(x > 0, x, a * torch.expm1(x)),
    "max": lambda *xs: torch.stack(wide(*xs)).amax(0),
    "min": lambda *xs: torch.stack(wide(*xs)).amin(0),
    "pi": math.pi,
}
SPELLINGS = [
    "x*sigmoid(x)",
    "x + sin(x)**2",
    "x/(1+abs(x))",
    "0.5*x*(1 + erf(x/2**0.5))",
    "-x**2",
    "(-x)**2 - -x",
    "2**-x",
    "x**3 - 2*x**2 + x - 7",
    "1/(1 + x**2)",
    "(x**2 + 1)**-1.5",
    "(x**2 + 1)**0.5",
    "max(x, 0) - min(x, -1, 2*x)",
    "max(2, 3)*x - min(1, 2)*abs(x)",
    "elu(x, 0.5)",
    "exp(-x**2)*sin(3*pi*x)",
    " x  -\n x/3 + tanh(x) ",
    "x - x + 4",
    "3e-2",
]


def points() -> torch.Tensor:
    return torch.linspace(-3.1, 2.9, 401, dtype=torch.float64)


def python(text: str) -> torch.Tensor:
    """The formula as Python reads it."""
    found = eval(" ".join(text.split()), {"__builtins__": {}}, {**SPACE, "x": points()})
    return torch.as_tensor(found, dtype=torch.float64).expand(points().shape)


@pytest.mark.parametrize("text", SPELLINGS)
def test_a_formula_is_what_python_computes(text: str) -> None:
    torch.testing.assert_close(formula(text).value(points()), python(text), rtol=1e-12, atol=1e-12)


def written() -> st.SearchStrategy[str]:
    """Random formulas without poles."""
    leaves = st.sampled_from(["x", "2", "0.5", "x**2", "1.5e-1", "pi"])

    def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        pair = st.tuples(inner, inner)
        return st.one_of(
            st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
            st.tuples(st.sampled_from(["sin", "tanh", "abs", "relu"]), inner).map(
                lambda t: f"{t[0]}({t[1]})"
            ),
            pair.map(lambda t: f"max({t[0]}, {t[1]})"),
            pair.map(lambda t: f"({t[0]})/(1 + abs({t[1]}))"),
            inner.map(lambda t: f"-tanh({t})**3"),
        )

    return st.recursive(leaves, grown, max_leaves=6)


@settings(max_examples=60, deadline=None)
@given(written())
def test_random_formulas_are_what_python_computes(text: str) -> None:
    truth = python(text)
    bound = 1e-9 * (1.0 + float(truth.abs().max()))
    assert float((formula(text).value(points()) - truth).abs().max()) <= bound


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("gelu", "gelu"),
        (" power( 3 ) ", "power(3)"),
        ("leaky_relu", "leaky_relu(0.01)"),
        ("leaky_relu(-1/4)", "leaky_relu(-0.25)"),
        ("clip(0, 6)", "clip(0, 6)"),
        ("elu(x, 0.5)", "elu(0.5)"),
        ("x**3", "power(3)"),
        ("x**0.5", "sqrt"),
        ("1/x", "reciprocal"),
        ("max(x, 0)", "relu"),
        ("x*sigmoid(x)", "silu"),
        ("sin(x)", "sin"),
    ],
)
def test_known_functions_are_found_by_name_and_by_spelling(text: str, name: str) -> None:
    assert str(function(text)) == name


def test_every_function_has_a_name_that_is_understood() -> None:
    for record in functions():
        params = ", ".join(map(repr, record.params))
        assert function(f"{record.name}({params})" if params else record.name) == record
        assert signature(record.name).startswith(record.name)


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("sgmoid(x)", 1, ["sgmoid", "did you mean sigmoid"]),
        ("x * (x + gleu(x))", 10, ["gleu", "gelu"]),
        ("gleu", 1, ["gelu"]),
        ("x + y", 5, ["'y'", "variable is x"]),
        ("x + sin", 5, ["sin(x)"]),
        ("x^2", 3, ["x**2"]),
        ("x // 2", 1, ["FloorDiv"]),
        ("x / (x - x)", 6, ["division by zero"]),
        ("x + 1/0", 7, ["division by zero"]),
        ("x**x", 4, ["exponent"]),
        ("(-2)**x", 7, ["exponent", "positive"]),
        ("x + (-8)**0.5", 5, ["real"]),
        ("x*10**400", 3, ["finite"]),
        ("x*1e999", 3, ["finite"]),
        ("x + 0**-1", 5, ["finite"]),
        ("power(1)", 1, ["affine"]),
        ("x + power(x)", 5, ["power(p)", "none"]),
        ("elu(x, 1, 2)", 1, ["elu(alpha=1)", "1, 2"]),
        ("elu(0.5, x)", 1, ["argument comes first"]),
        ("elu(x, alpha=2)", 14, ["without names"]),
        ("max(x)", 1, ["max"]),
        ("max", 1, ["max"]),
        ("x + sin()", 5, ["sin(x)"]),
        ("x if x else x", 1, ["only numbers"]),
        ("x > 0", 1, ["only numbers"]),
        ("x + True", 5, ["number"]),
        ("x*1j", 3, ["only numbers"]),
        ("x + 'a'", 5, ["only numbers"]),
        ("x.real", 1, ["only numbers"]),
        ("x[0]", 1, ["only numbers"]),
        ("x.sin(x)", 1, ["by its name"]),
        ("(lambda: x)()", 2, ["by its name"]),
        ("__import__('os').system('true')", 1, ["by its name"]),
        ("__import__('os')", 1, ["unknown function"]),
        ("open('/tmp/f', 'w')", 1, ["unknown function"]),
        ("[x for x in x]", 1, ["only numbers"]),
        ("sin(*x)", 5, ["only numbers"]),
        ("(x := 3)", 2, ["only numbers"]),
        ("x +", 4, ["syntax"]),
        ("(x", 1, ["("]),
        ("x; x", 2, ["syntax"]),
        ("é*x + ß(x)", 1, ["é"]),
        ("x + 0*é", 7, ["é"]),
        ("x*(1 + ü)", 8, ["ü"]),
    ],
)
def test_what_cannot_be_used_is_pointed_at(text: str, column: int, words: list[str]) -> None:
    with pytest.raises(UsageError) as refused:
        function(text)
    said = str(refused.value)
    first, shown, mark = said.split("\n")
    assert first.startswith(f"formula, column {column}: "), said
    assert all(word in first for word in words), said
    assert shown == f"  {text}" and mark == " " * (column + 1) + "^"


@pytest.mark.parametrize(
    "text", ["", "  ", "x*" * 1500 + "x", "x+" * 900 + "x", "(" * 150 + "x" + ")" * 150, "\0"]
)
def test_empty_and_endless_formulas_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        function(text + "**")


@pytest.mark.parametrize("text", ["2*x + 1", "3", "x", "max(x, x - 1)"])
def test_affine_formulas_need_no_relaxation(text: str) -> None:
    with pytest.raises(UsageError, match="affine"):
        function(text)


def test_the_name_of_the_variable_is_no_function() -> None:
    assert "x" not in REGISTRY and "pi" not in REGISTRY
