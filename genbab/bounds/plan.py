"""Filling in the intervals of every nonlinear argument, cheapest bounds first, everything intersected.

Rows of a hidden node are worth a backward pass only where they can change something: where the node's
functions are not already linear on the interval. They are taken widest gap first, in chunks that fit the
memory, until the share of the time they may use is gone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from genbab.bounds.ascent.multipliers import Multipliers, Shown
from genbab.bounds.ascent.premises import room
from genbab.bounds.ascent.slopes import Freedom, Steps, Stop, optimise
from genbab.bounds.passes.backward import Chosen, Rows
from genbab.bounds.passes.certify import certify
from genbab.bounds.passes.forward import forward_forms, varying
from genbab.bounds.relax.curvature import Linearised
from genbab.bounds.relax.relaxation import Relaxation
from genbab.config import Config
from genbab.kernels import DEFAULT, Kernels
from genbab.network import (
    Affine,
    Compose,
    Grouped,
    Index,
    Input,
    LinearMap,
    Network,
    Node,
    Nonlinear,
    contractions,
    rounded,
)
from genbab.network.interval import Interval, propagate, refined
from genbab.system.device import kernels_for

FORWARD_INPUTS = 32
"""Forward linear bounds are computed when at most this many inputs vary."""

CACHED = 600_000
"""Numbers in one (B, S, N) tensor of a pass: larger ones fall out of the processor's cache and cost several
times more per entry."""


Record = Callable[[int, Tensor, Tensor, Tensor, dict[int, Chosen]], None]
"""(node, neurons (n,), form (B, 2n, D), constant (B, 2n), lines of the last step): linear functions of the
input below +z and -z, sound over the reals, and how they were found."""


@dataclass(frozen=True, eq=False)
class Engine:
    """A network in the two dtypes of a run: `search` finds slopes, `exact` (float64) evaluates what is kept.
    Inner loops run in `kernels`.
    """

    exact: Network
    search: Network
    memory: int
    check: Callable[[], None] = field(default=lambda: None)
    kernels: Kernels = DEFAULT
    _twins: dict[int, Tensor] = field(default_factory=dict)

    @staticmethod
    def of(network: Network, config: Config, device: torch.device, check: Callable[[], None]) -> Engine:
        """The network in the dtypes that the settings name, on the device, with the kernels they name.

        Raises `ResourceError` or `UsageError` where there are no such kernels.
        """
        exact = network.to(torch.float64, device)
        search = exact.to(torch.float32 if config.search_dtype == "float32" else torch.float64, device)
        if config.search_products == "bfloat16":
            search = rounded(search, torch.bfloat16)
        return Engine(exact, search, config.memory, check, kernels_for(config.backend, device))

    @property
    def dtype(self) -> torch.dtype:
        """The search dtype."""
        return next((n.bias.dtype for n in self.search.nodes if isinstance(n, Affine)), torch.float64)

    def searching(
        self, intervals: list[Interval], mass: dict[int, tuple[int, Tensor]] | None = None
    ) -> Relaxation:
        """The relaxation on these intervals in the search dtype."""
        return Relaxation(self.search, intervals, self.dtype, mass, None, self.kernels, self.check)

    def certifying(
        self,
        intervals: list[Interval],
        mass: dict[int, tuple[int, Tensor]] | None = None,
        linear: Linearised | None = None,
    ) -> Relaxation:
        """The relaxation on these intervals in float64."""
        return Relaxation(self.exact, intervals, torch.float64, mass, linear, self.kernels, self.check)

    def chunk(self, domains: int, target: int, steps: int) -> int:
        """How many rows of node `target` fit the memory at once, for `domains` boxes."""
        skipped = {} if steps else self.exact.once(contractions)
        passed = self.exact.ancestors[target] - {
            i for one in skipped.values() for i in (one.node, one.left.node, one.right.node)
        }
        width = sum(self.exact.nodes[i].size for i in passed)
        searching = 14 * torch.finfo(self.dtype).bits // 8 if steps else 0
        bytes_per_row = width * max(searching, 4 * 8) * max(domains, 1)
        fits = int(self.memory * 0.5) // max(bytes_per_row, 1)
        widest = max(self.exact.nodes[i].size for i in passed) * max(domains, 1)
        return max(1, min(fits, -(-CACHED // widest)))

    def twins(self, i: int) -> Tensor:
        """For each neuron of node i, the first neuron that is a copy of the same number (itself if none is).

        Expanded operands (of a product of two matrices, say) repeat each number many times; one row serves
        them all.
        """
        if i not in self._twins:
            self._twins[i] = _first_copies(self.exact, i)
        return self._twins[i]

    def asked(self, bounds: Tensor) -> bool:
        """A `stop` that never stops but minds the time."""
        self.check()
        return False

    def room(self, box: Interval, intervals: list[Interval]) -> Freedom | None:
        """Room for the multipliers of the network's premises; None where it has none."""
        return room(self.search, self.cast(box), intervals, self.dtype) if self.search.premises else None

    @cached_property
    def shown(self) -> Shown | None:
        """The outputs that show numbers with a premise."""
        return Shown.of(self.exact)

    def multipliers(
        self, intervals: list[Interval], rows: Rows, start: Chosen | None = None
    ) -> Multipliers | None:
        """Multipliers for these rows of what is given on the intervals; None where that is nothing."""
        if self.shown is None or rows.target != self.exact.output:
            return None
        weight = None if start is None else start.slopes[0]
        return Multipliers(self.shown, intervals, rows.to(self.dtype), weight)

    def cast(self, interval: Interval) -> Interval:
        """A box in the search dtype (nearest: it only guides slopes)."""
        return interval[0].to(self.dtype), interval[1].to(self.dtype)


def cheap_intervals(
    engine: Engine, box: Interval, known: dict[int, Interval] | None = None
) -> list[Interval]:
    """Interval arithmetic, and forward linear bounds where few inputs vary."""
    return cheap_forms(engine, box, known)[0]


def cheap_forms(
    engine: Engine, box: Interval, known: dict[int, Interval] | None = None
) -> tuple[list[Interval], Linearised | None]:
    """The intervals of `cheap_intervals`, and the arguments of products as affine functions of few inputs."""
    if varying(box).numel() <= FORWARD_INPUTS:
        return forward_forms(engine.exact, box, known, engine.check)
    return propagate(engine.exact, box, known, engine.check), None


def row_bounds(
    engine: Engine, relaxation: Relaxation, rows: Rows, box: Interval, steps: Steps, stop: Stop | None = None
) -> tuple[Tensor, dict[int, Chosen]]:
    """Certified lower bounds (B, S) of the rows with slopes optimised for them, and those slopes; with them,
    for the rows' own node, the multipliers of its premises.

    The relaxation is the exact one; the search makes its own on the same intervals.
    """
    if not steps.count:
        return certify(engine.exact, relaxation, rows, box, {})[0], {}
    search = engine.searching(relaxation.intervals)
    ask = stop or engine.asked
    given = engine.multipliers(relaxation.intervals, rows)
    cast, free = engine.cast(box), engine.room(box, relaxation.intervals) if given is None else None
    slopes = optimise(engine.search, search, rows.to(engine.dtype), cast, steps, None, ask, free, given)
    if given is None:
        return certify(engine.exact, relaxation, rows, box, slopes)[0], slopes
    bounds = certify(engine.exact, relaxation, given.added(rows), box, slopes)[0]
    return given.paid(bounds, rows), {**slopes, rows.target: given.line()}


def tighten_all(  # noqa: PLR0913
    engine: Engine,
    box: Interval,
    intervals: list[Interval],
    steps: Steps,
    share: float = float("inf"),
    outputs: bool = False,
    linear: Linearised | None = None,
    record: Record | None = None,
) -> Relaxation:
    """Every nonlinear argument (and the outputs, if asked) bounded backwards, layer after layer, each using
    the last.

    Returns the exact relaxation on the intervals found. `share` is the time in seconds after which no
    further chunk of rows is begun; each node gets a part of what is left in proportion to its rows' cost.
    `linear` are the arguments of products on the same boxes, where they are known; `record` is told the
    linear forms found.
    """
    end = time.monotonic() + share
    exact = engine.certifying(intervals, linear=linear)
    search = engine.searching(intervals) if steps.count else exact
    layers = {*engine.exact.relaxed, engine.exact.output} if outputs else engine.exact.relaxed
    wanted = [i for i in sorted(layers) if not _already_exact(engine.exact, i)]
    cost = dict(zip(wanted, _row_costs(engine.exact, wanted), strict=True))
    for place, i in enumerate(wanted):
        engine.check()
        now = time.monotonic()
        if now > end:
            break
        part = cost[i] / max(1.0, sum(cost[j] for j in wanted[place:]))
        found = _tighten_node(engine, box, (exact, search), i, steps, now + part * (end - now), record)
        if found is not None:
            intervals = refined(engine.exact, exact.intervals, i, found, engine.check)
            exact = exact.moved(intervals)
            search = search.moved(intervals) if steps.count else exact
    return exact


def _tighten_node(  # noqa: PLR0913
    engine: Engine,
    box: Interval,
    relaxations: tuple[Relaxation, Relaxation],
    i: int,
    steps: Steps,
    end: float,
    record: Record | None = None,
) -> Interval | None:
    """Node i's interval from backward passes over the rows that matter, or None if there are none."""
    exact, search = relaxations
    lower, upper = (side.clone() for side in exact.intervals[i])
    twins = engine.twins(i)
    matter = list(dict.fromkeys(twins[rows_that_matter(exact, i)].tolist()))
    if not matter:
        return None
    order = torch.tensor(matter, device=lower.device)
    before = [engine.exact.nodes[j] for j in engine.exact.ancestors[i]]
    straight = not any(isinstance(node, Nonlinear | Grouped) for node in before)
    size = max(1, engine.chunk(lower.shape[0], i, steps.count) // 2)
    for chunk in torch.split(order, size):
        engine.check()
        if time.monotonic() > end:
            break
        units = torch.zeros(chunk.numel(), lower.shape[1], dtype=torch.float64, device=lower.device)
        units[torch.arange(chunk.numel(), device=chunk.device), chunk] = 1.0
        rows = Rows(i, torch.cat([units, -units])[None])
        slopes: dict[int, Chosen] = {}
        if steps.count and not straight:
            cast, free = engine.cast(box), engine.room(box, exact.intervals)
            slopes = optimise(
                engine.search, search, rows.to(engine.dtype), cast, steps, None, engine.asked, free
            )
        bound, form, constant = certify(engine.exact, exact, rows, box, slopes)
        if record is not None:
            record(i, chunk, form, constant, slopes)
        low, high = bound[:, : chunk.numel()], bound[:, chunk.numel() :]
        lower[:, chunk] = torch.maximum(lower[:, chunk], low)
        upper[:, chunk] = torch.minimum(upper[:, chunk], -high)
    return torch.maximum(lower, lower[:, twins]), torch.minimum(upper, upper[:, twins])


def rows_that_matter(relaxation: Relaxation, i: int) -> Tensor:
    """Neurons of node i whose readers are not yet linear on their interval, widest gap first."""
    network = relaxation.network
    gap = torch.zeros_like(relaxation.intervals[i][0])
    if i == network.output:
        return torch.arange(gap.shape[1], device=gap.device)
    for reader in network.consumers[i]:
        if isinstance(network.nodes[reader], Nonlinear):
            gap = torch.maximum(gap, line_gap(relaxation, reader))
        elif isinstance(network.nodes[reader], Grouped):
            for place, argument in enumerate(network.sources(reader)):
                if argument == i:
                    gap = torch.maximum(gap, relaxation.groups(reader).curved[place])
    worst = torch.nan_to_num(gap, nan=torch.inf, posinf=1e300).amax(0)
    order = worst.argsort(descending=True)
    return order[worst[order] > 1e-9]


def line_gap(relaxation: Relaxation, i: int) -> Tensor:
    """Distance between the default lines of nonlinear node i at the centre of its boxes, (B, N)."""
    node = relaxation.network.nodes[i]
    assert isinstance(node, Nonlinear)
    lines = relaxation.lines(i)
    lower, upper, low, high, _ = lines.default_lines
    gap = high - low
    for k, other, (start, end) in zip(lower, upper, lines.boxes, strict=True):
        gap = torch.addcmul(gap, other - k, (start + end) / 2)
    return gap[:, 0]


def _first_copies(network: Network, i: int) -> Tensor:
    node = network.nodes[i]
    alone = torch.arange(node.size)
    if not isinstance(node, Affine) or not node.terms:
        return alone
    constant = node.uncertainty.constant
    keys = [node.bias] if constant is None else [node.bias, constant]
    for _, one in (*node.terms, *node.uncertainty.weights):
        last = one.maps[-1] if isinstance(one, Compose) else one
        if not isinstance(last, Index):
            return alone.to(node.bias.device)
        keys.append(last.index.to(node.bias.dtype))
    _, group = torch.unique(torch.stack(keys), dim=1, return_inverse=True)
    first = torch.full((int(group.max()) + 1,), node.size, device=group.device)
    first.scatter_reduce_(0, group, alone.to(group.device), "amin")
    return first[group]


def tightening_cost(engine: Engine) -> float:
    """Multiply-adds of one `tighten_all` with default slopes for one box."""
    network = engine.exact
    return sum(_row_costs(network, [i for i in network.relaxed if not _already_exact(network, i)]))


def pass_cost(engine: Engine, target: int, rows: int) -> float:
    """Multiply-adds of one backward pass for so many rows of node `target` of one box."""
    network = engine.exact
    return float(rows * sum(_step_cost(network.nodes[j]) for j in network.ancestors[target]))


def _row_costs(network: Network, layers: list[int]) -> list[float]:
    """Multiply-adds of a backward pass for both sides of every neuron of each node."""
    cost = [_step_cost(node) for node in network.nodes]
    return [float(2 * network.nodes[i].size * sum(cost[j] for j in network.ancestors[i])) for i in layers]


def _step_cost(node: Node) -> int:
    """Multiply-adds of one row's step through the node, about."""
    if isinstance(node, Affine):
        return sum(one.cost for _, one in node.terms)
    return (60 if isinstance(node, Grouped) else 4) * node.size


def _already_exact(network: Network, i: int) -> bool:
    """Whether interval arithmetic is exact for node i: one affine step from the input."""
    node = network.nodes[i]
    if isinstance(node, Input):
        return True
    if isinstance(network.nodes[0], Input) and network.nodes[0].within:
        return False
    if not isinstance(node, Affine) or any(source != 0 for source, _ in node.terms) or len(node.terms) > 1:
        return False
    return all(_weighted(one) <= 1 for _, one in node.terms)


def _weighted(one: LinearMap) -> int:
    """How many of the maps composed here have weights: |W2 W1| = |W2||W1| holds when there is at most one."""
    return sum(_weighted(m) for m in one.maps) if isinstance(one, Compose) else int(one.cost > 0)
