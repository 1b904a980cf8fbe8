"""Slopes that climb: the gradient is right, the result sound, constraints of splits act as multipliers."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from genbab.bounds import (
    Freedom,
    Interval,
    Objective,
    Relaxation,
    Rows,
    Start,
    Steps,
    certify,
    descend,
    optimise,
    propagate,
    swept,
)
from genbab.network import Affine, Dense, Input, Network, Nonlinear
from genbab.network.computed.values import values
from genbab.nonlinear import functions, make
from tests.soundness.graphs import random_network

from .exact import double, relaxed
from .samples import TAME, assert_below, boxes, row_values, samples, some_rows

COUNT = 18
"""Random networks per test; multiply it for a long run."""


def moved(starts: dict[int, Start], relaxation: Relaxation, seed: int) -> dict[int, Start]:
    """Slopes a tenth of their range away."""
    generator = torch.Generator().manual_seed(seed)
    out = {}
    for i, line in starts.items():
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
        start = descend(relaxation, rows, box, {}).starts
        one = descend(relaxation, rows, box, moved(start, relaxation, seed))
        for i, line in swept(one).lines.items():
            for place, partial in enumerate(line.gradient):
                neuron = int(
                    torch.randint(partial.shape[-1], (1,), generator=torch.Generator().manual_seed(i))
                )
                wanted = partial[..., neuron]
                right, left = (
                    (shifted(relaxation, rows, box, one.starts, (i, place, neuron, h)) - one.bound) / h
                    for h in (1e-6, -1e-6)
                )
                slack = 1e-3 * (wanted.abs() + right.abs() + left.abs()) + 1e-6 * (1 + one.bound.abs())
                assert bool((right - slack <= wanted).all() and (wanted <= left + slack).all()), (seed, i)
                equal += int((left - right <= slack).sum())
                total += right.numel()
    assert equal > 0.8 * total > 100


def shifted(
    relaxation: Relaxation,
    rows: Rows,
    box: Interval,
    starts: dict[int, Start],
    where: tuple[int, int, int, float],
) -> Tensor:
    """The bound with the slopes of one neuron moved: where = (node, argument, neuron, by how much)."""
    node, place, neuron, step = where
    slopes = list(starts[node].slopes)
    slopes[place] = slopes[place].expand(starts[node].upper.shape).clone()
    slopes[place][..., neuron] += step
    other = {**starts, node: replace(starts[node], slopes=tuple(slopes))}
    return descend(relaxation, rows, box, other).bound


@pytest.mark.parametrize("dtype", (torch.float32, torch.float64))
@pytest.mark.parametrize("seed", range(0, COUNT, 2))
def test_optimised_slopes_are_sound_and_not_worse(seed: int, dtype: torch.dtype) -> None:
    tame = [f for f in functions() if f.name in TAME]
    network = random_network(seed + 70, inputs=2, depth=3, only=tame)
    box = boxes(seed, 2, 2)
    relaxation, rows = relaxed(network, box), some_rows(network, seed, 2)
    plain = certify(relaxation, rows, box, {}).bound
    single = network.to(dtype, torch.device("cpu"))
    search = Relaxation(single, relaxation.intervals, dtype)
    cast = (box[0].to(dtype), box[1].to(dtype))
    chosen = optimise(search, Objective(rows.to(dtype), cast), Steps.of(40)).starts
    found = certify(relaxation, rows, box, chosen)
    assert_below(found, rows, network, samples(box, 200), box)
    seen = row_values(rows, network, samples(box, 200))
    spread = seen.amax(1) - plain
    good = spread.isfinite()
    assert bool((found.bound >= plain - 0.02 * spread - 1e-6 * (1 + plain.abs()))[good].all())


def test_optimising_closes_the_gap_of_a_sum() -> None:
    """sin x - sin x as two nodes: with default slopes the gap is that of two lines, optimised it is zero."""
    sin = make("sin")
    one = Dense(torch.ones(1, 1, dtype=torch.float64))
    nodes = (Input(1), Nonlinear(sin, (0,), 1), Nonlinear(sin, (0,), 1))
    output = Affine(((1, one), (2, Dense(-torch.ones(1, 1, dtype=torch.float64)))), double(0.0))
    network = Network((*nodes, output), 3)
    box = (double(0.2)[None], double(1.4)[None])
    relaxation, rows = relaxed(network, box), Rows(3, torch.ones(1, 1, 1, dtype=torch.float64))
    chosen = optimise(relaxation, Objective(rows, box), Steps.of(100)).starts
    plain = float(certify(relaxation, rows, box, {}).bound)
    best = float(certify(relaxation, rows, box, chosen).bound)
    assert plain <= best <= 0.0


def test_stop_ends_the_search_with_the_slopes_it_saw() -> None:
    network = random_network(1, inputs=2, depth=2)
    box = boxes(1, 2, 1)
    relaxation, rows = relaxed(network, box), some_rows(network, 0, 1)
    seen: list[Tensor] = []

    def stop(bounds: Tensor) -> bool:
        seen.append(bounds)
        return len(seen) == 3

    chosen = optimise(relaxation, Objective(rows, box), Steps(50), stop=stop).starts
    assert len(seen) == 3
    assert torch.equal(descend(relaxation, rows, box, chosen).bound, seen[-1])


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
        chosen = optimise(relaxation, Objective(rows, box, Freedom(steps)), Steps(8, 1.0)).starts
        found = certify(relaxation, rows, box, chosen)
        part = x[:, inside[0]]
        assert_below(found, rows, network, part, box)


def test_multipliers_reach_what_slopes_inside_the_range_cannot() -> None:
    """y = relu(x) - x/2 on [-1, 1], the argument cut to x >= 0.5: the only slope in the range of f' is 1."""
    one, relu = Dense(torch.ones(1, 1, dtype=torch.float64)), make("relu")
    first = Affine(((0, one),), double(0.0))
    last = Affine(((2, one), (0, Dense(double(-0.5)[None]))), double(0.0))
    network = Network((Input(1), first, Nonlinear(relu, (1,), 1), last), 3)
    box = (double(-1.0)[None], double(1.0)[None])
    intervals = propagate(network, box)
    intervals[1] = (double(0.5)[None], intervals[1][1])
    relaxation, rows = Relaxation(network, intervals, torch.float64), Rows(3, double(1.0)[None, None])
    free = Freedom({2: (torch.ones(1, 1, 1, dtype=torch.float64),)})
    tied = optimise(relaxation, Objective(rows, box), Steps.of(60)).starts
    loose = optimise(relaxation, Objective(rows, box, free), Steps.of(60)).starts
    assert float(certify(relaxation, rows, box, tied).bound) == pytest.approx(-0.5)
    assert 0.0 < float(certify(relaxation, rows, box, loose).bound) <= 0.25
