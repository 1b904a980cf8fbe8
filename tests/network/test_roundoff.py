"""What sums, functions and norms may round, against sums in float32 in any order and exact numbers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
import torch

from genbab.network import (
    Affine,
    Compose,
    Dense,
    Diagonal,
    Identity,
    Index,
    Input,
    Network,
    Node,
    Nonlinear,
)
from genbab.network.interval import affine_range, propagate
from genbab.network.rounding.counts import counted, literally
from genbab.network.rounding.elementary import Piece, everywhere, of_pieces, table
from genbab.network.rounding.formats import BFLOAT16, FLOAT16, FLOAT32, FLOAT64, Format
from genbab.network.rounding.norms import NormError
from genbab.network.rounding.region import ErrorRegion, places
from genbab.network.rounding.steps import Rounding
from genbab.network.roundoff import uncertain
from genbab.network.uncertainty import LocalError, Roundoff, Uncertainty
from genbab.nonlinear import Nonlinearity, Product, make
from genbab.nonlinear.facts.registry import functions
from genbab.nonlinear.lines.steepest import jumped, steepest

F32 = np.float32


def _dense(rng: np.random.Generator, n: int, out: int) -> Affine:
    scale = 10.0 ** rng.integers(-4, 5, (out, n))
    weight = (rng.normal(size=(out, n)) * scale).astype(F32).astype(np.float64)
    weight[rng.random((out, n)) < 0.2] = 0.0
    bias = rng.normal(size=out).astype(F32).astype(np.float64)
    return Affine(((0, Dense(torch.from_numpy(weight))),), torch.from_numpy(bias))


def _in_some_order(terms: list[F32], rng: np.random.Generator) -> F32:
    """The sum of the terms, two of which are added and put back until one is left."""
    left = list(terms)
    while len(left) > 1:
        a, b = (left.pop(int(rng.integers(len(left)))) for _ in range(2))
        left.append(F32(a + b))
    return left[0]


def test_sums_in_any_order_stay_within_their_rounding() -> None:
    rng = np.random.default_rng(5)
    for _ in range(60):
        node = _dense(rng, int(rng.integers(1, 12)), 3)
        x = (rng.normal(size=node.terms[0][1].in_size) * 10.0 ** rng.integers(-3, 4)).astype(F32)
        rounding = literally(node, FLOAT32)
        point = torch.from_numpy(x.astype(np.float64))[None]
        (low, high), allowed = affine_range(node, [(point, point)]), torch.zeros(1, 3, dtype=torch.float64)
        if rounding is not None:
            assert rounding.sums is not None
            mass = node.terms[0][1].absolute().apply(point.abs()) + node.bias.abs()
            own = torch.maximum(low.abs(), high.abs())
            allowed = rounding.sums * mass + rounding.unit * own + rounding.absolute
        weight, bias = node.terms[0][1].dense().numpy(), node.bias.numpy()
        for j, _ in itertools.product(range(3), range(8)):
            terms = [F32(F32(w) * v) for w, v in zip(weight[j], x, strict=True) if w] + [F32(bias[j])]
            exact = Fraction(bias[j]) + sum(
                (Fraction(w) * Fraction(float(v)) for w, v in zip(weight[j], x, strict=True)), Fraction(0)
            )
            off = abs(Fraction(float(_in_some_order(terms, rng))) - exact)
            assert off <= Fraction(float(allowed[0, j])), (off, allowed[0, j])


def test_only_sums_and_products_are_rounded() -> None:
    moved = Affine(((0, Index(torch.tensor([2, 0, -1]), 3)),), torch.zeros(3).double())
    assert literally(moved, FLOAT32) is None
    signs = Affine(((0, Diagonal(torch.tensor([1.0, -1.0]).double())),), torch.zeros(2).double())
    assert literally(signs, FLOAT32) is None
    added = Affine(((0, Identity(2)), (0, Identity(2))), torch.zeros(2).double())
    one = literally(added, FLOAT32)
    assert one is not None and one.sums is not None
    assert float(one.sums[0]) + float(torch.as_tensor(one.unit)[0]) >= FLOAT32.unit


def test_products_of_a_map_are_counted() -> None:
    weight = torch.tensor([[1.0, 0.0, 2.0], [0.0, 0.0, 0.0]]).double()
    assert counted(Dense(weight)).tolist() == [2.0, 0.0]
    chain = Compose((Dense(weight), Index(torch.tensor([0, 0, 1]), 2)))
    assert counted(chain).tolist() == [2.0, 2.0, 0.0]


@pytest.mark.parametrize("form", [FLOAT64, FLOAT32, FLOAT16, BFLOAT16], ids=lambda f: f.name)
def test_a_format_is_what_torch_says(form: Format) -> None:
    known = torch.finfo(getattr(torch, form.name))
    assert (form.unit, form.tiny, form.largest) == (known.eps / 2, known.tiny, known.max)
    assert float(form.gamma(4.0)) >= 4 * form.unit / (1 - 4 * form.unit)
    assert float(form.gamma(2 / form.unit)) == math.inf


@pytest.mark.parametrize("fn", functions(), ids=str)
def test_a_function_is_nowhere_steeper_than_is_said(fn: Nonlinearity) -> None:
    rng = np.random.default_rng(1)
    centre = rng.normal(size=400) * 10.0 ** rng.uniform(-3, 1, 400)
    width = 10.0 ** rng.uniform(-6, 1, 400)
    low, high = (
        torch.from_numpy(centre + side * width).clamp(max(fn.domain[0], -20), min(fn.domain[1], 20))
        for side in (-1, 1)
    )
    t = torch.from_numpy(rng.random((2, 50, 400))).sort(0).values
    x, y = (low + t[side] * (high - low) for side in (0, 1))
    slope, reach = steepest(fn, low, high), y - x
    apart = (fn.value(y) - fn.value(x)).abs()
    allowed = slope * reach + jumped(fn, low.expand_as(x), high.expand_as(x), reach)
    slack = 1e-9 * (1 + fn.value(x).abs())
    known = torch.isfinite(apart) & (reach > 0)
    assert bool((apart <= allowed + slack)[known].all())


def test_pieces_hold_where_they_are_and_nowhere_else() -> None:
    pieces = (Piece(-2.0, 0.0, 1.0, 0.0), Piece(0.0, 1.0, 0.0, 0.5), Piece(3.0, 4.0, 2.0, 0.0))

    def error(low: float, high: float, size: float = 4.0) -> float:
        return float(of_pieces(pieces, *(torch.tensor([[v]]).double() for v in (low, high, size))))

    assert error(-1.5, -1.0) == 1.0
    assert error(-1.0, 1.0) == 2.0
    assert error(3.0, 4.0) == 2.0
    assert error(0.5, 3.5) == math.inf, "there is a gap"
    assert error(-3.0, 0.0) == math.inf and error(3.5, 5.0) == math.inf
    assert everywhere(pieces) is None


def test_a_number_of_ulp_is_a_table() -> None:
    four = table("4ulp", FLOAT32)
    (piece,) = four.pieces("anything")
    assert piece.relative == 4 * 2.0**-23 and everywhere(four.pieces("anything")) is not None
    (half,) = table("4ulp", FLOAT16).pieces("tanh")
    assert half.relative == 4 * 2.0**-10


def _region(nodes: Sequence[Node], roundings: dict[int, Rounding]) -> ErrorRegion:
    network = Network(tuple(nodes), len(nodes) - 1)
    return ErrorRegion(network, roundings, FLOAT32.largest, places(network))


def test_an_error_is_carried_through_what_follows() -> None:
    """x is rounded by 1e-3; sin, a product with x and a factor of 10 follow."""
    zero = torch.zeros(1).double()
    nodes: list[Node] = [
        Input(1),
        Affine(((0, Identity(1)),), zero),
        Nonlinear(make("sin"), (1,), 1),
        Nonlinear(Product(), (1, 2), 1),
        Affine(((3, Diagonal(torch.tensor([10.0]).double())),), zero),
    ]
    region = _region(nodes, {1: Rounding(absolute=1e-3)})
    assert region.place is not None, "one number alone"
    for low, high in ((0.3, 0.3), (-1.0, 2.0), (40.0, 41.0)):
        ends = [(torch.tensor([[low]]).double(), torch.tensor([[high]]).double())]
        x = np.linspace(low, high, 50)
        worst = max(np.abs(10 * (x + e) * np.sin(x + e) - 10 * x * np.sin(x)).max() for e in (-1e-3, 1e-3))
        found = float(region(ends))
        assert worst <= found <= 30 * worst + 1e-12


def test_what_leaves_the_range_of_the_format_is_lost() -> None:
    zero = torch.zeros(1).double()
    nodes: list[Node] = [
        Input(1),
        Nonlinear(make("exp"), (0,), 1),
        Affine(((1, Diagonal(1e-30 * torch.ones(1).double())),), zero),
    ]
    region = _region(nodes, {1: Rounding(unit=FLOAT32.unit)})
    small, large = ([(torch.tensor([[v]]).double(),) * 2] for v in (80.0, 95.0))
    assert float(region(small)) < 1.0 and float(region(large)) == math.inf


def test_relative_errors_survive_a_small_variance() -> None:
    """1 / sqrt(mean of squares + ε) of small numbers: an absolute error would be multiplied by ε^-1.5."""
    zero, mean = torch.zeros(1).double(), torch.full((1, 4), 0.25).double()
    nodes: list[Node] = [
        Input(4),
        Nonlinear(make("power", 2), (0,), 4),
        Affine(((1, Dense(mean)),), zero + 1e-12),
        Nonlinear(make("power", -0.5), (2,), 1),
    ]
    roundings = {1: Rounding(unit=1e-7), 2: Rounding(sums=zero + 3e-7), 3: Rounding(unit=1e-7)}
    ends = [(torch.full((1, 4), 1e-3).double(), torch.full((1, 4), 2e-3).double())]
    assert float(_region(nodes, roundings)(ends)) < 1e-6 * 1000


def test_a_jump_on_either_side_costs_its_height() -> None:
    nodes: list[Node] = [
        Input(1),
        Affine(((0, Identity(1)),), torch.zeros(1).double()),
        Nonlinear(make("step"), (1,), 1),
    ]
    region = _region(nodes, {1: Rounding(absolute=1e-3)})
    far, near = ([(torch.tensor([[v]]).double(),) * 2] for v in (0.5, 5e-4))
    assert float(region(far)) == 0.0 and float(region(near)) >= 1.0


def test_the_account_of_a_node_reaches_all_bounds() -> None:
    """Intervals of a sum with a relative, a fixed and a local error are wider by all three."""
    region = _region(
        [Input(2), Affine(((0, Identity(2)),), torch.zeros(2).double())], {1: Rounding(absolute=0.25)}
    )
    local = LocalError((0,), region, Identity(2))
    roundoff = Roundoff(torch.full((2,), 0.5).double(), torch.full((2,), 0.125).double(), (local,), 100.0)
    node = Affine(
        ((0, Identity(2)),), torch.zeros(2).double(), Uncertainty(0, torch.ones(2).double(), (), roundoff)
    )
    network = Network((Input(2), node), 1)
    network.check()
    x = torch.tensor([[1.0, -2.0]]).double()
    low, high = propagate(network, (x, x))[1]
    before = 0.5 * (x.abs() + 1.0) + 1.0 + 0.25 * 1.5  # the constant is among what is added up
    wanted = before + 0.125 * (x.abs() + before)
    assert bool((high - x >= wanted).all() and (x - low >= wanted).all())
    assert bool(((high - low) / 2 <= wanted * 1.01 + 1e-9).all())
    beyond = torch.tensor([[1.0, 200.0]]).double()
    doubt = uncertain(node, [(beyond, beyond)] * 2, beyond.abs())
    assert doubt is not None and torch.isfinite(doubt)[0].tolist() == [True, False]


@pytest.mark.parametrize("centred", [True, False])
def test_norms_stay_within_their_error_however_the_variance_is_computed(centred: bool) -> None:
    rng = np.random.default_rng(11)
    for _ in range(200):
        length = int(rng.integers(2, 9))
        x = (rng.normal(size=length) * 10.0 ** rng.uniform(-3, 2) + rng.choice([0.0, 3.0])).astype(F32)
        epsilon = float(F32(10.0 ** rng.uniform(-8, -2)))
        exact = x.astype(np.float64)
        d = exact - exact.mean() if centred else exact
        ends = [torch.from_numpy(v)[None] for v in (exact, d, np.array([(d**2).sum()]))]
        error = NormError(length, epsilon, centred, FLOAT32)([(v, v) for v in ends])[0].numpy()
        true = d / np.sqrt((d**2).mean() + epsilon)
        for made in _norms(x, epsilon, centred):
            assert bool((np.abs(made.astype(np.float64) - true) <= error).all())


def _norms(x: np.ndarray, epsilon: float, centred: bool) -> list[np.ndarray]:
    """The norm in float32: by differences and by moments."""
    n, e = F32(len(x)), F32(epsilon)
    mean = F32(x.sum(dtype=F32) / n) if centred else F32(0)
    d = (x - mean).astype(F32)
    by_differences = F32((d * d).sum(dtype=F32) / n)
    by_moments = max(F32((x * x).sum(dtype=F32) / n) - F32(mean * mean), F32(0))
    return [
        made
        for v in (by_differences, by_moments)
        for made in ((d / np.sqrt(v + e)).astype(F32), (d * (F32(1) / np.sqrt(v + e))).astype(F32))
    ]


def test_a_sum_that_is_lost_before_its_division_stays_lost() -> None:
    """Nothing cancels in a mean of positive numbers, but a relative error says nothing of a lost sum."""
    nodes: list[Node] = [
        Input(2),
        Affine(((0, Dense(torch.full((1, 2), 0.5).double())),), torch.zeros(1).double()),
    ]
    region = _region(nodes, {1: Rounding(sums=torch.full((1,), 1e-6).double(), largest=1e38)})
    small, large = ([(torch.full((1, 2), v).double(),) * 2] for v in (1e37, 3e38))
    assert float(region(small)) < 1e33 and float(region(large)) == math.inf
