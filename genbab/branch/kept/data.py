"""Where a search stands, without what it is carried out with.

A search that is taken up from its data bounds and splits what was open, no more and no less. What it had
learned on its way (which neurons weigh most, whether hidden rows pay) it learns again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from genbab.bounds import Engine, Start, WarmStart
from genbab.branch.cut.forms import HiddenForms, NodeForms
from genbab.branch.cut.influence import Influence
from genbab.branch.open.domains import Domains, HalfSpaces, Path, Splits
from genbab.branch.open.packing import PackedDomains
from genbab.branch.open.pool import Pool
from genbab.branch.outcome import SearchOutcome, SearchProgress, Status
from genbab.branch.regions.branching import NeuronBranching
from genbab.branch.regions.forecast import Forecast
from genbab.branch.regions.region import NeuronSplit, Region
from genbab.branch.regions.search import Divided, JointReport, RegionSearch, RegionState
from genbab.branch.regions.subsearch import Subsearch
from genbab.branch.search import DomainState, SearchSetup
from genbab.problem import Query
from genbab.system.coding import Coder


@dataclass(frozen=True, eq=False)
class DomainData:
    """A search over domains: what it began with, what is open, and what `DomainState` says of the rest."""

    root: Domains
    open: list[PackedDomains]
    least: float
    given_up: float
    progress: SearchProgress

    @staticmethod
    def of(state: DomainState) -> DomainData:
        """Where a search stands between two steps, or after one that was cut short."""
        pool = state.pool
        open_ = list(pool.packed())
        if state.taken is not None:
            open_.append(pool.packing.pack(state.taken))
        return DomainData(pool.packing.began, open_, state.least, state.given_up, state.progress)

    def state(self, memory: int) -> DomainState:
        """The state to go on from, in so many bytes for what is open; raises `SpillFull`."""
        pool = Pool.holding(self.root, self.open, memory)
        return DomainState(pool, self.least, self.given_up, progress=self.progress)


@dataclass(frozen=True, eq=False)
class SubsearchData:
    """A search inside a region: the region, the root of its domains, and where it stands."""

    region: Region
    domains: Domains
    state: DomainData | None
    margins: Tensor
    worst: float

    @staticmethod
    def of(task: Subsearch) -> SubsearchData:
        """Where a search inside a region stands."""
        state = None if task.state is None else DomainData.of(task.state)
        return SubsearchData(task.region, task.domains, state, task.margins, task.worst)

    def task(self, branching: NeuronBranching, setup: SearchSetup) -> Subsearch:
        """The search to go on with; raises `SpillFull`."""
        task = branching.again(self.region, self.domains, setup)
        task.state = None if self.state is None else self.state.state(setup.memory)
        task.margins, task.worst = self.margins, self.worst
        return task


@dataclass(frozen=True, eq=False)
class RegionData:
    """A search over regions: `RegionState` as data."""

    regions: list[Region]
    whole: SubsearchData
    proved: float
    visited: int
    forecast: Forecast
    turn: float
    spent: float
    needed: float
    least: float
    stopped: SearchOutcome | None
    progress: SearchProgress

    @property
    def region(self) -> Region:
        """The root's region."""
        return self.whole.region

    @staticmethod
    def of(state: RegionState) -> RegionData:
        """Where a search over regions stands between two steps, or in one between two rounds."""
        return RegionData(
            list(state.regions),
            SubsearchData.of(state.whole),
            state.joint.proved,
            state.joint.visited,
            replace(state.forecast, gains=list(state.forecast.gains)),
            state.turn,
            state.spent,
            state.needed,
            state.least,
            state.stopped,
            state.progress,
        )

    def state(self, search: RegionSearch) -> RegionState:
        """The state that such a search goes on from, maybe with more memory; raises `SpillFull`."""
        joint = JointReport(search.setup.report, self.proved, self.visited)
        setup = replace(search.setup, report=joint)
        return RegionState(
            list(self.regions),
            self.whole.task(search.branching, setup),
            setup,
            joint,
            replace(self.forecast, gains=list(self.forecast.gains)),
            self.turn,
            self.spent,
            self.needed,
            self.least,
            None if self.stopped is not None and self.stopped.status is Status.MEMORY else self.stopped,
            progress=self.progress,
        )


SearchData = DomainData | SubsearchData | RegionData
"""A search at hand: over boxes of inputs, inside a region by neurons, over regions."""

CLASSES: tuple[type, ...] = (
    Divided,
    DomainData,
    Domains,
    Forecast,
    HalfSpaces,
    HiddenForms,
    Influence,
    NeuronSplit,
    NodeForms,
    PackedDomains,
    Path,
    Query,
    Region,
    RegionData,
    SearchOutcome,
    SearchProgress,
    Splits,
    Start,
    Status,
    SubsearchData,
    WarmStart,
)
"""What the data of a search is made of."""


def search_coder(engine: Engine, more: tuple[Any, ...] = ()) -> Coder:
    """Writes and reads the data of searches with this engine, and of `more` classes."""
    return Coder((*CLASSES, *more), {"engine": engine})
