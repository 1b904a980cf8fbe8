"""Whatever neuron is split, and wherever: verdicts are true."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import pytest
import torch

from genbab.api import verify
from genbab.branch.open.domains import Domains, Splits
from genbab.branch.tally import Tally, gained
from genbab.config import Config, Score
from genbab.problem import Query
from tests.test_driver import SECONDS, random_spec, tiny


@pytest.fixture(scope="module")
def cases() -> Iterator[list[tuple[Any, Any, bool | None]]]:
    """(model, spec, whether a grid finds a violation; None: too close to tell)."""
    made = []
    for seed in range(4):
        model, network = tiny(seed)
        made.append((model, *random_spec(seed + 50, network)))
    yield made


@pytest.mark.parametrize("score", get_args(Score))
def test_every_score_gives_the_verdict_of_a_grid(
    score: Any, cases: list[tuple[Any, Any, bool | None]]
) -> None:
    for point in ("middle", "table"):
        decided = 0
        for model, spec, violated in cases:
            config = Config(timeout=SECONDS, branching="neuron", branching_score=score, branching_point=point)
            result = verify(model, spec, config)
            if violated is not None:
                assert result.verdict != ("verified" if violated else "falsified"), result.reason
            decided += result.verdict in ("verified", "falsified")
        assert decided >= len(cases) - 1


def test_the_tally_compares_what_was_said_with_what_came() -> None:
    """Two splits: children gain 1 and 4 (mean 2.25), and 0 and 1 (0.25); a third has an empty child."""
    inf = float("inf")
    zero = torch.zeros(3, 0, dtype=torch.float64)
    query = Query(
        zero, zero, torch.zeros(3, 1, 1), None, torch.zeros(3, 1), torch.zeros(3, 1, dtype=torch.long)
    )
    said = torch.tensor([2.0, 1.0, 9.0], dtype=torch.float64)
    depth = torch.zeros(3, dtype=torch.long)
    splits = Splits(depth, depth, said, said)
    parents = Domains(query, torch.full((3,), -5.0, dtype=torch.float64), depth, splits)
    children = Domains(query, torch.tensor([-4.0, -5.0, inf, -1.0, -4.0, -1.0], dtype=torch.float64), depth)
    tally = Tally()
    assert tally.summary() == {}
    tally.add(gained(parents, children))
    tally.add(gained(parents.take(torch.tensor([], dtype=torch.long)), children))
    found = tally.summary()
    assert found == {"gain predicted": 1.5, "gain realised": 1.25, "gain correlation": 1.0}
