"""The true value of a node lies in the interval that the simplified network gives at a point, always."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import pytest
import torch
from torch import Tensor

from genbab.network import (
    Adjoint,
    Affine,
    Compose,
    Dense,
    Diagonal,
    Identity,
    Index,
    Input,
    LinearMap,
    Network,
    Node,
    simplify,
)
from genbab.network.interval import propagate
from genbab.network.maps.roundings import UNIT
from genbab.network.uncertainty import Uncertainty

F64 = torch.float64
SIZE = 4
Row = list[Fraction]


def numbers(generator: torch.Generator, *shape: int) -> Tensor:
    """Numbers of widely different sizes, many of them float32."""
    exponents = torch.randint(-30, 30, shape, generator=generator)
    drawn = torch.randn(*shape, dtype=F64, generator=generator) * torch.pow(
        torch.tensor(2.0, dtype=F64), exponents
    )
    short = torch.rand(*shape, generator=generator) < 0.5
    return torch.where(short, drawn.float().double(), drawn)


def random_map(generator: torch.Generator) -> LinearMap:
    kind = int(torch.randint(4, (), generator=generator))
    if kind == 0:
        return Dense(numbers(generator, SIZE, SIZE))
    if kind == 1:
        return Diagonal(numbers(generator, SIZE))
    if kind == 2:
        return Index(torch.randint(-1, SIZE, (SIZE,), generator=generator), SIZE)
    return Identity(SIZE)


def negated(one: LinearMap) -> LinearMap:
    """The map whose sum with the argument is nearly 0: what is left is what was rounded."""
    weight = one.dense()
    return Dense(-weight * (1 + 2.0**-40))


def true_weights(matrix: Tensor, roundings: int, generator: torch.Generator) -> list[Row]:
    """Weights that went through so many roundings, each somewhere within them."""
    moved = 2 * torch.rand(matrix.shape, dtype=F64, generator=generator) - 1
    return [
        [
            Fraction(w) * (1 + Fraction(m) * roundings * Fraction(UNIT))
            for w, m in zip(row, moves, strict=True)
        ]
        for row, moves in zip(matrix.tolist(), moved.tolist(), strict=True)
    ]


def applied(matrix: Sequence[Row], x: Row) -> Row:
    return [sum((w * v for w, v in zip(row, x, strict=True)), Fraction(0)) for row in matrix]


def drawn(seed: int) -> tuple[Network, Tensor, Row]:
    """A chain of affine nodes with skips, a point, and its true outputs."""
    g = torch.Generator().manual_seed(seed)
    x = numbers(g, SIZE)
    nodes: list[Node] = [Input(SIZE)]
    values: list[Row] = [[Fraction(v) for v in x.tolist()]]
    for i in range(1, 7):
        first = random_map(g)
        sources = [(i - 1, first)]
        if int(torch.randint(2, (), generator=g)):
            sources.append((i - 1, negated(first)))
        if int(torch.randint(2, (), generator=g)):
            sources.append((int(torch.randint(i, (), generator=g)), random_map(g)))
        roundings = int(torch.randint(3, (), generator=g))
        bias = numbers(g, SIZE)
        error = numbers(g, SIZE).abs() * 2.0**-40
        uncertainty = Uncertainty(roundings, error if int(torch.randint(2, (), generator=g)) else None)
        value = [row[0] for row in true_weights(bias[:, None], roundings, g)]
        for source, one in sources:
            image = applied(true_weights(one.dense(), roundings, g), values[source])
            value = [a + b for a, b in zip(value, image, strict=True)]
        if uncertainty.constant is not None:
            shares = torch.rand(SIZE, dtype=F64, generator=g).tolist()
            value = [
                v + Fraction(s) * Fraction(e) for v, s, e in zip(value, shares, error.tolist(), strict=True)
            ]
        nodes.append(Affine(tuple(sources), bias, uncertainty))
        values.append(value)
    return Network(tuple(nodes), len(nodes) - 1), x[None], values[-1]


def missed(network: Network, x: Tensor, truth: Row) -> list[float]:
    low, high = propagate(network, (x, x))[network.output]
    ends = zip(low[0].tolist(), high[0].tolist(), truth, strict=True)
    return [float(y) for a, b, y in ends if not Fraction(a) <= y <= Fraction(b)]


@pytest.mark.parametrize("part", range(4))
def test_merged_nodes_enclose_the_true_values(part: int) -> None:
    for seed in range(75 * part, 75 * part + 75):
        network, x, truth = drawn(seed)
        assert not missed(network, x, truth)
        assert not missed(simplify(network), x, truth), f"seed {seed}"


def test_merging_costs_little_where_nothing_cancels() -> None:
    g = torch.Generator().manual_seed(3)
    layers = [Dense(torch.rand(SIZE, SIZE, dtype=F64, generator=g)) for _ in range(4)]
    bias = torch.rand(SIZE, dtype=F64, generator=g)
    nodes: list[Node] = [Input(SIZE), *(Affine(((i, one),), bias) for i, one in enumerate(layers))]
    made = simplify(Network(tuple(nodes), len(nodes) - 1))
    assert len(made.nodes) == 2
    x = torch.rand(1, SIZE, dtype=F64, generator=g)
    low, high = propagate(made, (x, x))[made.output]
    assert bool((high - low <= 1e-12 * high).all())


def test_products_that_leave_the_range_of_float64_stay_apart() -> None:
    for factor in (2.0**-600, 2.0**600):
        scale = Diagonal(torch.tensor([factor], dtype=F64))
        back = Diagonal(torch.tensor([1.0 / factor], dtype=F64))
        zero = torch.zeros(1, dtype=F64)
        chain = [scale, scale, back, back]
        nodes: list[Node] = [Input(1), *(Affine(((i, one),), zero) for i, one in enumerate(chain))]
        network = Network(tuple(nodes), len(chain))
        x = torch.tensor([[0.7]], dtype=F64)
        for one in (network, simplify(network)):
            low, high = propagate(one, (x, x))[one.output]
            assert float(low) <= 0.7 <= float(high)


@pytest.mark.parametrize("small", (1e-200, 1e-300, 5e-324))
def test_what_is_unbounded_stays_so_where_products_of_weights_underflow(small: float) -> None:
    """1e430·x is infinite in float64, and (1e430·x)·1e-430 is x again: no bound may forget that."""
    great, little = (torch.full((2,), value, dtype=F64) for value in (1e215, small))
    large = Compose((Diagonal(great), Diagonal(great)))
    tiny = Compose((Diagonal(little), Dense(little.repeat(2, 1))))
    for maps in (tiny, Adjoint(tiny)):
        zero, x = torch.zeros(2, dtype=F64), torch.ones(1, 2, dtype=F64)
        network = Network((Input(2), Affine(((0, large),), zero), Affine(((1, maps),), zero)), 2)
        low, high = propagate(network, (-x, x))[2]
        assert bool((low == -torch.inf).all() and (high == torch.inf).all())
        assert bool(maps.reached(torch.tensor([True, False])).all())
        assert not bool(maps.reached(torch.tensor([False, False])).any())
