"""The facts of every registered function agree with each other and with its value."""

from __future__ import annotations

import math
import pickle

import pytest
import torch
from torch import Tensor

from genbab.errors import UsageError
from genbab.nonlinear import Nonlinearity, make, register
from genbab.nonlinear.facts.inverse import part_ends, parts, refine, slope_ends

from .boxes import FUNCTIONS

each = pytest.mark.parametrize("fn", FUNCTIONS, ids=str)


def inside(fn: Nonlinearity, segment: int, reach: float = 12.0) -> Tensor:
    """Points of a segment, evenly spread and crowded at its finite ends, at least 1e-9 off them."""
    low, high = fn.segment(segment)
    low, high = max(low, -reach), min(high, reach + 0.7)
    even = torch.linspace(0.0, 1.0, 2001, dtype=torch.float64)
    crowded = torch.logspace(-9.0, -1.0, 100, dtype=torch.float64)
    share = torch.cat([even, crowded, 1.0 - crowded]).sort().values
    return low + (high - low) * share[(share > 1e-10) & (share < 1.0 - 1e-10)]


@each
def test_derivative_is_that_of_value(fn: Nonlinearity) -> None:
    """Off ends of the domain other than 0, where torch's own gradient loses digits."""
    ends = [end for end in fn.domain if math.isfinite(end) and end]
    for segment in range(len(fn.curvature)):
        x = inside(fn, segment)
        for end in ends:
            x = x[(x - end).abs() > 1e-3]
        x.requires_grad_()
        value = fn.value(x)
        assert value.requires_grad or not fn.derivative(x.detach()).any()
        if value.requires_grad:
            (expected,) = torch.autograd.grad(value.sum(), x)
            torch.testing.assert_close(fn.derivative(x.detach()), expected, rtol=1e-9, atol=1e-12)


@each
def test_derivative_is_monotone_between_breaks(fn: Nonlinearity) -> None:
    for segment, curvature in enumerate(fn.curvature):
        slope = fn.derivative(inside(fn, segment))
        rise = slope.diff()
        noise = 1e-13 * (1.0 + slope.abs()[1:])
        if curvature == 0:
            assert bool((rise.abs() <= noise).all())
        else:
            assert bool((curvature * rise >= -noise).all()), f"segment {segment} bends the other way"


@each
def test_value_is_continuous_but_at_jumps(fn: Nonlinearity) -> None:
    jumps = {place: limits for place, _, *limits in fn.jumps}
    for place in fn.breaks:
        step = 1e-9
        left, right = fn.value(torch.tensor([place - step, place + step], dtype=torch.float64)).tolist()
        if place in jumps:
            assert jumps[place] == pytest.approx([left, right], abs=2e-9) or max(abs(left), abs(right)) > 1e8
        else:
            assert abs(left - right) < 1e-7


@each
def test_derivative_jumps_only_at_kinks(fn: Nonlinearity) -> None:
    for place in set(fn.breaks) - set(fn.kinks):
        left, right = fn.derivative(torch.tensor([place - 1e-9, place + 1e-9], dtype=torch.float64)).tolist()
        assert abs(left - right) < 1e-6


def invert(fn: Nonlinearity, segment: int, k: Tensor) -> Tensor:
    """x of the segment with derivative close to k, by the table; the nearer end where there is none."""
    found: Tensor | None = None
    for part in parts(fn, segment):
        (_, slope), (_, steepest) = part_ends(fn, part)
        x = refine(fn, (part,), k, (k - slope) / (steepest - slope), 0.0, 3)
        found = x if found is None else torch.where(k > 0, x, found)
    assert found is not None
    return found


def stationary(fn: Nonlinearity, k: Tensor, segment: int) -> Tensor:
    """By the record's closed form, or by its table."""
    return invert(fn, segment, k) if fn.stationary is None else fn.stationary(k, segment)


@each
def test_stationary_inverts_the_derivative(fn: Nonlinearity) -> None:
    for segment in (*fn.segments(1), *fn.segments(-1)):
        x = inside(fn, segment, reach=6.0)
        k = fn.derivative(x)
        assert bool(((fn.derivative(stationary(fn, k, segment)) - k).abs() <= 1e-7 * (1.0 + k.abs())).all())


@each
def test_stationary_is_never_nan(fn: Nonlinearity) -> None:
    for dtype in (torch.float32, torch.float64):
        k = torch.tensor([-1e30, -1e3, -1.0, -1e-30, 0.0, 1e-30, 0.25, 1.0, 1e3, 1e30], dtype=dtype)
        for segment, curvature in enumerate(fn.curvature):
            if curvature and (fn.stationary is not None or dtype == torch.float64):
                assert not bool(stationary(fn, k, segment).isnan().any())


@each
def test_symmetric_and_periodic_as_declared(fn: Nonlinearity) -> None:
    x = torch.linspace(-7.0, 7.0, 141, dtype=torch.float64) + 0.01
    x = x[(x > fn.domain[0]) & (x < fn.domain[1])]
    if fn.symmetric:
        centre = 2.0 * fn.breaks[0]
        torch.testing.assert_close(fn.derivative(centre - x), fn.derivative(x))
    if fn.period:
        torch.testing.assert_close(fn.value(x + fn.period), fn.value(x) + fn.rise)
    assert bool((fn.value(x) >= fn.bounds[0]).all() and (fn.value(x) <= fn.bounds[1]).all())


@each
def test_equality_hash_and_pickle(fn: Nonlinearity) -> None:
    twin = make(fn.name, *fn.params)
    assert twin == fn and hash(twin) == hash(fn)
    assert pickle.loads(pickle.dumps(fn)) == fn
    assert sum(other == fn for other in FUNCTIONS) == 1
    assert fn != fn.name


def test_tails_of_tables_have_finite_slopes() -> None:
    assert slope_ends(make("gelu"), 0) == pytest.approx((0.0, -0.1289), abs=1e-3)


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"breaks": (1.0, 0.0), "curvature": (1, 1, 1)}, "ascend"),
        ({"breaks": (0.0,)}, "one more"),
        ({"curvature": (2,)}, "curvature"),
        ({"kinks": (0.0,)}, "kink"),
        ({"jumps": ((0.0, 0.0, 0.0, 1.0),)}, "jump"),
        ({"period": 1.0}, "closed form"),
    ],
)
def test_contradictory_facts_are_refused(facts: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Nonlinearity("odd", torch.relu, torch.relu, **facts)  # type: ignore[arg-type]


def test_registry_explains_itself() -> None:
    with pytest.raises(UsageError, match="known: abs"):
        make("no such function")
    with pytest.raises(UsageError, match="already registered"):
        register("relu", lambda: make("relu"))
    wrongs: list[tuple[str, *tuple[float, ...]]] = [("power", 1.0), ("power", 0.0), ("elu", -1.0)]
    wrongs += [("leaky_relu", math.nan), ("celu", 0.0), ("selu", 1.0, -1.0), ("clip", 1.0, 1.0)]
    wrongs += [
        ("clip", -math.inf, 1.0),
        ("at_least", -math.inf),
        ("at_most", math.inf),
        ("hard_sigmoid", 0.0, 0.5),
        ("shrink", 0.0, -1.0),
    ]
    wrongs += [("thresholded_relu", math.inf), ("sawtooth", 0.0)]
    for wrong in wrongs:
        with pytest.raises(UsageError):
            make(*wrong)
