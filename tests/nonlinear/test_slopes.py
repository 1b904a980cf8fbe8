"""Derivatives of functions, the library's and users', against records and differences."""

from __future__ import annotations

import pytest
import torch
from mpmath import mp, mpf
from torch import Tensor

import genbab
from genbab.errors import UsageError
from genbab.nonlinear import Nonlinearity, compose, interval, make
from genbab.nonlinear.composed.checking import problems
from genbab.nonlinear.composed.formula import formula
from genbab.nonlinear.composed.slopes import PRIMITIVES, continuous, differentiated, slope
from genbab.nonlinear.composed.stated import stated_slope
from genbab.nonlinear.expressions.jets import jet
from genbab.nonlinear.facts.registry import DEFINITIONS, REGISTRY
from genbab.nonlinear.identities.known import rewritten
from genbab.nonlinear.identities.meeting import meeting
from tests.nonlinear.boxes import FUNCTIONS
from tests.registered import forgotten  # noqa: F401

SMOOTH = [fn for fn in FUNCTIONS if continuous(fn)]


def points(fn: Nonlinearity) -> Tensor:
    """Points off the kinks and the ends of the domain."""
    x = torch.cat([torch.linspace(-6.1, 6.3, 301).double(), torch.linspace(-0.97, 0.98, 51).double()])
    x = x[(x > fn.domain[0]) & (x < fn.domain[1])]
    for kink in fn.kinks:
        x = x[(x - kink).abs() > 1e-3]
    return x


def close(found: Tensor, wanted: Tensor) -> bool:
    return bool(((found - wanted).abs() <= 1e-12 * (1 + wanted.abs())).all())


@pytest.mark.parametrize("fn", SMOOTH, ids=str)
def test_slopes_are_those_of_the_records(fn: Nonlinearity) -> None:
    x = points(fn)
    assert close(slope(fn).value(x), fn.derivative(x))
    assert fn.second is not None and close(slope(fn, 2).value(x), fn.second(x))
    if not fn.kinks:  # of the third order there is no record: differences of the second
        step = 1e-5
        rough = (slope(fn, 2).value(x + step) - slope(fn, 2).value(x - step)) / (2 * step)
        exact = slope(fn, 3).value(x)
        assert bool(((rough - exact).abs() <= 1e-4 * (1 + exact.abs() + fn.second(x).abs())).all())


@pytest.mark.parametrize("fn", SMOOTH, ids=str)
def test_slopes_at_kinks_are_between_those_of_the_sides(fn: Nonlinearity) -> None:
    for kink in [] if fn.jumps else fn.kinks:
        at = torch.tensor([kink - 1e-7, kink, kink + 1e-7], dtype=torch.float64)
        left, own, right = slope(fn).value(at).tolist()
        assert min(left, right) - 1e-5 <= own <= max(left, right) + 1e-5


def test_every_function_has_a_slope_without_a_line_for_it() -> None:
    """A function that is made of others needs none; what has one is made of no others or smoother."""
    assert set(PRIMITIVES) <= set(REGISTRY)
    assert {"gelu", "silu", "mish", "celu", "selu", "quick_gelu", "sinh"} <= set(DEFINITIONS) - set(
        PRIMITIVES
    )


@pytest.mark.usefixtures("forgotten")
def test_functions_of_users_have_slopes() -> None:
    made = genbab.register("snake_test", lambda x, a: x + torch.sin(a * x) ** 2 / a, parameters={"a": 1.5})
    x = torch.linspace(-3, 3, 101).double()
    assert close(slope(made()).value(x), 1 + torch.sin(3.0 * x))
    assert close(slope(made(), 2).value(x), 3.0 * torch.cos(3.0 * x))


@pytest.mark.parametrize("name", ["tanh", "gelu", "softplus", "elu", "atan"])
def test_slopes_of_facts_are_facts(name: str) -> None:
    """What is known of a function by facts only has a derivative whose facts hold."""
    fn = make(name)
    made = stated_slope(fn)
    assert not problems(made)
    wanted = slope(fn)
    plain = rewritten(wanted)
    if plain.affine is None and not made.jumps:
        low, high = torch.linspace(0.1, 2.0, 20).double(), torch.linspace(0.3, 4.0, 20).double()
        for one in (made, compose(plain)):
            a, b = interval(one, low, high)
            for t in torch.linspace(0, 1, 11).double():
                value = fn.derivative(torch.lerp(low, high, t))
                assert bool(((a <= value) & (value <= b)).all())


def test_functions_known_by_facts_only_are_refused_from_the_second_order_on() -> None:
    tanh = make("tanh")
    plain = Nonlinearity("mine", tanh.value, tanh.derivative, breaks=(0.0,), curvature=(1, -1))
    with pytest.raises(UsageError, match="without a second derivative"):
        slope(plain)
    with pytest.raises(UsageError, match="without a second derivative"):
        slope(Nonlinearity("mine", *(tanh.value, tanh.derivative), second=tanh.second, turns=tanh.turns), 2)


def test_constants_of_definitions_are_real_numbers() -> None:
    """√(2/π) and 0.044715 are what they are, not what float64 makes of them."""
    with mp.workdps(50):
        x = mpf("0.7")
        wanted = mp.diff(
            lambda t: t * (1 + mp.tanh(mp.sqrt(2 / mp.pi) * (t + mpf("0.044715") * t**3))) / 2, x
        )
        at = torch.tensor([0.7]).double()
        found = jet(slope(make("gelu_tanh")), at, at)
        off = mpf(float(at[0])) - x
        assert (
            mpf(float(found.value[0][0])) - 2 * abs(off)
            <= wanted
            <= mpf(float(found.value[1][0])) + 2 * abs(off)
        )


def test_sums_and_products_follow_the_rules() -> None:
    x = torch.linspace(0.1, 2.0, 50).double()
    found = differentiated(formula("x*exp(x)*sin(x) + 2*x**3"))
    wanted = torch.exp(x) * (torch.sin(x) + x * torch.sin(x) + x * torch.cos(x)) + 6 * x**2
    assert close(found.value(x), wanted)


@pytest.mark.parametrize(
    ("text", "meet"),
    [
        ("x*step(x) + (exp(x) - 1)*(1 - step(x))", True),
        ("tanh(x)*(1 - step(x)) + x**2*step(x)", True),
        ("abs(x)*(1 - step(x + 0.5)) + (x**2 + 0.25)*step(x + 0.5)", True),
        ("x*step(abs(x) - 2) + 0.5*x**2*(1 - step(abs(x) - 2))", False),
        ("cos(x)*(1 - step(x)) + x*step(x)", False),
        ("tanh(x)*(1 - step(x - 3)) + x*step(x - 3)", False),
        ("x*step(x - 0.001) + 2*x*(1 - step(x - 0.001))", False),
        ("x*step(sin(x))", False),
        ("x - floor(x)", False),
    ],
)
def test_pieces_meet_or_not(text: str, meet: bool) -> None:
    assert meeting(formula(text)) is meet
