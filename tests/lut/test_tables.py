"""Branching points keep what is promised of them: inside, never much worse than the middle, exact at kinks
and jumps, symmetric where the function is, the same one period further.
"""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from genbab.branch.choose.points import split_points
from genbab.lut import generate
from genbab.lut.generate import boxes, library, needs_table, table_of
from genbab.nonlinear import Nonlinearity, make
from genbab.nonlinear.composed.formula import function

from .measuring import left

TABLED = [fn for fn in library().values() if needs_table(fn)]
WEIGHTS = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]], dtype=torch.float64)
INF = math.inf


def points(fn: Nonlinearity, l: Tensor, u: Tensor, which: int) -> Tensor:  # noqa: E741
    return split_points(fn, l, u, WEIGHTS[which].expand(*l.shape, 2))


def row(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize("fn", [*TABLED, make("relu"), make("power", 3), function("x+max(x,0)**2")], ids=str)
def test_points_lie_strictly_inside_and_are_finite(fn: Nonlinearity) -> None:
    random = torch.Generator().manual_seed(3)
    size = 10.0 ** (torch.rand(2, 3000, generator=random, dtype=torch.float64) * 14 - 7)
    l = size[0] * torch.randn(3000, generator=random, dtype=torch.float64)  # noqa: E741
    u = l + size[1]
    weight = torch.rand(3000, 2, generator=random, dtype=torch.float64)
    point = split_points(fn, l, u, weight)
    assert point.dtype == torch.float64
    room = u > torch.nextafter(l, u)
    assert bool(((l < point) & (point < u))[room].all())
    far = [
        (-INF, INF),
        (-INF, 3.0),
        (2.0, INF),
        (1.0, 1.0),
        (1e300, 1.7e308),
        (-1.7e308, 1.7e308),
        (0.0, 5e-324),
    ]
    l, u = (row(*ends) for ends in zip(*far, strict=True))  # noqa: E741
    for which in range(3):
        assert bool(torch.isfinite(points(fn, l, u, which)).all())
    assert bool((points(fn, l, u, 1)[1:3] > row(-INF, 2.0)).all())
    zero = split_points(fn, row(-1.0), row(2.0), torch.zeros(1, 2, dtype=torch.float64))
    assert -1.0 < float(zero) < 2.0


@pytest.mark.parametrize("fn", TABLED, ids=str)
def test_never_much_worse_than_the_middle(fn: Nonlinearity) -> None:
    l, u = boxes(fn, 400, 11)  # noqa: E741
    middle, unsplit = left(fn, [l, 0.5 * (l + u), u]), left(fn, [l, u])
    for which in range(3):
        area = left(fn, [l, points(fn, l, u, which), u])[which]
        counts = torch.isfinite(unsplit[which]) & (unsplit[which] > 1e-6 * (u - l))
        worse = (area > 1.01 * middle[which] + 1e-3 * unsplit[which]) & counts
        assert int(worse.sum()) <= 1, [(float(a), float(b)) for a, b in zip(l[worse], u[worse], strict=True)]
        assert not bool((area > 1.05 * middle[which] + 1e-3 * unsplit[which])[counts].any())
        ratio = (area / middle[which])[counts & (middle[which] > 1e-3 * unsplit[which])]
        assert ratio.numel() == 0 or float(ratio.mean()) < 1.0


@pytest.mark.parametrize(("name", "most"), [("sigmoid", 0.9), ("gelu", 0.7)])
def test_the_gain_is_what_was_asked_for(name: str, most: float) -> None:
    """Area left by the table over that left by the middle, in all, on intervals of [-5, 5]."""
    random = torch.Generator().manual_seed(5)
    ends = 10.0 * torch.rand(2, 2000, generator=random, dtype=torch.float64) - 5.0
    l, u = ends.amin(0), ends.amax(0)  # noqa: E741
    l, u = l[u - l > 0.5], u[u - l > 0.5]  # noqa: E741
    fn = make(name)
    table, middle = left(fn, [l, points(fn, l, u, 1), u])[1], left(fn, [l, 0.5 * (l + u), u])[1]
    assert float(table.sum() / middle.sum()) <= most


def test_a_kink_that_leaves_nothing_is_met_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "LIMIT", 100.0)
    generate.table_of.cache_clear()
    generate.table_on.cache_clear()
    random = torch.Generator().manual_seed(7)
    for fn in (make("clip", -1.0, 1.0), make("hard_sigmoid", 0.2, 0.5)):
        for kink in fn.kinks:
            reach = torch.rand(2, 500, generator=random, dtype=torch.float64) * 1.9 + 0.01
            l, u = kink - reach[0], kink + reach[1]  # noqa: E741
            alone = (l > kink - 1.7) & (u < kink + 1.7)
            for which in range(3):
                assert bool((points(fn, l, u, which) == kink)[alone].all())


@pytest.mark.parametrize(("name", "value"), [("floor", "right"), ("ceil", "left")])
def test_a_jump_goes_to_the_side_that_matters_less(name: str, value: str) -> None:
    """Both parts contain the point between them, so one keeps the jump: as a gap of the other line."""
    random = torch.Generator().manual_seed(8)
    reach = torch.rand(2, 300, generator=random, dtype=torch.float64) * 0.8 + 0.1
    turn = torch.randint(-5, 6, (300,), generator=random).double()
    l, u = turn - reach[0], turn + reach[1]  # noqa: E741
    for which, side in ((0, INF), (2, -INF)):
        point = points(make(name), l, u, which)
        beside = torch.nextafter(turn, torch.full_like(turn, side))
        assert bool(((point == beside) | (point == turn)).all())
        assert float(left(make(name), [l, point, u])[which].max()) < 1e-9


@pytest.mark.parametrize(
    ("name", "odd"), [("sigmoid", True), ("tanh", True), ("sinh", True), ("cosh", False)]
)
def test_symmetric_functions_have_mirrored_points(name: str, odd: bool) -> None:
    fn = make(name)
    l, u = boxes(fn, 1000, 13)  # noqa: E741
    for which in range(3):
        point, mirrored = points(fn, l, u, which), points(fn, -u, -l, 2 - which if odd else which)
        apart = (point + mirrored).abs() / (u - l)
        assert float((apart < 0.02).double().mean()) > 0.97  # the rest: two points are equally good
        areas = left(fn, [l, point, u])[which], left(fn, [l, -mirrored, u])[which]
        for one, other in (areas, areas[::-1]):
            assert bool((one <= 1.2 * other + 1e-6).all())


@pytest.mark.parametrize("name", ["sin", "cos", "floor", "tan"])
def test_a_period_further_nothing_changes(name: str) -> None:
    fn = make(name)
    l, u = boxes(fn, 500, 17)  # noqa: E741
    for which in range(3):
        here = points(fn, l, u, which)
        for turn in (-3, 1, 40):
            there = points(fn, l + turn * fn.period, u + turn * fn.period, which) - turn * fn.period
            assert float(((here - there).abs() > 1e-9 * (u - l)).double().mean()) < 0.01


def test_functions_of_users_get_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "LIMIT", 100.0)  # however busy the machine is
    generate.table_of.cache_clear()
    generate.table_on.cache_clear()
    for text in (
        "x*sigmoid(1.7*x) + tanh(x)",
        "max(x, 0)**2 - abs(x - 3)",
        "shrink(0.2, 1)",
        "elu(0.5)",
        "power(3)",
    ):
        fn = function(text)
        table = table_of(fn)
        assert table is not None
        l, u = boxes(fn, 200, 19)  # noqa: E741
        middle = left(fn, [l, 0.5 * (l + u), u])
        for which in range(3):
            area = left(fn, [l, points(fn, l, u, which), u])[which]
            assert float(area.sum()) < float(middle[which].sum()) * 1.001, (text, which)
