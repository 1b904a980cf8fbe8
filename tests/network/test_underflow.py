"""Weights whose product is below every float64 number are no zeros: what they read still counts."""

from __future__ import annotations

import torch

from genbab.network import (
    Affine,
    Compose,
    Diagonal,
    Identity,
    Input,
    LinearMap,
    Network,
    Nonlinear,
    output_neurons,
)
from genbab.network.interval import propagate
from genbab.nonlinear import make

F64 = torch.float64


def vanishing() -> LinearMap:
    """1e-400 x, which float64 can say in two steps only."""
    tiny = Diagonal(torch.tensor([1e-200], dtype=F64))
    return Compose((tiny, tiny))


def test_an_infinite_end_reaches_through_them() -> None:
    """1e-400 · exp(1000) is about 2e34."""
    product = Affine(((1, vanishing()),), torch.zeros(1, dtype=F64))
    network = Network((Input(1), Nonlinear(make("exp"), (0,), 1), product), 2)
    box = torch.tensor([[700.0]], dtype=F64), torch.tensor([[1000.0]], dtype=F64)
    assert float(propagate(network, box)[2][1]) > 1e34


def test_an_output_of_two_numbers_is_not_one_of_them() -> None:
    zero = torch.zeros(1, dtype=F64)
    plain = Affine(((1, Identity(1)),), zero)
    mixed = Affine(((1, Identity(1)), (0, vanishing())), zero)
    nodes = (Input(1), Nonlinear(make("relu"), (0,), 1))
    assert output_neurons(Network((*nodes, plain), 2))
    assert not output_neurons(Network((*nodes, mixed), 2))
