"""Both ends of a backward pass: what it begins with, and the least of what it ends with."""

from __future__ import annotations

import torch

from genbab.bounds import Relaxation, Rows, certify
from genbab.network import Affine, Dense, Input, Network
from genbab.network.interval import propagate


def test_rows_of_the_input_itself_and_of_the_input_beside_add_up() -> None:
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(3, 3, generator=generator, dtype=torch.float64)
    network = Network((Input(3), Affine(((0, Dense(weight)),), torch.zeros(3, dtype=torch.float64))), 1)
    box = -torch.ones(1, 3, dtype=torch.float64), torch.ones(1, 3, dtype=torch.float64)
    relaxation = Relaxation(network, propagate(network, box), torch.float64)
    own, beside = (torch.randn(1, 4, 3, generator=generator, dtype=torch.float64) for _ in range(2))
    known = certify(relaxation, Rows(0, own, beside), box, {})
    least = -(own + beside).abs().sum(-1)
    assert bool((known.bound <= least).all()) and torch.allclose(known.bound, least, atol=1e-9)
