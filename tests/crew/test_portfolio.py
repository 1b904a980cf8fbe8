"""Portfolios: who decides first ends all, who fails leaves, what none has proved alone is not proved."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch

from genbab.attack import Falsified
from genbab.branch import SearchOutcome, SearchProgress, Status
from genbab.config import Config
from genbab.driver.crew import portfolio as portfolio_module
from genbab.driver.crew.local import LocalMember
from genbab.driver.crew.portfolio import PLANNED, Contender, Portfolio
from genbab.driver.endings import Hopeless
from genbab.driver.ledger import Ledger
from genbab.driver.saved.data import OpenBoxes
from genbab.driver.saved.saver import Saver
from genbab.driver.turns import Turns
from genbab.errors import DeadlineReached, GenbabError, ResourceError
from genbab.result import Counterexample, Progress
from genbab.system.deadline import Deadline

NAN = float("nan")
SearchDone = Callable[[], SearchOutcome]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[LocalMember]:
    """All processes of portfolios."""
    found: list[LocalMember] = []

    class Kept(LocalMember):
        def __init__(self, *given: Any, **more: Any) -> None:
            super().__init__(*given, **more)
            found.append(self)

    monkeypatch.setattr(portfolio_module, "LocalMember", Kept)
    return found


def _ends(status: Status, bound: float = 0.25) -> SearchDone:
    return lambda: SearchOutcome(status, SearchProgress(bound, visited=7))


def _raises(error: BaseException) -> SearchDone:
    def search() -> SearchOutcome:
        raise error

    return search


def _waits() -> SearchOutcome:
    time.sleep(600)
    raise AssertionError("it is ended before")


def _late(search: SearchDone) -> SearchDone:
    """The same, after a while."""

    def later() -> SearchOutcome:
        time.sleep(0.5)
        return search()

    return later


def _dies() -> SearchOutcome:
    os.kill(os.getpid(), signal.SIGKILL)
    return _waits()


def _ledger(seconds: float = 60) -> Ledger:
    return Ledger(Deadline(seconds), lambda progress: None)


def _run(planned: SearchDone, *others: SearchDone, ledger: Ledger | None = None) -> SearchOutcome:
    named = [Contender(f"other {n}", search) for n, search in enumerate(others)]
    turns = cast("Turns", SimpleNamespace(divide=lambda place, count: None))
    saver = cast("Saver", SimpleNamespace(apart=lambda: None))
    return Portfolio(ledger or _ledger(), turns, saver, named).run(planned)


def test_the_first_proof_is_the_outcome_and_ends_all(started: list[LocalMember]) -> None:
    for place in range(3):
        searches: list[SearchDone] = [_waits] * 3
        searches[place] = _ends(Status.VERIFIED, 0.5)
        ledger = _ledger()
        outcome = _run(*searches, ledger=ledger)
        assert outcome.status is Status.VERIFIED and outcome.progress.bound == 0.5
        names = [name for name, facts in ledger.portfolio.items() if facts["decided"]]
        assert names == [[PLANNED, "other 0", "other 1"][place]]
    assert len(started) == 9 and not any(member.process.is_alive() for member in started)


@pytest.mark.parametrize("wrong", [NAN, -1.0, 0.0, -float("inf")])
def test_a_proof_without_a_bound_above_zero_is_none(wrong: float) -> None:
    planned = _late(_ends(Status.VERIFIED, 0.5))
    assert _run(planned, _ends(Status.VERIFIED, wrong)).progress.bound == 0.5
    assert _run(_ends(Status.VERIFIED, wrong), _ends(Status.STUCK)).status is Status.STUCK


@pytest.mark.parametrize(
    "failing",
    [
        _dies,
        _raises(RuntimeError("broken")),
        _raises(MemoryError()),
        _raises(DeadlineReached()),
        _raises(SystemExit(0)),
        _ends(Status.STUCK),
        _ends(Status.MEMORY),
        _ends(Status.FALSIFIED),
    ],
)
def test_who_fails_leaves_and_the_others_go_on(failing: SearchDone) -> None:
    ledger, (seen, gone) = _ledger(), os.pipe()

    def fails() -> SearchOutcome:
        os.write(gone, b"!")
        return failing()

    def proves() -> SearchOutcome:
        os.read(seen, 1)
        return _late(_ends(Status.VERIFIED, 0.5))()

    outcome = _run(proves, fails, ledger=ledger)
    assert outcome.status is Status.VERIFIED and ledger.portfolio["other 0"]["left"]
    outcome = _run(fails, proves)
    for end in (seen, gone):
        os.close(end)
    assert outcome.status is Status.VERIFIED, "the search as planned may fail, too"


def test_when_all_have_left_the_search_as_planned_says_why() -> None:
    outcome = _run(_ends(Status.STUCK, -3.0), _dies, _raises(RuntimeError("broken")), _ends(Status.MEMORY))
    assert outcome.status is Status.STUCK and outcome.progress.bound == -3.0
    with pytest.raises(ResourceError, match="memory may have run out"):
        _run(_dies, _ends(Status.STUCK))
    with pytest.raises(GenbabError, match="broken"):
        _run(_raises(RuntimeError("broken")), _ends(Status.STUCK))


@pytest.mark.parametrize("place", [0, 1])
def test_a_counterexample_of_one_ends_all(place: int, started: list[LocalMember]) -> None:
    example = Counterexample(np.array([0.5]), np.array([-1.0]))
    searches: list[SearchDone] = [_waits, _waits]
    searches[place] = _raises(Falsified(example))
    with pytest.raises(Falsified) as found:
        _run(*searches)
    assert (found.value.counterexample.x == example.x).all()
    assert not any(member.process.is_alive() for member in started)
    searches[place] = _raises(Hopeless("a clause is attained"))
    with pytest.raises(Hopeless, match="a clause is attained"):
        _run(*searches)


def test_the_time_limit_ends_all(started: list[LocalMember]) -> None:
    assert _run(_waits, _waits, ledger=_ledger(0.5)).status is Status.TIMEOUT
    assert not any(member.process.is_alive() for member in started)


def test_parts_that_several_have_proved_are_not_put_together() -> None:
    """Each refutes half of what is open, which proves nothing."""
    outcome = _run(_ends(Status.STUCK, -1.0), _ends(Status.STUCK, -2.0), _ends(Status.STUCK, 5.0))
    assert outcome.status is Status.STUCK and outcome.progress.bound == -1.0


def test_only_rounds_of_the_search_as_planned_are_told() -> None:
    told: list[Progress] = []
    ledger = _ledger()
    ledger.progress = told.append

    def rounds(bound: float) -> SearchDone:
        def search() -> SearchOutcome:
            for visited in range(1, 4):
                ledger.follow(SearchProgress(bound, visited=visited))
            time.sleep(0.5)
            return SearchOutcome(Status.STUCK, SearchProgress(bound, visited=3))

        return search

    _run(rounds(-1.0), rounds(-2.0), ledger=ledger)
    assert [(p.bound, p.domains) for p in told] == [(-1.0, 1), (-1.0, 2), (-1.0, 3)]
    assert ledger.portfolio["other 0"]["domains"] == 3


def test_a_copy_writes_nothing_and_takes_nothing_up() -> None:
    anything: Any = SimpleNamespace()
    saver = Saver(anything, Config(), anything, _ledger(), anything)
    none = torch.zeros(0, dtype=torch.long)
    saver.open = OpenBoxes("neuron", "frozen", 1.0, none, [], root=anything, search=anything)
    assert saver.keeps and saver.root_before() is anything
    saver.apart()
    assert not saver.keeps and saver.root_before() is None and saver.search_before() is None


def test_a_box_whose_margin_is_not_known_leaves_no_bound_above_zero() -> None:
    anything: Any = SimpleNamespace(query=SimpleNamespace(clause=torch.zeros(1, 1, dtype=torch.long)))
    saver = Saver(None, Config(), anything, _ledger(), anything)
    saver.open = OpenBoxes("neuron", "frozen", 1.0, torch.zeros(0, dtype=torch.long), 2 * [anything])
    for margin in (NAN, 0.5):
        saver.done("", margin)
    assert not saver.open.decided > 0
