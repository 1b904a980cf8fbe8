"""Backward passes with any slopes at all: sound, differentiated rightly, never much worse for being optimised."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from genbab.bounds import (
    Chosen,
    Freedom,
    Interval,
    Relaxation,
    Rows,
    Steps,
    certify,
    descend,
    optimise,
    propagate,
)
from genbab.bounds.backward import gradient, sweep
from genbab.network import Affine, Dense, Identity, Input, Network, Nonlinear, evaluate
from genbab.network.graph import values
from genbab.nonlinear import functions, make

from ..soundness.graphs import random_box, random_network
from .exact import double, relaxed

COUNT = 25
"""Random networks per test; multiply it for a long run."""


def samples(box: Interval, count: int, seed: int = 0) -> Tensor:
    """Points (B, M, D) of the boxes, corners among them."""
    generator = torch.Generator().manual_seed(seed)
    part = torch.rand(box[0].shape[0], count, box[0].shape[1], generator=generator, dtype=torch.float64)
    part[:, : count // 4] = part[:, : count // 4].round()
    return box[0][:, None] + part * (box[1] - box[0])[:, None]


def boxes(seed: int, size: int, batch: int, radius: float = 0.7) -> Interval:
    """(B, D) boxes."""
    ends = [random_box(100 * seed + b, size, radius) for b in range(batch)]
    return torch.stack([low for low, _ in ends]), torch.stack([high for _, high in ends])


def some_rows(network: Network, seed: int, batch: int, count: int = 3) -> Rows:
    """Random rows of the outputs, in every second case on the inputs too; some are zero."""
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.randn(batch, count, network.output_size, generator=generator, dtype=torch.float64)
    matrix[:, -1, 0] = 0.0
    on_input = torch.randn(batch, count, network.input_size, generator=generator, dtype=torch.float64)
    return Rows(network.output, matrix, on_input if seed % 2 else None)


def wild(chosen: dict[int, Chosen], seed: int, flips: float = 0.3) -> dict[int, Chosen]:
    """Slopes all over the place, with some sides recorded wrongly."""
    generator = torch.Generator().manual_seed(seed)
    out = {}
    for i, line in chosen.items():
        slopes = []
        for k in line.slopes:
            noise = torch.randn(k.shape, generator=generator, dtype=torch.float64)
            size = 10 ** (4 * torch.rand(k.shape, generator=generator, dtype=torch.float64) - 2)
            slopes.append(k + noise * size)
        flip = torch.rand(line.upper.shape, generator=generator) < flips
        out[i] = replace(line, slopes=tuple(slopes), upper=torch.where(flip, 1 - line.upper, line.upper))
    return out


def row_values(rows: Rows, network: Network, x: Tensor) -> Tensor:
    """The rows' values (B, M, S) at x (B, M, D)."""
    total = evaluate(network, x) @ rows.matrix.mT
    return total if rows.on_input is None else total + x @ rows.on_input.mT


def assert_below(
    found: tuple[Tensor, Tensor, Tensor], rows: Rows, network: Network, x: Tensor, box: Interval
) -> None:
    """The form lies below the rows at the points, the bound below the form on the box, and neither is NaN."""
    bound, form, constant = found
    assert not bool(bound.isnan().any())
    seen = row_values(rows, network, x)
    line = x @ form.mT + constant[:, None]
    good = seen.isfinite() & line.isfinite()
    slack = 1e-9 * (1 + seen.abs() + (x.abs() @ form.abs().mT) + constant.abs()[:, None])
    assert bool((line <= seen + slack)[good].all())
    assert bool((bound[:, None] <= seen + slack)[seen.isfinite()].all())
    corner = torch.where(form > 0, box[0][:, None], box[1][:, None])
    own = torch.nan_to_num((form * corner).sum(-1) + constant, nan=-torch.inf, neginf=-torch.inf)
    assert bool((bound <= own + 1e-9 * (1 + own.abs())).all())


@pytest.mark.parametrize("seed", range(COUNT))
def test_any_slopes_give_forms_below_the_rows(seed: int) -> None:
    network = random_network(seed, inputs=1 + seed % 3, depth=1 + seed % 4)
    box = boxes(seed, network.input_size, 3)
    relaxation, rows = relaxed(network, box), some_rows(network, seed, 3)
    plain = descend(network, relaxation, rows, box, {})
    x = samples(box, 200)
    for slopes in ({}, plain.chosen, wild(plain.chosen, seed), wild(plain.chosen, seed + 1, 1.0)):
        assert_below(certify(network, relaxation, rows, box, slopes), rows, network, x, box)


@pytest.mark.parametrize("fn", functions(), ids=str)
def test_any_slopes_of_every_function(fn: object) -> None:
    network = random_network(3, inputs=1, depth=2, only=[fn])  # type: ignore[list-item]
    box = (torch.linspace(-2, 1.6, 10, dtype=torch.float64)[:, None],) * 2
    box = box[0], box[0] + 0.4 * torch.arange(10, dtype=torch.float64)[:, None] ** 2 / 20
    relaxation, rows = relaxed(network, box), some_rows(network, 1, 10)
    chosen = descend(network, relaxation, rows, box, {}).chosen
    x = samples(box, 300)
    for seed in range(3):
        found = certify(network, relaxation, rows, box, wild(chosen, seed))
        assert_below(found, rows, network, x, box)


@pytest.mark.parametrize("value", (torch.nan, torch.inf, -torch.inf))
@pytest.mark.parametrize("seed", range(6))
def test_slopes_that_are_no_numbers_claim_nothing(seed: int, value: float) -> None:
    network = random_network(seed, inputs=2, depth=2)
    box = boxes(seed, 2, 2)
    relaxation, rows = relaxed(network, box), some_rows(network, seed, 2)
    chosen = descend(network, relaxation, rows, box, {}).chosen
    generator = torch.Generator().manual_seed(seed)
    broken = {
        i: replace(
            line,
            slopes=tuple(
                torch.where(torch.rand(k.shape, generator=generator) < 0.3, value, k) for k in line.slopes
            ),
        )
        for i, line in chosen.items()
    }
    bound, _, _ = certify(network, relaxation, rows, box, broken)
    seen = row_values(rows, network, samples(box, 100)).amin(1)
    assert bool(((bound <= seen + 1e-9 * (1 + seen.abs())) | seen.isnan()).all())


@pytest.mark.parametrize("value", (torch.nan, torch.inf, -torch.inf))
@pytest.mark.parametrize("place", ("matrix", "on_input", "bias", "weight", "interval"))
def test_what_is_no_number_claims_nothing(place: str, value: float) -> None:
    """NaN or an infinity in the rows, the weights or an interval: no bound above what is true, none NaN."""
    weight, bias = torch.ones(2, 2, dtype=torch.float64), double(0.5, 0.25)
    matrix, on_input = torch.ones(1, 1, 2, dtype=torch.float64), torch.ones(1, 1, 2, dtype=torch.float64)
    {"matrix": matrix, "on_input": on_input, "bias": bias, "weight": weight}.get(place, double(0))[..., 0] = value
    last = Affine(((2, Dense(torch.eye(2, dtype=torch.float64))),), double(0.0, 0.0))
    network = Network((Input(2), Affine(((0, Dense(weight)),), bias), Nonlinear(make("tanh"), (1,), 2), last), 3)
    box = (double(-1.0, -1.0)[None], double(1.0, 1.0)[None])
    intervals = propagate(network, box)
    if place == "interval":
        low, high = (end.clone() for end in intervals[1])
        (high if value > 0 else low)[:, 0] = value
        intervals[1] = (low, high)
    rows = Rows(3, matrix, on_input)
    relaxation = Relaxation(network, intervals, torch.float64)
    for slopes in ({}, descend(network, relaxation, rows, box, {}).chosen):
        bound, _, _ = certify(network, relaxation, rows, box, slopes)
        assert float(bound) == -torch.inf


def test_an_unbounded_neuron_spoils_only_the_rows_that_use_it() -> None:
    exp, tanh = make("exp"), make("tanh")
    eye = Identity(2)
    nodes = (
        Input(2),
        Affine(((0, Dense(torch.diag(double(1000.0, 1.0)))),), double(0.0, 0.0)),
        Nonlinear(exp, (1,), 2),
        Affine(((2, eye),), double(0.0, 0.0)),
        Nonlinear(tanh, (3,), 2),
        Affine(((4, eye), (3, eye)), double(0.0, 0.0)),
    )
    network = Network(nodes, 5)
    box = (double(0.0, 0.0)[None], double(1.0, 1.0)[None])
    lower, upper = propagate(network, box)[3]
    assert float(upper[0, 0]) == torch.inf and float(upper[0, 1]) < 3
    rows = Rows(5, torch.eye(2, dtype=torch.float64)[None])
    bound, _, _ = certify(network, relaxed(network, box), rows, box, {})
    assert float(bound[0, 0]) <= 1 + 0.77 and 1.0 < float(bound[0, 1]) <= 1 + 0.77


@pytest.mark.parametrize("method", ("interval", "forward", "backward", "optimised"))
def test_infinite_ranges_stay_infinite(method: str) -> None:
    """exp overflows float64, the numbers do not: log(exp(1000 x) + 1) reaches 1000 at x = 1."""
    api = pytest.importorskip("genbab.api")
    one = Dense(torch.ones(1, 1, dtype=torch.float64))
    nodes = (
        Input(1),
        Affine(((0, Dense(double(1000.0)[None])),), double(0.0)),
        Nonlinear(make("exp"), (1,), 1),
        Affine(((2, one),), double(1.0)),
        Nonlinear(make("relu"), (3,), 1),
        Affine(((4, Dense(double(-1e-305)[None])),), double(0.0)),
    )
    lower, _ = api.bounds(Network(nodes, 5), [0.0], [1.0], method=method)
    assert float(lower) == -torch.inf, "the truth is -1e129"
    nodes = (*nodes[:4], Nonlinear(make("log"), (3,), 1))
    _, upper = api.bounds(Network(nodes, 4), [0.0], [1.0], method=method)
    assert float(upper) >= 1000.0


TAME = {"relu", "tanh", "sigmoid", "sin", "gelu", "softplus", "silu"}


def moved(chosen: dict[int, Chosen], relaxation: Relaxation, seed: int) -> dict[int, Chosen]:
    """Slopes a tenth of their range away."""
    generator = torch.Generator().manual_seed(seed)
    out = {}
    for i, line in chosen.items():
        noise = [torch.randn(line.upper.shape, generator=generator, dtype=torch.float64) for _ in line.slopes]
        ranges = relaxation.lines(i).ranges
        slopes = (k + 0.1 * r * n for k, r, n in zip(line.slopes, ranges, noise, strict=True))
        out[i] = replace(line, slopes=tuple(slopes))
    return out


@pytest.mark.parametrize("tame", (False, True))
def test_the_gradient_is_that_of_the_bound(tame: bool) -> None:
    """Between the one-sided differences (the bound is concave in each slope), and mostly equal to both."""
    only = [f for f in functions() if f.name in TAME] if tame else ()
    equal = total = 0
    for seed in range(COUNT):
        network = random_network(seed + 40, inputs=2, depth=2, only=only)
        box = boxes(seed, 2, 2, radius=0.4)
        relaxation, rows = relaxed(network, box), some_rows(network, seed, 2, 2)
        start = descend(network, relaxation, rows, box, {}).chosen
        one = descend(network, relaxation, rows, box, moved(start, relaxation, seed))
        for i, line in sweep(network, one).items():
            for place, partial in enumerate(gradient(line)):
                neuron = int(torch.randint(partial.shape[-1], (1,), generator=torch.Generator().manual_seed(i)))
                wanted = partial[..., neuron]
                right, left = (
                    (shifted(network, relaxation, rows, box, one.chosen, (i, place, neuron, h)) - one.bound) / h
                    for h in (1e-6, -1e-6)
                )
                slack = 1e-3 * (wanted.abs() + right.abs() + left.abs()) + 1e-6 * (1 + one.bound.abs())
                assert bool((right - slack <= wanted).all() and (wanted <= left + slack).all()), (seed, i)
                equal += int((left - right <= slack).sum())
                total += right.numel()
    assert equal > 0.8 * total > 100


def shifted(  # noqa: PLR0913
    network: Network,
    relaxation: Relaxation,
    rows: Rows,
    box: Interval,
    chosen: dict[int, Chosen],
    where: tuple[int, int, int, float],
) -> Tensor:
    """The bound with the slopes of one neuron moved: where = (node, argument, neuron, by how much)."""
    node, place, neuron, step = where
    slopes = list(chosen[node].slopes)
    slopes[place] = slopes[place].expand(chosen[node].upper.shape).clone()
    slopes[place][..., neuron] += step
    other = {**chosen, node: replace(chosen[node], slopes=tuple(slopes))}
    return descend(network, relaxation, rows, box, other).bound


@pytest.mark.parametrize("dtype", (torch.float32, torch.float64))
@pytest.mark.parametrize("seed", range(0, COUNT, 2))
def test_optimised_slopes_are_sound_and_not_worse(seed: int, dtype: torch.dtype) -> None:
    tame = [f for f in functions() if f.name in TAME]
    network = random_network(seed + 70, inputs=2, depth=3, only=tame)
    box = boxes(seed, 2, 2)
    relaxation, rows = relaxed(network, box), some_rows(network, seed, 2)
    plain, _, _ = certify(network, relaxation, rows, box, {})
    single = network.to(dtype, torch.device("cpu"))
    search = Relaxation(single, relaxation.intervals, dtype)
    cast = (box[0].to(dtype), box[1].to(dtype))
    chosen = optimise(single, search, rows.to(dtype), cast, Steps.of(40))
    found = certify(network, relaxation, rows, box, chosen)
    assert_below(found, rows, network, samples(box, 200), box)
    seen = row_values(rows, network, samples(box, 200))
    spread = seen.amax(1) - plain
    good = spread.isfinite()
    assert bool((found[0] >= plain - 0.02 * spread - 1e-6 * (1 + plain.abs()))[good].all())


def test_optimising_closes_the_gap_of_a_sum() -> None:
    """sin x - sin x as two nodes: with default slopes the gap is that of two lines, optimised it is zero."""
    sin = make("sin")
    one = Dense(torch.ones(1, 1, dtype=torch.float64))
    nodes = (Input(1), Nonlinear(sin, (0,), 1), Nonlinear(sin, (0,), 1))
    output = Affine(((1, one), (2, Dense(-torch.ones(1, 1, dtype=torch.float64)))), double(0.0))
    network = Network((*nodes, output), 3)
    box = (double(0.2)[None], double(1.4)[None])
    relaxation, rows = relaxed(network, box), Rows(3, torch.ones(1, 1, 1, dtype=torch.float64))
    chosen = optimise(network, relaxation, rows, box, Steps.of(100))
    plain = float(certify(network, relaxation, rows, box, {})[0])
    best = float(certify(network, relaxation, rows, box, chosen)[0])
    assert plain <= best <= 0.0


def test_stop_ends_the_search_with_the_slopes_it_saw() -> None:
    network = random_network(1, inputs=2, depth=2)
    box = boxes(1, 2, 1)
    relaxation, rows = relaxed(network, box), some_rows(network, 0, 1)
    seen: list[Tensor] = []

    def stop(bounds: Tensor) -> bool:
        seen.append(bounds)
        return len(seen) == 3

    chosen = optimise(network, relaxation, rows, box, Steps(50), stop=stop)
    assert len(seen) == 3
    assert torch.equal(descend(network, relaxation, rows, box, chosen).bound, seen[-1])


@pytest.mark.parametrize("seed", range(0, COUNT, 2))
def test_fixed_slopes_bound_a_smaller_box_no_worse(seed: int) -> None:
    """The parent's lines are computed anew on each half: no bound falls."""
    network = random_network(seed + 20, inputs=2, depth=3)
    box = boxes(seed, 2, 2)
    relaxation, rows = relaxed(network, box), some_rows(network, seed, 2)
    chosen = descend(network, relaxation, rows, box, {}).chosen
    whole, _, _ = certify(network, relaxation, rows, box, chosen)
    middle = (box[0] + box[1]) / 2
    for half in ((box[0], middle), (middle, box[1])):
        inner = propagate(network, half)
        for (a, b), (c, d) in zip(inner, relaxation.intervals, strict=True):
            slack = 1e-9 * (1 + c.abs().clamp(max=1e300) + d.abs().clamp(max=1e300))
            assert bool((a >= c - slack).all() and (b <= d + slack).all())
        part, _, _ = certify(network, Relaxation(network, inner, torch.float64), rows, half, chosen)
        assert bool((part >= whole - 1e-7 * (1 + whole.abs().clamp(max=1e300))).all())


@pytest.mark.parametrize("seed", range(0, COUNT, 2))
def test_slopes_released_by_a_split_stay_sound(seed: int) -> None:
    """On children of neuron splits, with room for multipliers, at inputs that lead into the child."""
    network = random_network(seed + 60, inputs=2, depth=3)
    box = boxes(seed, 2, 1)
    intervals, rows = propagate(network, box), some_rows(network, seed, 1)
    x = samples(box, 400)
    known = values(network, x)
    generator = torch.Generator().manual_seed(seed)
    for side in (0, 1):
        cut, inside = list(intervals), torch.ones(x.shape[:2], dtype=torch.bool)
        steps = {}
        for i in network.relaxed:
            low, high = intervals[i]
            neuron = int(torch.randint(low.shape[1], (1,), generator=generator))
            point = known[i][0, :, neuron].median()
            if not bool(point.isfinite()) or not bool(low.isfinite().all() and high.isfinite().all()):
                continue
            ends = [low.clone(), high.clone()]
            ends[1 - side][0, neuron] = point
            cut[i] = (ends[0], ends[1])
            value = known[i][..., neuron]
            inside &= (value >= point) if side else (value <= point)
        relaxation = Relaxation(network, cut, torch.float64)
        for i, node in enumerate(network.nodes):
            if isinstance(node, Nonlinear):
                steps[i] = tuple(torch.ones(1, 1, node.size, dtype=torch.float64) for _ in node.args)
        chosen = optimise(network, relaxation, rows, box, Steps(8, 1.0), freedom=Freedom(steps))
        bound, form, base = certify(network, relaxation, rows, box, chosen)
        part = x[:, inside[0]]
        assert_below((bound, form, base), rows, network, part, box)


def test_multipliers_reach_what_slopes_inside_the_range_cannot() -> None:
    """y = relu(x) - x/2 on [-1, 1], cut to x >= 0.5 on the argument only: the one slope in the range of f' is 1."""
    one, relu = Dense(torch.ones(1, 1, dtype=torch.float64)), make("relu")
    first = Affine(((0, one),), double(0.0))
    last = Affine(((2, one), (0, Dense(double(-0.5)[None]))), double(0.0))
    network = Network((Input(1), first, Nonlinear(relu, (1,), 1), last), 3)
    box = (double(-1.0)[None], double(1.0)[None])
    intervals = propagate(network, box)
    intervals[1] = (double(0.5)[None], intervals[1][1])
    relaxation, rows = Relaxation(network, intervals, torch.float64), Rows(3, double(1.0)[None, None])
    free = Freedom({2: (torch.ones(1, 1, 1, dtype=torch.float64),)})
    tied = optimise(network, relaxation, rows, box, Steps.of(60))
    loose = optimise(network, relaxation, rows, box, Steps.of(60), freedom=free)
    assert float(certify(network, relaxation, rows, box, tied)[0]) == pytest.approx(-0.5)
    assert 0.0 < float(certify(network, relaxation, rows, box, loose)[0]) <= 0.25
