"""Filling in intervals: what is found lies inside what was known, whatever the memory and the time."""

from __future__ import annotations

import pytest
import torch

from genbab.bounds import (
    Engine,
    Question,
    Relaxation,
    Rows,
    Steps,
    Tightening,
    answer,
    certify,
    cheap_intervals,
    interval_rows,
    line_gap,
    propagate,
    rows_at_once,
    tighten_all,
    tightening_cost,
)
from genbab.errors import DeadlineReached
from genbab.network import Affine, Dense, Identity, Input, Network, Nonlinear
from genbab.network.computed.values import values
from genbab.nonlinear import functions, make
from tests.soundness.graphs import random_network

from .exact import double
from .samples import TAME, boxes, parts, row_values, samples, some_rows

CPU = torch.device("cpu")


def engine(network: Network, memory: int = 1 << 28, dtype: torch.dtype = torch.float32) -> Engine:
    """The network in both dtypes."""
    return Engine(network, network.to(dtype, CPU), memory)


def tame(seed: int, depth: int = 3) -> Network:
    """A random network of functions that do not explode."""
    return random_network(seed, inputs=2, depth=depth, only=[f for f in functions() if f.name in TAME])


@pytest.mark.parametrize("count", (0, 5))
@pytest.mark.parametrize("seed", range(8))
def test_tightened_intervals_hold_and_lie_inside_the_cheap_ones(seed: int, count: int) -> None:
    network = random_network(seed + 30, inputs=2, depth=3)
    box = boxes(seed, 2, 2)
    cheap = cheap_intervals(engine(network), box)
    tight = tighten_all(engine(network), box, cheap, Tightening(Steps.of(count), outputs=True)).intervals
    for value, (low, high), (least, most) in zip(
        values(network, samples(box, 200)), tight, cheap, strict=True
    ):
        assert bool((low >= least).all() and (high <= most).all())
        slack = 1e-9 * (1 + value.abs())
        outside = (value < low[:, None] - slack) | (value > high[:, None] + slack)
        assert not bool(outside.any())


@pytest.mark.parametrize("seed", range(3))
def test_chunks_do_not_change_the_result(seed: int) -> None:
    network, box = tame(seed), boxes(seed, 2, 3)
    whole, small = (
        tighten_all(engine(network, memory), box, propagate(network, box), Tightening(outputs=True)).intervals
        for memory in (1 << 28, 1)
    )
    assert rows_at_once(engine(network, 1), 3, network.output, searching=False) == 1
    for one, other in zip(whole, small, strict=True):
        for a, b in zip(one, other, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


def test_without_time_nothing_is_tightened_and_nothing_is_lost() -> None:
    network, box = tame(1), boxes(1, 2, 2)
    cheap = propagate(network, box)
    kept = tighten_all(engine(network), box, cheap, Tightening(Steps(3), seconds=-1.0)).intervals
    assert all(a is b for a, b in zip(kept, cheap, strict=True))


def test_the_deadline_is_asked_within_a_stage() -> None:
    network, box = tame(1), boxes(1, 2, 2)

    def late() -> None:
        raise DeadlineReached

    with pytest.raises(DeadlineReached):
        one = engine(network)
        tighten_all(
            Engine(one.exact, one.search, one.memory, late), box, propagate(network, box), Tightening()
        )


@pytest.mark.parametrize("seed", range(10))
def test_rows_by_intervals_and_by_passes_hold(seed: int) -> None:
    network = random_network(seed, inputs=2, depth=2)
    box, rows = boxes(seed, 2, 2), some_rows(network, seed, 2)
    intervals = propagate(network, box)
    seen = row_values(rows, network, samples(box, 300)).amin(1)
    slack = 1e-9 * (1 + seen.abs())
    plain = interval_rows(rows.matrix, intervals[network.output], rows.on_input, box)
    own = engine(network)
    better = answer(own, Question(rows, box, own.relaxed(intervals)), Steps(5)).bound
    for bound in (plain, better):
        assert bool((bound <= seen + slack).logical_or(seen.isnan()).all()) and not bool(bound.isnan().any())


def test_constant_nodes_have_a_row_per_box() -> None:
    """An affine node without terms has the batch of the boxes in every list of intervals."""
    nodes = (
        Input(40),
        Affine((), torch.ones(3, dtype=torch.float64)),
        Nonlinear(make("tanh"), (1,), 3),
        Affine(((0, Dense(torch.ones(3, 40, dtype=torch.float64))), (2, Identity(3))), double(0, 0, 0)),
    )
    network = Network(nodes, 3)
    for inputs in (40, 3):
        low = torch.zeros(5, 40, dtype=torch.float64)
        high = low.clone()
        high[:, :inputs] = 1.0
        for low_i, high_i in cheap_intervals(engine(network), (low, high)):
            assert low_i.shape[0] == high_i.shape[0] == 5


def test_the_gap_of_lines_is_zero_where_a_function_is_straight() -> None:
    relu = make("relu")
    network = Network((Input(3), Nonlinear(relu, (0,), 3)), 1)
    box = (double(-2.0, 1.0, -1.0)[None], double(-1.0, 2.0, 1.0)[None])
    gap = line_gap(Relaxation(network, propagate(network, box), torch.float64), 1)[0]
    assert gap[:2].abs().max() < 1e-9 and float(gap[2]) == pytest.approx(0.5, abs=1e-6)


def test_the_cost_grows_with_the_network() -> None:
    costs = [tightening_cost(engine(tame(3, depth))) for depth in (1, 3, 6)]
    assert 0 <= costs[0] < costs[1] < costs[2]


@pytest.mark.parametrize("seed", range(8))
def test_search_in_float32_leaves_the_proof_in_float64(seed: int) -> None:
    """Bounds that rest on slopes found in float32 hold, and agree with those of a float64 search."""
    network, box = tame(seed + 20), boxes(seed, 2, 2, radius=0.3)
    rows = some_rows(network, seed, 2)
    intervals = propagate(network, box)
    exact = Relaxation(network, intervals, torch.float64)
    single, double_ = (
        answer(own, Question(rows, box, own.relaxed(intervals)), Steps.of(20)).bound
        for own in (engine(network, dtype=d) for d in (torch.float32, torch.float64))
    )
    plain = certify(exact, rows, box, {}).bound
    assert bool(((single - double_).abs() <= 0.1 * (double_ - plain).abs() + 1e-2 * (1 + plain.abs())).all())


def test_rows_of_one_box_serve_a_batch() -> None:
    """matrix (1, S, N) means the same rows in every box."""
    network, box = tame(2), boxes(2, 2, 4)
    rows = some_rows(network, 1, 1)
    exact = Relaxation(network, propagate(network, box), torch.float64)
    assert rows.on_input is not None
    repeated = Rows(rows.target, rows.matrix.repeat(4, 1, 1), rows.on_input.repeat(4, 1, 1))
    for a, b in zip(
        parts(certify(exact, rows, box, {})), parts(certify(exact, repeated, box, {})), strict=True
    ):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)
