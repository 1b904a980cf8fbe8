"""Backward passes with any slopes at all are sound; what is no number claims nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from genbab.bounds import (
    Relaxation,
    Rows,
    Start,
    certify,
    descend,
    propagate,
)
from genbab.network import Affine, Dense, Identity, Input, Network, Node, Nonlinear
from genbab.nonlinear import Nonlinearity, functions, make
from tests.soundness.graphs import random_network

from .exact import double, relaxed
from .samples import assert_below, boxes, row_values, samples, some_rows

COUNT = 18
"""Random networks per test; multiply it for a long run."""


def wild(starts: dict[int, Start], seed: int, flips: float = 0.3) -> dict[int, Start]:
    """Slopes all over the place, with some sides recorded wrongly."""
    generator = torch.Generator().manual_seed(seed)
    out = {}
    for i, line in starts.items():
        slopes = []
        for k in line.slopes:
            noise = torch.randn(k.shape, generator=generator, dtype=torch.float64)
            size = 10 ** (4 * torch.rand(k.shape, generator=generator, dtype=torch.float64) - 2)
            slopes.append(k + noise * size)
        flip = torch.rand(line.upper.shape, generator=generator) < flips
        out[i] = Start(tuple(slopes), torch.where(flip, 1 - line.upper, line.upper))
    return out


@pytest.mark.parametrize("seed", range(COUNT))
def test_any_slopes_give_forms_below_the_rows(seed: int) -> None:
    network = random_network(seed, inputs=1 + seed % 3, depth=1 + seed % 4)
    box = boxes(seed, network.input_size, 3)
    relaxation, rows = relaxed(network, box), some_rows(network, seed, 3)
    plain = descend(relaxation, rows, box, {})
    x = samples(box, 200)
    for slopes in ({}, plain.starts, wild(plain.starts, seed), wild(plain.starts, seed + 1, 1.0)):
        assert_below(certify(relaxation, rows, box, slopes), rows, network, x, box)


@pytest.mark.parametrize("fn", functions(), ids=str)
def test_any_slopes_of_every_function(fn: Nonlinearity) -> None:
    network = random_network(3, inputs=1, depth=2, only=[fn])
    box = (torch.linspace(-2, 1.6, 10, dtype=torch.float64)[:, None],) * 2
    box = box[0], box[0] + 0.4 * torch.arange(10, dtype=torch.float64)[:, None] ** 2 / 20
    relaxation, rows = relaxed(network, box), some_rows(network, 1, 10)
    chosen = descend(relaxation, rows, box, {}).starts
    x = samples(box, 300)
    for seed in range(2):
        found = certify(relaxation, rows, box, wild(chosen, seed))
        assert_below(found, rows, network, x, box)


@pytest.mark.parametrize("value", (torch.nan, torch.inf, -torch.inf))
@pytest.mark.parametrize("seed", range(6))
def test_slopes_that_are_no_numbers_claim_nothing(seed: int, value: float) -> None:
    network = random_network(seed, inputs=2, depth=2)
    box = boxes(seed, 2, 2)
    relaxation, rows = relaxed(network, box), some_rows(network, seed, 2)
    chosen = descend(relaxation, rows, box, {}).starts
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
    bound = certify(relaxation, rows, box, broken).bound
    seen = row_values(rows, network, samples(box, 100)).amin(1)
    assert bool(((bound <= seen + 1e-9 * (1 + seen.abs())) | seen.isnan()).all())


@pytest.mark.parametrize("value", (torch.nan, torch.inf, -torch.inf))
@pytest.mark.parametrize("place", ("matrix", "on_input", "bias", "weight", "interval"))
def test_what_is_no_number_claims_nothing(place: str, value: float) -> None:
    """NaN or an infinity in the rows, the weights or an interval: no bound above what is true, none NaN."""
    weight, bias = torch.ones(2, 2, dtype=torch.float64), double(0.5, 0.25)
    matrix, on_input = torch.ones(1, 1, 2, dtype=torch.float64), torch.ones(1, 1, 2, dtype=torch.float64)
    {"matrix": matrix, "on_input": on_input, "bias": bias, "weight": weight}.get(place, double(0))[..., 0] = (
        value
    )
    last = Affine(((2, Dense(torch.eye(2, dtype=torch.float64))),), double(0.0, 0.0))
    network = Network(
        (Input(2), Affine(((0, Dense(weight)),), bias), Nonlinear(make("tanh"), (1,), 2), last), 3
    )
    box = (double(-1.0, -1.0)[None], double(1.0, 1.0)[None])
    intervals = propagate(network, box)
    if place == "interval":
        low, high = (end.clone() for end in intervals[1])
        (high if value > 0 else low)[:, 0] = value
        intervals[1] = (low, high)
    rows = Rows(3, matrix, on_input)
    relaxation = Relaxation(network, intervals, torch.float64)
    for slopes in ({}, descend(relaxation, rows, box, {}).starts):
        bound = certify(relaxation, rows, box, slopes).bound
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
    bound = certify(relaxed(network, box), rows, box, {}).bound
    assert float(bound[0, 0]) <= 1 + 0.77 and 1.0 < float(bound[0, 1]) <= 1 + 0.77


@pytest.mark.parametrize("method", ("interval", "forward", "backward", "optimised"))
def test_infinite_ranges_stay_infinite(method: str) -> None:
    """exp overflows float64, the numbers do not: log(exp(1000 x) + 1) reaches 1000 at x = 1."""
    api = pytest.importorskip("genbab.api")
    one = Dense(torch.ones(1, 1, dtype=torch.float64))
    nodes: tuple[Node, ...] = (
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


@pytest.mark.parametrize("seed", range(0, COUNT, 2))
def test_fixed_slopes_bound_a_smaller_box_no_worse(seed: int) -> None:
    """The parent's lines are computed anew on each half: no bound falls."""
    network = random_network(seed + 20, inputs=2, depth=3)
    box = boxes(seed, 2, 2)
    relaxation, rows = relaxed(network, box), some_rows(network, seed, 2)
    chosen = descend(relaxation, rows, box, {}).starts
    whole = certify(relaxation, rows, box, chosen).bound
    middle = (box[0] + box[1]) / 2
    for half in ((box[0], middle), (middle, box[1])):
        inner = propagate(network, half)
        for (a, b), (c, d) in zip(inner, relaxation.intervals, strict=True):
            slack = 1e-9 * (1 + c.abs().clamp(max=1e300) + d.abs().clamp(max=1e300))
            assert bool((a >= c - slack).all() and (b <= d + slack).all())
        part = certify(Relaxation(network, inner, torch.float64), rows, half, chosen).bound
        assert bool((part >= whole - 1e-7 * (1 + whole.abs().clamp(max=1e300))).all())
