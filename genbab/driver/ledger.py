"""What a run knows so far: the certified bound, counts and times, told to whoever watches."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from genbab.branch import SearchProgress, Tally
from genbab.result import Counterexample, Progress, Result, Verdict
from genbab.system.deadline import Deadline, Timer
from genbab.trace import TraceFile


class Ledger:
    """The state of a verification that is told to others.

    bound: the worst certified margin; own: that of the boxes at hand; elsewhere: that of all others; domains:
    how many were bounded; earlier: how many of these before the search at hand; layers: how wide the relaxed
    nodes are, gap: where the bound is lost, both at the root (`RootState.explained`).
    """

    def __init__(
        self,
        deadline: Deadline,
        progress: Callable[[Progress], None],
        trace: TraceFile | None = None,
        arithmetic: str = "real",
    ) -> None:
        self.deadline, self.progress, self.trace = deadline, progress, trace
        self.arithmetic = arithmetic
        self.bound = self.own = float("-inf")
        self.elsewhere = float("inf")
        self.domains = self.earlier = 0
        self.spent: dict[str, float] = {}
        self.tally = Tally()
        self.heard: Callable[[SearchProgress], None] = _nobody
        self.portfolio: dict[str, dict[str, Any]] = {}
        self.layers: list[dict[str, Any]] = []
        self.gap: dict[str, float] = {}

    def forget(self) -> None:
        """No bound is known: what was decided needed none."""
        self.own = self.bound = float("-inf")

    def know(self, bound: float) -> None:
        """The worst margin of the boxes at hand; the run's bound is the worst of these and all others."""
        self.own, self.bound = bound, min(bound, self.elsewhere)

    def report(self, stage: str, bound: float | None) -> None:
        """A stage begins; raises `DeadlineReached` when the time is up."""
        self.tell(stage, bound)
        self.deadline.check()

    def tell(self, stage: str, bound: float | None) -> None:
        """The same where nothing is open: the time may be up, what is proved stays so."""
        if bound is not None:
            self.know(bound)
        self.progress(Progress(stage, None if bound is None else self.bound))

    def follow(self, progress: SearchProgress) -> None:
        """A round of a search ended; raises `DeadlineReached` when the time is up."""
        self.domains = self.earlier + progress.visited
        self.know(progress.bound)
        self.tally.add(progress.gained)
        self.heard(progress)
        self.write("round", **self._round(progress))
        self.progress(Progress("branching", self.bound, progress.open, self.domains))
        self.deadline.check()

    def apart(self, heard: Callable[[SearchProgress], None]) -> None:
        """This is another process from now on: `heard` is told of rounds, and nobody of anything else."""
        self.heard, self.progress, self.trace = heard, _nobody, None

    def tried(self, settings: str, domains: int, left: str) -> None:
        """A search of a portfolio is over: domains that it bounded; why it decided nothing, if it says so."""
        entry = self._entry(settings)
        entry["domains"] += domains
        entry |= {"left": left} if left else {}

    def decided(self, settings: str) -> None:
        """A search of a portfolio has decided."""
        self._entry(settings)["decided"] += 1

    def _entry(self, settings: str) -> dict[str, Any]:
        return self.portfolio.setdefault(settings, {"decided": 0, "domains": 0})

    def regions(self, bound: float) -> None:
        """The search over regions has this bound for the boxes at hand."""
        self.write("region", bound=min(bound, self.elsewhere))

    def write(self, event: str, **facts: Any) -> None:
        """A line of the trace, if there is one."""
        if self.trace is not None:
            self.trace.write(event, **facts)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """A block whose time counts for a stage, however it ends."""
        timer = Timer(self.spent, stage)
        timer.__enter__()
        try:
            yield
        finally:
            timer.__exit__()
            self.write("stage", stage=stage, seconds=time.monotonic() - timer.begun, bound=self._known())

    def result(self, verdict: Verdict, reason: str, found: Counterexample | None = None) -> Result:
        """The result with what is known."""
        statistics: dict[str, Any] = {
            "domains": self.domains,
            **{f"seconds {k}": round(v, 3) for k, v in self.spent.items()},
        }
        statistics |= self.tally.summary()
        if self.portfolio:
            statistics["portfolio"] = self.portfolio
        if self.layers:
            statistics["layers"] = self.layers
        if self.gap:
            statistics["gap"] = self.gap
        seconds, bound = self.deadline.elapsed(), self._known()
        return Result(verdict, seconds, bound, reason, found, statistics, arithmetic=self.arithmetic)

    def _known(self) -> float | None:
        return None if self.bound == float("-inf") else self.bound

    def _round(self, progress: SearchProgress) -> dict[str, Any]:
        count, said, real, *_ = progress.gained
        gains = {"predicted": said / count, "realised": real / count} if count else {}
        return {
            "bound": self.bound,
            "open": progress.open,
            "visited": self.domains,
            "depth": progress.depth,
            "batch": 2 * progress.splits,
            "stored": progress.stored,
            "away": progress.away,
            "seconds": {k: round(v, 6) for k, v in progress.seconds.items()},
            **gains,
        }


def _nobody(progress: object) -> None:
    """Nobody is told."""
