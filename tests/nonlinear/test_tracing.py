"""What is followed of torch code is what torch computes, by function and by method; the rest is refused."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genbab.errors import UsageError
from genbab.nonlinear import compose
from genbab.nonlinear.expressions.traced import CALLS
from genbab.nonlinear.expressions.tracing import OTHERWISE, trace
from genbab.nonlinear.identities.known import rewritten

ONE = torch.tensor(1.0)
ARGUMENTS: dict[str, list[tuple[Any, ...]]] = {
    "acosh": [()],
    "add": [(2.0,), (ONE,)],
    "sub": [(2.0,)],
    "mul": [(-0.5,)],
    "div": [(-0.5,)],
    "floor_divide": [(0.7,), (-2.0,)],
    "pow": [(2,), (3.0,), (0.5,), (-1.0,), (0.0,), (1,)],
    "remainder": [(1.0,), (0.7,), (-0.7,), (ONE,)],
    "fmod": [(1.0,), (0.7,), (-0.7,)],
    "lerp": [(torch.tensor(2.0, dtype=torch.float64), 0.25)],
    "addcmul": [(ONE.double(), ONE.double())],
    "addcdiv": [(ONE.double(), 2 * ONE.double())],
    "maximum": [(ONE.double(),)],
    "minimum": [(ONE.double(),)],
    "clamp": [(-1.0, 2.0), (0.5,), (None, 0.5), (-math.inf, 1.0), (2.0, 1.0)],
    "clamp_min": [(0.5,)],
    "clamp_max": [(0.5,)],
    "heaviside": [(torch.tensor(v, dtype=torch.float64),) for v in (0.0, 0.5, 1.0)],
    "ge": [(0.5,), (1,)],
    "le": [(0.5,), (1,)],
    "gt": [(0.5,), (1,)],
    "lt": [(0.5,), (1,)],
    "logaddexp": [(ONE.double(),)],
    "logaddexp2": [(ONE.double(),)],
    "round": [()],
    "leaky_relu": [(), (0.3,)],
    "prelu": [(torch.tensor([0.2], dtype=torch.float64),)],
    "elu": [(), (0.3,)],
    "celu": [(), (0.3,)],
    "hardshrink": [(), (0.3,), (0.0,)],
    "softshrink": [(), (0.3,)],
    "threshold": [(0.1, 20.0), (-1.0, -2.0)],
    "hardtanh": [(), (-2.0, 0.5)],
    "softplus": [(), (2.0,)],
    "logit": [(), (1e-3,)],
    "type_as": [(ONE.double(),)],
    "to": [(torch.float64,)],
    "type": [(torch.float64,)],
    "full_like": [(0.5,)],
}
"""What these take after their argument; the others take nothing."""
SPECIAL = ("where", "logical_and", "logical_or", "logical_xor", "logical_not", "int", "long", "type", "rrelu")
"""Written out in `CODE`."""
CODE: dict[str, Callable[[Any], Any]] = {
    "snake": lambda x: x + torch.sin(x) ** 2,
    "gelu": lambda x: F.gelu(x, approximate="tanh") * 2 - 1,
    "cats": lambda x: torch.where(x.abs() >= 0.5, x, torch.zeros_like(x)),
    "a method of where": lambda x: x.where(x > 0.5, -x),
    "cubed": lambda x: x.clamp(min=0.0) ** 3,
    "logistic": lambda x: 1 / (1 + torch.exp(-x)),
    "window": lambda x: torch.where((x > 0) & (x < 1), x, 0.0),
    "outside": lambda x: torch.where(~((x >= 0) & (x <= 1)), 1.0, x),
    "either": lambda x: ((x < 0) ^ (x < 1)).to(x.dtype) * x,
    "logical": lambda x: torch.where(torch.logical_xor(torch.logical_or(x < -1, x > 1), x > 2), x, 1.0),
    "logical not": lambda x: torch.logical_and(x > -1, torch.logical_not(x > 1)).float() * x,
    "whole truth": lambda x: (x > 0).int() * x + (x >= 1).long() + (x < 0).type_as(x),
    "maximum": lambda x: torch.maximum(x, x**2),
    "max of two": lambda x: torch.max(x, -2 * x) - torch.fmin(x, 0.5 * x),
    "from a tensor": lambda x: torch.tensor(1.0) - x.relu() / torch.tensor(2.0),
    "tensors first": lambda x: (
        torch.tensor(2.0) ** x + torch.tensor(3.0) * x - torch.tensor(1.0) / (x * x + 1)
    ),
    "names": lambda x: F.leaky_relu(x, 0.2) + F.elu(x) - F.hardtanh(x) + torch.rsqrt(x * x + 1),
    "methods": lambda x: x.tanh().square().neg().add(1.0).mul(x),
    "a power of two": lambda x: 2**x + torch.pow(0.5, x) + torch.exp2(x),
    "python's modulo": lambda x: x % 0.75 + x // 0.75,
    "rounded quotients": lambda x: (
        torch.div(x, 2, rounding_mode="floor") + torch.div(x, -3, rounding_mode="trunc")
    ),
    "a grid": lambda x: torch.round(x, decimals=1),
    "rrelu": lambda x: F.rrelu(x),
    "with a factor": lambda x: torch.add(x, torch.tanh(x), alpha=2) - torch.sub(x, 1, alpha=3),
    "addcmul": lambda x: (
        torch.addcmul(x, x, torch.tanh(x), value=0.5) + torch.addcdiv(x, x, x * x + 1, value=2)
    ),
    "lerp": lambda x: torch.lerp(x, torch.tanh(x), torch.sigmoid(x)),
    "logaddexp": lambda x: torch.logaddexp(x, -x) + torch.special.expit(x) - torch.special.erfc(x),
    "modules": lambda x: nn.SELU()(x) + nn.Threshold(0.1, 2.0)(x) + nn.Hardswish()(x) + nn.ReLU6()(x),
    "a module": nn.Mish(),
}


@pytest.fixture(scope="module")
def x() -> Tensor:
    """Both signs, whole and half numbers, the places where the functions of `CALLS` bend."""
    return torch.cat([torch.linspace(-5.1, 5.3, 733), torch.arange(-20, 21) / 4]).double()


def agree(code: Callable[[Any], Any], x: Tensor) -> None:
    """NaN and infinities included; at jumps that rounding moves, either limit."""
    found, wanted = trace(code).value(x), code(x).detach().double()
    apart = ~torch.isclose(found, wanted, rtol=1e-9, atol=1e-9, equal_nan=True)
    beside = [trace(code).value(x + step) for step in (-1e-9, 1e-9)]
    near = torch.stack([torch.isclose(side, wanted, rtol=1e-6, atol=1e-6) for side in beside]).any(0)
    assert not bool((apart & ~near).any()), x[apart & ~near]
    assert int(apart.sum()) <= 20


@pytest.mark.parametrize("name", CODE)
def test_the_trace_computes_what_the_code_computes(name: str, x: Tensor) -> None:
    agree(CODE[name], x)


def spellings(name: str, args: tuple[Any, ...]) -> list[Callable[[Any], Any]]:
    """Calls of the function and the method of this name, as far as torch has them."""
    found = [getattr(place, name) for place in (torch, F, torch.special) if hasattr(place, name)]
    called = [following(call, args) for call in found if not isinstance(call, torch.dtype)]
    return [*called, operator.methodcaller(name, *args)] if hasattr(Tensor, name) else called


def following(call: Callable[..., Any], args: tuple[Any, ...]) -> Callable[[Any], Any]:
    """x -> call(x, *args)."""
    return lambda x: call(x, *args)


@pytest.mark.parametrize("name", sorted({*CALLS} - {*SPECIAL} - {*OTHERWISE}))
def test_every_function_and_method_computes_what_torch_does(name: str, x: Tensor) -> None:
    for args in ARGUMENTS.get(name, [()]):
        found = spellings(name, args)
        assert found or name in OTHERWISE.values()
        for call in found:
            agree(call, x)


@pytest.mark.parametrize("name", OTHERWISE)
def test_second_names_are_names_of_torch(name: str, x: Tensor) -> None:
    found = spellings(name, ARGUMENTS.get(OTHERWISE[name], [()])[0])
    assert found
    for call in found:
        agree(call, x)


@pytest.mark.parametrize(
    "code",
    [
        lambda x: torch.fmod(x, 0.7),
        lambda x: F.selu(x) * 0.5,
        lambda x: F.tanhshrink(x),
        lambda x: F.threshold(x, 0.1, 20.0),
        lambda x: torch.logaddexp(x, torch.tensor(1.0)),
        lambda x: torch.lerp(x, torch.tanh(x), 0.25),
    ],
)
def test_what_is_followed_can_be_certified(code: Callable[[Any], Any]) -> None:
    fn = compose(rewritten(trace(code)))
    assert fn.domain[0] < -3.0 and fn.domain[1] > 3.0


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (lambda x: torch.nan_to_num(x), "calls 'nan_to_num'"),
        (lambda x: x.nan_to_num(), "asks for 'nan_to_num'"),
        (lambda x: torch.isnan(x), "calls 'isnan'"),
        (lambda x: x**2 ^ x, "no power; write"),
        (lambda x: (x > 0) ^ x, "no power; write"),
        (lambda x: x ^ 2, "no power; write"),
        (lambda x: torch.heaviside(x, torch.tensor(0.3).double()), "0, 0.5 or 1"),
        (lambda x: math.sin(x), "torch.sin, not math.sin"),
        (lambda x: float(x), "Python number"),
        (lambda x: x[0], "single entries"),
        (lambda x: [e for e in x], "single entries"),
        (lambda x: (-2.0) ** x, "must be positive"),
        (lambda x: x % 0, "division by zero"),
        (lambda x: 3.0 % x, "the divisor of a remainder"),
        (lambda x: torch.fmod(x, x), "the divisor of a remainder"),
        (lambda x: torch.round(x, out=x), "calls 'round' in a way"),
        (lambda x: torch.max(x), "calls 'max' in a way"),
        (lambda x: F.rrelu(x, training=True), "random"),
        (lambda x: torch.prelu(x, torch.ones(3)), "Tensor where a number"),
        (lambda x: F.softmax(x, -1), "calls 'softmax'"),
        (lambda x: x * torch.nan, "finite numbers"),
        (lambda x: x.half(), "asks for 'half'"),
        (lambda x: x.int(), "type of number"),
        (lambda x: x.shape[0] * x, "asks for 'shape'"),
    ],
)
def test_what_cannot_be_followed_is_named(code: Callable[..., Any], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        trace(code, name="odd_one")
