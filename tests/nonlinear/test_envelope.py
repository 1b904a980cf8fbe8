"""Default slopes leave the least area; slope ranges enclose the derivative."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from genbab.nonlinear import Nonlinearity, default_slopes, intercept, interval, make, prepare, slope_range

from .boxes import DTYPES, FUNCTIONS, boxes, moderate, samples

each = pytest.mark.parametrize("fn", FUNCTIONS, ids=str)
dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=("f64", "f32"))


def best_height(fn: Nonlinearity, l: Tensor, u: Tensor, upper: bool) -> Tensor:  # noqa: E741
    """Height at the midpoint of the best line (a concave function of its slope), by ternary search."""
    prepared, middle, sign = prepare(fn, l, u), 0.5 * (l + u), -1.0 if upper else 1.0
    low, high = slope_range(fn, l, u)
    low, high = low - 1.0, high + 1.0
    for _ in range(60):
        third = (high - low) / 3.0
        a, b = low + third, high - third
        height = [sign * (prepared.intercept(k, upper)[0] + k * middle) for k in (a, b)]
        low, high = torch.where(height[0] < height[1], a, low), torch.where(height[0] < height[1], high, b)
    k = 0.5 * (low + high)
    return prepared.intercept(k, upper)[0] + k * middle


@each
@dtypes
def test_least_area(fn: Nonlinearity, dtype: torch.dtype) -> None:
    l, u = moderate(fn, dtype, 60)  # noqa: E741
    wide = torch.tensor([1e-3, 30.0], dtype=dtype)
    l, u = torch.cat([l, l[:2]]), torch.cat([u, l[:2] + wide])  # noqa: E741
    known = torch.stack(interval(fn, l, u)).isfinite().all(0)
    l, u = l[known], u[known]  # noqa: E741
    assert len(l) >= 60
    mean = fn.value(samples(l, u)[:301]).mean(0)
    for upper, slope in zip((False, True), default_slopes(fn, l, u), strict=True):
        height = intercept(fn, slope, l, u, upper)[0].double() + slope.double() * 0.5 * (l + u).double()
        best = best_height(fn, l.double(), u.double(), upper)
        lost, area = (height - best).abs(), (mean - best).abs()
        noise = 1e-9 if dtype == torch.float64 else 1e-6 * (1.0 + height.abs() + (slope * u).abs())
        assert bool((lost <= 0.01 * area + noise).all()), float((lost / area).max())


@each
@dtypes
def test_slopes_are_finite_everywhere(fn: Nonlinearity, dtype: torch.dtype) -> None:
    l, u = boxes(fn, dtype, 100)  # noqa: E741
    infinite = torch.tensor([-torch.inf, 0.0, -torch.inf, torch.nan, -1.0], dtype=dtype)
    ends = torch.tensor([0.0, torch.inf, torch.inf, 1.0, 1.0], dtype=dtype)
    l, u = torch.cat([l, infinite]), torch.cat([u, ends])  # noqa: E741
    for slope in (*default_slopes(fn, l, u), *slope_range(fn, l, u)):
        assert slope.shape == l.shape and slope.dtype == dtype and bool(slope.isfinite().all())


@each
def test_range_encloses_the_derivative(fn: Nonlinearity) -> None:
    if fn.jumps:
        return
    l, u = moderate(fn, torch.float64, 100)  # noqa: E741
    low, high = slope_range(fn, l, u)
    slope = fn.derivative(samples(l, u, fn.breaks))
    tolerance = 1e-12 * (1.0 + slope.abs())
    assert bool(((slope >= low - tolerance) & (slope <= high + tolerance)).all())
    reached = slope.amax(0) - slope.amin(0)
    assert bool((high - low <= 2.0 * reached + 0.1).all())


def test_relu_slopes() -> None:
    l, u = torch.tensor([-1.0, -2.0, 1.0, -2.0]), torch.tensor([2.0, 1.0, 2.0, -1.0])  # noqa: E741
    lower, upper = default_slopes(make("relu"), l, u)
    torch.testing.assert_close(lower, torch.tensor([1.0, 0.0, 1.0, 0.0]))
    torch.testing.assert_close(upper, torch.tensor([2.0 / 3.0, 1.0 / 3.0, 1.0, 0.0]))


@pytest.mark.parametrize(("l", "u"), [(2.64, 3.0), (-3.0, -2.5)])
def test_the_derivative_beyond_a_kink_does_not_limit_slopes(l: float, u: float) -> None:  # noqa: E741
    """hard_swish is x(x + 3)/6 on [-3, 3]: below it the tangent at the middle is best."""
    fn, low, high = make("hard_swish"), *(torch.tensor([end], dtype=torch.float64) for end in (l, u))
    slope = default_slopes(fn, low, high)[0]
    middle = 0.5 * (l + u)
    assert abs(float(slope) - (2.0 * middle + 3.0) / 6.0) < 1e-9
