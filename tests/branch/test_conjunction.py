"""What rows say together: no unsafe point is ever cut away, no clause refuted that has one."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import Tensor

from genbab.branch.cut.conjunction import _members, charge, clip, combine
from genbab.problem import Query

optimize = pytest.importorskip("scipy.optimize", reason="linear programs are solved by scipy")

INF = float("inf")
COUNT = 16
"""Random systems per test; multiply it for a long run."""


def system(seed: int, layout: list[list[int]]) -> tuple[Query, Tensor, Tensor, Tensor]:
    """(query, margins, form, constant): random half-spaces near the middle of random boxes, no outputs.

    layout: per box, the clause of each row. Margins: each row's own least value less its rhs.
    """
    random = np.random.default_rng(seed)
    boxes, rows, inputs = len(layout), len(layout[0]), int(random.integers(1, 4))
    scale = 10.0 ** random.uniform(-3, 3)
    low = scale * random.normal(size=(boxes, inputs))
    high = low + scale * random.random((boxes, inputs)) * (random.random((boxes, inputs)) > 0.1)
    form = random.normal(size=(boxes, rows, inputs)) * (random.random((boxes, rows, inputs)) > 0.2)
    middle = (form * ((low + high) / 2)[:, None]).sum(-1)
    reach = (np.abs(form) * (high - low)[:, None]).sum(-1) / 2
    rhs = random.normal(size=(boxes, rows))
    constant = rhs - middle + random.uniform(-0.6, 0.9, size=(boxes, rows)) * (reach + 1e-3 * scale)
    tensors = [torch.from_numpy(a) for a in (low, high, form, constant, rhs)]
    clause = torch.tensor(layout)
    query = Query(tensors[0], tensors[1], torch.zeros(boxes, rows, 1).double(), None, tensors[4], clause)
    corner = torch.where(tensors[2] > 0, tensors[0][:, None], tensors[1][:, None])
    margins = query.margins((tensors[2] * corner).sum(-1) + tensors[3])
    return query, margins, tensors[2], tensors[3]


LAYOUTS = ([[0, 0, 0]], [[0, 0, 1], [2, 2, 3]], [[0, 1, 2]] * 2, [[0, 0, 0, 1, 1, -1], [2, 2, 2, 3, 3, -1]])
RAGGED = ([[0, 0, 1], [2, 3, 3]], [[0, 0, 0], [1, 1, -1]])


def rows_of(query: Query, box: int) -> dict[int, list[int]]:
    """Rows of each clause of the box."""
    numbers = query.clause[box].tolist()
    return {n: [s for s, m in enumerate(numbers) if m == n] for n in set(numbers) - {-1}}


def common_point(query: Query, form: Tensor, constant: Tensor, box: int, rows: list[int]) -> float:
    """The least t such that a point of the box has <form, x> + constant - rhs <= t in all these rows."""
    a = np.hstack([form[box, rows].numpy(), -np.ones((len(rows), 1))])
    b = (query.rhs - constant)[box, rows].numpy()
    ends = [*zip(query.lower[box].tolist(), query.upper[box].tolist(), strict=True), (None, None)]
    cost = np.append(np.zeros(a.shape[1] - 1), 1.0)
    return float(optimize.linprog(cost, A_ub=a, b_ub=b, bounds=ends, method="highs").fun)


@pytest.mark.parametrize("layout", (*LAYOUTS, *RAGGED), ids=str)
def test_only_clauses_without_a_common_point_are_refuted(layout: list[list[int]]) -> None:
    raised = refutable = 0
    for seed in range(COUNT):
        query, margins, form, constant = system(seed, layout)
        better = combine(query, margins, form, constant)
        assert bool((better >= margins).all())
        for box in range(len(query)):
            for rows in rows_of(query, box).values():
                gap = common_point(query, form, constant, box, rows)
                before, after = (float(m[box, rows].max()) for m in (margins, better))
                if after > before:
                    assert after > 0 and gap > 0, "a common point exists"
                    raised += 1
                refutable += before <= 0 and gap > 1e-6
    grouped = layout in LAYOUTS and any(len(set(clauses)) < len(clauses) for clauses in layout)
    assert raised > 0.5 * refutable if grouped else raised == 0


@pytest.mark.parametrize("layout", (*LAYOUTS, *RAGGED), ids=str)
def test_no_unsafe_point_is_cut_away(layout: list[list[int]]) -> None:
    """Every sampled point that satisfies all rows of a clause stays in the box, vertices of that set too."""
    cut = 0
    for seed in range(COUNT):
        query, margins, form, constant = system(seed, layout)
        lower, upper = clip(query, margins, form, constant)
        assert bool((lower >= query.lower).all() and (upper <= query.upper).all())
        for box in range(len(query)):
            for rows in rows_of(query, box).values():
                x = unsafe_points(query, form, constant, box, rows, seed)
                inside = (lower[box] <= x) & (x <= upper[box])
                assert bool(inside.all())
        width = (query.upper - query.lower).clamp(min=0)
        cut += int(((upper - lower) < 0.9 * width).sum())
    assert cut > COUNT / 8


def unsafe_points(
    query: Query, form: Tensor, constant: Tensor, box: int, rows: list[int], seed: int
) -> Tensor:
    """Points (M, D) of the box that satisfy the rows: sampled, and the outermost along every axis."""
    generator = torch.Generator().manual_seed(seed)
    low, high = query.lower[box], query.upper[box]
    x = low + torch.rand(300, low.shape[0], generator=generator, dtype=torch.float64) * (high - low)
    found = [x]
    a, b = form[box, rows].numpy(), (query.rhs - constant)[box, rows].numpy()
    ends = list(zip(low.tolist(), high.tolist(), strict=True))
    for direction in (*np.eye(low.shape[0]), *-np.eye(low.shape[0])):
        done = optimize.linprog(direction, A_ub=a, b_ub=b, bounds=ends, method="highs")
        if done.status == 0:
            extreme = torch.from_numpy(np.clip(done.x, low.numpy(), high.numpy()))
            found.append(extreme[None])
    points = torch.cat(found)
    value = points @ form[box, rows].mT + constant[box, rows]
    return points[(value <= query.rhs[box, rows]).all(-1)]


def test_the_cut_is_where_one_row_says() -> None:
    """In the unit square x + y <= 1 cuts nothing, 2 x + y <= 1 cuts x to [0, 1/2], x <= -2 leaves nothing."""
    unit = torch.zeros(1, 2).double(), torch.ones(1, 2).double()
    zero, number = torch.zeros(1, 1).double(), torch.zeros(1, 1, dtype=torch.long)
    query = Query(*unit, torch.zeros(1, 1, 1).double(), None, zero + 1, number)
    for row, expected in (((1.0, 1.0), [1.0, 1.0]), ((2.0, 1.0), [0.5, 1.0]), ((0.0, 4.0), [1.0, 0.25])):
        form = torch.tensor(row, dtype=torch.float64)[None, None]
        lower, upper = clip(query, zero - 1, form, zero)
        assert lower.tolist() == [[0.0, 0.0]]
        assert torch.allclose(upper, torch.tensor(expected).double()) and bool(
            (upper[0] >= torch.tensor(expected)).all()
        )
    form = torch.tensor([1.0, 0.0], dtype=torch.float64)[None, None]
    lower, upper = clip(query, zero + 2, form, zero + 2)
    assert bool((lower > upper).all())


@pytest.mark.parametrize("value", (torch.nan, INF, -INF))
@pytest.mark.parametrize("place", ("form", "constant", "margins"))
def test_what_is_no_number_cuts_and_refutes_nothing(place: str, value: float) -> None:
    for seed in range(COUNT // 4):
        query, margins, form, constant = system(seed, [[0, 0, 0]])
        # a form of +inf would be a claim, and margins of +inf refute
        if (place, value) in (("margins", INF), ("constant", INF)):
            continue
        margins = margins.clamp(max=-1e-3)
        {"form": form, "constant": constant, "margins": margins}[place][0, 1] = value
        good = [0, 2] if place != "margins" else [0, 1, 2]
        lower, upper = clip(query, margins, form, constant)
        x = unsafe_points(query, form, constant, 0, good, seed)
        assert bool(((lower[0] <= x) & (x <= upper[0])).all())
        better = combine(query, margins, form, constant)
        if place != "margins" and bool((better > margins).any()):
            assert common_point(query, form, constant, 0, good) > 0


def test_members_of_clauses() -> None:
    def members(layout: list[list[int]]) -> list[list[int]]:
        query, *_ = system(0, layout)
        return _members(query).tolist()

    assert members([[0, 0, 1, 2, 2, 2]]) == [[0, 1, 0], [2, 2, 2], [3, 4, 5]]
    assert members([[4, 4, 5], [6, 6, 7]]) == [[0, 1], [2, 2]]
    assert members([[0, 0, -1, -1]]) == [[0, 1], [2, 3]]
    for ragged in ([[0, 0, 1], [2, 3, 3]], [[0, 1, 2]], [[0]], [[0, 0], [1, -1]]):
        assert members(ragged) == [[s] for s in range(len(ragged[0]))]
    for layout in (*LAYOUTS, *RAGGED):
        query, *_ = system(1, layout)
        found = _members(query)
        assert set(found.flatten().tolist()) == set(range(query.clause.shape[1]))
        for box in query.clause:
            assert all(len(set(box[rows].tolist())) == 1 for rows in found)


def test_a_point_on_the_border_of_every_row_is_kept() -> None:
    """It satisfies the rows exactly, often with equality; the boxes are narrow and far from the origin."""
    for seed in range(5 * COUNT):
        random = np.random.default_rng(seed)
        inputs, rows = int(random.integers(1, 4)), int(random.integers(2, 5))
        low = 10.0 ** random.uniform(0, 6) * random.normal(size=inputs)
        high = low + 10.0 ** random.uniform(-6, 0) * random.random(inputs)
        x = np.clip(low + random.random(inputs) * (high - low), low, high)
        form = random.normal(size=(rows, inputs))
        if seed % 2:  # the large terms of a row cancel
            form[:, 0] -= form @ x / x[0]
        form[-1] = -form[:-1].sum(0)  # the rows together say 0 <= 0, but for rounding
        constant = random.normal(size=rows) * (1 - seed % 2)
        point = [Fraction(v) for v in x.tolist()]
        exact = [
            sum((Fraction(a) * v for a, v in zip(row, point, strict=True)), Fraction(c))
            for row, c in zip(form.tolist(), constant.tolist(), strict=True)
        ]
        rhs = np.array([float(v) if Fraction(float(v)) >= v else np.nextafter(float(v), INF) for v in exact])
        arrays = (low[None], high[None], form[None], constant[None], rhs[None])
        tensors = [torch.from_numpy(a) for a in arrays]
        clause = torch.zeros(1, rows, dtype=torch.long)
        query = Query(tensors[0], tensors[1], torch.zeros(1, rows, 1).double(), None, tensors[4], clause)
        margins = torch.full((1, rows), -1.0, dtype=torch.float64)
        assert torch.equal(combine(query, margins, *tensors[2:4]), margins)
        lower, upper = clip(query, margins, *tensors[2:4])
        assert bool((lower[0].numpy() <= x).all() and (x <= upper[0].numpy()).all())


@pytest.mark.parametrize(("rows", "inputs"), ((2, 3), (3, 200), (2, 30_000), (7, 5_000)))
def test_what_a_combination_is_charged_covers_sums_in_the_worst_order(rows: int, inputs: int) -> None:
    """One after the other, each term just too small to change the sum: no fixed share of the size will do."""
    random = np.random.default_rng(rows * inputs)
    x = np.full(inputs, 0.9)
    x[0] = 2.0**20
    form = random.uniform(0.4, 0.5, size=(rows, inputs)) * 2.0**-32
    form[:, 0] = 1.0
    weight, base = random.uniform(0.4, 0.6, size=rows), random.normal(size=rows)
    joint = [0.0] * inputs
    for w, row in zip(weight.tolist(), form.tolist(), strict=True):
        joint = [a + w * b for a, b in zip(joint, row, strict=True)]
    total = 0.0
    for a, b in zip(joint, x.tolist(), strict=True):
        total += a * b
    for w, b in zip(weight.tolist(), base.tolist(), strict=True):
        total += w * b
    exact = _combined(weight, form, base, x)
    mass = float(_combined(weight, np.abs(form), np.abs(base), x))
    allowed = charge(torch.tensor(mass).double(), torch.tensor(x.sum()), rows, inputs)
    assert abs(Fraction(total) - exact) <= Fraction(float(allowed))
    if inputs >= 30_000:
        assert abs(Fraction(total) - exact) > Fraction(1e-12) * Fraction(mass)


def _combined(weight: np.ndarray, form: np.ndarray, base: np.ndarray, x: np.ndarray) -> Fraction:
    """Σ w·(<form, x> + base), exactly."""
    point = [Fraction(v) for v in x.tolist()]
    total = Fraction(0)
    for w, row, b in zip(weight.tolist(), form.tolist(), base.tolist(), strict=True):
        inner = sum((Fraction(a) * v for a, v in zip(row, point, strict=True)), Fraction(b))
        total += Fraction(w) * inner
    return total


def test_what_underflows_is_charged_too() -> None:
    """Weights times a form that are denormals lose their digits, and large inputs multiply what is lost."""
    small, large = 2.0**-540, 2.0**1000
    weight, form, x = np.full(2, 1.5 * small), np.full((2, 1), 1.5 * 2.0**-535), np.array([large])
    exact = _combined(weight, form, np.zeros(2), x)
    total = sum(float(w * f) for w, f in zip(weight.tolist(), form[:, 0].tolist(), strict=True)) * large
    assert abs(Fraction(total) - exact) > Fraction(1e-9) * exact
    allowed = charge(torch.tensor(float(exact)).double(), torch.tensor(x.sum()), 2, 1)
    assert abs(Fraction(total) - exact) <= Fraction(float(allowed))
