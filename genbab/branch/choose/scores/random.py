"""Chance: what any score should beat."""

from __future__ import annotations

import torch
from torch import Tensor

from genbab.branch.choose.score import NamedScore, Score
from genbab.branch.choose.view import DomainView


def random_score(seed: int) -> Score:
    """Random numbers in [0, 1)."""
    generator = torch.Generator().manual_seed(seed)

    def score(view: DomainView) -> dict[int, Tensor]:
        return {
            i: torch.rand(low.shape, generator=generator, dtype=torch.float64).to(low.device)
            for i, (low, _) in ((i, view.domains.hidden[i]) for i in view.nodes)
        }

    return score


SCORE = NamedScore(lambda given: random_score(given.seed), gains=False)
