"""Certified bounds hold over the reals: compared with rational arithmetic where float64 cancels."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

from genbab.bounds import Objective, Rows, certify, forward, optimise, propagate
from genbab.bounds import Steps as Effort
from genbab.network import Affine, Dense, Identity, Input, Network, Node
from genbab.network.roundoff import magnitude

from .exact import (
    cancelling,
    double,
    least,
    linear_form,
    output_rows,
    rational,
    relaxed,
    values,
)

COUNT = 30
"""Networks per test; multiply it for a long run."""


@pytest.mark.parametrize("seed", range(COUNT))
def test_linear_networks_lie_above_their_bounds(seed: int) -> None:
    """Every row, its form, and the intervals of every node, against the exact minimum."""
    network, box = cancelling(seed, relu=False)
    matrix, constant = linear_form(network)
    low, high = rational(box[0][0]), rational(box[1][0])
    floor = [least(row, low, high) + c for row, c in zip(matrix, constant, strict=True)]
    ceiling = [-least(-row, low, high) + c for row, c in zip(matrix, constant, strict=True)]
    relaxation = relaxed(network, box)
    largest = max(float(magnitude(i).max()) for i in relaxation.intervals)
    known = certify(relaxation, output_rows(network), box, {})
    bound, form, base = known.bound, known.form, known.constant
    wanted = floor + [-c for c in ceiling]
    signed = np.concatenate([matrix, -matrix]), np.concatenate([constant, -constant])
    for s, exact in enumerate(wanted):
        assert Fraction(float(bound[0, s])) <= exact
        rest = signed[0][s] - rational(form[0, s])
        assert least(rest, low, high) + signed[1][s] >= Fraction(float(base[0, s]))
        assert float(exact) - float(bound[0, s]) <= 1e-11 * largest
    for method in (propagate, forward):
        lower, upper = method(network, box)[network.output]
        for o in range(network.output_size):
            assert Fraction(float(lower[0, o])) <= floor[o] and ceiling[o] <= Fraction(float(upper[0, o]))


@pytest.mark.parametrize("optimised", (False, True))
@pytest.mark.parametrize("seed", range(COUNT // 2))
def test_relu_networks_lie_above_their_forms(seed: int, optimised: bool) -> None:
    network, box = cancelling(seed, relu=True)
    relaxation, rows = relaxed(network, box), output_rows(network)
    starts = optimise(relaxation, Objective(rows, box), Effort(3)).starts if optimised else {}
    found = certify(relaxation, rows, box, starts)
    bound, form, base = found.bound, found.form, found.constant
    low, high = rational(box[0][0]), rational(box[1][0])
    random = np.random.default_rng(seed)
    form_exact, base_exact = rational(form[0]), rational(base[0])
    for k in range(12):
        part = rational(torch.from_numpy(random.integers(0, 2 if k < 8 else 9, size=low.shape) / 8.0))
        part = part * 8 if k < 8 else part
        x = low + part * (high - low)
        known = values(network, x)
        y = known[network.output]
        row = np.concatenate([y, -y])
        assert (form_exact.dot(x) + base_exact <= row).all()
        assert all(Fraction(float(b)) <= r for b, r in zip(bound[0], row, strict=True))
        for i, (lower, upper) in enumerate(relaxation.intervals):
            assert (rational(lower[0]) <= known[i]).all() and (known[i] <= rational(upper[0])).all()


@pytest.mark.parametrize("sign", (1.0, -1.0))
@pytest.mark.parametrize("length", (10, 300))
def test_a_large_constant_swallows_many_small_ones(length: int, sign: float) -> None:
    """y = (x - 1e16) + chain + 1e16, where the chain adds sign·0.99 per node: each is lost beside 1e16."""
    one = Dense(torch.ones(1, 1, dtype=torch.float64))
    nodes: list[Node] = [Input(1), Affine(((0, Identity(1)),), double(-1e16)), Affine((), double(0.0))]
    for _ in range(length):
        nodes.append(Affine(((len(nodes) - 1, one),), double(sign * 0.99)))
    nodes.append(Affine(((len(nodes) - 1, one), (1, Identity(1))), double(1e16)))
    network = Network(tuple(nodes), len(nodes) - 1)
    box = (double(0.0)[None], double(1.0)[None])
    exact = values(network, rational(double(0.0)))[network.output][0]
    bound = certify(relaxed(network, box), output_rows(network), box, {}).bound
    assert Fraction(float(bound[0, 0])) <= exact and Fraction(float(bound[0, 1])) <= -exact - 1


@pytest.mark.parametrize("length", (10, 300))
def test_a_large_coefficient_swallows_many_small_ones(length: int) -> None:
    """y = 1e16 x - 0.99 x - 0.99 x - … - 1e16 x, every term by a node of its own."""
    weights = [-1e16, *[-0.99] * length, 1e16]
    nodes: list[Node] = [Input(1)]
    for weight in weights:
        nodes.append(Affine(((0, Dense(double(weight)[None])),), double(0.0)))
    one = Dense(torch.ones(1, 1, dtype=torch.float64))
    for i in range(1, len(weights)):
        last = len(nodes) - 1 if i > 1 else 1
        nodes.append(Affine(((last, one), (i + 1, one)), double(0.0)))
    network = Network(tuple(nodes), len(nodes) - 1)
    box = (double(1.0)[None], double(1.0)[None])
    exact = values(network, rational(double(1.0)))[network.output][0]
    bound = certify(relaxed(network, box), output_rows(network), box, {}).bound
    assert Fraction(float(bound[0, 0])) <= exact and Fraction(float(bound[0, 1])) <= -exact


def test_rows_on_the_input_cancel_too() -> None:
    """1e8 (y - x) with y = x (1 + 1e-9), one row."""
    network = Network((Input(1), Affine(((0, Dense(double(1 + 1e-9)[None])),), double(0.0))), 1)
    for centre in np.random.default_rng(0).normal(size=COUNT):
        box = (double(centre)[None], double(centre + 1e-7)[None])
        rows = Rows(1, double(1e8)[None, None], double(-1e8)[None, None])
        bound = certify(relaxed(network, box), rows, box, {}).bound
        weight = Fraction(10) ** 8 * (Fraction(1 + 1e-9) - 1)
        exact = min(weight * Fraction(float(end)) for end in box)
        assert Fraction(float(bound)) <= exact and float(exact) - float(bound) < 1e-4


@pytest.mark.parametrize("size", (3, 40))
def test_rows_of_inputs_alone(size: int) -> None:
    """Σ c x with large terms that cancel, where no node takes part."""
    network = Network((Input(size), Affine(((0, Identity(size)),), torch.zeros(size).double())), 1)
    random = np.random.default_rng(size)
    half = random.normal(size=(COUNT, size // 2)) * 10.0 ** random.uniform(0, 8, size=(COUNT, 1))
    on_input = torch.from_numpy(np.concatenate([half, -half, np.ones((COUNT, size % 2))], 1))
    centre = torch.from_numpy(np.concatenate([np.full(size // 2, 1.1)] * 2 + [np.ones(size % 2)]))
    box = (centre[None], centre[None] * (1 + 1e-15))
    rows = Rows(1, torch.zeros(1, COUNT, size, dtype=torch.float64), on_input[None])
    bound = certify(relaxed(network, box), rows, box, {}).bound
    low, high = rational(box[0][0]), rational(box[1][0])
    for row, found in zip(rational(on_input), bound[0], strict=True):
        assert Fraction(float(found)) <= least(row, low, high)
