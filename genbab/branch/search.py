"""The branch-and-bound loop: pick, split, bound, prune, decide. Its parts are arguments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from genbab.branch.open.domains import Bound, Domains, bisect
from genbab.branch.open.pool import Pool, SpillFull
from genbab.branch.tally import NOTHING, Sums, gained
from genbab.errors import DeadlineReached
from genbab.system.deadline import Timer

Falsify = Callable[[Domains], bool]
"""Looks for a counterexample in open domains; True ends the search."""

Report = Callable[["SearchProgress"], None]


@dataclass
class SearchProgress:
    """Where a search stands. Of the last round: gained; splits: parents that were split; seconds by part.
    stored: bytes of open domains in memory; away: bytes spilled so far.
    """

    bound: float = float("-inf")
    open: int = 0
    visited: int = 0
    rounds: int = 0
    depth: int = 0
    gained: Sums = NOTHING
    splits: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    stored: int = 0
    away: int = 0


@dataclass(frozen=True)
class Outcome:
    """How a search ended: `verified`, `falsified`, `stuck` (nothing left to split), `memory`, `timeout` or
    `paused`, and then with the domains still open; least: the smallest finite bound of a refuted domain.
    why: what a person needs to know of it.
    """

    status: str
    progress: SearchProgress = field(default_factory=SearchProgress)
    rest: Pool | None = None
    least: float = float("inf")
    why: str = ""


def search(  # noqa: PLR0913
    root: Domains | Pool,
    bound: Bound,
    falsify: Falsify,
    report: Report,
    memory: int,
    batch: Callable[[], int],
    pause: Callable[[], bool] = lambda: False,
    parts: dict[str, float] | None = None,
) -> Outcome:
    """Split the worst domains until all are refuted, one holds a counterexample, or no split or time is left.

    A child's bound is never below its parent's: both hold on the child. `pause` is asked after each round and
    may end the search for a while (for good, if some domain cannot be split); its pool can be searched on.
    `parts` is where `bound` and its parts note their seconds.
    """
    least, stuck = least_refuted(root) if isinstance(root, Domains) else float("inf"), float("inf")
    rounds = _Rounds({} if parts is None else parts)
    progress = SearchProgress()
    try:
        pool = root if isinstance(root, Pool) else Pool(root, memory)
        progress.bound, progress.open = pool.worst, len(pool)
        while len(pool):
            with rounds.timed("pool"):
                parents, given_up = _splittable(pool.pop(batch()))
            stuck = min(stuck, *given_up)
            if not len(parents):
                continue
            with rounds.timed("bounding"):
                children = bound(bisect(parents))
            least = min(least, least_refuted(children))
            undecided = children.take(~(children.bound > 0))
            with rounds.timed("attack"):
                found = len(undecided) > 0 and falsify(undecided)
            if found:
                return Outcome("falsified", progress)
            with rounds.timed("pool"):
                pool.push(undecided)
            _note(progress, parents, children)
            progress.open, progress.bound = len(pool), min(pool.worst, stuck)
            progress.stored, progress.away = pool.nbytes, pool.away
            progress.seconds = rounds.ended()
            _tell(report, progress)
            if len(pool) and pause():
                if stuck < float("inf"):
                    return Outcome("stuck", progress)
                return Outcome("paused", progress, pool, least)
    except DeadlineReached:
        return Outcome("timeout", progress)
    except SpillFull as full:
        return Outcome("memory", progress, why=str(full))
    progress.bound = min(stuck, least)
    return Outcome("verified" if stuck == float("inf") else "stuck", progress)


def _tell(report: Report, progress: SearchProgress) -> None:
    """Report the round; that the time is up ends nothing where no domain is open any more."""
    try:
        report(progress)
    except DeadlineReached:
        if progress.open:
            raise


def _splittable(parents: Domains) -> tuple[Domains, list[float]]:
    """The domains that have a split, and +inf with the bounds of those that have none."""
    has = parents.splits.node >= 0 if parents.splits is not None else parents.bound < float("-inf")
    if bool(has.all()):
        return parents, [float("inf")]
    given_up = parents.bound[~has]
    return parents.take(has), [float("inf"), *given_up.where(~given_up.isnan(), -torch.inf).tolist()]


def _note(progress: SearchProgress, parents: Domains, children: Domains) -> None:
    """Count a round."""
    progress.visited += len(children)
    progress.splits = len(parents)
    progress.rounds += 1
    progress.gained = gained(parents, children)
    progress.depth = max(progress.depth, int(children.depth.max()) if len(children) else 0)


class _Rounds:
    """Seconds of the parts of a round; what parts of `bounding` note for themselves is not counted twice."""

    def __init__(self, inner: dict[str, float]) -> None:
        inner.clear()
        self.inner, self.own = inner, dict[str, float]()

    def timed(self, part: str) -> Timer:
        """A context whose time counts."""
        return Timer(self.own, part)

    def ended(self) -> dict[str, float]:
        """The seconds of the round that ends here."""
        found = {**self.own, **self.inner}
        found["bounding"] -= sum(self.inner.values())
        self.own.clear()
        self.inner.clear()
        return found


def least_refuted(domains: Domains) -> float:
    """The smallest finite bound of a refuted domain; +inf when there is none."""
    proved = domains.bound[(domains.bound > 0) & domains.bound.isfinite()]
    return float(proved.min()) if proved.numel() else float("inf")
