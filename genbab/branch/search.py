"""Branch and bound: what every search is, and the search over domains: pick, split, bound, prune, decide."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Generic, Protocol, TypeVar

from torch import Tensor

from genbab.branch.open.domains import Bound, Domains, bisect
from genbab.branch.open.pool import Pool, SpillFull
from genbab.branch.outcome import SearchOutcome, SearchProgress, Status
from genbab.branch.tally import gained
from genbab.errors import DeadlineReached
from genbab.system.deadline import Timer

INF = float("inf")

Falsify = Callable[[Domains], bool]
"""Looks for a counterexample in open domains; True ends the search."""


class TreeRecord(Protocol):
    """Who notes a search for a proof: its nodes have numbers in the proof's tree."""

    def roots(self, domains: Domains) -> Tensor:
        """The numbers (B,) of the domains that a search begins with."""

    def split(self, parents: Domains) -> Tensor:
        """The numbers of the children of domains that are split, as `bisect` orders them."""

    def closed(self, domains: Domains) -> None:
        """These domains are refuted, by bounds that took what their warm starts say."""


Report = Callable[[SearchProgress], None]
"""Is told where a search stands after each round; may raise `DeadlineReached`."""


@dataclass(kw_only=True, eq=False)
class SearchState:
    """What every search knows between two steps: where it stands."""

    progress: SearchProgress = field(default_factory=SearchProgress)


RootT = TypeVar("RootT")
StateT = TypeVar("StateT", bound=SearchState)


class Search(ABC, Generic[RootT, StateT]):
    """A search in steps, which can be left after any of them and taken up again.

    Its law: every point of the root that is not refuted lies in something that is open or given up, before
    and after every step, and after one that was cut short, too. So only a search with neither is verified.
    """

    @abstractmethod
    def begin(self, root: RootT) -> StateT:
        """Where the search stands before its first step."""

    @abstractmethod
    def step(self, state: StateT) -> None:
        """One step; raises `DeadlineReached`, or `SpillFull` where what is open fits nowhere."""

    @abstractmethod
    def ended(self, state: StateT) -> SearchOutcome | None:
        """How the search ended; None while something is open that may be split."""

    def run(self, root: RootT) -> SearchOutcome:
        """The whole search below a root."""
        return self.proceed(self.begin(root))

    def proceed(self, state: StateT, pause: Callable[[], bool] = lambda: False) -> SearchOutcome:
        """Go on until the end, or until `pause`, asked after each step, wants the search to wait."""
        try:
            while (outcome := self.ended(state)) is None:
                self.step(state)
                if self.ended(state) is None and pause():
                    return SearchOutcome(Status.PAUSED, state.progress)
        except DeadlineReached:
            return SearchOutcome(Status.TIMEOUT, state.progress)
        except SpillFull as full:
            return SearchOutcome(Status.MEMORY, state.progress, str(full))
        return outcome


@dataclass(frozen=True, eq=False)
class SearchSetup:
    """What a search over domains has around it.

    memory: bytes for open domains; batch: how many are split in a round, at most; record: of a proof.
    """

    falsify: Falsify
    report: Report
    memory: int
    batch: int
    record: TreeRecord | None = None


@dataclass(eq=False)
class DomainState(SearchState):
    """A search over domains between two steps.

    pool: what is open, but for the domains `taken` by a step that was cut short; least: the smallest finite
    bound of a refuted domain; given_up: that of one that could not be split, +inf where there was none.
    """

    pool: Pool
    least: float
    given_up: float = INF
    taken: Domains | None = None
    falsified: bool = False


@dataclass(frozen=True, eq=False)
class DomainSearch(Search[Domains, DomainState]):
    """Splits the worst domains until all are refuted, one holds a counterexample, or no split is left.

    A child's bound is never below its parent's: both hold on the child. seconds: where `bound` notes the time
    of its parts.
    """

    bound: Bound
    setup: SearchSetup
    seconds: dict[str, float] = field(default_factory=dict)

    def begin(self, root: Domains) -> DomainState:
        """The domains of the root, which are bounded, with those that are not refuted open."""
        record = self.setup.record
        if record is not None and root.number is None:
            root = replace(root, number=record.roots(root))
        self._close(root)
        pool = Pool(root, self.setup.memory)
        return DomainState(pool, least_refuted(root), progress=SearchProgress(pool.worst, len(pool)))

    def step(self, state: DomainState) -> None:
        """Split the worst domains that can be split, bound their children and keep those still open."""
        times: dict[str, float] = {}
        with Timer(times, "pool"):
            parents = state.taken = self._worst(state)
        if parents is None:
            return
        self.seconds.clear()
        with Timer(times, "bounding"):
            children = self.bound(self._split(parents))
            self._close(children)
        state.least = min(state.least, least_refuted(children))
        undecided = children.take(~(children.bound > 0))
        with Timer(times, "attack"):
            state.falsified = len(undecided) > 0 and self.setup.falsify(undecided)
        if state.falsified:
            return
        with Timer(times, "pool"):
            state.pool.push(undecided)
        state.taken = None
        times["bounding"] -= sum(self.seconds.values())
        state.progress = _progress(state, parents, children, {**times, **self.seconds})
        self._tell(state.progress)

    def ended(self, state: DomainState) -> SearchOutcome | None:
        """Verified when nothing is open and nothing was given up."""
        if state.falsified:
            return SearchOutcome(Status.FALSIFIED, state.progress)
        if len(state.pool) or state.taken is not None:
            return None
        progress = replace(state.progress, bound=min(state.given_up, state.least))
        return SearchOutcome(Status.VERIFIED if state.given_up == INF else Status.STUCK, progress)

    def _split(self, parents: Domains) -> Domains:
        """The children of split domains, which the proof notes."""
        record = self.setup.record
        numbers = None if record is None else record.split(parents)
        return replace(bisect(parents), number=numbers)

    def _close(self, domains: Domains) -> None:
        """Tell the proof which domains are refuted."""
        if self.setup.record is not None:
            self.setup.record.closed(domains.take(domains.bound > 0))

    def _worst(self, state: DomainState) -> Domains | None:
        """The worst domains that have a split; those without one before them are given up."""
        while state.taken is None and len(state.pool):
            worst = state.pool.pop(self.setup.batch)
            splits = worst.splits
            can = worst.bound < -INF if splits is None else splits.node >= 0
            if bool(can.all()):
                state.taken = worst
            else:
                bounds = worst.bound[~can].nan_to_num(nan=-INF, posinf=INF, neginf=-INF)
                state.given_up = min(state.given_up, float(bounds.min()))
                state.taken = worst.take(can) if bool(can.any()) else None
        return state.taken

    def _tell(self, progress: SearchProgress) -> None:
        """Report the round; that the time is up ends nothing where no domain is open any more."""
        try:
            self.setup.report(progress)
        except DeadlineReached:
            if progress.open:
                raise


def _progress(
    state: DomainState, parents: Domains, children: Domains, seconds: dict[str, float]
) -> SearchProgress:
    """Where the search stands after a round."""
    return SearchProgress(
        bound=min(state.pool.worst, state.given_up),
        open=len(state.pool),
        visited=state.progress.visited + len(children),
        rounds=state.progress.rounds + 1,
        depth=max(state.progress.depth, int(children.depth.max())),
        gained=gained(parents, children),
        splits=len(parents),
        seconds=seconds,
        stored=state.pool.nbytes,
        away=state.pool.away,
    )


def least_refuted(domains: Domains) -> float:
    """The smallest finite bound of a refuted domain; +inf when there is none."""
    proved = domains.bound[(domains.bound > 0) & domains.bound.isfinite()]
    return float(proved.min()) if proved.numel() else INF
