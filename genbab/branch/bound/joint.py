"""Hidden intervals at unsafe points: what the unsafe rows and all that is given say of every neuron together.

An unsafe point of a domain satisfies the rows of its clause and lies in the intervals of all hidden neurons.
With multipliers for all of these at once, rows z and -z of every neuron are bounded, from the last layer's
constraints back to the first layer's neurons, too; narrower intervals make narrower relaxations, so it is
done a few times (Kotha et al., NeurIPS 2023).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from genbab.bounds import (
    SEARCHED,
    Answer,
    Engine,
    Interval,
    PremiseOutputs,
    Premises,
    Question,
    Rows,
    Steps,
    Unsafe,
    WarmStart,
    answer,
    intersect,
    pass_cost,
    refined,
    rows_at_once,
)
from genbab.bounds.nominal import INTERVALS
from genbab.branch.bound.neurons import Root, child_intervals
from genbab.branch.open.domains import Domains

ROUNDS = 12
"""Most rounds over all neurons."""

STEPS = 20
"""Steps of a round."""

FINAL = 160
"""Steps of the domains' own rows after the last one."""

LITTLE = 0.01
"""Mean share of their width that intervals must lose in a round for another one."""

SPEED = 1e9
"""Multiply-adds in a second that are counted on."""

UNSAFE = 8
"""Most unsafe rows that take part."""

SHARE = 0.2
"""Size of a multiplier, as a share of the width of what is bounded over the width of what is given."""


@dataclass(eq=False)
class JointRounds:
    """The rounds of one batch of domains; what each chunk of rows was answered with starts its next round."""

    engine: Engine
    root: Root
    domains: Domains
    outputs: PremiseOutputs
    starts: list[WarmStart] = field(default_factory=list)

    def round(self, intervals: list[Interval]) -> list[Interval]:
        """All intervals, cut by what one round finds of the neurons with premises."""
        query, outputs = self.domains.query, self.outputs
        unsafe = Unsafe(query.matrix[:, :UNSAFE], query.rhs[:, :UNSAFE])
        units = Rows.of_neurons(self.root.output, outputs.output, query.matrix.shape[-1]).matrix
        low, high = outputs.ends(intervals)
        width = (high - low).squeeze(1)
        known = torch.cat([width, self._slack().expand(-1, unsafe.rhs.shape[1])], -1)
        size = SHARE * torch.cat([width, width], 1)[..., None] / known[:, None]
        size = torch.nan_to_num(size, nan=0.0, posinf=0.0).to(self.engine.dtype)
        chunk = rows_at_once(self.engine, len(self.domains), self.root.output, searching=True)
        parts = torch.split(torch.arange(units.shape[1], device=width.device), chunk)
        self.starts = self.starts or [WarmStart() for _ in parts]
        bounds = []
        for place, part in enumerate(parts):
            premises = Premises(outputs, unsafe, size[:, part])
            found = self._answer(intervals, units[:, part], premises, STEPS, self.starts[place])
            self.starts[place] = found.certificate
            bounds.append(found.bound)
        found_all = torch.cat(bounds, 1)
        count = len(outputs.output)
        return _cut(self.engine, outputs, intervals, (found_all[:, :count], -found_all[:, count:]))

    def own_rows(self, intervals: list[Interval]) -> Answer:
        """What is found of the domains' own rows."""
        return self._answer(intervals, self.domains.query.matrix, Premises(self.outputs), FINAL)

    def _slack(self) -> Tensor:
        """About how far below 0 the rows of unsafe points can lie, (B, 1)."""
        return (-self.domains.bound).clamp(min=1e-3)[:, None]

    def _answer(
        self,
        intervals: list[Interval],
        matrix: Tensor,
        premises: Premises,
        steps: int,
        start: WarmStart | None = None,
    ) -> Answer:
        """What is found of rows (B or 1, S, O) of the outputs at the points that count."""
        query = self.domains.query
        rows, box = Rows(self.root.output, matrix), (query.lower, query.upper)
        relaxations = self.engine.relaxed(intervals, self.root.masses)
        asked = Question(rows, box, relaxations, None, premises)
        return answer(self.engine, asked, Steps.of(steps), start)


def narrowed(engine: Engine, root: Root, domains: Domains, seconds: float) -> Domains:
    """The domains with the hidden intervals that their unsafe points can have.

    lower > upper: there are none. Found in about so many seconds. Only neurons with premises are narrowed;
    the same domains where there are none.
    """
    end, query = engine.clock.now() + seconds, domains.query
    outputs = engine.exact.once(PremiseOutputs.of)
    count = len(domains)
    if outputs is None or query.on_input is not None or not count:
        return domains
    work = SEARCHED * STEPS * pass_cost(engine, root.output, 2 * len(outputs.output) * count)
    if work > seconds * SPEED:
        return domains
    intervals = [(a.expand(count, -1), b.expand(count, -1)) for a, b in child_intervals(root, domains)]
    search = JointRounds(engine, root, domains, outputs)
    for _ in range(ROUNDS):
        engine.check()
        began = engine.clock.now()
        low, high = outputs.ends(intervals)
        intervals = search.round(intervals)
        after = outputs.ends(intervals)
        lost = 1 - (after[1] - after[0]) / (high - low)
        now = engine.clock.now()
        gained = float(torch.nan_to_num(lost, nan=0.0, posinf=0.0, neginf=0.0).clamp(0, 1).mean())
        if gained < LITTLE or now + (now - began) > end:
            break
    hidden = {i: intersect(known, intervals[i]) for i, known in domains.hidden.items()}
    own = search.own_rows(intervals)
    bound = query.worst(query.margins(own.bound))
    empty = torch.stack([(low > high).any(-1) for low, high in hidden.values()]).any(0)
    bound = torch.where(empty, torch.inf, torch.maximum(bound, domains.bound))
    return replace(domains, hidden=hidden, warm=own.certificate, bound=bound)


def _cut(
    engine: Engine, outputs: PremiseOutputs, intervals: list[Interval], found: Interval
) -> list[Interval]:
    """The intervals, cut by those found (B, K) of neurons with premises, and what follows for later nodes."""
    for i in sorted(set(outputs.node.tolist())):
        mine = outputs.node == i
        low, high = (end.clone() for end in intervals[i])
        low[:, outputs.neuron[mine]] = torch.maximum(low[:, outputs.neuron[mine]], found[0][:, mine])
        high[:, outputs.neuron[mine]] = torch.minimum(high[:, outputs.neuron[mine]], found[1][:, mine])
        engine.worked(INTERVALS, len(low))
        intervals = refined(engine.exact, intervals, i, (low, high), engine.check)
    return intervals
