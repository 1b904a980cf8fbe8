"""What is said of nodes for all inputs holds for all inputs, and maps read what they are said to read."""

from __future__ import annotations

import pytest
import torch

from genbab.network import (
    Adjoint,
    Affine,
    Compose,
    Conv,
    Dense,
    Diagonal,
    Identity,
    Index,
    LinearMap,
    TokenDense,
    values,
)
from genbab.network.maps.structure import read_by
from genbab.reader.domains.everywhere import ranges
from tests.soundness.graphs import random_network


@pytest.mark.parametrize("seed", range(40))
def test_ranges_hold_everywhere(seed: int) -> None:
    network = random_network(seed)
    found = ranges(network, set(range(len(network.nodes))))
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(400, network.input_size, generator=generator, dtype=torch.float64)
    x = x * torch.tensor([0.1, 1.0, 10.0, 100.0], dtype=torch.float64).repeat(100)[:, None]
    for i, value in enumerate(values(network, x)):
        low, high = found[i]
        known = torch.isfinite(value)
        size = 1e-9 * (1.0 + value.abs())
        assert bool(((value >= low - size) | ~known).all()), network.name(i)
        assert bool(((value <= high + size) | ~known).all()), network.name(i)


def test_sums_of_what_is_above_zero_are_above_zero() -> None:
    from genbab.network import Input, Network, Nonlinear
    from genbab.nonlinear import make

    ones, mixed = torch.ones(1, 2).double(), torch.tensor([[1.0, -1.0]]).double()
    nodes = (
        Input(2),
        Nonlinear(make("exp"), (0,), 2),
        Affine(((1, Dense(ones)),), torch.zeros(1).double()),
        Affine(((1, Dense(-ones)),), torch.zeros(1).double()),
        Affine(((1, Dense(mixed)),), torch.ones(1).double()),
        Nonlinear(make("reciprocal"), (2,), 1),
        Affine(((1, Dense(ones)), (0, Dense(0.0 * ones))), torch.zeros(1).double()),
    )
    found = ranges(Network(nodes, 6), set(range(7)))
    assert [bool(found[i][0].min() > 0) for i in range(7)] == [False, True, True, False, False, True, True]
    assert bool(found[3][1].max() < 0)


MAPS: dict[str, LinearMap] = {
    "dense": Dense(torch.tensor([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]]).double()),
    "diagonal": Diagonal(torch.tensor([0.0, 1.0, 2.0]).double()),
    "identity": Identity(3),
    "index": Index(torch.tensor([2, -1, 0, 0]), 3),
    "sum": Adjoint(Index(torch.tensor([0, 1, 0]), 2)),
    "tokens": TokenDense(torch.zeros(1, 2, 3).double(), 1, 2),
    "convolution": Conv(torch.zeros(1, 1, 2).double(), (1, 4), (1, 3), (1,), (0,), (1,), 1),
    "transposed": Adjoint(Conv(torch.zeros(1, 1, 2).double(), (1, 4), (1, 3), (1,), (0,), (1,), 1)),
    "chain": Compose((Index(torch.tensor([1, 0]), 2), Diagonal(torch.zeros(2).double()))),
}
READ = {
    "dense": [[0, 1], [0, 1], [0, 1]],
    "diagonal": [[0], [1], [2]],
    "identity": [[0], [1], [2]],
    "index": [[2], [], [0], [0]],
    "sum": [[0, 2], [1]],
    "tokens": [[0, 1]] * 3 + [[2, 3]] * 3,
    "convolution": [[0, 1], [1, 2], [2, 3]],
    "transposed": [[0], [0, 1], [1, 2], [2]],
    "chain": [[1], [0]],
}


@pytest.mark.parametrize("name", MAPS)
def test_what_is_read_does_not_depend_on_weights(name: str) -> None:
    one = MAPS[name]
    read = read_by(one, torch.eye(one.out_size, dtype=torch.bool))
    assert [row.nonzero().reshape(-1).tolist() for row in read] == READ[name]
