"""Laws of the functions that keep domains: 0 where the other has a value, no bound where it may have none."""

from __future__ import annotations

import pytest
import torch

from genbab.nonlinear import Nonlinearity, functions, interval, make, prepare
from genbab.nonlinear.composed.defined import Taken, absent, defined, guarded_by, keeps_domain, total

PARTIAL = [fn for fn in functions() if not total(fn)]
POINTS = torch.cat([torch.linspace(-4.0, 4.0, 4001, dtype=torch.float64), torch.tensor([-1e-300, 1e-300])])


def test_which_functions_are_total() -> None:
    for fn in functions():
        finite = bool(torch.isfinite(fn.value(torch.cat([POINTS, 100 * POINTS]))).all())
        assert total(fn) == (finite and fn.name != "tan"), fn  # whose poles are no floating-point numbers


@pytest.mark.parametrize("fn", PARTIAL, ids=str)
def test_the_value_is_0_where_the_function_has_one(fn: Nonlinearity) -> None:
    value = defined(fn).value(POINTS)
    has = torch.isfinite(fn.value(POINTS))
    assert bool((value[has & ~value.isnan()] == 0).all())
    if fn.name != "tan":  # whose poles are no floating-point numbers
        assert torch.equal(value == 0, has)
    assert guarded_by(defined(fn)) == fn and keeps_domain(defined(fn))


@pytest.mark.parametrize("fn", PARTIAL, ids=str)
def test_no_bound_is_finite_on_a_box_with_a_point_without_a_value(fn: Nonlinearity) -> None:
    generator = torch.Generator().manual_seed(3)
    ends = (torch.rand(2, 4000, generator=generator, dtype=torch.float64) * 16 - 8).div(4).round(decimals=2)
    low, high = ends.sort(0).values
    inside = torch.linspace(0, 1, 801, dtype=torch.float64)[:, None]
    points = torch.cat([torch.lerp(low, high, inside), low[None], high[None], torch.zeros(1, 4000).double()])
    points = points.clamp(low, high)
    lost = ~torch.isfinite(fn.value(points)).all(0)
    if fn.name == "tan":
        half = torch.pi / 2
        lost = torch.floor((high - half) / torch.pi) != torch.floor((low - half) / torch.pi)
    known = defined(fn)
    lower, upper = interval(known, low, high)
    assert torch.equal(torch.isinf(lower), lost) and torch.equal(torch.isinf(upper), lost)
    assert torch.equal(absent(fn, low, high), lost)
    slope = torch.randn(4000, generator=generator, dtype=torch.float64)
    for side in (False, True):
        found = prepare(known, low, high).intercept(slope, side)[0]
        assert torch.equal(torch.isinf(found), lost)


def test_of_nothing_it_is_finite_for_numbers_only() -> None:
    ends = torch.tensor([-torch.inf, -1.0, 0.0, torch.nan], dtype=torch.float64)
    lower, upper = interval(defined(None), ends, -ends)
    assert torch.isfinite(lower).tolist() == torch.isfinite(upper).tolist() == [False, True, True, False]


def test_a_branch_counts_where_it_is_taken() -> None:
    lost = defined(make("log")).value(torch.tensor([-1.0, -1.0, 1.0], dtype=torch.float64))
    assert Taken().value(torch.tensor([0.0, 1.0, 1.0], dtype=torch.float64), lost).isnan().tolist() == [
        False,
        True,
        False,
    ]
