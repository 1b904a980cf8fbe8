"""The branch-and-bound loop: pick, split, bound, prune, decide. Its parts are arguments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from genbab.branch.domains import Domains, bisect
from genbab.branch.pool import Pool
from genbab.branch.tally import NOTHING, Sums, gained
from genbab.errors import DeadlineReached

Bound = Callable[[Domains], Domains]
"""Bounds a batch of children and decides their next splits; the result has `bound` and `splits` set."""

Falsify = Callable[[Domains], bool]
"""Looks for a counterexample in open domains; True ends the search."""

Report = Callable[["SearchProgress"], None]


@dataclass
class SearchProgress:
    """Where a search stands; `gained` is of the last round."""

    bound: float = float("-inf")
    open: int = 0
    visited: int = 0
    rounds: int = 0
    depth: int = 0
    gained: Sums = NOTHING


@dataclass(frozen=True)
class Outcome:
    """How a search ended: `verified`, `falsified`, `stuck` (nothing left to split), `memory`, `timeout` or
    `paused`, and then with the domains still open; least: the smallest finite bound of a refuted domain.
    """

    status: str
    progress: SearchProgress = field(default_factory=SearchProgress)
    rest: Domains | None = None
    least: float = float("inf")


def search(  # noqa: PLR0913
    root: Domains,
    bound: Bound,
    falsify: Falsify,
    report: Report,
    memory: int,
    batch: Callable[[], int],
    pause: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Split the worst domains until all are refuted, one holds a counterexample, or no split or time is left.

    A child's bound is never below its parent's: both hold on the child. `pause` is asked after each round and
    may end the search for a while (for good, if some domain cannot be split).
    """
    progress = SearchProgress(bound=float(root.bound.min()) if len(root) else float("inf"), open=len(root))
    stuck, least = float("inf"), _least(root)
    pool = Pool(root.take(~(root.bound > 0)), memory)
    try:
        while len(pool):
            parents = pool.pop(batch())
            splittable = (
                parents.splits.node >= 0 if parents.splits is not None else parents.bound < float("-inf")
            )
            if not bool(splittable.all()):
                given_up = parents.bound[~splittable]
                stuck = min(stuck, *given_up.where(~given_up.isnan(), -torch.inf).tolist())
                parents = parents.take(splittable)
                if not len(parents):
                    continue
            inherited = parents.bound.repeat(2)
            children = bound(bisect(parents))
            progress.visited += len(inherited)
            progress.rounds += 1
            progress.gained = gained(parents, children)
            least = min(least, _least(children))
            undecided = children.take(~(children.bound > 0))
            if len(undecided) and falsify(undecided):
                return Outcome("falsified", progress)
            pool.push(undecided)
            progress.open = len(pool)
            progress.depth = max(progress.depth, int(children.depth.max()) if len(children) else 0)
            progress.bound = min(pool.worst, stuck)
            report(progress)
            if pool.nbytes > memory:
                return Outcome("memory", progress)
            if len(pool) and pause():
                if stuck < float("inf"):
                    return Outcome("stuck", progress)
                return Outcome("paused", progress, pool.pop(len(pool)), least)
    except DeadlineReached:
        return Outcome("timeout", progress)
    progress.bound = min(stuck, least)
    return Outcome("verified" if stuck == float("inf") else "stuck", progress)


def _least(domains: Domains) -> float:
    """The smallest finite bound of a refuted domain; +inf when there is none."""
    proved = domains.bound[(domains.bound > 0) & domains.bound.isfinite()]
    return float(proved.min()) if proved.numel() else float("inf")
