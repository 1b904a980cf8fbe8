"""Normalised rows as one node: range and planes on boxes, for any slopes, over the real numbers."""

from __future__ import annotations

from itertools import product

import mpmath
import pytest
import torch
from torch import Tensor

from genbab.network.roundoff import gamma
from genbab.nonlinear.groups.norm import Norm, NormBox
from genbab.nonlinear.groups.norm_planes import norm_lost, norm_planes, norm_roundings
from genbab.nonlinear.groups.softmax import by_rows

WIDTHS = (0.0, 1e-14, 1e-6, 0.1, 1.0, 5.0, 1e3)
OFFSETS = (0.0, 1.0, 30.0, 1e6)
FLOORS = (0.0, 1e-12, 1e-4, 1.0)
CASES = tuple(product(WIDTHS, OFFSETS, FLOORS))[::5]


def some_box(length: int, width: float, offset: float, floor: float, known: bool, seed: int = 0) -> NormBox:
    """Two domains of two rows, some entries points; sums of squares unknown, or of a part of the box."""
    g = torch.Generator().manual_seed(seed)
    size = (2, 1, 2 * length)
    middle = torch.randn(size, generator=g, dtype=torch.float64) * (1 + offset)
    half = width * torch.rand(size, generator=g, dtype=torch.float64).round(decimals=1)
    return at_ends(Norm(length, floor), middle - half, middle + half, known)


def at_ends(fn: Norm, l: Tensor, u: Tensor, known: bool) -> NormBox:  # noqa: E741
    """The box, with the sums of squares of the points of `inside` if known."""
    if not known:
        return NormBox(fn, l, u)
    sums = by_rows(inside(NormBox(fn, l, u), 12), fn.length).square().sum(-1)
    room = 1e-12 * (1 + sums.amax(1, keepdim=True))
    return NormBox(fn, l, u, (sums.amin(1, keepdim=True) - room, sums.amax(1, keepdim=True) + room))


def inside(box: NormBox, count: int, seed: int = 1) -> Tensor:
    """Points (B, M, N) of the box, half of them corners."""
    g = torch.Generator().manual_seed(seed)
    part = torch.rand(box.l.shape[0], count, box.l.shape[-1], generator=g, dtype=torch.float64)
    part[:, : count // 2] = part[:, : count // 2].round()
    return torch.minimum(box.l + part * (box.u - box.l), box.u)


def truth(row: Tensor, floor: float) -> list[mpmath.mpf] | None:
    """The values of one row (K,) in 60 digits; None where the root is 0."""
    z = [mpmath.mpf(v) for v in row.tolist()]
    total = mpmath.fsum(v * v for v in z) + mpmath.mpf(floor)
    return None if total == 0 else [v / mpmath.sqrt(total) for v in z]


def assert_below(box: NormBox, a: Tensor, at: Tensor | None, x: Tensor) -> None:
    """The rigorous planes with these slopes lie below Σ a·norm at each x (B, M, N), in exact arithmetic."""
    length = box.fn.length
    found = norm_planes(box, a, at, rigorous=True)
    assert found.masses is not None
    taken = found.constants - gamma(norm_roundings(length), a.dtype) * found.masses
    assert bool(torch.isfinite(found.form).all()) and not bool(taken.isnan().any())
    forms, rows = by_rows(found.form, length), by_rows(a.expand(found.form.shape), length)
    with mpmath.workdps(60):
        for b in range(x.shape[0]):
            for r, row in ((r, row) for point in by_rows(x[b], length) for r, row in enumerate(point)):
                y = truth(row, box.fn.floor)
                if y is None:
                    assert bool((taken[b, :, r] == -torch.inf).logical_or(rows[b, :, r].eq(0).all(-1)).all())
                    continue
                for s in range(a.shape[1]):
                    value = mpmath.fsum(c * v for c, v in zip(rows[b, s, r].tolist(), y, strict=True))
                    pairs = zip(forms[b, s, r].tolist(), row.tolist(), strict=True)
                    line = mpmath.fsum(mpmath.mpf(k) * mpmath.mpf(v) for k, v in pairs)
                    assert line + mpmath.mpf(float(taken[b, s, r])) <= value


def rows_of(length: int, seed: int = 2) -> Tensor:
    """Random coefficients, all of one sign, equal ones, a unit row, its negative, zero."""
    g = torch.Generator().manual_seed(seed)
    a = torch.randn(2, 6, 2 * length, generator=g, dtype=torch.float64)
    a[:, 1] = a[:, 1].abs()
    a[:, 2] = -3.0
    a[:, 3] = torch.eye(length, dtype=torch.float64)[0].repeat(2)
    a[:, 4] = -a[:, 3]
    a[:, 5] = 0.0
    return a


@pytest.mark.parametrize(("width", "offset", "floor"), CASES)
def test_planes_of_any_slopes_lie_below(width: float, offset: float, floor: float) -> None:
    g = torch.Generator().manual_seed(5)
    for length, known in ((1, False), (4, True), (3, False)):
        box = some_box(length, width, offset, floor, known)
        a, x = rows_of(length), inside(box, 12)[:, 5:7]
        wild = torch.randn(a.shape, generator=g, dtype=torch.float64)
        for at in (None, wild * (wild[..., :1] * 5).exp() / (1 + offset)):
            assert_below(box, a, at, x)


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("width", [0.02, 0.3, 1.0, 3.0])
def test_planes_lie_below_on_many_points(width: float, known: bool) -> None:
    """Points of a finer look, steepest descent from them included, in floating point."""
    for seed in range(2):
        box = some_box(6, width, 0.0, 1e-5, known, seed)
        a = rows_of(6, seed)
        found = norm_planes(box, a, None, rigorous=True)
        x = inside(box, 12) if known else inside(box, 1000)

        def above(x: Tensor, box: NormBox = box, a: Tensor = a, form: Tensor = found.form) -> Tensor:
            y = box.fn.value(x)
            return by_rows(a[:, :, None] * y[:, None] - form[:, :, None] * x[:, None], 6).sum(-1)

        least = above(x).amin(2)
        if not known:
            for s in range(a.shape[1]):
                z = x[:, :64].clone()
                for step in range(25):
                    z.requires_grad_()
                    (slope,) = torch.autograd.grad(above(z)[:, s].sum(), z)
                    moved = z.detach() - 0.3 * 0.9**step * (box.u - box.l) * slope.sign()
                    z = torch.minimum(torch.maximum(moved, box.l), box.u)
                least[:, s] = torch.minimum(least[:, s], above(z)[:, s].amin(1))
        assert bool((found.constants <= least + 1e-9).all())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_planes_of_the_search_are_those_of_the_verdict(dtype: torch.dtype) -> None:
    box, a = some_box(5, 0.2, 1.0, 1e-3, True), rows_of(5)
    assert box.sums is not None
    sums = (box.sums[0].to(dtype), box.sums[1].to(dtype))
    cast = NormBox(box.fn, box.l.to(dtype), box.u.to(dtype), sums)
    exact = norm_planes(box, a, None, rigorous=True)
    lean = norm_planes(cast, a.to(dtype), None, rigorous=False)
    first, second = (
        by_rows(f.form.double() * box.l, 5).sum(-1) + f.constants.double() for f in (exact, lean)
    )
    assert torch.allclose(first, second, atol=0.03)


def test_planes_of_narrow_boxes_are_tangents() -> None:
    """The gap falls with the square of the width."""
    gaps = []
    for width in (1e-2, 1e-3):
        box, a = some_box(5, width, 1.0, 1e-3, False), rows_of(5)
        found, x = norm_planes(box, a, None, rigorous=False), inside(box, 20)
        value = by_rows(a[:, :, None] * box.fn.value(x)[:, None] - found.form[:, :, None] * x[:, None], 5)
        gaps.append(float((value.sum(-1) - found.constants[:, :, None]).max()))
    assert 0 < gaps[1] < 0.02 * gaps[0]


def test_slopes_move_uphill() -> None:
    """A small step along the derivative raises the form at v."""
    box, a = some_box(5, 0.5, 1.0, 1e-3, True), rows_of(5)
    v = inside(box, 6, 4)

    def value(at: Tensor | None) -> Tensor:
        found = norm_planes(box, a, at, rigorous=True)
        return by_rows(found.form * v, 5).sum(-1) + found.constants

    uphill = norm_planes(box, a, None, rigorous=True).uphill(v)
    change = value(1e-5 * uphill) - value(None)
    assert bool((change >= -1e-8).all()) and float(change.sum()) > 0


def test_what_lines_give_is_the_derivative_of_the_form() -> None:
    """By finite differences in the coefficients, at multipliers that are nearly the best."""
    box, a = some_box(5, 0.3, 1.0, 1e-2, True), rows_of(5)[:, :2]
    v = inside(box, 2, 4)
    y = norm_planes(box, a, None, rigorous=True).along(v)
    for k in range(10):
        sides = []
        for sign in (1, -1):
            moved = a.clone()
            moved[:, :, k] += sign * 1e-4
            found = norm_planes(box, moved, None, rigorous=True)
            sides.append((found.form * v).sum(-1) + found.constants.sum(-1))
        change = (sides[0] - sides[1]) / 2e-4
        assert torch.allclose(change, y[..., k], atol=0.05)


@pytest.mark.parametrize(("width", "offset", "floor"), CASES)
def test_range_holds_and_is_reached(width: float, offset: float, floor: float) -> None:
    """The extreme is where the entry is at one end, the others nearest to 0 or furthest from it."""
    box = some_box(3, width, offset, floor, False)
    low, high = (end[:, 0] for end in box.range)
    near = torch.where((box.l <= 0) & (box.u >= 0), 0.0, torch.where(box.l > 0, box.l, box.u))
    far = torch.where(box.l.abs() > box.u.abs(), box.l, box.u)
    for k in range(3):
        own = (torch.arange(3) == k).repeat(2)
        for end, bound, sign in ((box.l, low, 1), (box.u, high, -1)):
            pick = by_rows(end, 3)[..., k : k + 1].expand(-1, -1, -1, 3).flatten(-2) * sign <= 0
            x = torch.where(own, end, torch.where(pick, near, far))
            for b in range(2):
                for r, row in enumerate(by_rows(x[b, 0], 3)):
                    with mpmath.workdps(60):
                        y = truth(row, floor)
                        if y is None:
                            assert float(bound[b, r, k]) * sign == -torch.inf
                            continue
                        gap = sign * (y[k] - mpmath.mpf(float(bound[b, r, k])))
                        assert gap >= 0 and (not bool(box.usable[b, 0, r]) or gap <= 1e-9)


def test_range_with_known_sums_holds_and_is_narrower() -> None:
    for seed in range(10):
        box = some_box(6, 2.0, 0.0, 1e-3, True, seed)
        y = by_rows(box.fn.value(inside(box, 12)), 6)
        low, high = box.range
        assert bool(((y >= low) & (y <= high)).all())
        wide = NormBox(box.fn, box.l, box.u).range
        assert bool(((low >= wide[0]) & (high <= wide[1])).all()) and bool((low > wide[0]).any())


def test_a_root_that_may_be_zero_is_unbounded() -> None:
    """Rows with the zero vector and no floor; one entry that stays away from 0 is enough to bound a row."""
    l = torch.tensor([[[-1.0, -1.0, 0.5, -1.0]]], dtype=torch.float64)  # noqa: E741
    u = torch.ones(1, 1, 4, dtype=torch.float64)
    box = NormBox(Norm(2), l, u)
    low, high = box.range
    assert bool((low[0, 0, 0] == -torch.inf).all() and (high[0, 0, 0] == torch.inf).all())
    assert bool((low[0, 0, 1] >= -1).all() and (high[0, 0, 1] <= 1).all()) and float(low[0, 0, 1, 0]) > 0.4
    found = norm_planes(box, torch.ones(1, 1, 4, dtype=torch.float64), None, rigorous=True)
    assert float(found.constants[0, 0, 0]) == -torch.inf and float(found.constants[0, 0, 1]) > -2


def test_unbounded_and_huge_boxes_say_little_and_nothing_wrong() -> None:
    wide = torch.full((1, 1, 4), 1e308, dtype=torch.float64)
    inf = torch.inf * wide
    for l, u in ((-wide, wide), (-inf, wide), (-wide, inf), (-inf, inf), (wide, inf)):  # noqa: E741
        for sums in (None, (wide[..., :2] * 0, inf[..., :2])):
            box = NormBox(Norm(2, 1e-5), l, u, sums)
            low, high = box.range
            assert bool(((low <= 0.7) & (low >= -1) & (high >= 0.7) & (high <= 1)).all())
            a = torch.randn(1, 3, 4, dtype=torch.float64)
            found = norm_planes(box, a, None, rigorous=True)
            assert found.masses is not None and not bool(found.constants.isnan().any())
            corner = torch.where(found.form > 0, l, u).nan_to_num(0.0)
            lowest = by_rows(torch.where(found.form == 0, 0.0, found.form * corner), 2).sum(-1)
            size = by_rows(a, 2).norm(dim=-1)
            assert bool((lowest + found.constants <= size).all())


def test_contradicting_facts_do_not_give_nan() -> None:
    """Sums that no point of the box has: a split without any point in it."""
    box = some_box(3, 0.1, 1.0, 1e-3, False)
    for value in (-5.0, 0.0, 1e9):
        sums = torch.full((2, 1, 2), value, dtype=torch.float64)
        cut = NormBox(box.fn, box.l, box.u, (sums, sums))
        found = norm_planes(cut, rows_of(3), None, rigorous=True)
        assert not bool(found.constants.isnan().any()) and not bool(cut.range[0].isnan().any())


def test_what_is_lost_is_nothing_at_a_point() -> None:
    for known in (False, True):
        box, a = some_box(5, 0.0, 1.0, 1e-3, known), rows_of(5)
        v = box.l + 0 * a
        parts = norm_lost(box, a, torch.zeros_like(a), v)
        assert all(bool((part.abs() < 1e-9).all()) for part in parts)
        assert all(bool((part.abs() < 1e-9).all()) for part in box.curved)
        box = some_box(5, 1.0, 1.0, 1e-3, known)
        parts = norm_lost(box, a, torch.zeros_like(a), inside(box, 6, 3))
        assert [part.shape[-1] for part in parts] == [10, 2][: len(parts)]
        assert [part.shape[-1] for part in box.curved] == [10, 2][: len(parts)]
        assert all(bool((part >= 0).all()) for part in parts) and float(parts[0].sum()) > 0
