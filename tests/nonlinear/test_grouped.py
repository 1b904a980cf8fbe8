"""Softmax as one node: its range and its planes on boxes, for any tangent points, over the real numbers."""

from __future__ import annotations

import mpmath
import pytest
import torch
from torch import Tensor

from genbab.network.roundoff import gamma
from genbab.nonlinear.groups.softmax import Softmax, SoftmaxBox, by_rows
from genbab.nonlinear.groups.softmax_planes import lost, planes, roundings

WIDTHS = (0.0, 1e-14, 1e-6, 0.1, 1.0, 5.0, 40.0, 1e3, 1e6)
OFFSETS = (0.0, 1.0, 30.0, 800.0, 1e6)


def some_box(length: int, width: float, offset: float, known: bool, seed: int = 0) -> SoftmaxBox:
    """Two domains of two rows, some entries points; differences as the box has them, or half as wide."""
    g = torch.Generator().manual_seed(seed)
    size = (2, 1, 2 * length)
    middle = torch.randn(size, generator=g, dtype=torch.float64) * (1 + offset)
    half = width * torch.rand(size, generator=g, dtype=torch.float64).round(decimals=1)
    return at_ends(length, middle - half, middle + half, known)


def at_ends(length: int, l: Tensor, u: Tensor, known: bool, part: float = 1.0) -> SoftmaxBox:  # noqa: E741
    """The box with differences that may reach `part` of what its ends say, around those of its middle."""
    if not known:
        return SoftmaxBox(Softmax(length), l, u)
    first, second = torch.triu_indices(length, length, 1)
    low, high = by_rows(l, length), by_rows(u, length)
    centre = (low + high)[..., first] / 2 - (low + high)[..., second] / 2
    reach = part * ((high - low)[..., first] / 2 + (high - low)[..., second] / 2)
    room = reach + 1e-12 * (1 + low.abs()[..., first] + high.abs()[..., second])
    return SoftmaxBox(Softmax(length), l, u, ((centre - room).flatten(-2), (centre + room).flatten(-2)))


def inside(box: SoftmaxBox, count: int, seed: int = 1) -> Tensor:
    """Points (B, M, N) of the box, half of them corners."""
    g = torch.Generator().manual_seed(seed)
    part = torch.rand(box.l.shape[0], count, box.l.shape[-1], generator=g, dtype=torch.float64)
    part[:, : count // 2] = part[:, : count // 2].round()
    return torch.minimum(box.l + part * (box.u - box.l), box.u)


def truth(a: Tensor, x: Tensor, length: int) -> list[mpmath.mpf]:
    """Σ a·softmax(x) of each row, a and x (R, K), in 60 digits."""
    sums = []
    for coefficients, row in zip(a.tolist(), x.tolist(), strict=True):
        top = max(row)
        powers = [mpmath.exp(mpmath.mpf(v) - mpmath.mpf(top)) for v in row]
        total = mpmath.fsum(powers)
        sums.append(mpmath.fsum(mpmath.mpf(c) * p for c, p in zip(coefficients, powers, strict=True)) / total)
    return sums


def assert_below(box: SoftmaxBox, a: Tensor, at: Tensor, x: Tensor) -> None:
    """The rigorous planes at these points lie below Σ a·softmax at each x (B, M, N), in exact arithmetic."""
    length = box.fn.length
    found = planes(box, a, at, rigorous=True)
    assert found.masses is not None
    taken = found.constants - gamma(roundings(length), a.dtype) * found.masses
    assert bool(torch.isfinite(found.form).all()) and not bool(taken.isnan().any())
    forms, rows = by_rows(found.form, length), by_rows(a.expand(found.form.shape), length)
    with mpmath.workdps(60):
        for b in range(x.shape[0]):
            for point in by_rows(x[b], length):
                for s in range(a.shape[1]):
                    seen = truth(rows[b, s], point, length)
                    for r, value in enumerate(seen):
                        pairs = zip(forms[b, s, r].tolist(), point[r].tolist(), strict=True)
                        line = mpmath.fsum(mpmath.mpf(k) * mpmath.mpf(v) for k, v in pairs)
                        assert line + mpmath.mpf(float(taken[b, s, r])) <= value


def rows_of(length: int, seed: int = 2) -> Tensor:
    """Random coefficients, all of one sign, equal ones, a unit row, zero."""
    g = torch.Generator().manual_seed(seed)
    a = torch.randn(2, 5, 2 * length, generator=g, dtype=torch.float64)
    a[:, 1] = a[:, 1].abs()
    a[:, 2] = -3.0
    a[:, 3] = torch.eye(length, dtype=torch.float64)[0].repeat(2)
    a[:, 4] = 0.0
    return a


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize("width", WIDTHS)
def test_planes_at_any_points_lie_below(width: float, offset: float, known: bool) -> None:
    for length in (2, 5):
        box = some_box(length, width, offset, known)
        a, x = rows_of(length), inside(box, 4)
        for at in (box.middle, inside(box, 5, 3), box.l, box.u, box.middle + 7 * width + 3):
            assert_below(box, a, at, x)


@pytest.mark.parametrize("width", [0.3, 2.0, 8.0])
def test_planes_lie_below_where_the_differences_are_narrower_than_the_box(width: float) -> None:
    """Points of the form common + small: their differences are inside, most of the box is not."""
    box = some_box(4, width, 1.0, known=False)
    narrow = at_ends(4, box.l, box.u, known=True, part=0.25)
    part = 0.5 + 0.25 * (inside(box, 40) - box.middle) / (box.u - box.l).clamp_min(1e-9)
    x = box.l + part.clamp(0.375, 0.625) * (box.u - box.l)
    assert_below(narrow, rows_of(4), inside(box, 5, 3), x[:, :8])
    wide, close = (planes(b, rows_of(4), box.middle, rigorous=True) for b in (box, narrow))
    corner = [
        torch.where(f.form > 0, x.amin(1, keepdim=True), x.amax(1, keepdim=True)) for f in (wide, close)
    ]
    least = [
        (by_rows(f.form * c, 4).sum(-1) + f.constants).sum()
        for f, c in zip((wide, close), corner, strict=True)
    ]
    assert least[1] > least[0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("known", [False, True])
def test_planes_of_the_search_are_those_of_the_verdict(dtype: torch.dtype, known: bool) -> None:
    box = some_box(5, 1.0, 1.0, known)
    differences = None if box.differences is None else tuple(d.to(dtype) for d in box.differences)
    cast = SoftmaxBox(box.fn, box.l.to(dtype), box.u.to(dtype), differences)  # type: ignore[arg-type]
    at, a = inside(box, 5, 3), rows_of(5)
    exact = planes(box, a, at, rigorous=True)
    lean = planes(cast, a.to(dtype), at.to(dtype), rigorous=False)
    first, second = (by_rows(f.form.double() * at, 5).sum(-1) + f.constants.double() for f in (exact, lean))
    assert torch.allclose(first, second, atol=1e-4 if dtype == torch.float32 else 1e-9)


def test_lower_planes_of_narrow_boxes_touch() -> None:
    box = some_box(5, 1e-4, 0.0, known=True)
    at, a = inside(box, 5, 3), rows_of(5)
    found = planes(box, a, at, rigorous=False)
    value = by_rows(a * box.fn.value(at), 5).sum(-1)
    assert torch.allclose(by_rows(found.form * at, 5).sum(-1) + found.constants, value, atol=1e-7)


@pytest.mark.parametrize("known", [False, True])
def test_what_lines_give_is_the_derivative_of_the_form(known: bool) -> None:
    box, a = some_box(5, 2.0, 1.0, known), rows_of(5)
    at, v = inside(box, 5, 3), inside(box, 5, 4)
    found = planes(box, a, at, rigorous=False)
    y = found.along(v)
    assert torch.allclose(by_rows(y, 5).sum(-1), torch.ones(()).double())
    assert torch.allclose(by_rows(a * y, 5).sum(-1), by_rows(found.form * v, 5).sum(-1) + found.constants)


@pytest.mark.parametrize("known", [False, True])
def test_moving_the_point_towards_the_minimum_does_not_lower_the_form(known: bool) -> None:
    """d/dt of the plane at v, for the point x + t(v - x), is (v - x)'H(v - x) >= 0; by finite differences."""
    box, a = some_box(5, 2.0, 1.0, known), rows_of(5)
    at, v, step = inside(box, 5, 3), inside(box, 5, 4), 1e-5

    def value(t: float) -> Tensor:
        found = planes(box, a, at + t * (v - at), rigorous=False)
        return by_rows(found.form * v, 5).sum(-1) + found.constants

    assert bool((value(step) >= value(0.0) - 1e-9).all())


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize("width", WIDTHS)
def test_range_holds_and_is_reached(width: float, offset: float, known: bool) -> None:
    box = some_box(3, width, offset, known)
    low, high = (end[:, 0] for end in box.range)
    assert bool(((low >= 0) & (low <= high) & (high <= 1 + 1e-15)).all())
    for k in range(3):
        own = torch.arange(3) == k
        for x, end, sign in (
            (torch.where(own.repeat(2), box.l, box.u), low, 1),
            (torch.where(own.repeat(2), box.u, box.l), high, -1),
        ):
            unit = own.double().repeat(2)
            for b in range(2):
                with mpmath.workdps(60):
                    seen = truth(by_rows(unit, 3), by_rows(x[b, 0], 3), 3)
                    for r, value in enumerate(seen):
                        gap = sign * (value - mpmath.mpf(float(end[b, r, k])))
                        assert 0 <= gap <= 1e-10 * (1 + offset * 1e-3)


def test_unbounded_and_huge_boxes_say_little_and_nothing_wrong() -> None:
    wide = torch.full((1, 1, 4), 1e308, dtype=torch.float64)
    for l, u in ((-wide, wide), (-torch.inf * wide, wide), (-wide, torch.inf * wide)):  # noqa: E741
        for known in (False, True):
            differences = (-torch.inf * wide[..., :2], torch.inf * wide[..., :2]) if known else None
            box = SoftmaxBox(Softmax(2), l, u, differences)
            low, high = box.range
            assert bool(((low <= 0) & (high >= 1)).all())
            found = planes(box, torch.randn(1, 3, 4, dtype=torch.float64), box.middle, rigorous=True)
            assert found.masses is not None
            bound = found.constants - found.masses
            assert bool((bound <= 3).all() | bound.isnan().any())


def test_what_is_lost_is_nothing_at_a_point() -> None:
    for known in (False, True):
        box, a = some_box(5, 0.0, 1.0, known), rows_of(5)
        taken = planes(box, a, box.middle, rigorous=False).sides
        assert all(bool((part.abs() < 1e-9).all()) for part in lost(box, a, taken, box.middle + 0 * a))
        box = some_box(5, 3.0, 1.0, known)
        parts = lost(box, a, planes(box, a, box.middle, rigorous=False).sides, box.middle + 0 * a)
        assert [part.shape[-1] for part in parts] == [10, 20][: len(parts)]
        assert all(bool((part >= 0).all()) for part in parts) and float(parts[0].sum()) > 0
