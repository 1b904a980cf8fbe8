"""Portfolios: copies of this process that each try to decide the same question, alone, until one does.

Every one begins with the state of the root as this process has it, and asks for exactly the same clauses on
exactly the same boxes. So what one has proved needs nothing of the others, and what several have proved in
part is never put together. One that fails leaves; when all have, the search as planned says how it ended.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from genbab.attack import Falsified
from genbab.branch import SearchOutcome, SearchProgress, Status
from genbab.branch.search import INF
from genbab.driver.crew.local import LocalMember, next_messages
from genbab.driver.crew.member import Post, served
from genbab.driver.crew.messages import Answer, Concluded, Failed, Found, Report
from genbab.driver.crew.sharing import LOOK
from genbab.driver.endings import Hopeless
from genbab.driver.ledger import Ledger
from genbab.driver.saved.saver import Saver
from genbab.driver.turns import Turns
from genbab.errors import DeadlineReached

PLANNED = "as planned"
"""What the search is called that has the settings of the plan."""

SELDOM = 0.25
"""Least seconds between two reports of one that has other settings."""


@dataclass(frozen=True, eq=False)
class Contender:
    """One way to decide a question. name: its settings; search: how it ends, or what it raises as it does."""

    name: str
    search: Callable[[], SearchOutcome]


@dataclass(eq=False)
class _Runner:
    """A contender on its way. left: why it decides nothing, where that is known; ended, failed: how."""

    name: str
    member: LocalMember
    progress: SearchProgress = field(default_factory=SearchProgress)
    left: str = ""
    ended: SearchOutcome | None = None
    failed: Failed | None = None


class Portfolio:
    """The contenders for one question: the search as planned, and others."""

    def __init__(self, ledger: Ledger, turns: Turns, saver: Saver, others: Sequence[Contender]) -> None:
        self.ledger, self.turns, self.saver, self.others = ledger, turns, saver, others
        self.runners: list[_Runner] = []

    def run(self, planned: Callable[[], SearchOutcome]) -> SearchOutcome:
        """How the question is decided.

        Raises `Falsified`, `Hopeless`, and `ResourceError` where the search as planned is lost and no other
        one decides.
        """
        deadline = self.ledger.deadline
        try:
            self._start([Contender(PLANNED, planned), *self.others])
            while running := [runner for runner in self.runners if not runner.left]:
                members = {n: runner.member for n, runner in enumerate(running)}
                for number, message in next_messages(members, min(LOOK, deadline.left())):
                    if (outcome := self._follow(running[number], message)) is not None:
                        return outcome
                deadline.check()
            return self._undecided()
        except DeadlineReached:
            return SearchOutcome(Status.TIMEOUT, self.runners[0].progress)
        finally:
            for runner in self.runners:
                runner.member.end()
                self.ledger.tried(runner.name, runner.progress.visited, runner.left)

    def _start(self, contenders: Sequence[Contender]) -> None:
        for place, one in enumerate(contenders):
            work = partial(self._work, one.search, (place, len(contenders)))
            self.runners.append(_Runner(one.name, LocalMember(work, parent=True)))

    def _follow(self, runner: _Runner, message: Answer) -> SearchOutcome | None:
        """Take a message in: the outcome where it decides; raises what it says that does."""
        if isinstance(message, Report):
            runner.progress = message.progress
            if runner is self.runners[0]:
                self.ledger.follow(message.progress)
        elif isinstance(message, Concluded):
            return self._ended(runner, message.outcome)
        elif isinstance(message, Found):
            self.ledger.decided(runner.name)
            if message.counterexample is not None:
                raise Falsified(message.counterexample)
            raise Hopeless(message.hopeless)
        else:
            runner.failed = message if isinstance(message, Failed) else Failed(f"said {type(message)}")
            runner.left = runner.failed.text.strip().rpartition("\n")[2]
        return None

    def _ended(self, runner: _Runner, outcome: SearchOutcome) -> SearchOutcome | None:
        """The outcome where it is a proof, which has a bound above 0 (NaN is none)."""
        visited = max(runner.progress.visited, outcome.progress.visited)
        runner.ended, runner.progress = outcome, replace(outcome.progress, visited=visited)
        if outcome.status is Status.VERIFIED and outcome.progress.bound > 0:
            self.ledger.decided(runner.name)
            planned = replace(self.runners[0].progress, bound=outcome.progress.bound, open=0)
            return replace(outcome, progress=planned)
        runner.left = outcome.message or "it proves nothing"
        return None

    def _undecided(self) -> SearchOutcome:
        """How the search as planned ended, which proves nothing."""
        planned = self.runners[0]
        if planned.failed is not None:
            raise planned.failed.error()
        assert planned.ended is not None, "it has left"
        ended = planned.ended
        return replace(ended, status=Status.STUCK) if ended.status is Status.VERIFIED else ended

    def _work(self, search: Callable[[], SearchOutcome], place: tuple[int, int], post: Post) -> None:
        """What a copy does; place: its own among so many."""

        def work() -> None:
            try:
                outcome = search()
            except DeadlineReached:
                outcome = SearchOutcome(Status.TIMEOUT)
            post.send(Concluded(outcome))

        self.ledger.apart(_Telling(post, SELDOM if place[0] else 0.0))
        self.saver.apart()
        self.turns.divide(*place)
        served(post, work)


class _Telling:
    """Sends reports of rounds, not too many where they are not needed."""

    def __init__(self, post: Post, every: float) -> None:
        self.post, self.every, self.last = post, every, 0.0

    def __call__(self, progress: SearchProgress) -> None:
        if time.monotonic() - self.last >= self.every:
            self.last = time.monotonic()
            self.post.send(Report(0, progress, INF, INF))
