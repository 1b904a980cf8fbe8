"""Intercepts of every registered function: sound for every slope and box, touching, right gradient."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from genbab.nonlinear import Nonlinearity, default_slopes, intercept, interval, make, prepare

from .boxes import DTYPES, FUNCTIONS, boxes, gaps, moderate, samples, slopes

each = pytest.mark.parametrize("fn", FUNCTIONS, ids=str)
dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=("f64", "f32"))
COUNT = 150
"""Random boxes per function, side and dtype; multiply it for a long run."""


def places(fn: Nonlinearity) -> tuple[float, ...]:
    return tuple(p + turn * fn.period for p in fn.breaks for turn in (range(-12, 13) if fn.period else (0,)))


@each
@dtypes
def test_sound_for_every_slope(fn: Nonlinearity, dtype: torch.dtype) -> None:
    l, u = boxes(fn, dtype, COUNT)  # noqa: E741
    k, prepared = slopes(fn, l, u), prepare(fn, l, u)
    x = samples(l, u, places(fn))
    for upper in (False, True):
        c, touch = prepared.intercept(k, upper)
        assert c.dtype == dtype and not bool(c.isnan().any())
        assert bool(((touch >= l) & (touch <= u)).all())
        near = torch.cat([x, touch.double()])
        gap = gaps(fn, near, (k, c), upper)
        assert bool((gap >= 0.0).all()), f"violated by {float(-gap.min()):.3g}"


@each
@dtypes
def test_mixed_sides_equal_single_sides(fn: Nonlinearity, dtype: torch.dtype) -> None:
    l, u = boxes(fn, dtype, COUNT)  # noqa: E741
    k, prepared = slopes(fn, l, u), prepare(fn, l, u)
    upper = torch.rand(k.shape, generator=torch.Generator().manual_seed(2)) < 0.5
    lower_c, upper_c = prepared.intercept(k, False)[0], prepared.intercept(k, True)[0]
    expected = torch.where(upper, upper_c, lower_c)
    for mask in (upper, upper.to(dtype)):
        torch.testing.assert_close(prepared.intercept(k, mask)[0], expected, rtol=1e-12, atol=1e-12)


@each
def test_shapes_broadcast(fn: Nonlinearity) -> None:
    l, u = moderate(fn, torch.float64, 5)  # noqa: E741
    k, upper = torch.tensor(0.5, dtype=torch.float64), torch.zeros(3, 1, dtype=torch.bool)
    for exact in (True, False):
        for part in intercept(fn, k, l, u, upper, rigorous=exact):
            assert part.shape == (3, 5)
        for part in prepare(fn, l, u).intercept(k.expand(2, 1), True, rigorous=exact, scale=l):
            assert part.shape == (2, 5)


@pytest.mark.parametrize("name", ["softplus", "tanh", "exp"])
def test_sound_however_wrong_the_stationary_point(name: str) -> None:
    right = make(name)
    assert right.stationary is not None
    rule = right.stationary
    wrong = replace(
        right, name=f"wrong {name}", stationary=lambda k, i: rule(k, i) + 0.3 * torch.sin(1e3 * k)
    )
    l, u = moderate(wrong, torch.float64, COUNT)  # noqa: E741
    k = slopes(right, l, u)
    for upper in (False, True):
        c, _ = intercept(wrong, k, l, u, upper)
        assert bool((gaps(wrong, samples(l, u), (k, c), upper) >= 0.0).all())


@each
def test_touches_the_function(fn: Nonlinearity) -> None:
    l, u = moderate(fn, torch.float64, COUNT)  # noqa: E741
    k = slopes(fn, l, u)
    for upper in (False, True):
        c, x = intercept(fn, k, l, u, upper)
        size = 1.0 + k.abs() * torch.maximum(l.abs(), u.abs()) + c.abs()
        limits = torch.stack(
            [fn.value(x), *(fn.value(torch.nextafter(x, end.expand_as(x))) for end in (l, u))]
        )
        gap = ((k * x + c) - limits) if upper else (limits - (k * x + c))
        assert bool((gap.abs().amin(0) <= 1e-8 * size).all())


@each
def test_point_is_the_gradient(fn: Nonlinearity) -> None:
    """c is concave (upper: convex) in k, and -x* is a supergradient (subgradient) of it."""
    l, u = moderate(fn, torch.float64, COUNT)  # noqa: E741
    k = slopes(fn, l, u)
    other = k.roll(1, 0)
    for upper, sign in ((False, 1.0), (True, -1.0)):
        (c, x), (c_other, _) = intercept(fn, k, l, u, upper), intercept(fn, other, l, u, upper)
        size = 1.0 + (k.abs() + other.abs()) * torch.maximum(l.abs(), u.abs()) + c.abs()
        assert bool((sign * (c_other - (c - (other - k) * x)) <= 1e-8 * size).all())


@each
@dtypes
def test_search_finds_the_same(fn: Nonlinearity, dtype: torch.dtype) -> None:
    l, u = moderate(fn, dtype, COUNT)  # noqa: E741
    k, prepared = slopes(fn, l, u), prepare(fn, l, u)
    upper = torch.rand(k.shape, generator=torch.Generator().manual_seed(2)) < 0.5
    for side in (False, True, upper, upper.to(dtype)):
        (c, _), (about, x) = prepared.intercept(k, side), prepared.intercept(k, side, rigorous=False)
        size = 1.0 + k.abs() * torch.maximum(l.abs(), u.abs()) + c.abs()
        assert bool(((c - about).abs() <= 3e-6 * size).all()), float(((c - about).abs() / size).max())
        assert about.dtype == dtype and bool(((x >= l) & (x <= u)).all())


@each
@dtypes
def test_search_survives_every_box(fn: Nonlinearity, dtype: torch.dtype) -> None:
    l, u = boxes(fn, dtype, COUNT)  # noqa: E741
    k = slopes(fn, l, u)
    for side in (False, True):
        c, x = intercept(fn, k, l, u, side, rigorous=False)
        assert not bool(c.isnan().any() | x.isnan().any())


@each
@dtypes
def test_interval_encloses_and_is_tight(fn: Nonlinearity, dtype: torch.dtype) -> None:
    l, u = boxes(fn, dtype, 3 * COUNT)  # noqa: E741
    lo, hi = interval(fn, l, u)
    value = fn.value(samples(l, u, places(fn)))
    assert bool((lo.double() <= value).all() and (hi.double() >= value).all())
    l, u = moderate(fn, dtype, COUNT)  # noqa: E741
    lo, hi = interval(fn, l, u)
    value = fn.value(samples(l, u, places(fn)))
    slack = 1e-3 * (1.0 + hi.double() - lo.double())
    assert bool((value.amin(0) - lo <= slack).all() and (hi - value.amax(0) <= slack).all())


@each
@dtypes
def test_scaled(fn: Nonlinearity, dtype: torch.dtype) -> None:
    l, u = moderate(fn, dtype, COUNT)  # noqa: E741
    k = slopes(fn, l, u)
    scale = torch.randn(l.shape, generator=torch.Generator().manual_seed(3)).to(dtype)
    scale[::5], scale[1::7] = 0.0, 1e-12
    x = samples(l, u, places(fn))
    for upper in (False, True):
        c, _ = prepare(fn, l, u).intercept(k, upper, scale=scale)
        about, _ = prepare(fn, l, u).intercept(k, upper, scale=scale, rigorous=False)
        size = 1.0 + k.abs() * torch.maximum(l.abs(), u.abs()) + c.abs()
        assert bool(((c - about).abs() <= 1e-5 * size).all())
        for slope, shift in zip(k.double(), c.double(), strict=True):
            gap = scale.double() * fn.value(x) - slope * x - shift
            assert bool(((-gap if upper else gap) >= 0.0).all())


def edge(fn: Nonlinearity, l: float, u: float, dtype: torch.dtype) -> list[tuple[float, float]]:  # noqa: E741
    """(lower, upper) bounds by interval, by the rigorous way and by the search at slopes 0 and 1."""
    low, high = torch.tensor([l], dtype=dtype), torch.tensor([u], dtype=dtype)
    pairs = [tuple(end.item() for end in interval(fn, low, high))]
    for k in (torch.zeros_like(low), torch.ones_like(low)):
        for rigorous in (True, False):
            pairs.append(
                tuple(
                    intercept(fn, k, low, high, side, rigorous=rigorous)[0].item() for side in (False, True)
                )
            )
    return pairs  # type: ignore[return-value]


@each
@dtypes
def test_infinite_boxes_are_unbounded_never_nan(fn: Nonlinearity, dtype: torch.dtype) -> None:
    for l, u in ((-math.inf, 1.0), (1.0, math.inf), (-math.inf, math.inf), (math.nan, 1.0)):  # noqa: E741
        (lo, hi), *lines = edge(fn, l, u, dtype)
        assert lo <= hi
        assert all(line == (-math.inf, math.inf) for line in lines)


@dtypes
@pytest.mark.parametrize("name", ["log", "sqrt", "power"])
def test_outside_the_domain_nothing_is_promised(name: str, dtype: torch.dtype) -> None:
    fn = make(name, 1.5) if name == "power" else make(name)
    for l, u in ((-1.0, 1.0), (-2.0, -1.0), (-1e-30, 1.0)):  # noqa: E741
        (_, hi), *lines = edge(fn, l, u, dtype)
        assert hi == math.inf and all(line == (-math.inf, math.inf) for line in lines)


@dtypes
@pytest.mark.parametrize("name", ["asin", "acos", "atanh", "acosh"])
def test_just_outside_the_domain_nothing_is_promised(name: str, dtype: torch.dtype) -> None:
    after = 1.0 + torch.finfo(dtype).eps
    for l, u in ((0.5, after), (1.0, 3.0), (-after, 1.0), (-3.0, -2.0)):  # noqa: E741
        (_, hi), *lines = edge(make(name), l, u, dtype)
        if (l, u) != (1.0, 3.0) or name != "acosh":
            assert hi == math.inf and all(line == (-math.inf, math.inf) for line in lines)


@dtypes
def test_poles(dtype: torch.dtype) -> None:
    reciprocal, log = make("reciprocal"), make("log")
    assert edge(reciprocal, -1.0, 1.0, dtype)[0] == (-math.inf, math.inf)
    lo, hi = edge(reciprocal, 0.0, 2.0, dtype)[0]
    assert lo == pytest.approx(0.5) and hi == math.inf
    lo, hi = edge(reciprocal, 0.0, 2.0, dtype)[3]
    assert lo == pytest.approx(-1.5) and hi == math.inf
    lo, hi = edge(log, 0.0, 1.0, dtype)[0]
    assert lo == -math.inf and hi == pytest.approx(0.0, abs=1e-7)
    lo, hi = edge(make("power", -2.0), -1.0, 1.0, dtype)[0]
    assert lo == pytest.approx(1.0) and hi == math.inf


@dtypes
def test_sign_of_exact_ranges_survives_rounding(dtype: torch.dtype) -> None:
    """A square, a relu, an exp must not dip below 0: a square root may follow."""
    l, u = torch.tensor([-1.0, 0.0, -300.0], dtype=dtype), torch.tensor([2.0, 0.0, -200.0], dtype=dtype)  # noqa: E741
    for name, *params in (("power", 2), ("relu",), ("exp",), ("abs",), ("softplus",), ("sigmoid",)):
        assert bool((interval(make(str(name), *map(float, params)), l, u)[0] >= 0.0).all())


def sweep(fn: Nonlinearity, l: Tensor, u: Tensor) -> None:  # noqa: E741
    x = samples(l, u)
    for upper, k in zip((False, True), default_slopes(fn, l, u), strict=True):
        c, _ = intercept(fn, k[None], l, u, upper)
        assert bool((gaps(fn, x, (k[None], c), upper) >= 0.0).all())


@dtypes
def test_regression_sin_on_wide_intervals(dtype: torch.dtype) -> None:
    start = torch.linspace(-20.0, 20.0, 400, dtype=dtype)
    for width in (3.15, 4.0, 5.0, 6.3, 8.0, 40.0):
        sweep(make("sin"), start, start + width)
        sweep(make("cos"), start, start + width)


@dtypes
@pytest.mark.parametrize("exponent", [2.0, 4.0])
def test_regression_even_powers_on_positive_intervals(exponent: float, dtype: torch.dtype) -> None:
    start = torch.linspace(0.0, 3.0, 100, dtype=dtype)
    for width in (0.1, 1.0, 3.0):
        sweep(make("power", exponent), start, start + width)


@dtypes
@pytest.mark.parametrize("name", ["gelu", "gelu_tanh", "silu"])
def test_regression_gelu_near_zero(name: str, dtype: torch.dtype) -> None:
    start = torch.cat([torch.logspace(-12.0, -1.0, 100, dtype=dtype), torch.zeros(1, dtype=dtype)])
    for width in (1e-3, 0.01, 1.0, 10.0):
        sweep(make(name), start, start + width)
        sweep(make(name), -start, -start + width)
