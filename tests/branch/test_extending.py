"""The score that docs/extending.md adds keeps what scores promise."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from genbab.branch.choose.score import NamedScore, Scoring
from genbab.branch.choose.scores.line import line_score
from tests.branch.rooted import SEEDS, seen

PAGE = Path(__file__).resolve().parents[2] / "docs" / "extending.md"
FILE = "genbab/branch/choose/scores/even.py"


def added() -> NamedScore:
    """The `SCORE` of the file on the page."""
    found = re.search(rf'```py title="{FILE}"\n(.*?)^```$', PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert found is not None
    names: dict[str, object] = {}
    exec(compile(found.group(1), FILE, "exec"), names)
    score = names["SCORE"]
    assert isinstance(score, NamedScore)
    return score


@pytest.mark.parametrize("seed", SEEDS)
def test_the_score_on_the_page_is_one(seed: int) -> None:
    view, forms, engine, root = seen(seed, boxes=2)
    score = added().make(Scoring(engine, root, forms))
    found, line = score(view), line_score(view)
    for node, value in found.items():
        assert value.shape == line[node].shape
        assert bool((value >= 0).all()) and bool(value.isfinite().all())
        assert bool((value <= line[node] + 1e-12).all())
    decided = replace(view, margins=torch.ones_like(view.margins))
    assert all(not bool(value.any()) for value in score(decided).values())
