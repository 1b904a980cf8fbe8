"""Hidden intervals at unsafe points: what the unsafe rows and all that is given say of every neuron together.

An unsafe point of a domain satisfies the rows of its clause and lies in the intervals of all hidden neurons.
With multipliers for all of these at once, rows z and -z of every neuron are bounded, from the last layer's
constraints back to the first layer's neurons, too; narrower intervals make narrower relaxations, so it is
done a few times (Kotha et al., NeurIPS 2023).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from genbab.bounds import (
    Chosen,
    Engine,
    Interval,
    Multipliers,
    Rows,
    Shown,
    Steps,
    Unsafe,
    certify,
    intersect,
    optimise,
    pass_cost,
    refined,
)
from genbab.branch.bound.neurons import Root, child_intervals
from genbab.branch.open.domains import Domains, Warm, warm_from

ROUNDS = 12
"""Most rounds over all neurons."""

STEPS = 20
"""Steps of a round."""

FINAL = 160
"""Steps of the domains' own rows after the last one."""

LITTLE = 0.01
"""Mean share of their width that intervals must lose in a round for another one."""

SEARCHED = 3.0
"""Cost of a step, as a multiple of a backward pass."""

SPEED = 1e9
"""Multiply-adds in a second that are counted on."""

UNSAFE = 8
"""Most unsafe rows that take part."""

SHARE = 0.2
"""Size of a multiplier, as a share of the width of what is bounded over the width of what is given."""


@dataclass(eq=False)
class Together:
    """The rounds of one batch of domains; weights and slopes of each chunk of rows start its next round."""

    engine: Engine
    root: Root
    domains: Domains
    starts: list[dict[int, Chosen]] = field(default_factory=list)

    def round(self, shown: Shown, intervals: list[Interval]) -> list[Interval]:
        """All intervals, cut by what one round finds of the neurons shown."""
        query = self.domains.query
        unsafe = Unsafe(query.matrix[:, :UNSAFE], query.rhs[:, :UNSAFE])
        units = _units(shown, query.matrix)
        low, high = shown.ends(intervals)
        width = (high - low).squeeze(1)
        given = torch.cat([width, self._slack().expand(-1, unsafe.rhs.shape[1])], -1)
        size = SHARE * torch.cat([width, width], 1)[..., None] / given[:, None]
        size = torch.nan_to_num(size, nan=0.0, posinf=0.0).to(self.engine.dtype)
        chunk = self.engine.chunk(len(self.domains), self.root.output, STEPS)
        parts = torch.split(torch.arange(units.shape[1], device=width.device), chunk)
        self.starts = self.starts or [{} for _ in parts]
        bounds = []
        for place, part in enumerate(parts):
            rows, start = Rows(self.root.output, units[:, part]), self.starts[place]
            weight = start[self.root.output].slopes[0] if start else None
            near = rows.to(self.engine.dtype)
            multipliers = Multipliers(shown, intervals, near, weight, unsafe, size[:, part])
            bound, self.starts[place] = self._bounded(intervals, rows, multipliers, start, STEPS)
            bounds.append(bound)
        found = torch.cat(bounds, 1)
        count = len(shown.output)
        return _cut(self.engine, shown, intervals, (found[:, :count], -found[:, count:]))

    def own_rows(self, intervals: list[Interval]) -> tuple[dict[int, Warm], Tensor]:
        """Warm slopes and weights of the domains' own rows, and their certified worst margins (B,)."""
        query = self.domains.query
        rows = Rows(self.root.output, query.matrix)
        given = self.engine.multipliers(intervals, rows)
        assert given is not None
        bounds, lines = self._bounded(intervals, rows, given, {}, FINAL)
        return warm_from(lines), query.worst(query.margins(bounds))

    def _slack(self) -> Tensor:
        """About how far below 0 the rows of unsafe points can lie, (B, 1)."""
        return (-self.domains.bound).clamp(min=1e-3)[:, None]

    def _bounded(
        self,
        intervals: list[Interval],
        rows: Rows,
        multipliers: Multipliers,
        start: dict[int, Chosen],
        steps: int,
    ) -> tuple[Tensor, dict[int, Chosen]]:
        """Certified lower bounds (B, S) of the rows at unsafe points; slopes and weights."""
        engine = self.engine
        query, mass = self.domains.query, self.root.mass
        box = (query.lower, query.upper)
        slopes = optimise(
            engine.search,
            engine.searching(intervals, mass),
            rows.to(engine.dtype),
            engine.cast(box),
            Steps.of(steps),
            start,
            engine.asked,
            None,
            multipliers,
        )
        exact = engine.certifying(intervals, mass)
        bounds = certify(engine.exact, exact, multipliers.added(rows), box, slopes)[0]
        return multipliers.paid(bounds, rows), {**slopes, self.root.output: multipliers.line()}


def narrowed(engine: Engine, root: Root, domains: Domains, seconds: float) -> Domains:
    """The domains with the hidden intervals that their unsafe points can have (lower > upper: there are
    none), found in about so many seconds. Only neurons that the specification shows are narrowed; the same
    domains where it shows none.
    """
    end, shown, query = time.monotonic() + seconds, engine.shown, domains.query
    count = len(domains)
    if shown is None or query.on_input is not None or not count:
        return domains
    work = SEARCHED * STEPS * pass_cost(engine, root.output, 2 * len(shown.output) * count)
    if work > seconds * SPEED:
        return domains
    intervals = [(a.expand(count, -1), b.expand(count, -1)) for a, b in child_intervals(root, domains)]
    search = Together(engine, root, domains)
    for _ in range(ROUNDS):
        engine.check()
        began = time.monotonic()
        low, high = shown.ends(intervals)
        intervals = search.round(shown, intervals)
        after = shown.ends(intervals)
        lost = 1 - (after[1] - after[0]) / (high - low)
        now = time.monotonic()
        gained = float(torch.nan_to_num(lost, nan=0.0, posinf=0.0, neginf=0.0).clamp(0, 1).mean())
        if gained < LITTLE or now + (now - began) > end:
            break
    hidden = {i: intersect(own, intervals[i]) for i, own in domains.hidden.items()}
    warm, bound = search.own_rows(intervals)
    empty = torch.stack([(low > high).any(-1) for low, high in hidden.values()]).any(0)
    bound = torch.where(empty, torch.inf, torch.maximum(bound, domains.bound))
    return replace(domains, hidden=hidden, warm=warm, bound=bound)


def _units(shown: Shown, like: Tensor) -> Tensor:
    """Rows (1, 2K, O): y_k, then -y_k, for the outputs shown."""
    units = like.new_zeros(1, len(shown.output), like.shape[-1])
    units[0, torch.arange(len(shown.output), device=like.device), shown.output] = 1.0
    return torch.cat([units, -units], 1)


def _cut(engine: Engine, shown: Shown, intervals: list[Interval], found: Interval) -> list[Interval]:
    """The intervals, cut by those found (B, K) of the neurons shown, and what follows for later nodes."""
    for i in sorted(set(shown.node.tolist())):
        mine = shown.node == i
        low, high = (end.clone() for end in intervals[i])
        low[:, shown.neuron[mine]] = torch.maximum(low[:, shown.neuron[mine]], found[0][:, mine])
        high[:, shown.neuron[mine]] = torch.minimum(high[:, shown.neuron[mine]], found[1][:, mine])
        intervals = refined(engine.exact, intervals, i, (low, high), engine.check)
    return intervals
