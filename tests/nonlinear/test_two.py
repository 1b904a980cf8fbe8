"""Planes of x*y and x*g(y): sound on grids for every slope, touching, with the right gradient."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from genbab.nonlinear import (
    Bivariate,
    Gate,
    Product,
    default_slopes,
    default_slopes2,
    intercept,
    intercept2,
    interval,
    interval2,
    make,
    prepare2,
    slope_range2,
)

from .boxes import DTYPES

FUNCTIONS: tuple[Bivariate, ...] = (
    Product(),
    *(Gate(make(name)) for name in ("sigmoid", "tanh", "silu", "gelu", "relu", "sin", "exp", "step")),
)
each = pytest.mark.parametrize("fn", FUNCTIONS, ids=lambda fn: fn.name)
dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=("f64", "f32"))
Pair = tuple[Tensor, Tensor]


def boxes(dtype: torch.dtype, count: int = 60, seed: int = 0) -> tuple[Pair, Pair]:
    """Random boxes of all widths, and special ones: points, ends at 0, one wide side."""
    random = torch.Generator().manual_seed(seed)
    pairs = []
    for _ in range(2):
        low = torch.randn(count, generator=random, dtype=torch.float64) * 2.0
        width = 10.0 ** (torch.rand(count, generator=random, dtype=torch.float64) * 7.0 - 6.0)
        pairs.append((low, low + width))
    (lx, ux), (ly, uy) = pairs
    special = torch.tensor(
        [
            [0, 0, -1, 1],
            [-1, 1, 0, 0],
            [0, 2, 0, 3],
            [-2, 0, -3, 0],
            [1, 1, 2, 2],
            [-20, 30, -1, 1],
            [-1, 1, -9, 9],
        ],
        dtype=torch.float64,
    )
    ends = [torch.cat([end, special[:, i]]).to(dtype) for i, end in enumerate((lx, ux, ly, uy))]
    return (ends[0], ends[1]), (ends[2], ends[3])


def slopes(fn: Bivariate, x: Pair, y: Pair) -> Pair:
    """(S, N) each: defaults, zero, random in and out of the range."""
    (lower_x, lower_y), (upper_x, upper_y) = default_slopes2(fn, x, y)
    (ax, bx), (ay, by) = slope_range2(fn, x, y)
    random = torch.Generator().manual_seed(1)
    share = (torch.rand(2, 6, *x[0].shape, generator=random, dtype=torch.float64) * 2.0 - 0.5).to(x[0].dtype)
    kx = torch.stack([lower_x, upper_x, torch.zeros_like(ax), *(ax + share[0] * (bx - ax))])
    ky = torch.stack([lower_y, upper_y, torch.zeros_like(ay), *(ay + share[1] * (by - ay))])
    return kx, ky


def grid(x: Pair, y: Pair, size: int = 31) -> Pair:
    """(size*size, N) each, float64."""
    share = torch.linspace(0.0, 1.0, size, dtype=torch.float64)
    along, across = (part.reshape(-1, 1) for part in torch.meshgrid(share, share, indexing="ij"))
    points = []
    for (low, high), part in ((x, along), (y, across)):
        low, high = low.double(), high.double()
        points.append(torch.minimum(low + part * (high - low), high))
    return points[0], points[1]


@each
@dtypes
def test_sound_on_a_grid(fn: Bivariate, dtype: torch.dtype) -> None:
    x, y = boxes(dtype)
    kx, ky = slopes(fn, x, y)
    at_x, at_y = grid(x, y)
    value = fn.value(at_x, at_y)
    for upper in (False, True):
        c, touch_x, touch_y = intercept2(fn, (kx, ky), x, y, upper)
        assert c.dtype == dtype and not bool(c.isnan().any())
        assert bool(((touch_x >= x[0]) & (touch_x <= x[1]) & (touch_y >= y[0]) & (touch_y <= y[1])).all())
        for a, b, shift in zip(kx.double(), ky.double(), c.double(), strict=True):
            gap = value - a * at_x - b * at_y - shift
            assert bool(((-gap if upper else gap) >= 0.0).all())


@each
def test_touches_and_has_the_right_gradient(fn: Bivariate) -> None:
    x, y = boxes(torch.float64)
    kx, ky = slopes(fn, x, y)
    reach_x, reach_y = (torch.maximum(low.abs(), high.abs()) for low, high in (x, y))
    ox, oy = kx.roll(1, 0), ky.roll(2, 0)
    for upper, sign in ((False, 1.0), (True, -1.0)):
        c, at_x, at_y = intercept2(fn, (kx, ky), x, y, upper)
        size = 1.0 + c.abs() + (kx.abs() + ox.abs()) * reach_x + (ky.abs() + oy.abs()) * reach_y
        if fn.name != "gate[step]":
            gap = fn.value(at_x, at_y) - kx * at_x - ky * at_y - c
            assert bool((gap.abs() <= 1e-7 * size).all())
        other = intercept2(fn, (ox, oy), x, y, upper)[0]
        predicted = c - (ox - kx) * at_x - (oy - ky) * at_y
        assert bool((sign * (other - predicted) <= 1e-7 * size).all())


@each
@dtypes
def test_search_finds_the_same(fn: Bivariate, dtype: torch.dtype) -> None:
    x, y = boxes(dtype)
    kx, ky = slopes(fn, x, y)
    prepared = prepare2(fn, x, y)
    upper = torch.rand(kx.shape, generator=torch.Generator().manual_seed(2)) < 0.5
    reach_x, reach_y = (torch.maximum(low.abs(), high.abs()) for low, high in (x, y))
    for side in (False, True, upper, upper.to(dtype)):
        c, about = (prepared.intercept(kx, ky, side, rigorous=exact)[0] for exact in (True, False))
        size = 1.0 + c.abs() + kx.abs() * reach_x + ky.abs() * reach_y + reach_x * reach_y
        assert bool(((c - about).abs() <= 1e-5 * size).all())


@each
@dtypes
def test_interval_encloses_and_is_tight(fn: Bivariate, dtype: torch.dtype) -> None:
    x, y = boxes(dtype)
    lo, hi = interval2(fn, x, y)
    value = fn.value(*grid(x, y))
    assert bool((lo.double() <= value).all() and (hi.double() >= value).all())
    slack = 0.02 * (hi.double() - lo.double()) + 1e-6 * (1.0 + hi.abs() + lo.abs())
    assert bool((value.amin(0) - lo <= slack).all() and (hi - value.amax(0) <= slack).all())


def test_product_reaches_mccormick() -> None:
    x, y = boxes(torch.float64)
    (lx, ux), (ly, uy) = x, y
    for kx, ky, expected, upper in (
        (ly, lx, -lx * ly, False),
        (uy, ux, -ux * uy, False),
        (uy, lx, -lx * uy, True),
        (ly, ux, -ux * ly, True),
    ):
        torch.testing.assert_close(
            intercept2(Product(), (kx, ky), x, y, upper)[0], expected, atol=1e-9, rtol=1e-9
        )


def test_gate_default_is_no_worse_than_relaxing_in_two_steps() -> None:
    """Mean height of the default planes against a line for g followed by an averaged McCormick plane."""
    g = make("tanh")
    random = torch.Generator().manual_seed(5)
    (lx, ly), (wx, wy) = (torch.rand(2, 2, 200, generator=random, dtype=torch.float64) * 4.0).unbind(0)
    x, y = (lx - 2.0, lx - 2.0 + wx), (ly - 2.0, ly - 2.0 + wy)
    mx, my = 0.5 * (x[0] + x[1]), 0.5 * (y[0] + y[1])
    (kx, ky), _ = default_slopes2(Gate(g), x, y)
    height = intercept2(Gate(g), (kx, ky), x, y, False)[0] + kx * mx + ky * my
    z = interval(g, *y)
    mz = 0.5 * (z[0] + z[1])
    lines = [
        (k, intercept(g, k, *y, upper)[0])
        for upper, k in zip((False, True), default_slopes(g, *y), strict=True)
    ]
    low, high = (k * my + c for k, c in lines)
    product = intercept2(Product(), (mz, mx), x, z, False)[0] + mz * mx
    two_steps = product + torch.where(mx > 0, mx * low, mx * high)
    assert float((height - two_steps).mean()) > 0.02
    assert bool((height >= two_steps - 0.2).all())


def test_infinite_boxes_are_unbounded_never_nan() -> None:
    wide, unit = (torch.tensor([-torch.inf]), torch.tensor([1.0])), (torch.tensor([0.0]), torch.tensor([1.0]))
    k = torch.tensor([0.5])
    for fn in FUNCTIONS:
        for x, y in ((wide, unit), (unit, wide), (wide, wide)):
            lo, hi = interval2(fn, x, y)
            assert bool(lo <= hi)
            assert intercept2(fn, (k, k), x, y, False)[0].item() == -torch.inf
            assert intercept2(fn, (k, k), x, y, True)[0].item() == torch.inf
            for slope in (*default_slopes2(fn, x, y)[0], *slope_range2(fn, x, y)[0]):
                assert bool(slope.isfinite().all())


@each
def test_shapes_broadcast(fn: Bivariate) -> None:
    x, y = boxes(torch.float64)
    kx, ky = slopes(fn, x, y)
    upper = torch.zeros(3, 1, 1, dtype=torch.bool)
    for exact in (True, False):
        for part in intercept2(fn, (kx[:1], ky), x, y, upper, rigorous=exact):
            assert part.shape == (3, *ky.shape)
        for part in intercept2(fn, (kx, ky[0, :1]), x, y, False, rigorous=exact):
            assert part.shape == kx.shape


def test_equality_and_hash() -> None:
    assert Product() == Product() and hash(Product()) == hash(Product())
    assert Gate(make("tanh")) == Gate(make("tanh")) != Gate(make("sigmoid"))
    assert len({Gate(make("tanh")), Gate(make("tanh")), Product()}) == 2
