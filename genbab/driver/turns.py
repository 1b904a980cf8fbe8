"""When the attack has its turn: bounds and attack share the time, so that neither waits long for the other.

A counterexample that one round of descents finds must not wait for a slow proof, a proof that takes a tenth
of a second not for all the rounds. So a round comes when attacks have taken no more time than everything
else so far; after the rounds of `FULL`, when they have taken no more than a small share of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch

from genbab.attack import FULL, AttackEffort, Challenge
from genbab.branch import Domains
from genbab.driver.endings import Hopeless
from genbab.system.clock import WALL, RunClock

SHARE = 0.1
"""Share of the time left that one round may take."""

LATE = 0.03
"""Attacks go on after all their rounds while they have taken no more than this share of all other time."""

DIVES = 8
"""Domains of a round of a search from which short descents start."""


def scouts(place: int, count: int) -> bool:
    """Whether it is this one of `count` processes that makes the first attacks, and searches after them."""
    return place == count - 1 > 0


class Turns:
    """Attacks on one property during one run."""

    def __init__(self, challenge: Challenge, clock: RunClock = WALL) -> None:
        self.challenge, self.clock = challenge, clock
        self.begun = clock.now()
        self.taken = 0.0
        self.rounds, self._stride = 0, 1
        self._held = False
        self._first: list[int] | None = None

    def apart(self, place: int, count: int) -> Turns:
        """The turns of one of `count` processes, from now on: none has the random points of another.

        What is left of the rounds of `FULL` is the last one's, which makes them at once (`scouting`). What
        attacks took until now counts for each, so they do not all begin with one.
        """
        mine = Turns(self.challenge, self.clock)
        mine.begun, mine.taken = self.begun, self.taken
        mine.rounds, mine._stride = self.rounds, self._stride
        if count > 1:
            left = range(self.rounds, FULL.rounds, self._stride)
            mine.rounds += len(left) * self._stride
            mine._first = list(left) if scouts(place, count) else None
        mine.divide(place, count)
        return mine

    @contextmanager
    def held(self) -> Iterator[Callable[[], None]]:
        """No round is due in this context until what it gives is called: others may attack soon."""
        self._held = True
        try:
            yield self._release
        finally:
            self._release()

    def _release(self) -> None:
        self._held = False

    def scouting(self, clauses: Sequence[int]) -> Callable[[], bool] | None:
        """Makes one of the rounds that this process is to make first, and says whether one was left.

        None: another one makes them. It raises like `attack`.
        """

        first = self._first
        if first is None:
            return None

        def scout() -> bool:
            if not first:
                return False
            self._round(first.pop(0), clauses)
            self.check()
            return True

        return scout

    def divide(self, place: int, count: int) -> None:
        """These turns are those of one of `count` processes from now on, as in `apart`."""
        self.rounds, self._stride = self.rounds + place * self._stride, count * self._stride

    def restart(self, rounds: int = 0) -> None:
        """The clauses are others from now on; rounds: of attacks on them so far."""
        self.rounds = rounds

    def attack(self, effort: AttackEffort, clauses: Sequence[int] | None = None) -> None:
        """One attack, whatever time was used so far; raises `Falsified` or `DeadlineReached`."""
        begun = self.clock.now()
        try:
            self.challenge.attack(effort, clauses, SHARE)
        finally:
            self.taken += self.clock.now() - begun

    def due(self) -> bool:
        """Whether the next round may begin."""
        if self._held:
            return False
        others = self.clock.now() - self.begun - self.taken
        return self.taken <= (1.0 if self.rounds < FULL.rounds else LATE) * others

    def take(self, clauses: Sequence[int]) -> None:
        """Rounds on these clauses while they are due, each with new random points; raises like `attack`."""
        for _ in range(FULL.rounds):
            if not self.due():
                return
            self._next(clauses)

    def persist(self, clauses: Sequence[int]) -> None:
        """Rounds on these clauses without end, if there is anything to attack; raises like `attack`."""
        while self.reachable and self.challenge.replayable and self.challenge.config.attack_restarts:
            self._next(clauses)
            self.check()

    def _next(self, clauses: Sequence[int]) -> None:
        """The next round, with new random points."""
        number = self.rounds
        self.rounds += self._stride
        self._round(number, clauses)

    def _round(self, number: int, clauses: Sequence[int]) -> None:
        """One of the rounds of `FULL`, or of those after them, by the number of its random points."""
        self.attack(replace(FULL, rounds=1, first=number), clauses)

    def falsify(self, domains: Domains) -> bool:
        """A few descents that start in open domains, and a turn on the clauses of all.

        They start in the middles of the least refuted domains and where their bounds are least. Never true:
        it raises `Falsified`, or `Hopeless`.
        """
        some = domains.take(domains.bound.argsort()[:DIVES])
        starts, clauses = (some.query.lower + some.query.upper) / 2, some.query.clause.amax(-1).tolist()
        if some.corner is not None:
            starts, clauses = torch.cat([starts, some.corner]), 2 * clauses
        self.challenge.refine(starts, clauses)
        self.take(domains.query.clauses())
        self.check()
        return False

    def check(self) -> None:
        """Raises `Hopeless` where it is known that nothing can be proved."""
        if self.challenge.hopeless:
            raise Hopeless(self.challenge.hopeless)

    @property
    def reachable(self) -> bool:
        """Whether there is anything to attack: an input that the model's type can express."""
        return bool(self.challenge.attacker.reachable)
