"""The attack on the zoo finds the least radius where that is known, and none where nothing breaks a claim."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from zoo.family import Claim, keeps_class, stays_within
from zoo.search import Question, broken, smallest_broken

CENTRE = torch.full((6,), 0.5, dtype=torch.float64)


def linear(seed: int) -> nn.Linear:
    torch.manual_seed(seed)
    return nn.Linear(6, 4, dtype=torch.float64).requires_grad_(False)


@pytest.mark.parametrize("seed", range(5))
def test_least_radius_of_a_linear_module_is_found_and_not_undercut(seed: int) -> None:
    """A row falls by at most radius times the sum of its coefficients, and by that at a corner."""
    model = linear(seed)
    outputs = model(CENTRE[None])[0]
    claim = keeps_class(outputs, outputs.argmax())
    slopes = (claim.rows.double() @ model.weight).abs().sum(1)
    least = float((claim.room(outputs[None])[0] / slopes).min())
    found = smallest_broken(Question(model, claim, CENTRE, (-9.0, 9.0)), 20)
    assert least <= found * (1 + 1e-9) and found <= 1.03 * least


def test_nothing_is_found_where_the_claim_is_true_of_every_input() -> None:
    model = nn.Sequential(linear(0), nn.Tanh())
    claim = stays_within(3.0)(model(CENTRE[None])[0], torch.zeros(()))
    assert smallest_broken(Question(model, claim, CENTRE, (0.0, 1.0)), 8) == float("inf")


def test_what_is_found_lies_in_the_box_and_breaks_the_claim() -> None:
    model, limit = linear(1), torch.ones(1)
    claim = Claim("the sum stays low", torch.ones(1, 4), model(CENTRE[None]).sum(1).float() + 0.01 * limit)
    asked = Question(model, claim, CENTRE, (0.45, 1.0))
    point = broken(asked, 0.2, 8)
    assert point is not None and float(claim.room(model(point[None])).min()) <= 0
    assert float(point.min()) >= 0.45 and float((point - CENTRE).abs().max()) <= 0.2 + 1e-12
