"""Sums of products as quadratic forms: below the truth, never below the planes, tangent to convex sums."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import Tensor

from genbab.bounds import Interval, Relaxation, Rows, certify
from genbab.bounds.passes.forward import forward_forms
from genbab.bounds.relax.curvature import Curvature, Linearised, _least
from genbab.network import Affine, Dense, Input, Network, Node, Nonlinear
from genbab.nonlinear import Product, make

from .exact import Rationals, double, rational
from .samples import assert_below, boxes, samples, some_rows


def quadratic(seed: int, layers: int = 0, inputs: int = 3, width: int = 4, square: bool = False) -> Network:
    """Random products of affine functions of the inputs, or of tanh layers over them, in two outputs."""
    generator = torch.Generator().manual_seed(seed)

    def affine(source: int, size: int, out: int) -> Affine:
        weight = torch.randn(out, size, generator=generator, dtype=torch.float64)
        return Affine(((source, Dense(weight)),), torch.randn(out, generator=generator, dtype=torch.float64))

    nodes: list[Node] = [Input(inputs)]
    last, size = 0, inputs
    for _ in range(layers):
        nodes.append(affine(last, size, width))
        nodes.append(Nonlinear(make("tanh"), (len(nodes) - 1,), width))
        last, size = len(nodes) - 1, width
    nodes += [affine(last, size, width), affine(last, size, width)]
    first = len(nodes) - 2
    nodes.append(Nonlinear(Product(), (first, first + 1), width))
    terms = [(len(nodes) - 1, Dense(torch.randn(2, width, generator=generator, dtype=torch.float64)))]
    if square:
        nodes.append(Nonlinear(make("power", 2), (first,), width))
        terms.append((len(nodes) - 1, Dense(torch.randn(2, width, generator=generator, dtype=torch.float64))))
    nodes.append(Affine(tuple(terms), torch.zeros(2, dtype=torch.float64)))
    network = Network(tuple(nodes), len(nodes) - 1)
    network.check()
    return network


def relaxations(network: Network, box: Interval) -> tuple[Relaxation, Relaxation]:
    """On the same intervals: product by product, and with what the products add up to."""
    intervals, linear = forward_forms(network, box)
    assert linear is not None
    plain = Relaxation(network, intervals, torch.float64)
    return plain, Relaxation(network, intervals, torch.float64, linear=linear)


def form_of(matrix: Tensor) -> Network:
    """x'Hx written as Σ x_i (Hx)_i."""
    size = matrix.shape[0]
    zero = torch.zeros(size, dtype=torch.float64)
    nodes = (
        Input(size),
        Affine(((0, Dense(torch.eye(size, dtype=torch.float64))),), zero),
        Affine(((0, Dense(matrix)),), zero),
        Nonlinear(Product(), (1, 2), size),
        Affine(((3, Dense(torch.ones(1, size, dtype=torch.float64))),), zero[:1]),
    )
    return Network(nodes, 4)


@pytest.mark.parametrize("radius", (1e-6, 0.1, 0.7, 3.0))
@pytest.mark.parametrize("seed", range(12))
def test_forms_hold_and_are_never_below_those_of_single_products(seed: int, radius: float) -> None:
    network = quadratic(seed, layers=seed % 3, square=seed % 4 > 1)
    box = boxes(seed, network.input_size, 3, radius)
    rows = some_rows(network, seed, 3)
    plain, joint = relaxations(network, box)
    before, after = certify(plain, rows, box, {}), certify(joint, rows, box, {})
    assert_below(after, rows, network, samples(box, 2000), box)
    assert bool((after.bound >= before.bound - 1e-12 * (1 + before.bound.abs())).all())


@pytest.mark.parametrize("seed", range(6))
def test_a_convex_sum_gets_its_tangent_at_the_centre(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    root = torch.randn(4, 4, generator=generator, dtype=torch.float64)
    matrix = root @ root.mT
    network = form_of(matrix)
    box = boxes(seed, 4, 2)
    rows = Rows(network.output, torch.ones(1, 1, 1, dtype=torch.float64))
    plain, joint = relaxations(network, box)
    centre = (box[0] + box[1]) / 2
    value = (centre @ matrix * centre).sum(-1)
    heights = []
    for relaxation in (plain, joint):
        known = certify(relaxation, rows, box, {})
        form, constant = known.form, known.constant
        torch.testing.assert_close(form[:, 0], 2 * centre @ matrix)
        heights.append((form[:, 0] * centre).sum(-1) + constant[:, 0])
    torch.testing.assert_close(heights[1], value, rtol=1e-9, atol=1e-9)
    assert bool((heights[0] < value - 1e-3).all())


def test_the_upper_side_of_a_concave_sum_is_a_tangent_too() -> None:
    network, box = form_of(-torch.eye(3, dtype=torch.float64)), boxes(1, 3, 2)
    rows = Rows(network.output, -torch.ones(1, 1, 1, dtype=torch.float64))
    _, joint = relaxations(network, box)
    known = certify(joint, rows, box, {})
    form, constant = known.form, known.constant
    centre = (box[0] + box[1]) / 2
    torch.testing.assert_close((form[:, 0] * centre).sum(-1) + constant[:, 0], centre.square().sum(-1))


def test_a_saddle_loses_what_its_negative_direction_spans() -> None:
    """2xy = ((x + y)^2 - (x - y)^2) / 2 on |x|, |y| <= 1: its least value is -2."""
    matrix = double(0.0, 1.0, 1.0, 0.0).reshape(2, 2)
    least = float(_least(matrix[None]))
    assert -2.0 - 1e-9 < least <= -2.0


@pytest.mark.parametrize("size", (1, 2, 5, 20))
def test_the_least_value_of_a_form_is_below_every_value(size: int) -> None:
    generator = torch.Generator().manual_seed(size)
    some = torch.randn(50, size, size, generator=generator, dtype=torch.float64)
    matrices = (some + some.mT) * 10.0 ** torch.linspace(-150, 150, 50, dtype=torch.float64)[:, None, None]
    signs = torch.randint(-1, 2, (300, size), generator=generator).double()
    seen = torch.einsum("md,nde,me->nm", signs, matrices, signs).amin(1)
    assert bool((_least(matrices) <= seen).all())


@pytest.mark.parametrize("seed", range(20))
def test_rounding_is_paid_where_large_products_cancel(seed: int) -> None:
    """Products of thousands whose sum is a small square: form and bound against rational arithmetic."""
    random = np.random.default_rng(seed)
    root = random.integers(-3, 4, size=(2, 2)).astype(float)
    skew = 10.0 ** random.uniform(0, 8) * random.normal(size=(2, 2))
    matrix = torch.from_numpy(root @ root.T + skew - skew.T)
    network = form_of(matrix)
    centre = torch.from_numpy(random.normal(size=2) * 10.0 ** random.uniform(-2, 4))
    half = 10.0 ** random.uniform(-9, 0)
    box = ((centre - half)[None], (centre + half)[None])
    _, joint = relaxations(network, box)
    rows = Rows(network.output, double(1.0, -1.0).reshape(1, 2, 1))
    known = certify(joint, rows, box, {})
    bound, form, constant = known.bound, known.form, known.constant
    low, high, exact = rational(box[0][0]), rational(box[1][0]), rational(matrix)
    for k in range(25):
        part = rational(torch.from_numpy(random.integers(0, 9, size=2) / 8.0))
        x: Rationals = low + part * (high - low)
        value = x.dot(exact.dot(x))
        for s, sign in enumerate((1, -1)):
            line = rational(form[0, s]).dot(x) + Fraction(float(constant[0, s]))
            assert line <= sign * value and Fraction(float(bound[0, s])) <= sign * value, k


@pytest.mark.parametrize("seed", range(20))
def test_the_improvement_itself_pays_for_its_rounding(seed: int) -> None:
    """Σ a (p q - planes) of arguments near 1e8, losses of a few ulps of 1e16, against rational arithmetic."""
    random = np.random.default_rng(seed)
    count = 6
    slope_p, slope_q = (torch.from_numpy(random.normal(size=(1, 2, count))) for _ in range(2))
    at_p, at_q = (torch.from_numpy(1e8 * random.normal(size=(1, count))) for _ in range(2))
    a = torch.from_numpy(random.normal(size=(1, 1, count)))
    radius = torch.full((1, 2), 1e-3, dtype=torch.float64)
    none = torch.zeros_like(at_p)
    known = Linearised(
        torch.arange(2), radius, {1: slope_p, 2: slope_q}, {1: at_p, 2: at_q}, {1: none, 2: none}
    )
    for loss in (0.0, 1.0, 4.0, 16.0, 1e3):
        intercept = (-at_p * at_q)[:, None] - loss * torch.sign(a)
        curved = Curvature(known)
        curved.add((1, 2), a, (at_q[:, None], at_p[:, None]), intercept)
        found = float(curved.improvement())
        t = rational(torch.from_numpy(random.choice([-1e-3, 1e-3], size=2)))
        p = rational(slope_p[0]).T.dot(t) + rational(at_p[0])
        q = rational(slope_q[0]).T.dot(t) + rational(at_q[0])
        planes = rational(at_q[0]) * p + rational(at_p[0]) * q + rational(intercept[0, 0])
        assert found == 0.0 or Fraction(found) <= rational(a[0, 0]).dot(p * q - planes)


def test_shares_name_the_inputs_that_bend_a_row() -> None:
    """x0·x1 + 5 x2: the third input takes no part in the product."""
    network = form_of(double(0, 1, 0, 1, 0, 0, 0, 0, 0).reshape(3, 3))
    box = boxes(3, 3, 2)
    _, joint = relaxations(network, box)
    rows = Rows(network.output, torch.ones(1, 1, 1, dtype=torch.float64), double(0, 0, 5)[None, None])
    curved = certify(joint, rows, box, {}).curvature
    assert curved is not None
    assert bool((curved[..., :2] > 0).all()) and not bool(curved[..., 2].any())


def test_inputs_that_do_not_vary_and_infinite_ones() -> None:
    network = quadratic(5)
    low, high = (end.clone() for end in boxes(5, network.input_size, 2))
    low[:, 1] = high[:, 1]
    rows = some_rows(network, 4, 2)
    _, joint = relaxations(network, (low, high))
    found = certify(joint, rows, (low, high), {})
    assert_below(found, rows, network, samples((low, high), 500), (low, high))
    low[0, 0] = -torch.inf
    intervals, linear = forward_forms(network, (low, high))
    wide = Relaxation(network, intervals, torch.float64, linear=linear)
    assert not bool(certify(wide, rows, (low, high), {}).bound.isnan().any())
