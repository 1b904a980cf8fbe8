"""Filling in the intervals of every nonlinear argument, cheapest bounds first, everything intersected.

Rows of a hidden node are worth a backward pass only where they can change something: where the node's
functions are not already linear on the interval. They are taken widest gap first, in chunks that fit the
memory, until the share of the time they may use is gone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from genbab.bounds.answer import Answer, Question, answer
from genbab.bounds.ascent.adam import Steps
from genbab.bounds.costs import interval_exact, row_costs, rows_at_once
from genbab.bounds.engine import Engine, Relaxations, copies
from genbab.bounds.nominal import FORWARD, FORWARD_INPUT, INTERVALS
from genbab.bounds.passes.forward import forward_forms, varying
from genbab.bounds.passes.taken import Rows
from genbab.bounds.relax.curvature import Linearised
from genbab.bounds.relax.relaxation import Relaxation
from genbab.network.interval import propagate, refined
from genbab.network.roundoff import Interval

FORWARD_INPUTS = 32
"""Forward linear bounds are computed when at most this many inputs vary."""

ROUNDS = 40
"""So often at most are the rows of a node bounded whose own interval its planes depend on."""

WORTH = 0.02
"""The part of its width that an entry must lose in a round for another one."""

Record = Callable[[int, Tensor, Answer], None]
"""(node, neurons (n,), answer): told what was found of the rows z, then -z, of these neurons."""


def cheap_intervals(
    engine: Engine, box: Interval, known: dict[int, Interval] | None = None
) -> list[Interval]:
    """Interval arithmetic, and forward linear bounds where few inputs vary."""
    return cheap_forms(engine, box, known)[0]


def cheap_forms(
    engine: Engine, box: Interval, known: dict[int, Interval] | None = None
) -> tuple[list[Interval], Linearised | None]:
    """The intervals of `cheap_intervals`, and the arguments of products as affine functions of few inputs."""
    count, inputs = len(box[0]), varying(box).numel()
    if inputs <= FORWARD_INPUTS:
        engine.worked(FORWARD, count)
        engine.worked(FORWARD_INPUT, count, times=inputs)
        return forward_forms(engine.exact, box, known, engine.check)
    engine.worked(INTERVALS, count)
    return propagate(engine.exact, box, known, engine.check), None


@dataclass(frozen=True)
class Tightening:
    """How hidden rows are bounded.

    steps: of slopes; seconds: after which no further chunk of rows is begun; outputs: whether these are
    bounded, too; record: who is told what was found.
    """

    steps: Steps = Steps(0)
    seconds: float = float("inf")
    outputs: bool = False
    record: Record | None = None


def tighten_all(
    engine: Engine,
    box: Interval,
    intervals: list[Interval],
    how: Tightening,
    linear: Linearised | None = None,
) -> Relaxations:
    """The relaxations on intervals that backward passes find, layer after layer, each using the last.

    Every nonlinear argument is bounded, and the outputs, if asked.

    Each node gets a part of the seconds left in proportion to its rows' cost. `linear` are the arguments of
    products on the same boxes, where they are known.
    """
    end = engine.clock.now() + how.seconds
    network, relaxations = engine.exact, engine.relaxed(intervals, None, linear)
    layers = {*network.relaxed, network.output} if how.outputs else network.relaxed
    wanted = [i for i in sorted(layers) if not interval_exact(network, i)]
    cost = dict(zip(wanted, row_costs(network, wanted), strict=True))
    for place, i in enumerate(wanted):
        engine.check()
        now = engine.clock.now()
        if now > end:
            break
        part = cost[i] / max(1.0, sum(cost[j] for j in wanted[place:]))
        mine = replace(how, seconds=part * (end - now) if end < torch.inf else end)
        for _ in range(ROUNDS if i in network.implicit else 1):
            before = relaxations.intervals[i]
            found = _tighten_node(engine, box, relaxations, i, mine)
            if found is None:
                break
            engine.worked(INTERVALS, len(box[0]))
            relaxations = relaxations.moved(refined(network, relaxations.intervals, i, found, engine.check))
            if not _narrowed(before, relaxations.intervals[i]):
                break
    return relaxations


def _narrowed(before: Interval, after: Interval) -> bool:
    """Whether some entry's interval lost a part of its width that is worth another round."""
    width = before[1] - before[0]
    return bool((after[1] - after[0] < (1 - WORTH) * width).any())


def _tighten_node(
    engine: Engine, box: Interval, relaxations: Relaxations, i: int, how: Tightening
) -> Interval | None:
    """Node i's interval from backward passes over the rows that matter, or None if there are none."""
    network, end = engine.exact, engine.clock.now() + how.seconds
    lower, upper = (side.clone() for side in relaxations.intervals[i])
    twins = network.once(copies, i)
    matter = list(dict.fromkeys(twins[rows_that_matter(relaxations.exact, i)].tolist()))
    if not matter:
        return None
    order = torch.tensor(matter, device=lower.device)
    straight = not network.ancestors[i] & network.functions.keys()
    steps = Steps(0) if straight else how.steps
    size = max(1, rows_at_once(engine, lower.shape[0], i, how.steps.count > 0) // 2)
    for chunk in torch.split(order, size):
        engine.check()
        if engine.clock.now() > end:
            break
        rows = Rows.of_neurons(i, chunk, lower.shape[1])
        known = answer(engine, Question(rows, box, relaxations), steps)
        if how.record is not None:
            how.record(i, chunk, known)
        low, high = known.bound[:, : chunk.numel()], known.bound[:, chunk.numel() :]
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
        if reader in network.nonlinear:
            gap = torch.maximum(gap, line_gap(relaxation, reader))
        elif reader in network.grouped:
            for place, argument in enumerate(network.sources(reader)):
                if argument == i:
                    gap = torch.maximum(gap, relaxation.groups(reader).curved[place])
    worst = torch.nan_to_num(gap, nan=torch.inf, posinf=1e300).amax(0)
    order = worst.argsort(descending=True)
    return order[worst[order] > 1e-9]


def line_gap(relaxation: Relaxation, i: int) -> Tensor:
    """Distance between the default lines of nonlinear node i at the centre of its boxes, (B, N)."""
    lines = relaxation.lines(i)
    lower, upper, low, high, _ = lines.default_lines
    gap = high - low
    for k, other, (start, end) in zip(lower, upper, lines.boxes, strict=True):
        gap = torch.addcmul(gap, other - k, (start + end) / 2)
    return gap[:, 0]
