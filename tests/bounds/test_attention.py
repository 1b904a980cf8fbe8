"""Bounds of small attention networks, whose softmax is one node, against samples."""

from __future__ import annotations

import pytest
import torch

from genbab.bounds import (
    Objective,
    Relaxation,
    Rows,
    Start,
    Steps,
    certify,
    descend,
    forward,
    optimise,
    propagate,
    swept,
)
from genbab.network import Affine, Dense, Grouped, Input, Network, Node, Nonlinear, values
from genbab.nonlinear import Product
from genbab.nonlinear.groups.softmax import Softmax
from tests.bounds.samples import assert_below, boxes, row_values, samples, some_rows


def network(seed: int, tokens: int = 3, known: bool = True, scale: float = 1.0) -> Network:
    """Per token logits and values that are affine in 4 inputs; two rows of logits; Σ softmax·value, mixed."""
    g = torch.Generator().manual_seed(seed)

    def affine(source: int, inputs: int, size: int, factor: float = 1.0) -> Affine:
        weight = factor * torch.randn(size, inputs, generator=g, dtype=torch.float64)
        return Affine(
            ((source, Dense(weight)),), factor * torch.randn(size, generator=g, dtype=torch.float64)
        )

    size = 2 * tokens
    first, second = torch.triu_indices(tokens, tokens, 1)
    rows = [torch.eye(tokens, dtype=torch.float64)[one] for one in (first, second)]
    minus = torch.kron(torch.eye(2, dtype=torch.float64), rows[0] - rows[1])
    nodes: list[Node] = [
        Input(4),
        affine(0, 4, size, scale),
        affine(0, 4, size),
        Affine(((1, Dense(minus)),), torch.zeros(minus.shape[0], dtype=torch.float64)),
        Grouped(Softmax(tokens), (1, 3) if known else (1,), size),
        Nonlinear(Product(), (4, 2), size),
        affine(5, size, 3),
    ]
    made = Network(tuple(nodes), 6)
    made.check()
    return made


CASES = [(seed, known, scale) for seed in range(4) for known in (False, True) for scale in (1.0, 6.0)]


@pytest.mark.parametrize(("seed", "known", "scale"), CASES)
def test_intervals_hold(seed: int, known: bool, scale: float) -> None:
    net, box = network(seed, 3, known, scale), boxes(seed, 4, 3)
    seen = values(net, samples(box, 300))
    for found in (propagate(net, box), forward(net, box)):
        for (low, high), value in zip(found, seen, strict=True):
            assert bool((value >= low[:, None] - 1e-9).all() and (value <= high[:, None] + 1e-9).all())
    for (low, high), (least, most) in zip(forward(net, box), propagate(net, box), strict=True):
        assert bool((low >= least).all() and (high <= most).all())


@pytest.mark.parametrize(("seed", "known", "scale"), CASES)
def test_backward_bounds_hold_at_any_points_and_gain_by_searching(
    seed: int, known: bool, scale: float
) -> None:
    net, box = network(seed, 3, known, scale), boxes(seed, 4, 3)
    relaxation = Relaxation(net, propagate(net, box), torch.float64)
    rows, x = some_rows(net, seed, 3), samples(box, 300)
    before = certify(relaxation, rows, box, {})
    assert_below(before, rows, net, x, box)
    slopes = optimise(relaxation, Objective(rows, box), Steps.of(30)).starts
    after = certify(relaxation, rows, box, slopes)
    assert_below(after, rows, net, x, box)
    assert float((after.bound - before.bound).mean()) > 0
    g = torch.Generator().manual_seed(seed)
    wild = torch.randn(slopes[4].slopes[0].shape, generator=g, dtype=torch.float64) * 50
    assert_below(certify(relaxation, rows, box, {4: Start((wild,), slopes[4].upper)}), rows, net, x, box)


def test_points_move_uphill() -> None:
    """A small step of the tangent point towards the minimum raises every row's bound, or leaves it."""
    for seed in range(4):
        net, box = network(seed, 4), boxes(seed, 4, 2, 0.3)
        relaxation = Relaxation(net, propagate(net, box), torch.float64)
        rows = some_rows(net, seed, 2)
        one = descend(relaxation, rows, box, {})
        taken = swept(one).planes[4]
        assert taken.point is not None
        step = taken.at + 1e-4 * (taken.point - taken.at)
        other = descend(relaxation, rows, box, one.starts | {4: Start((step,), taken.upper)})
        assert bool((other.bound >= one.bound - 1e-7 * (1 + one.bound.abs())).all())
        assert bool((other.bound > one.bound).any())


@pytest.mark.parametrize("size", [1e3, 1e6])
def test_huge_logits(size: float) -> None:
    net, box = network(1, 5, True, size), boxes(1, 4, 2)
    intervals = propagate(net, box)
    relaxation = Relaxation(net, intervals, torch.float64)
    rows = some_rows(net, 1, 2)
    found = certify(relaxation, rows, box, {})
    assert bool(torch.isfinite(found.bound).all())
    assert_below(found, rows, net, samples(box, 300), box)
    narrow = box[0], box[0] + (1e-3 / size) * (box[1] - box[0])
    bound = certify(Relaxation(net, propagate(net, narrow), torch.float64), rows, narrow, {}).bound
    least = row_values(rows, net, samples(narrow, 100)).amin(1)
    assert float((least - bound).max()) < 0.1


def test_unbounded_logits() -> None:
    net = network(0)
    box = (
        torch.full((1, 4), -torch.inf, dtype=torch.float64),
        torch.full((1, 4), torch.inf, dtype=torch.float64),
    )
    intervals = propagate(net, box)
    assert bool((intervals[4][0] <= 0).all() and (intervals[4][1] >= 1).all())
    rows = Rows(4, torch.eye(6, dtype=torch.float64)[None])
    bound = certify(Relaxation(net, intervals, torch.float64), rows, box, {}).bound
    assert bool((bound <= 0).all()) and not bool(bound.isnan().any())
