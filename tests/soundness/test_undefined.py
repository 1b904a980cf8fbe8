"""Law: a box that holds a point at which the file's graph has no value is never called verified."""

from __future__ import annotations

import pytest

from genbab import Config, verify
from genbab.driver.undefined import Undefined
from genbab.errors import ModelError
from genbab.result import Verdict
from tests.soundness.undefined import question

SEEDS, BLOCK = 80, 10
SECONDS = 0.6


@pytest.mark.parametrize("first", range(0, SEEDS, BLOCK))
def test_what_is_undefined_somewhere_is_never_verified(first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Undefined, "_sampled", lambda self: "")  # bounds alone
    for seed in range(first, first + BLOCK):
        asked = question(seed)
        if asked.whole:
            continue
        try:
            result = verify(
                asked.model.SerializeToString(), asked.spec, Config(attack_restarts=0, timeout=SECONDS)
            )
        except ModelError:  # a branch of Where that nothing is known of
            continue
        assert result.verdict is not Verdict.VERIFIED, seed


def test_the_law_is_about_something() -> None:
    kinds = [(asked.whole, asked.safe) for asked in map(question, range(SEEDS))]
    assert 20 <= sum(not whole for whole, _ in kinds) <= SEEDS - 20
    assert sum(safe for _, safe in kinds) >= 20
