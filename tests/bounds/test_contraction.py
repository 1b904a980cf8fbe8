"""Passes through matrix products of two variable tensors are those through their elementwise products."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from genbab.bounds import Interval, Relaxation, Rows, certify, propagate
from genbab.bounds.relax.contraction import contracted
from genbab.network import Affine, Dense, Network, Nonlinear, contractions
from genbab.network.computed.values import evaluate, values
from genbab.network.uncertainty import Uncertainty
from genbab.nonlinear import Product
from genbab.reader.lower.algebra.linear import matmul
from genbab.reader.tensors.builder import Builder
from genbab.reader.tensors.values import Var

from .exact import Rationals, rational
from .samples import parts

F64 = torch.float64
SHAPES = (
    ((2, 3, 4), (2, 4, 5)),
    ((3, 4), (4, 2)),
    ((1, 4), (4, 3)),
    ((3, 2), (2, 1)),
    ((2, 2, 3), (1, 3, 2)),
    ((1, 2, 3), (2, 3, 2)),
)
"""Shapes of the factors; in the last two one of them is broadcast."""


def network_of(seed: int, shapes: tuple[tuple[int, ...], ...], scale: float = 1.0) -> Network:
    """Affine maps of three inputs, multiplied as matrices; the outputs are random sums of the product. A
    scale makes factors of large numbers whose products nearly cancel in the outputs.
    """
    generator = torch.Generator().manual_seed(seed)
    b = Builder(3)
    factors = []
    for shape in shapes:
        size = int(np.prod(shape))
        weight = torch.randn(size, 3, generator=generator, dtype=F64)
        bias = scale * torch.randn(size, generator=generator, dtype=F64)
        factors.append(b.affine(shape, [(0, Dense(weight))], bias.numpy().reshape(shape)))
    made = matmul(b, factors[0], factors[1])
    assert isinstance(made, Var)
    last = torch.randn(2, made.size, generator=generator, dtype=F64)
    out = b.affine((2,), [(made.node, Dense(last - last.mean(1, keepdim=True)))])
    return b.network(out.node)


def setting(
    network: Network, seed: int, batch: int = 2, width: float = 1.0
) -> tuple[Interval, Relaxation, Rows]:
    """(boxes, relaxation on the intervals of interval arithmetic, rows of the outputs)."""
    generator = torch.Generator().manual_seed(seed)
    low = torch.randn(batch, 3, generator=generator, dtype=F64)
    box = low, low + width * torch.rand(batch, 3, generator=generator, dtype=F64)
    unit = torch.eye(2, dtype=F64)
    relaxation = Relaxation(network, propagate(network, box), F64)
    return box, relaxation, Rows(network.output, torch.cat([unit, -unit])[None])


@pytest.mark.parametrize("shapes", SHAPES)
@pytest.mark.parametrize("seed", range(3))
def test_a_contracted_pass_finds_the_same(
    seed: int, shapes: tuple[tuple[int, ...], ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    network = network_of(seed, shapes)
    box, relaxation, rows = setting(network, seed)
    (of,) = network.once(contractions).values()
    assert relaxation.contracted(of.node) is not None
    found = certify(relaxation, rows, box, {})
    monkeypatch.setattr(Relaxation, "contracted", lambda self, i: None)
    for mine, other in zip(parts(found), parts(certify(relaxation, rows, box, {})), strict=True):
        assert torch.allclose(mine, other, atol=1e-9)


@pytest.mark.parametrize("scale", (1.0, 1e4, 1e8))
@pytest.mark.parametrize("seed", range(4))
def test_bounds_hold_over_the_reals(seed: int, scale: float) -> None:
    """Forms and bounds against rational arithmetic where float64 cancels."""
    network = network_of(seed, SHAPES[0], scale)
    box, relaxation, rows = setting(network, seed, 1, 1 / scale)
    bound, form, base = (t[0] for t in parts(certify(relaxation, rows, box, {})))
    random = np.random.default_rng(seed)
    low, high = rational(box[0][0]), rational(box[1][0])
    for k in range(12):
        part = np.array([Fraction(int(p), 8) for p in random.integers(0, 9, 3)], dtype=object)
        x = low + (np.round(part.astype(float)).astype(int) if k % 2 else part) * (high - low)
        y = outputs(network, x)
        row = np.concatenate([y, -y])
        assert (rational(form).dot(x) + rational(base) <= row).all()
        assert all(Fraction(float(b)) <= r for b, r in zip(bound, row, strict=True))
        assert float(max(row - [Fraction(float(b)) for b in bound])) < 1e3 + 1e-10 * scale**2


def outputs(network: Network, x: Rationals) -> Rationals:
    """The outputs at x, exactly."""
    known: list[Rationals] = [x]
    for node in network.nodes[1:]:
        if isinstance(node, Affine):
            total = rational(node.bias)
            for source, one in node.terms:
                total = total + rational(one.dense()).dot(known[source])
            known.append(total)
        else:
            first, second = (known[a] for a in network.sources(len(known)))
            known.append(first * second)
    return known[network.output]


def test_copies_that_differ_are_not_contracted() -> None:
    """A split of one copy, or an infinite end, leaves the elementwise products."""
    network = network_of(0, SHAPES[1])
    _, relaxation, _ = setting(network, 0, 1)
    (of,) = network.once(contractions).values()
    left, right = relaxation.intervals[of.left.node], relaxation.intervals[of.right.node]
    assert contracted(of, left, right) is not None
    for value in (float(left[1][0, 0]) - 1e-3, float("inf")):
        high = left[1].clone()
        high[0, 0] = value
        assert contracted(of, (left[0], high), right) is None
        high = right[1].clone()
        high[0, 0] = value
        assert contracted(of, left, (right[0], high)) is None


def test_products_that_are_no_matrix_product_are_left_alone() -> None:
    """Elementwise products that are summed over an axis in which nothing is repeated."""
    b = Builder(3)
    factors = [b.affine((2, 3), [(0, Dense(torch.ones(6, 3, dtype=F64) * (k + 1)))]) for k in (0, 1)]
    made = matmul(b, factors[0], b.gather(factors[1], np.arange(6).reshape(2, 3).T))
    assert isinstance(made, Var)
    other = b.nonlinear(Product(), factors[0], factors[1])
    out = b.affine((1,), [(other.node, Dense(torch.ones(1, 6, dtype=F64)))])
    network = b.network(out.node)
    assert other.node not in network.once(contractions) and made.node - 1 in network.once(contractions)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("side", [0, 1])
def test_copies_of_a_number_that_is_not_known_may_differ(seed: int, side: int) -> None:
    """Every copy at the end of what it may be that is worst for a row of sums that cancel."""
    network = network_of(seed, SHAPES[0])
    (product,) = network.once(contractions)
    node = network.nodes[product]
    assert isinstance(node, Nonlinear)
    operand, other = node.args[side], node.args[1 - side]
    old = network.nodes[operand]
    assert isinstance(old, Affine)
    off = torch.full((old.size,), 1e-3, dtype=F64)

    def replaced(new: Affine) -> Network:
        return replace(network, nodes=(*network.nodes[:operand], new, *network.nodes[operand + 1 :]))

    doubtful = replaced(replace(old, uncertainty=Uncertainty(0, off)))
    assert doubtful.once(contractions)
    box, relaxation, rows = setting(doubtful, seed, batch=1, width=1e-9)
    bound = certify(relaxation, rows, box, {}).bound
    for row in range(rows.matrix.shape[1]):
        pulled, i = rows.matrix[0, row], network.output
        while i != product:
            reader = network.nodes[i]
            assert isinstance(reader, Affine)
            i, pulled = reader.terms[0][0], reader.terms[0][1].pull(pulled)
        worst = -off * torch.sign(pulled * values(network, box[0][0])[other])
        true = evaluate(replaced(replace(old, bias=old.bias + worst)), box[0][0]) @ rows.matrix[0, row]
        assert float(bound[0, row]) <= float(true)
