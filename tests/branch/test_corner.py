"""Where an attack from a domain starts: at the corner that its own bound points to."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from genbab.branch.cut.conjunction import minimiser
from genbab.problem import Query


def query(seed: int, rows: int, clauses: list[int]) -> tuple[Query, Tensor, Tensor]:
    """A query of 5 boxes with 3 inputs, forms below its rows, and their least values less the right side."""
    random = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=random, dtype=torch.float64)

    low = draw(5, 3)
    high = low + draw(5, 3).abs()
    form, constant = draw(5, rows, 3), draw(5, rows)
    form[0, :, 1] = 0.0
    clause = torch.tensor(clauses).expand(5, -1)
    made = Query(low, high, draw(5, rows, 2), None, draw(5, rows), clause)
    least = torch.where(form > 0, form * low[:, None], form * high[:, None]).sum(-1) + constant
    return made, form, made.margins(least)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("clauses", [[0], [0, 0, 1, 1], [2, 1, 0], [0, 1, 1, -1]], ids=str)
def test_the_corner_attains_the_bound_of_the_least_refuted_clause(seed: int, clauses: list[int]) -> None:
    boxes, form, margins = query(seed, len(clauses), clauses)
    corner = minimiser(boxes, margins, form)
    assert bool(((boxes.lower <= corner) & (corner <= boxes.upper)).all())
    worst = boxes.worst(margins)
    for b in range(5):
        rows = [s for s in range(len(clauses)) if clauses[s] >= 0 and float(margins[b, s]) == float(worst[b])]
        ends = [(float(boxes.lower[b, d]), float(boxes.upper[b, d])) for d in range(3)]
        corners = torch.tensor(list(itertools.product(*ends)), dtype=torch.float64)
        least = [(form[b, s] * corners).sum(-1).min() for s in rows]
        assert any(
            abs(float(form[b, s] @ corner[b] - one)) < 1e-9 for s, one in zip(rows, least, strict=True)
        )


def test_no_number_points_nowhere() -> None:
    boxes, form, margins = query(0, 2, [0, 1])
    form[1], margins[1] = torch.nan, -torch.inf
    corner = minimiser(boxes, margins, form)
    assert bool(corner.isfinite().all())
