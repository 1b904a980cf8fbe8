"""Bounds and attack share the time: none waits for the other longer than it worked, but for one round."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest
import torch

from genbab.attack import FULL, AttackEffort, Challenge
from genbab.branch import Domains
from genbab.driver.endings import Hopeless
from genbab.driver.turns import DIVES, LATE, Turns
from genbab.problem import Query
from genbab.system.clock import WorkClock


class Fake:
    """An attack that takes `cost` seconds a round and finds nothing."""

    hopeless = ""

    def __init__(self, clock: WorkClock, cost: float) -> None:
        self.clock, self.cost, self.efforts = clock, cost, list[AttackEffort]()

    def attack(self, effort: AttackEffort, clauses: Sequence[int] | None, share: float) -> None:
        self.clock.worked(lambda: self.cost)
        self.efforts.append(effort)


@pytest.fixture
def clock() -> WorkClock:
    """Time that passes only when somebody works."""
    return WorkClock()


def players(clock: WorkClock, cost: float) -> tuple[Fake, Turns]:
    fake = Fake(clock, cost)
    return fake, Turns(cast(Challenge, cast(Any, fake)), clock)


@pytest.mark.parametrize("cost", [0.01, 0.3, 7.0])
@pytest.mark.parametrize("work", [0.05, 1.0, 20.0])
def test_attacks_take_no_more_than_bounds_and_one_round(clock: WorkClock, cost: float, work: float) -> None:
    fake, both = players(clock, cost)
    for _ in range(200):
        clock.worked(lambda: work)
        both.take([0])
        assert both.taken <= clock.now() - both.taken + cost + 1e-9
        late = max(FULL.rounds * cost, LATE * (clock.now() - both.taken)) + cost + 1e-9
        assert both.taken <= late
    numbers = [effort.first for effort in fake.efforts]
    assert numbers == list(range(len(numbers))) and all(effort.rounds == 1 for effort in fake.efforts)
    assert len(numbers) >= min(FULL.rounds, 200 * work / cost / 2)


def test_nothing_is_played_before_anything_else_worked(clock: WorkClock) -> None:
    fake, both = players(clock, 1.0)
    both.attack(FULL)
    both.take([0])
    assert len(fake.efforts) == 1 and not both.due()
    clock.worked(lambda: 1.0)
    both.take([0])
    assert len(fake.efforts) == 2


def test_an_attack_that_does_nothing_comes_to_an_end(clock: WorkClock) -> None:
    fake, both = players(clock, 0.0)
    both.take([])
    assert 0 < len(fake.efforts) <= FULL.rounds


def test_other_clauses_begin_anew(clock: WorkClock) -> None:
    fake, both = players(clock, 1e-3)
    clock.worked(lambda: 1.0)
    both.take([0])
    assert len(fake.efforts) == FULL.rounds
    both.restart()
    both.take([1])
    assert [e.first for e in fake.efforts] == [*range(FULL.rounds)] * 2


class Refined:
    """A challenge that notes what it is asked, and may know that nothing can be proved."""

    def __init__(self, hopeless: str) -> None:
        self.hopeless, self.starts, self.clauses = hopeless, torch.zeros(0), list[int]()

    def refine(self, starts: torch.Tensor, clauses: list[int]) -> None:
        self.starts, self.clauses = starts, clauses

    def attack(self, effort: AttackEffort, clauses: Sequence[int] | None, share: float) -> None:
        assert clauses is not None


@pytest.mark.parametrize("count", [1, DIVES, 3 * DIVES])
@pytest.mark.parametrize("hopeless", ["", "equality"])
def test_descents_start_in_the_least_refuted_domains(clock: WorkClock, count: int, hopeless: str) -> None:
    low = torch.rand(count, 3, generator=torch.Generator().manual_seed(count), dtype=torch.float64)
    bound, clause = -low[:, 0], torch.arange(count)[:, None]
    query = Query(low, low + 1, torch.ones(count, 1, 1), None, torch.zeros(count, 1), clause)
    domains = Domains(query, bound, torch.zeros(count, dtype=torch.long), corner=low)
    challenge = Refined(hopeless)
    both = Turns(cast(Challenge, cast(Any, challenge)), clock)
    if hopeless:
        with pytest.raises(Hopeless, match=hopeless):
            both.falsify(domains)
    else:
        assert not both.falsify(domains)
    worst = set(bound.argsort()[:DIVES].tolist())
    assert set(challenge.clauses) == worst and len(challenge.starts) == len(challenge.clauses)
    for start, number in zip(challenge.starts, challenge.clauses, strict=True):
        assert bool(((low[number] <= start) & (start <= low[number] + 1)).all())


@pytest.mark.parametrize("count", [1, 2, 3])
def test_processes_apart_go_on_with_the_account_and_share_the_rounds(clock: WorkClock, count: int) -> None:
    _, whole = players(clock, 1.0)
    whole.attack(FULL)
    clock.worked(lambda: 0.5)
    parts = [whole.apart(place, count) for place in range(count)]
    assert not any(part.due() for part in parts), "what was attacked before counts for all"
    clock.worked(lambda: 1000.0)
    scouted: list[list[int]] = []
    firsts: list[int] = []
    for part in parts:
        fake = Fake(clock, 1e-3)
        part.challenge = cast(Challenge, cast(Any, fake))
        scout = part.scouting([0])
        while scout is not None and scout():
            pass
        scouted.append([effort.first for effort in fake.efforts])
        part.take([0])
        firsts += [effort.first for effort in fake.efforts]
    full = list(range(FULL.rounds))
    assert scouted == [[] for _ in range(count - 1)] + [full if count > 1 else []], "the last one goes first"
    assert len(firsts) == len(set(firsts)) > len(full) - 1, "no two have the same random points"


def test_no_round_is_due_while_others_may_be_there_soon(clock: WorkClock) -> None:
    _, turns = players(clock, 1.0)
    clock.worked(lambda: 5.0)
    with turns.held() as attack:
        assert not turns.due()
        attack()
        assert turns.due(), "nobody came"
    with pytest.raises(KeyError), turns.held():
        raise KeyError
    assert turns.due()
