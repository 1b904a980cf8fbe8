"""The search over regions: a tree of few, dear regions over trees of many, cheap domains.

In a region every hidden row is bounded anew with optimised slopes, so a split of an early neuron tightens
everything behind it. A search with the region's hidden intervals then gets a slice of time for each clause;
where that does not decide, the neuron whose gap costs most (through all intervals that it widens) is split
into two regions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from genbab.branch.outcome import SearchOutcome, SearchProgress, Status
from genbab.branch.regions.bounding import bounded, costliest_split
from genbab.branch.regions.branching import NeuronBranching
from genbab.branch.regions.forecast import Forecast, needed_at_rate
from genbab.branch.regions.region import NeuronSplit, Region
from genbab.branch.regions.subsearch import Subsearch
from genbab.branch.search import INF, Report, Search, SearchSetup, SearchState
from genbab.errors import DeadlineReached

SLICE = 0.5
"""Time of the search inside a region, as a multiple of what bounding its hidden rows took."""

FIRST = 1.0
"""Least seconds of the first search inside the root's region."""

SHORTEST = 0.2
"""Least seconds of the search inside any other region."""

PART = 0.1
"""Of the seconds for narrowing hidden intervals, what one of many regions may use."""

STEPS = (20, 40)
"""Slope steps for the hidden rows of a region, and for the specification's."""

INFINITE = 1e6
"""What a split counts as gaining where it refutes a half."""


@dataclass(eq=False)
class JointReport:
    """Tells rounds of searches inside regions as rounds of one search.

    proved: the margin that is certified of all regions; visited: domains bounded in all of them.
    """

    report: Report
    proved: float = INF
    visited: int = 0

    def __call__(self, progress: SearchProgress) -> None:
        self.visited += 2 * progress.splits
        bound = min(progress.bound, self.proved)
        self.report(replace(progress, bound=bound, visited=self.visited))


@dataclass(frozen=True, eq=False)
class Divided:
    """What is left of a region.

    parts: those that are open; gains: of both, the smaller one first, if it was split; seconds: what bounding
    the hidden rows of the last part took; least: the smallest bound of a refuted part.
    """

    parts: list[Region]
    gains: tuple[float, float] | None
    seconds: float
    least: float


@dataclass(eq=False)
class RegionState(SearchState):
    """A search over regions between two steps.

    regions: the open ones, the worst last; whole: the search inside the root's region, whose turns take at
    least `turn` seconds, took `spent` so far, and would need `needed` more; setup: of all searches inside
    regions; least: the smallest bound of a refuted region; stopped: how `whole` ended that can do no more;
    decided: how the search ended, where a search inside a region says so.
    """

    regions: list[Region]
    whole: Subsearch
    setup: SearchSetup
    joint: JointReport
    forecast: Forecast
    turn: float
    spent: float = 0.0
    needed: float = 0.0
    least: float = INF
    stopped: SearchOutcome | None = None
    decided: SearchOutcome | None = None

    def replaced(self, region: Region, by: Divided) -> None:
        """Put what is left of a region in its place."""
        others = [r for r in self.regions if r is not region]
        self.regions = sorted(others + by.parts, key=lambda r: -r.worst)
        self.least, self.forecast.seconds = min(self.least, by.least), by.seconds
        if by.gains is not None:
            self.forecast.gains.append(by.gains)

    def without(self, refuted: Tensor, least: float) -> None:
        """Leave clauses out, by their numbers, that are refuted on the root's region."""
        found = []
        for region in self.regions:
            done = torch.isin(region.query.clause, refuted)
            still = replace(region, margins=torch.where(done, least, region.margins)).opened()
            found += [] if still is None else [still]
        self.regions = found


@dataclass(frozen=True, eq=False)
class RegionSearch(Search[Region, RegionState]):
    """Splits regions in turn with one search inside the root's region: whichever ends first decides.

    memory: bytes for linear forms of a region; left: seconds to go; seconds: what bounding the hidden rows of
    the root took; told: is told the worst margin before each step; counts: slope steps for hidden rows and
    for the specification's.
    """

    branching: NeuronBranching
    setup: SearchSetup
    memory: int
    left: Callable[[], float]
    seconds: float
    told: Callable[[float], None]
    counts: tuple[int, int] = STEPS

    def begin(self, root: Region) -> RegionState:
        """The root's region, open, and the search inside it; raises `DeadlineReached`."""
        joint = JointReport(self.setup.report)
        setup = replace(self.setup, report=joint)
        whole = self.branching.within(root, setup, PART)
        turn = max(FIRST, SLICE * self.seconds)
        return RegionState([root], whole, setup, joint, Forecast(self.seconds), turn)

    def step(self, state: RegionState) -> None:
        """A turn of the search inside the root's region, or a split of the worst region."""
        proved = max(min(r.worst for r in state.regions), state.whole.worst)
        state.progress, state.joint.proved = SearchProgress(proved), proved
        self.told(proved)
        self.branching.engine.check()
        began, forecast = self._now(), state.forecast
        pays = forecast.pays(state.regions, self.left())
        split = costliest_split(self.branching.engine, state.regions[-1]) if pays else None
        behind = state.spent <= forecast.spent and forecast.needed(state.regions) > state.needed
        if state.stopped is None and behind:
            self._search_whole(state, began)
            state.spent += self._now() - began
            return
        if split is None:
            self._search_whole(state, began)
        else:
            worst = state.regions[-1]
            state.replaced(worst, self.divided(worst, split, forecast.seconds, state.setup))
        forecast.spent += self._now() - began

    def ended(self, state: RegionState) -> SearchOutcome | None:
        """Verified when no region is open, or as the search inside the root's region ended."""
        if state.decided is not None or state.regions:
            return state.decided
        return SearchOutcome(Status.VERIFIED, SearchProgress(state.least))

    def _now(self) -> float:
        """Seconds by the run's clock."""
        return self.branching.engine.clock.now()

    def _search_whole(self, state: RegionState, began: float) -> None:
        """A turn inside the root's region, or the end where that can do no more."""
        if state.stopped is not None:
            state.decided = replace(state.stopped, progress=state.progress)
            return
        whole, before = state.whole, state.whole.worst
        outcome = _advanced(whole, max(state.turn, state.spent / 2))
        state.needed = needed_at_rate(before, whole.worst, self._now() - began)
        if outcome.status is Status.VERIFIED:
            state.decided = replace(outcome, progress=SearchProgress(float(whole.margins.min())))
        elif outcome.status is Status.FALSIFIED:
            proved = max(state.progress.bound, whole.worst)
            state.decided = replace(outcome, progress=SearchProgress(proved))
        else:
            state.stopped = None if outcome.status is Status.PAUSED else outcome
            _leave_out_refuted(state)

    def divided(self, region: Region, split: NeuronSplit, seconds: float, setup: SearchSetup) -> Divided:
        """The region after it has been searched for a while, unless it is the root, and then split.

        seconds: what bounding the hidden rows of a region takes. Raises `DeadlineReached`.
        """
        if region.halves:
            task = self.branching.within(region, setup, PART)
            _advanced(task, max(SHORTEST, SLICE * seconds))
            region = replace(region, margins=torch.maximum(region.margins, task.margins))
        still = region.opened()
        if still is None:
            return Divided([], None, seconds, region.worst)
        return self._halves(still, split, seconds)

    def _halves(self, region: Region, split: NeuronSplit, seconds: float) -> Divided:
        """Both parts of a region, bounded anew, as far as they are open."""
        found, gains, least, engine = [], [], INF, self.branching.engine
        for upper in (False, True):
            began = self._now()
            part = bounded(engine, region.half(split, upper), self.counts, self.memory)
            if part is None:
                gains.append(INFINITE)
                continue
            seconds = self._now() - began
            gains.append(min(INFINITE, part.worst - region.worst))
            still = part.opened()
            if still is None:
                least = min(least, part.worst)
            else:
                found.append(still)
        return Divided(found, (min(gains), max(gains)), seconds, least)


def _advanced(task: Subsearch, seconds: float) -> SearchOutcome:
    """A slice of a search inside a region; raises `DeadlineReached` where the time is up."""
    outcome = task.advance(seconds)
    if outcome.status is Status.TIMEOUT:
        raise DeadlineReached
    return outcome


def _leave_out_refuted(state: RegionState) -> None:
    """Leave the clauses out that the search inside the root's region has refuted everywhere."""
    margins = state.whole.margins
    refuted = state.whole.region.query.clause[0][(margins > 0)[0]]
    if refuted.numel():
        state.without(refuted, float(margins.amax()))
        state.least = min(state.least, float(margins[margins > 0].min()))
