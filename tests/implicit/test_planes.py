"""The fixed point as a function of rows: contractions, ranges and planes, over the real numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import mpmath
import pytest
import torch
from torch import Tensor

from genbab.network.roundoff import gamma
from genbab.nonlinear import make
from genbab.nonlinear.groups import fixed_point_planes
from genbab.nonlinear.groups.contracting import contraction, spectral
from genbab.nonlinear.groups.entries import EntryFunctions
from genbab.nonlinear.groups.fixed_point import FixedPoint, FixedPointBox
from genbab.nonlinear.groups.fixed_point_planes import planes, roundings
from tests.implicit.weights import contracting

FUNCTIONS = {
    "tanh": mpmath.tanh,
    "relu": lambda v: max(v, mpmath.mpf(0)),
    "sigmoid": lambda v: 1 / (1 + mpmath.exp(-v)),
    "sin": mpmath.sin,
    "softplus": lambda v: mpmath.log(1 + mpmath.exp(v)),
}
SIZE = 4
WIDTHS = (0.0, 1e-12, 0.01, 0.5, 10.0, 1e5)


def entries(names: tuple[str, ...]) -> EntryFunctions:
    """The functions of that name, one each in turn; the last entry has none where there are several."""
    if len(names) == 1:
        return EntryFunctions(((make(names[0]), None),))
    places = [torch.arange(k, SIZE - 1, len(names)) for k in range(len(names))]
    return EntryFunctions(tuple((make(n), at) for n, at in zip(names, places, strict=True)))


def some(names: tuple[str, ...], norm: float, seed: int) -> FixedPoint:
    """A contraction with random weights; with numbers that no function takes, where there are several."""
    own = entries(names)
    matrix = contracting(SIZE, norm, seed).double()
    linear = None if len(names) == 1 else 0.3 * contracting(SIZE, norm, seed + 1).double()
    everywhere = torch.full((SIZE,), math.inf, dtype=torch.float64)
    matrix = matrix if linear is None else 0.6 * matrix
    found = contraction(
        linear, matrix, own.slopes(-everywhere, everywhere), torch.zeros(SIZE, dtype=torch.long)
    )
    assert found is not None
    return FixedPoint(linear, matrix, own, found)


def truth(fn: FixedPoint, u: Tensor) -> list[mpmath.mpf]:
    """y at u (N,) to 30 digits."""
    named = dict[int, str]()
    for one, places in fn.entries.functions:
        named.update(dict.fromkeys(range(SIZE) if places is None else places.tolist(), one.name))
    weights = [[mpmath.mpf(w) for w in row] for row in fn.matrix.tolist()]
    linear = [
        [mpmath.mpf(w) for w in row]
        for row in (fn.linear if fn.linear is not None else 0 * fn.matrix).tolist()
    ]
    given, y = [mpmath.mpf(v) for v in u.tolist()], [mpmath.mpf(0)] * SIZE
    while True:
        images = [FUNCTIONS[named[j]](y[j]) if j in named else mpmath.mpf(0) for j in range(SIZE)]
        new = [
            given[i] + mpmath.fsum(weights[i][j] * images[j] + linear[i][j] * y[j] for j in range(SIZE))
            for i in range(SIZE)
        ]
        if max(abs(a - b) for a, b in zip(new, y, strict=True)) < mpmath.mpf(10) ** -28 * (
            1 + max(map(abs, new))
        ):
            return new
        y = new


def inside(box: FixedPointBox, seed: int) -> list[Tensor]:
    """A few points (N,) of the box, corners among them."""
    g = torch.Generator().manual_seed(seed)
    parts = torch.rand(4, SIZE, generator=g, dtype=torch.float64)
    parts[:2] = parts[:2].round()
    return [torch.minimum(box.l[0, 0] + p * (box.u - box.l)[0, 0], box.u[0, 0]) for p in parts]


CASES = [
    (("tanh",), 0.9),
    (("relu",), 0.95),
    (("sin",), 0.6),
    (("softplus",), 0.8),
    (("sigmoid", "relu"), 0.9),
]


@pytest.mark.parametrize(("names", "norm"), CASES)
@pytest.mark.parametrize("width", WIDTHS)
def test_ranges_and_planes_contain_the_fixed_point(names: tuple[str, ...], norm: float, width: float) -> None:
    mpmath.mp.dps = 40
    centre = 3 * torch.randn(1, 1, SIZE, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    box = FixedPointBox(some(names, norm, 0), centre - width, centre + width)
    assert missed(box, 0) == 0


def dot(a: Sequence[float], b: Sequence[Any]) -> Any:
    """Σ a·b to 40 digits."""
    return mpmath.fsum(mpmath.mpf(x) * mpmath.mpf(y) for x, y in zip(a, b, strict=True))


def missed(box: FixedPointBox, seed: int) -> int:
    """How many statements of the box are false at some of its points: ranges, and planes of any slopes."""
    g = torch.Generator().manual_seed(seed)
    rows = torch.cat([torch.eye(SIZE), -torch.eye(SIZE), torch.randn(4, SIZE, generator=g)])[None].double()
    wild = 2 * torch.randn(1, rows.shape[1], SIZE, generator=g, dtype=torch.float64)
    tried = [planes(box, rows, at, True) for at in (None, wild)]
    unit, found = gamma(roundings(SIZE), torch.float64), 0
    for u in inside(box, seed):
        y = truth(box.fn, u)
        low, high = (end[0, 0, 0].tolist() for end in box.range)
        found += sum(not a <= v <= b for a, v, b in zip(low, y, high, strict=True))
        for plane in tried:
            assert plane.masses is not None
            values = plane.form[0].tolist(), plane.constants[0, :, 0].tolist(), plane.masses[0, :, 0].tolist()
            below = [
                dot(form, u.tolist()) + mpmath.mpf(constant) - mpmath.mpf(unit) * mpmath.mpf(mass)
                for form, constant, mass in zip(*values, strict=True)
            ]
            for row, least in zip(rows[0].tolist(), below, strict=True):
                found += dot(row, y) < least
    return found


@pytest.mark.parametrize("fault", ["solver", "residual"])
def test_faults_cost_tightness_or_are_found(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mpmath.mp.dps = 40
    box = FixedPointBox(
        some(("tanh",), 0.9, 0), -torch.ones(1, 1, SIZE).double(), torch.ones(1, 1, SIZE).double()
    )
    monkeypatch.setattr(fixed_point_planes, "TURNS", 1)  # multipliers that solve nothing are sound
    assert missed(box, 0) == 0
    if fault == "residual":
        solved = fixed_point_planes._solved
        monkeypatch.setattr(fixed_point_planes, "_solved", lambda *a: (*solved(*a)[:3], 0 * a[1]))
        assert missed(box, 0)


def test_planes_are_exact_at_points() -> None:
    fn = some(("tanh",), 0.9, 5)
    u = torch.randn(1, 1, SIZE, generator=torch.Generator().manual_seed(0)).double()
    rows = torch.eye(SIZE, dtype=torch.float64)[None]
    found = planes(FixedPointBox(fn, u, u), rows, None, True)
    value = (found.form * u).sum(-1) + found.constants[..., 0]
    assert bool(torch.isclose(value, fn.value(u)[:, 0], atol=1e-7).all())


def test_gradients_of_values_are_those_of_the_equation() -> None:
    fn = some(("tanh",), 0.7, 5)
    u = torch.randn(SIZE, generator=torch.Generator().manual_seed(0)).double().requires_grad_()
    found = torch.stack([torch.autograd.grad(v, u, retain_graph=True)[0] for v in fn.value(u)])
    slopes = 1 - torch.tanh(fn.value(u.detach())).square()
    wanted = torch.linalg.inv(torch.eye(SIZE).double() - fn.matrix * slopes)
    assert bool(torch.isclose(found, wanted, rtol=0.05, atol=0.01).all())


def test_unbounded_boxes_give_no_bound_and_no_nan() -> None:
    fn = some(("relu",), 0.9, 0)
    low = torch.tensor([[[0.0, 0.0, -math.inf, 0.0]], [[0.0] * 4]]).double()
    box = FixedPointBox(fn, low, low.clamp_min(0.0) + 1)
    found = planes(box, torch.eye(SIZE).double()[None].expand(2, -1, -1), None, True)
    assert bool((found.constants[0] == -math.inf).all()) and bool(torch.isfinite(found.constants[1]).all())
    assert bool(torch.isfinite(found.form).all()) and not bool(torch.isnan(torch.stack(box.range)).any())


def test_planes_say_nothing_where_no_interval_was_found() -> None:
    """Sums of so large numbers overflow, though their box is finite."""
    fn = some(("tanh",), 0.9, 3)
    far = torch.full((1, 1, fn.length), 1.5e308, dtype=torch.float64)
    box = FixedPointBox(fn, -far, far)
    assert not bool(box.known.any())
    made = planes(box, torch.ones(1, 1, fn.length, dtype=torch.float64), None, True)
    assert bool((made.constants == -torch.inf).all())


@pytest.mark.parametrize("seed", range(6))
def test_contractions_shrink_every_difference(seed: int) -> None:
    g = torch.Generator().manual_seed(seed)
    names = [("tanh",), ("sin",), ("relu",), ("sigmoid", "relu")][seed % 4]
    fn = some(names, 0.95, seed)
    y = 3 * torch.randn(2000, SIZE, generator=g, dtype=torch.float64)
    away = torch.randn(2000, SIZE, generator=g, dtype=torch.float64) * 10.0 ** torch.randint(
        -6, 2, (2000, 1), generator=g
    )
    u = torch.zeros(SIZE, dtype=torch.float64)
    after = (fn.turn(y + away, u) - fn.turn(y, u)).abs()
    before = fn.contraction.norm(away.abs()) * (1 + 1e-9) + 1e-12
    assert bool((fn.contraction.norm(after) <= fn.contraction.ratio * before + 1e-12).all())


def test_what_does_not_contract_is_no_contraction() -> None:
    own, everywhere = entries(("tanh",)), torch.full((SIZE,), math.inf, dtype=torch.float64)
    block = torch.zeros(SIZE, dtype=torch.long)
    slopes = own.slopes(-everywhere, everywhere)
    for size in (1.0, 1.0 + 1e-15, 1.0 - 1e-12, 2.0):
        assert contraction(None, size * torch.eye(SIZE, dtype=torch.float64), slopes, block) is None
    turned = torch.diag_embed(torch.full((SIZE,), 1.1, dtype=torch.float64)).roll(1, 0)
    assert contraction(None, turned, slopes, block) is None
    steep = (torch.zeros_like(everywhere), everywhere)
    assert contraction(None, 1e-3 * torch.eye(SIZE, dtype=torch.float64), steep, block) is None


@pytest.mark.parametrize("size", [1, 3, 17, 60])
def test_norms_of_matrices_are_bounded_closely(size: int) -> None:
    g = torch.Generator().manual_seed(size)
    thin = torch.randn(size, 1, generator=g).double() @ torch.randn(1, size, generator=g).double()
    for matrix in (torch.randn(size, size, generator=g).double(), thin, torch.eye(size).double()):
        for scale in (1.0, 1e-200, 1e200):
            true = float(torch.linalg.matrix_norm(matrix, 2)) * scale
            assert true * (1 - 1e-13) <= spectral(matrix * scale) <= true * 1.05
