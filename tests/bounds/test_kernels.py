"""Bounds are sound and nearly the same whatever the inner loops run in."""

from __future__ import annotations

import pytest
import torch

from genbab.bounds import (
    Engine,
    Objective,
    Question,
    Relaxation,
    Rows,
    Steps,
    Tightening,
    answer,
    certify,
    cheap_forms,
    descend,
    optimise,
    swept,
    tighten_all,
)
from genbab.kernels import DEFAULT, Kernels
from genbab.network import Network
from genbab.nonlinear import make
from tests.bounds.exact import cancelling, double, least, linear_form, output_rows, rational
from tests.bounds.samples import assert_below, boxes, parts, samples, some_rows
from tests.bounds.test_attention import network as attention
from tests.kernels.backends import INTERPRETED, NAMES, loaded
from tests.soundness.graphs import random_network

CPU = torch.device("cpu")
kernels = pytest.fixture(name="kernels", params=NAMES)(loaded)
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning:triton")
HOT = ["relu", "sigmoid", "tanh", "sin", "cos", "exp", "softplus", "gelu", "gelu_tanh", "silu"]
SEEDS = range(1, 2 if INTERPRETED else 13)


def engine_of(network: Network, kernels: Kernels = DEFAULT, dtype: torch.dtype = torch.float32) -> Engine:
    return Engine(network, network.to(dtype, CPU), 1 << 28, kernels=kernels)


def network_of(seed: int) -> Network:
    inputs, depth = 1 + seed % 4, 1 + seed % 3
    if seed % 3 == 0:
        return random_network(seed, inputs=inputs, depth=depth)
    only = [*map(make, HOT), make("power", 2.0), make("leaky_relu", 0.3)]
    return random_network(seed, inputs=inputs, depth=depth, only=only)


@pytest.mark.parametrize("seed", SEEDS)
def test_bounds_lie_below_what_is_reached(seed: int, kernels: Kernels) -> None:
    network, batch = network_of(seed), 1 + seed % 3
    box, rows = boxes(seed, network.input_size, batch), some_rows(network, seed, batch)
    engine = engine_of(network, kernels)
    intervals, linear = cheap_forms(engine, box)
    relaxations = tighten_all(engine, box, intervals, Tightening(Steps(2)), linear)
    exact = relaxations.exact
    x = samples(box, 400, seed)
    known = answer(engine, Question(rows, box, relaxations), Steps(4))
    found = certify(exact, rows, box, known.certificate.starts)
    assert torch.equal(found.bound, known.bound)
    assert_below(found, rows, network, x, box)
    assert_below(certify(exact, rows, box, {}), rows, network, x, box)


@pytest.mark.parametrize("seed", SEEDS)
def test_passes_agree_with_those_in_torch(seed: int, kernels: Kernels) -> None:
    """The same slopes give the same certified bounds, bounds of the search, and gradients."""
    network = network_of(seed)
    box, rows = boxes(seed, network.input_size, 2, 0.3), some_rows(network, seed, 2)
    plain, fast = (engine_of(network, k, torch.float64) for k in (DEFAULT, kernels))
    intervals, _ = cheap_forms(plain, box)
    usual, other = plain.relaxed(intervals).exact, fast.relaxed(intervals).exact
    slopes = optimise(usual, Objective(rows, box), Steps(3)).starts
    for start in ({}, slopes):
        want, found = (certify(r, rows, box, start) for r in (usual, other))
        for a, b in zip(parts(want), parts(found), strict=True):
            torch.testing.assert_close(b, a, rtol=1e-9, atol=1e-9, equal_nan=True)
        one, two = (descend(r, rows, box, start) for r in (usual, other))
        torch.testing.assert_close(two.bound, one.bound, rtol=1e-5, atol=1e-5, equal_nan=True)
        for line in swept(two).lines.values():
            wanted = tuple(line.coefficients * (v - t) for v, t in zip(line.point, line.touch, strict=False))
            for a, b in zip(wanted, line.gradient, strict=True):
                torch.testing.assert_close(b, a, rtol=1e-9, atol=1e-9, equal_nan=True)


@pytest.mark.parametrize("seed", SEEDS)
def test_rounding_is_paid_in_cancelling_networks(seed: int, kernels: Kernels) -> None:
    """Without nonlinearities the least value is known exactly; the bound is never above it."""
    network, box = cancelling(seed, relu=False)
    rows = output_rows(network)
    relaxation = engine_of(network, kernels).relaxed(cheap_forms(engine_of(network), box)[0]).exact
    known = certify(relaxation, rows, box, {})
    bound, form, constant = known.bound, known.form, known.constant
    matrix, offset = linear_form(network)
    low, high = rational(box[0][0]), rational(box[1][0])
    for s, (row, d) in enumerate(zip([*matrix, *-matrix], [*offset, *-offset], strict=True)):
        assert rational(bound[0, s : s + 1])[0] <= least(row, low, high) + d
        gap = least(row - rational(form[0, s]), low, high) + d - rational(constant[0, s : s + 1])[0]
        assert gap >= 0


@pytest.mark.parametrize("seed", SEEDS)
def test_rounding_at_the_input_is_paid(seed: int, kernels: Kernels) -> None:
    """Rows on the input alone, over a box of one point: their exact value is the least one."""
    random = torch.Generator().manual_seed(seed)
    network = random_network(seed, inputs=40, depth=1, only=[make("relu")])
    x = torch.randn(1, 40, generator=random, dtype=torch.float64) + 1e3
    row = torch.randn(1, 200, 40, generator=random, dtype=torch.float64)
    rows = Rows(network.output, row.new_zeros(1, 200, network.output_size), row)
    engine = engine_of(network, kernels)
    relaxation = engine.relaxed(cheap_forms(engine, (x, x))[0]).exact
    bound = certify(relaxation, rows, (x, x), {}).bound
    for s in range(200):
        assert rational(bound[0, s : s + 1])[0] <= rational(row[0, s]).dot(rational(x[0]))


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("seed", SEEDS[:4])
def test_attention(seed: int, known: bool, kernels: Kernels) -> None:
    """Softmax as one node: sound in float32, gaining by search, and a pass in float64 is that in torch."""
    network, box = attention(seed, 3, known, 2.0), boxes(seed, 4, 3)
    fast, x = engine_of(network, kernels), samples(box, 200, seed)
    rows, intervals = some_rows(network, seed, 3), cheap_forms(engine_of(network), box)[0]
    relaxations = fast.relaxed(intervals)
    exact = relaxations.exact
    before, after = (
        certify(exact, rows, box, {}),
        answer(fast, Question(rows, box, relaxations), Steps(8)),
    )
    assert float((after.bound - before.bound).mean()) > 0
    for start in ({}, after.certificate.starts):
        assert_below(certify(exact, rows, box, start), rows, network, x, box)
        usual, other = (
            Relaxation(network, intervals, torch.float64, kernels=given) for given in (DEFAULT, kernels)
        )
        one, two = (descend(r, rows, box, start) for r in (usual, other))
        torch.testing.assert_close(two.bound, one.bound, rtol=1e-7, atol=1e-7)
        wanted, found = swept(one), swept(two)
        for i, line in found.lines.items():
            for a, b in zip(line.point, wanted.lines[i].point, strict=True):
                torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-6)
        for i, planes in found.planes.items():
            torch.testing.assert_close(planes.point, wanted.planes[i].point, rtol=1e-6, atol=1e-6)


def test_infinite_and_missing_numbers_prove_nothing(kernels: Kernels) -> None:
    network = random_network(3, inputs=2, depth=2, only=[make("relu")])
    for bad in (torch.inf, torch.nan):
        box = double(-1.0, -1.0)[None], torch.tensor([[1.0, bad]], dtype=torch.float64)
        engine = engine_of(network, kernels)
        intervals = [
            (torch.full((1, n.size), -torch.inf).double(), torch.full((1, n.size), torch.inf).double())
            for n in network.nodes
        ]
        rows = some_rows(network, 0, 1)
        bound = certify(engine.relaxed(intervals).exact, rows, box, {}).bound
        reached = rows.matrix.abs().sum(-1) > 0
        assert bool((bound[reached] == -torch.inf).all())
        assert not bool(bound.isnan().any())
