"""How a region is searched by splitting neurons: many cheap domains with the region's hidden intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from genbab.bounds import Answer, Engine, Relaxation, Steps
from genbab.branch.bound.joint import narrowed
from genbab.branch.bound.neurons import Choose, Root, bound_by_neurons, neuron_root
from genbab.branch.choose.mixed import Mixed
from genbab.branch.cut.retighten import Retighten
from genbab.branch.open.domains import Domains, Splits
from genbab.branch.regions.region import Region
from genbab.branch.regions.subsearch import Subsearch
from genbab.branch.search import DomainSearch, SearchSetup
from genbab.system.deadline import Timer


@dataclass(frozen=True, eq=False)
class NeuronBranching:
    """How the domains of a region are split and bounded.

    chooser: makes what decides the splits below a root; steps: of the slopes of each child's rows; clip:
    whether boxes and hidden intervals of children are cut by what they satisfy; mixed: bounds children of
    input splits, if there are such; narrowing: seconds that may go into narrowing the hidden intervals of a
    region's clauses by what their unsafe points satisfy.
    """

    engine: Engine
    chooser: Callable[[Root], Choose]
    steps: Steps
    clip: bool
    mixed: Mixed | None = None
    narrowing: Callable[[], float] = lambda: 0.0

    def within(self, region: Region, setup: SearchSetup, part: float = 1.0) -> Subsearch:
        """A search inside the region, one domain per open clause; part: of the seconds for narrowing."""
        domains, root = self._root(region)
        domains = narrowed(self.engine, root, domains, part * self.narrowing())
        search = self._search(region, root, setup)
        return Subsearch(search, region.released(domains), region, self.engine.clock)

    def again(self, region: Region, domains: Domains, setup: SearchSetup) -> Subsearch:
        """A search inside the region that `within` made elsewhere, with these domains as its root."""
        search = self._search(region, self._root(region)[1], setup)
        return Subsearch(search, domains, region, self.engine.clock)

    def _root(self, region: Region) -> tuple[Domains, Root]:
        """The clauses that are open in the region as domains, and what they share."""
        engine, output = self.engine, self.engine.exact.output
        return neuron_root(engine, region.query, region.margins, region.intervals, region.warm, output)

    def _search(self, region: Region, root: Root, setup: SearchSetup) -> DomainSearch:
        engine, seconds = self.engine, dict[str, float]()
        retighten = Retighten(engine, region.forms, seconds=seconds) if self.clip else None
        choose = _timed(self.chooser(root), seconds)
        bound = bound_by_neurons(engine, root, self.steps, choose, retighten)
        bound = bound if self.mixed is None else self.mixed.around(bound)
        return DomainSearch(bound, setup, seconds)


def _timed(choose: Choose, seconds: dict[str, float]) -> Choose:
    """The same, noting its time as `choosing`."""

    def timed(relaxation: Relaxation, known: Answer, domains: Domains, margins: Tensor) -> Splits:
        with Timer(seconds, "choosing"):
            return choose(relaxation, known, domains, margins)

    return timed
