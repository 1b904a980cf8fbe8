"""Branch and bound: searches over domains and over regions, and the parts they are made of."""

from __future__ import annotations

from genbab.branch.bound.inputs import bound_by_inputs, choose_input
from genbab.branch.bound.neurons import Root, bound_by_neurons, neuron_root
from genbab.branch.choose.choice import chooser
from genbab.branch.choose.mixed import Mixed
from genbab.branch.choose.neuron import choose_neuron
from genbab.branch.choose.points import kink_or_middle
from genbab.branch.choose.scores.line import line_score
from genbab.branch.cut.forms import HiddenForms
from genbab.branch.cut.retighten import Retighten
from genbab.branch.open.domains import INPUT, Domains, Splits, bisect, join, root_domains
from genbab.branch.open.pool import Pool
from genbab.branch.outcome import SearchOutcome, SearchProgress, Status
from genbab.branch.regions.branching import NeuronBranching
from genbab.branch.regions.region import Region
from genbab.branch.regions.search import RegionSearch
from genbab.branch.search import DomainSearch, Search, SearchSetup
from genbab.branch.tally import Tally

__all__ = [
    "INPUT",
    "DomainSearch",
    "Domains",
    "HiddenForms",
    "Mixed",
    "NeuronBranching",
    "Pool",
    "Region",
    "RegionSearch",
    "Retighten",
    "Root",
    "Search",
    "SearchOutcome",
    "SearchProgress",
    "SearchSetup",
    "Splits",
    "Status",
    "Tally",
    "bisect",
    "bound_by_inputs",
    "bound_by_neurons",
    "choose_input",
    "choose_neuron",
    "chooser",
    "join",
    "kink_or_middle",
    "line_score",
    "neuron_root",
    "root_domains",
]
