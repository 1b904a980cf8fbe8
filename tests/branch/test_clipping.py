"""Half-spaces and linear forms: what is claimed about a box holds for every point in the half-spaces."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from torch import Tensor

from genbab.bounds import Interval
from genbab.branch.cut.clipping import Means, cut_box, evaluated, lowest
from genbab.branch.open.domains import HalfSpaces
from genbab.kernels import Backend, Kernels, available, implementation
from genbab.kernels.torch import reference

INF = float("inf")
DTYPES = (torch.float32, torch.float64)
KERNELS = [Backend.TORCH, *(one for one in (Backend.NUMBA,) if available(one))]


@pytest.fixture(params=[None, *KERNELS], ids=["definition", *(k.value for k in KERNELS)])
def kernels(request: pytest.FixtureRequest) -> Kernels:
    return reference if request.param is None else implementation(request.param, torch.device("cpu"))


def setting(seed: int, inputs: int = 4) -> tuple[Tensor, Tensor, Interval, HalfSpaces, Tensor]:
    """(forms (1, R, D), constants (1, R), boxes, two half-spaces each, points of the boxes (B, M, D))."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    form, constant, centre = normal(1, 6, inputs), normal(1, 6), normal(3, inputs)
    radius = normal(3, inputs).abs()
    radius[0, 0] = 0.0
    box = centre - radius, centre + radius
    sides = normal(3, 2, inputs)
    sides[1, 0] = form[0, 0]
    level = (sides * centre[:, None]).sum(-1) + 0.3 * normal(3, 2) * sides.norm(dim=-1)
    share = torch.rand(3, 20000, inputs, generator=generator, dtype=torch.float64)
    points = box[0][:, None] + share * (box[1] - box[0])[:, None]
    return form, constant, box, HalfSpaces(sides, level), points


def inside(points: Tensor, halves: HalfSpaces) -> Tensor:
    """Which points (B, M) lie in all half-spaces of their box."""
    return (points @ halves.normal.mT <= halves.level[:, None]).all(-1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(12))
def test_no_point_of_the_half_spaces_lies_below(seed: int, dtype: torch.dtype, kernels: Kernels) -> None:
    form, constant, box, halves, points = setting(seed)
    means = Means(dtype, kernels)
    found = lowest(form, constant, box, halves, means)
    alone = HalfSpaces(halves.normal[:, :0], halves.level[:, :0])
    plain = lowest(form, constant, box, alone, means)
    seen = inside(points, halves)
    value = points @ form.mT + constant
    for b in range(len(points)):
        if bool(seen[b].any()):
            assert bool((value[b][seen[b]].amin(0) >= found[b] - 1e-12).all())
    assert bool((found >= plain - 1e-5 * (1 + plain.abs())).all()), "a half-space never loosens much"


@pytest.mark.parametrize("seed", range(12))
def test_cut_boxes_keep_every_point_of_the_half_spaces(seed: int) -> None:
    _, _, box, halves, points = setting(seed, inputs=2)
    lower, upper = cut_box(box, halves)
    seen = inside(points, halves)
    kept = ((lower[:, None] <= points) & (points <= upper[:, None])).all(-1)
    assert bool((kept | ~seen).all())
    assert bool((lower >= box[0]).all() and (upper <= box[1]).all())


def test_the_half_space_itself_is_reached(kernels: Kernels) -> None:
    """The form <g, x> is at most h where <g, x> <= h, and at least h where -<g, x> <= -h; a tight clip."""
    g = torch.tensor([[[1.0, 2.0, -1.0]]]).double()
    box = -torch.ones(1, 3).double(), torch.ones(1, 3).double()
    constant = torch.zeros(1, 1).double()
    level = torch.full((1, 1), -0.5).double()
    for dtype in DTYPES:
        low = lowest(g, constant, box, HalfSpaces(-g, level), Means(dtype, kernels))
        assert float(low) == pytest.approx(0.5, abs=1e-6) and float(low) <= 0.5
        high = -lowest(-g, constant, box, HalfSpaces(g, level), Means(dtype, kernels))
        assert float(high) == pytest.approx(-0.5, abs=1e-6) and float(high) >= -0.5
    lower, upper = cut_box(box, HalfSpaces(g, torch.full((1, 1), -3.0).double()))
    assert float(upper[0, 0]) == pytest.approx(0.0, abs=1e-9) and float(upper[0, 0]) >= 0
    assert float(upper[0, 1]) == pytest.approx(-0.5, abs=1e-9)
    assert float(lower[0, 2]) == pytest.approx(0.0, abs=1e-9) and float(lower[0, 2]) <= 0


def test_half_spaces_that_miss_the_box_leave_nothing() -> None:
    g = torch.tensor([[[1.0, 2.0]]]).double()
    box = -torch.ones(1, 2).double(), torch.ones(1, 2).double()
    lower, upper = cut_box(box, HalfSpaces(g, torch.full((1, 1), -3.1).double()))
    assert bool((lower > upper).any())
    lower, upper = cut_box(box, HalfSpaces(g, torch.full((1, 1), -3.0).double()))
    assert bool((lower <= upper).all()), "touching is not missing"


@pytest.mark.parametrize("seed", range(40))
def test_rounding_is_paid_for(seed: int, kernels: Kernels) -> None:
    """Against exact arithmetic, with cancellation: at a box of one point that lies on the half-space."""
    generator = torch.Generator().manual_seed(seed)
    form = torch.randn(1, 1, 30, generator=generator, dtype=torch.float64) * 1e9
    side = torch.randn(1, 1, 30, generator=generator, dtype=torch.float64)
    x = torch.randn(1, 30, generator=generator, dtype=torch.float64) + 1e3
    exact = [Fraction(v) for v in x[0].tolist()]

    def value(row: Tensor) -> Fraction:
        return sum((Fraction(a) * b for a, b in zip(row.tolist(), exact, strict=True)), Fraction(0))

    level = torch.tensor([[float(value(side[0, 0]))]], dtype=torch.float64)
    if Fraction(float(level)) < value(side[0, 0]):
        level = torch.nextafter(level, torch.tensor(INF).double())
    constant = torch.tensor([[-float(value(form[0, 0]))]], dtype=torch.float64)
    truth = value(form[0, 0]) + Fraction(float(constant))
    weights = torch.full((1, 1, 1), 1e8).double()
    for halves, weight in (
        (HalfSpaces(side[:, :0], level[:, :0]), weights[..., :0]),
        (HalfSpaces(side, level), weights),
    ):
        found = evaluated(form, constant, (x, x), halves, weight, kernels)
        assert Fraction(float(found)) <= truth


def test_numbers_that_are_none_say_nothing(kernels: Kernels) -> None:
    normal = torch.tensor([[[INF, 1.0], [float("nan"), 1.0], [0.0, 0.0], [1.0, 1.0]]]).double()
    level = torch.tensor([[0.0, 0.0, -1.0, INF]]).double()
    usable = HalfSpaces(normal, level).usable()
    assert not bool(usable.normal.any()) and not bool(usable.level.any())
    box = -torch.ones(1, 2).double(), torch.ones(1, 2).double()
    lower, upper = cut_box(box, usable)
    assert torch.equal(lower, box[0]) and torch.equal(upper, box[1])
    form = torch.full((1, 1, 2), float("nan")).double()
    nothing = torch.zeros(1, 1).double()
    assert float(lowest(form, nothing, box, usable, Means(torch.float32, kernels))) == -INF
