"""Functions that users bring: what is traced is what runs, what is wrong is named."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from genbab.errors import UsageError
from genbab.nonlinear import Nonlinearity, functions, intercept, make
from genbab.nonlinear.composed.checking import problems
from genbab.nonlinear.composed.custom import register
from genbab.nonlinear.composed.formula import formula as written
from genbab.nonlinear.expressions.expression import X, multiply
from genbab.nonlinear.expressions.tracing import trace
from genbab.nonlinear.facts import registry
from tests.registered import forgotten  # noqa: F401

from .expressions import call

pytestmark = pytest.mark.usefixtures("forgotten")


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (lambda x: x if x > 0 else 0 * x, "branches"),
        (lambda x: torch.fft.fft(x), "fft"),
        (lambda x: x.sum(), "sum"),
        (lambda x: 3.0, "float"),
        (lambda x: x + "a", "str"),
        (lambda x: x**x, "number"),
        (lambda x: torch.where(x, x, x), "condition"),
        (lambda x, y: x, r"called with \(x\).*argument: 'y'"),
        (lambda: 0.0, r"called with \(x\)"),
        (lambda x: x / 0, "divides by zero"),
        (lambda x: {}[x.tanh], "KeyError"),
        (lambda x: 1 / 0, "ZeroDivisionError"),
        (torch.nn.Tanh, r"a class; give Tanh\(\)"),
        (lambda x: 2 * x + 1, "odd_one: .* affine"),
        (lambda x: torch.tanh(x) if not isinstance(x, Tensor) else [x], "gives list, not a tensor"),
        (lambda x: torch.tanh(x) if not isinstance(x, Tensor) else x[:3], "not elementwise"),
        (lambda x: torch.tanh(x) if not isinstance(x, Tensor) else x * torch.nan, "the code gives nan"),
        (lambda x: torch.sin(x) + 100.0 * (x == 3.0), "equals"),
        (lambda x: torch.sin(x) + 100.0 * (x != 3.0), "equals"),
        (lambda x: torch.where(torch.eq(x, 3.0), 1.0, x), "equals"),
        (lambda x: (x * 1.0).clamp_(-20, 20) * torch.sigmoid(x), "in place"),
        (lambda x: F.relu(x * 1.0, inplace=True), "in place"),
        (lambda x: torch.sin(x) + x.to(torch.int64), "type of number"),
        (lambda x: x * 2 if x.is_cuda else x, "is_cuda"),
        (lambda x: F.softplus(x, 0.01, 7), "jumps"),
        (
            lambda x: torch.where(x > 60, x, torch.sin(x)) if torch.is_tensor(x) else torch.sin(x),
            "the code gives",
        ),
        (lambda x: torch.sin(x) if x in (1.0, 2.0) else torch.cos(x), "equals"),
    ],
)
def test_what_cannot_be_followed_is_named(code: Callable[..., Any], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        register("odd_one", code)
    assert "odd_one" not in registry.REGISTRY


def test_a_family_takes_its_parameters() -> None:
    made = register(
        "snake", lambda x, a: x + torch.sin(a * x) ** 2 / a, parameters={"a": 1.0}, onnx="com.example::Snake"
    )
    assert made(2.0) == make("snake", 2.0) != made() and str(made(2.0)) == "snake(2)"
    assert registry.OPERATORS["com.example", "Snake"][0] == "snake"
    x = torch.linspace(-2.0, 2.0, 101, dtype=torch.float64)
    torch.testing.assert_close(made(2.0).value(x), x + torch.sin(2 * x) ** 2 / 2)
    with pytest.raises(UsageError, match="1 parameters, not 2"):
        made(1.0, 2.0)


def test_parameters_are_given_by_place_or_by_name() -> None:
    made = register("two", lambda x, a, b: torch.tanh(a * x) + b * x * x, parameters={"a": 1, "b": 0.5})
    assert made() == made(1.0, 0.5) == made(a=1, b=torch.tensor(0.5)) and made(2.0, b=3) == make(
        "two", 2.0, 3.0
    )
    for values, named, text in (
        ((1.0, 2.0, 3.0), {}, "2 parameters, not 3; its parameters are a, b"),
        ((), {"c": 1.0}, "unknown parameter 'c'; its parameters are a, b"),
        ((1.0,), {"a": 1.0}, "'a' is given twice"),
        (("1",), {}, "parameter 'a' is '1'; a finite number"),
        ((), {"b": math.nan}, "parameter 'b' is nan"),
        (([1.0],), {}, r"parameter 'a' is \[1.0\]"),
        ((torch.ones(3),), {}, r"makes functions: write two\(\) or two\(a, b\)"),
    ):
        with pytest.raises(UsageError, match=text):
            made(*values, **named)
    with pytest.raises(UsageError, match="makes functions"):
        trace(made)


@pytest.mark.parametrize(
    "parameters",
    [
        *(["a"], "a", 3, {3: 1.0}, {"": 1.0}, {"a b": 1.0}),
        *({"a": wrong} for wrong in ("b", [1], math.nan, math.inf, None, True, 10**400, torch.ones(2))),
    ],
    ids=str,
)
def test_wrong_parameters_are_named(parameters: Any) -> None:
    with pytest.raises(UsageError, match="^mine: (parameters is|a parameter is called|parameter 'a' is)"):
        register("mine", lambda x, a: x * torch.tanh(a * x), parameters=parameters)
    assert "mine" not in registry.REGISTRY


@pytest.mark.parametrize("name", ["", " s", "a b", "1a", "é", "ﬁ", "a-b", "_a", "lambda", "None", 3, None])
def test_names_that_formulas_cannot_call_are_refused(name: Any) -> None:
    with pytest.raises(UsageError, match="a name is a letter and then letters, digits and _"):
        register(name, lambda x: x * torch.tanh(x))


def test_names_that_mean_something_else_are_refused() -> None:
    for name in ("x", "e", "pi", "max", "min", "nan", "inf"):
        with pytest.raises(UsageError, match="means something else in formulas"):
            register(name, lambda x: x * torch.tanh(x))
    for name in ("tanh", "quick_gelu"):
        with pytest.raises(UsageError, match="already registered"):
            register(name, lambda x: x * torch.sin(x))


def test_a_formula_can_be_registered() -> None:
    made = register("snake", "x + sin(a*x)**2/a", parameters={"a": 1.0})
    x = torch.linspace(-2.0, 2.0, 101, dtype=torch.float64)
    torch.testing.assert_close(made(2.0).value(x), x + torch.sin(2 * x) ** 2 / 2)
    torch.testing.assert_close(written("snake(3*x)").value(x), 3 * x + torch.sin(3 * x) ** 2)
    with pytest.raises(UsageError, match="unknown name 'b'"):
        register("other", "x + sin(b*x)", parameters={"a": 1.0})
    with pytest.raises(UsageError, match="cannot be called"):
        register("other", "x*tanh(x)", parameters={"pi": 1.0})


def test_lines_of_a_registered_function_are_sound() -> None:
    fn = register("wobble", lambda x: torch.tanh(x) * torch.cos(2 * x))()
    l, u = torch.tensor([-2.0, 0.1]).double(), torch.tensor([1.5, 0.2]).double()  # noqa: E741
    x = l + (u - l) * torch.linspace(0, 1, 1001).double()[:, None]
    for k in (-1.0, 0.0, 0.5):
        slope = torch.full_like(l, k)
        assert bool((fn.value(x) - k * x >= intercept(fn, slope, l, u, False)[0]).all())
        assert bool((fn.value(x) - k * x <= intercept(fn, slope, l, u, True)[0]).all())


def test_taken_names_and_operators_are_refused() -> None:
    register("mine", lambda x: x * torch.tanh(x), onnx="com.example::Mine")
    with pytest.raises(UsageError, match="already registered"):
        register("mine", lambda x: x * torch.sin(x))
    with pytest.raises(UsageError, match="already the function 'mine'"):
        register("other", lambda x: x * torch.sin(x), onnx="com.example::Mine")
    for onnx in ("Mine", "::Mine", "com.example::", "ai.onnx::Relu"):
        with pytest.raises(UsageError, match="domain::Operator"):
            register("other", lambda x: x * torch.sin(x), onnx=onnx)


def test_code_that_remembers_is_caught() -> None:
    calls = []

    def fickle(x: Any) -> Any:
        calls.append(1)
        return torch.sin(x) if len(calls) > 1 else torch.cos(x)

    with pytest.raises(UsageError, match="the code gives"):
        register("fickle", fickle)


def test_what_is_rare_is_compared_too() -> None:
    """Beyond the usual range, and around every threshold of the code."""
    for code in (
        lambda x: torch.where(x > 1e4, x, torch.sin(x)) if isinstance(x, Tensor) else torch.sin(x),
        lambda x: torch.where(x >= 7.25, x - 1, x) if not isinstance(x, Tensor) else x + 0.0 * x.relu(),
    ):
        with pytest.raises(UsageError):
            register("rare", code)


def test_an_expression_can_be_registered() -> None:
    assert register("silu_again", multiply(X, call("sigmoid")))().curvature.count(1) == 1


GOOD = make("silu")


def _with(**facts: Any) -> Nonlinearity:
    return dataclasses.replace(GOOD, name="mine", **facts)


@pytest.mark.parametrize(
    ("record", "text"),
    [
        (_with(derivative=lambda x: torch.sigmoid(x)), "derivative: at x = "),
        (_with(breaks=(-1.0, 2.3993572805154677)), r"curvature: segment \d.*bends the other way"),
        (_with(breaks=(), curvature=(1,)), "curvature: segment 0"),
        (_with(bounds=(-0.2, float("inf"))), "bounds: the value at x = "),
        (_with(second=torch.sigmoid), "second: at x = "),
        (_with(stationary=lambda k, i: k), "stationary: on segment"),
        (_with(value=lambda x: torch.where(x > 1, x * torch.nan, x)), "not a number"),
        (_with(value=lambda x: x.sum()), "elementwise"),
        (_with(value=lambda x: x.mul_(2.0)), "changes the tensor"),
        (_with(value=lambda x: torch.zeros(3) @ x), "raises RuntimeError"),
        (dataclasses.replace(make("relu"), name="mine", kinks=()), "kinks: the derivative jumps"),
        (dataclasses.replace(make("step"), name="mine", jumps=()), "jumps: the value jumps"),
        (
            dataclasses.replace(make("step"), name="mine", jumps=((0.0, 0.0, 0.0, 2.0),), bounds=(0.0, 3.0)),
            "jumps: the limit at x = 0 is 1, not 2",
        ),
        (dataclasses.replace(make("sin"), name="mine", period=6.0), "period: the value"),
    ],
)
def test_wrong_facts_are_named_with_their_place(record: Nonlinearity, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        register("mine", record)


@pytest.mark.parametrize("fn", functions(), ids=str)
def test_the_librarys_own_facts_pass(fn: Nonlinearity) -> None:
    assert problems(fn) == []


def test_a_true_record_is_taken() -> None:
    def value(x: Tensor) -> Tensor:
        return x / torch.sqrt(1.0 + x * x)

    def derivative(x: Tensor) -> Tensor:
        return (1.0 + x * x) ** -1.5

    record = Nonlinearity(
        "algebraic", value, derivative, breaks=(0.0,), curvature=(1, -1), bounds=(-1.0, 1.0)
    )
    assert register("algebraic", record)() == record == make("algebraic")
    with pytest.raises(UsageError, match="named 'algebraic'"):
        register("another", record)
    with pytest.raises(UsageError, match="parameters inside"):
        register("another", record, parameters={"a": 1.0})
    with pytest.raises(UsageError, match="not int"):
        register("another", 3)  # type: ignore[arg-type]
