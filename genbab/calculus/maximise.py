"""The largest values of several outputs on boxes, enclosed from both sides by branch and bound on inputs.

Boxes whose upper bound may still matter are halved, those first whose bound is farthest above what was seen;
all outputs share the boxes. What is claimed above comes from bounds alone, what is claimed below from
onnxruntime at one input.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genbab.attack import Replayer
from genbab.bounds import Engine
from genbab.bounds.methods import node_intervals
from genbab.config import Config
from genbab.errors import DeadlineReached
from genbab.network import Network, evaluate, without_domains
from genbab.network.roundoff import Interval
from genbab.nonlinear import Gate, Nonlinearity
from genbab.reader import Model
from genbab.specs import Spec
from genbab.system.deadline import Deadline
from genbab.system.device import resolve

BATCH = 256
"""Boxes that are bounded at once."""

FEW = 8
"""With more inputs that vary, bounds go backwards: forward ones grow with their number."""

SAMPLES = 2048
CLIMBS, STEPS = 16, 40
"""Samples at first; so many of the best climb so many steps."""

TRIED = 16
"""So many of the best points are tried where those before cannot be used."""


def _jumping(network: Network) -> bool:
    """Whether a function jumps: forward bounds forget that what depends on one jump goes together."""
    functions = (node.fn.g if isinstance(node.fn, Gate) else node.fn for node in network.nonlinear.values())
    return any(isinstance(fn, Nonlinearity) and bool(fn.jumps) for fn in functions)


Usable = Callable[[NDArray[np.float64]], bool]
"""Whether a point may stand for a value that is attained."""


@dataclass(frozen=True, eq=False)
class Maxima:
    """Per row s: seen[s] <= the largest value on the boxes <= certified[s].

    seen[s] is attained in onnxruntime at the input at[s] (D,), minus infinity where nothing was; done: all is
    as narrow, or as decided, as was asked for. boxes: so many were bounded.
    """

    certified: NDArray[np.float64]
    seen: NDArray[np.float64]
    at: NDArray[np.float64]
    done: bool
    boxes: int


@dataclass(frozen=True, eq=False)
class Goal:
    """What is maximised: signs[s] · output number outputs[s], and how well.

    tolerance: how far bounds may stay above what was seen, relative to its size, or `least`; where `paired`,
    the second half of the rows are the negatives of the first, and it is relative to how far apart both ends
    are. enough: a row is decided where all its bounds are below this (or where a value above it was seen),
    None for none.
    """

    outputs: Tensor
    signs: Tensor
    tolerance: float
    least: float = 1e-9
    enough: float | None = None
    paired: bool = False

    def of(self, values: Tensor) -> Tensor:
        """The rows (..., S) of outputs (..., O)."""
        return values[..., self.outputs] * self.signs

    def above(self, low: Tensor, high: Tensor) -> Tensor:
        """Upper bounds (B, S) of the rows where the outputs lie in intervals (B, O)."""
        up = torch.where(self.signs > 0, high[..., self.outputs], -low[..., self.outputs])
        return torch.where(torch.isnan(up), torch.inf, up)

    def goal(self, best: Tensor) -> Tensor:
        """What bounds (S,) must come down to."""
        size = (best + best.roll(len(best) // 2) if self.paired else best).abs()
        goal = best + torch.maximum(self.tolerance * size, torch.full_like(best, self.least))
        if self.enough is None:
            return torch.where(torch.isnan(goal), -torch.inf, goal)  # nothing was seen
        below = torch.full_like(best, np.nextafter(self.enough, -np.inf))
        return torch.where(best > self.enough, torch.inf, below)


def maxima(
    model: Model, boxes: Interval, wanted: Goal, deadline: Deadline, usable: Usable = lambda x: True
) -> Maxima:
    """The largest values of the rows on boxes (N, D) of the model's inputs."""
    search = _Search(model, boxes, wanted, deadline, usable)
    search.sample()
    try:
        search.begin()
        while search.step():
            pass
    except DeadlineReached:
        pass
    return search.found()


@dataclass(eq=False)
class _Search:
    """Open boxes `low`, `high` (N, D) with bounds `above` (N, S); `closed` (S,) bounds all others."""

    model: Model
    given: Interval
    wanted: Goal
    deadline: Deadline
    usable: Usable
    gains: Tensor = field(init=False)
    count: int = 0

    def __post_init__(self) -> None:
        device = resolve("cpu")
        config = Config.of(None)
        network = self.model.network
        self.engine = Engine.of(network, config, device, self.deadline.check)
        self.plain: Network = without_domains(network)
        self.low, self.high = (end.double() for end in self.given)
        rows = len(self.wanted.outputs)
        self.above = torch.full((len(self.low), rows), torch.inf, dtype=torch.float64)
        self.closed = torch.full((rows,), -torch.inf, dtype=torch.float64)
        self.best = self.closed.clone()
        self.at = self.low[:1].expand(rows, -1).clone()
        self.width = (self.high - self.low).amax(0).clamp_min(1e-300)
        varying = int((self.high > self.low).any(0).sum())
        self.method = "forward" if varying <= FEW and not _jumping(network) else "backward"
        self.gains = torch.ones(self.low.shape[1], dtype=torch.float64)
        self.undecided = False
        spec = Spec(self.low.numpy(), self.high.numpy(), (), network.output_size)
        self.replayer, self.spec = Replayer(self.model), spec

    def sample(self) -> None:
        """Values at random points, and where the best of these climb to."""
        generator = torch.Generator().manual_seed(0)
        each = max(2, SAMPLES // len(self.low))
        share = torch.rand(len(self.low), each, self.low.shape[1], generator=generator, dtype=torch.float64)
        points = torch.lerp(self.low[:, None], self.high[:, None], share)
        middles = (self.low + self.high)[:, None] / 2
        points = torch.cat([points, middles], 1)
        ends = [end[:, None].expand_as(points).flatten(0, 1) for end in (self.low, self.high)]
        points = points.flatten(0, 1)
        self._see(points)
        for s in range(len(self.wanted.outputs)):
            self._climb(points, (ends[0], ends[1]), s)

    def _climb(self, points: Tensor, ends: Interval, s: int) -> None:
        values = self.wanted.of(evaluate(self.plain, points))[:, s].nan_to_num(-torch.inf)
        chosen = values.argsort(descending=True)[:CLIMBS]
        low, high = ends[0][chosen], ends[1][chosen]
        x, size = points[chosen].clone(), 0.1
        for _ in range(STEPS):
            if self.deadline.expired:
                break
            x.requires_grad_(True)
            value = self.wanted.of(evaluate(self.plain, x))[:, s].sum()
            if not value.requires_grad:  # constant
                return
            (slope,) = torch.autograd.grad(value, x)
            x = x.detach() + size * (high - low) * slope.nan_to_num(0.0).sign()
            x, size = torch.minimum(torch.maximum(x, low), high), size * 0.85
        self._see(x.detach())

    def _see(self, points: Tensor) -> None:
        """Remember the best of these points, as onnxruntime has them."""
        values = self.wanted.of(evaluate(self.plain, points)).nan_to_num(-torch.inf, -torch.inf, -torch.inf)
        top = values.topk(min(TRIED, len(points)), dim=0)
        for s in (top.values[0] > self.best).nonzero().reshape(-1).tolist():
            for value, k in zip(top.values[:, s], top.indices[:, s], strict=True):
                if not value > self.best[s] or self._replayed(points[k].numpy()):
                    break

    def _replayed(self, x: NDArray[np.float64]) -> bool:
        """Whether the point can be used; its values are remembered."""
        placed = self.replayer.placed(self.spec, x) if self.model.replayable else None
        if placed is None or not self.usable(placed.x):
            return False
        outputs, _ = self.replayer.answer(self.spec, placed.x)
        if outputs is None or not np.isfinite(outputs).all():
            return False
        rows = self.wanted.of(torch.from_numpy(outputs))
        better = rows > self.best
        self.best = torch.where(better, rows, self.best)
        self.at[better] = torch.from_numpy(placed.x)
        return True

    def begin(self) -> None:
        """Bound the boxes as they are given."""
        for part in torch.split(torch.arange(len(self.low)), BATCH):
            self.above[part] = self._bounded(self.low[part], self.high[part])

    def step(self) -> bool:
        """Close what is decided, halve the boxes that matter most; whether boxes are left."""
        goal = self.wanted.goal(self.best)
        halves = self.low + (self.high - self.low) / 2
        matters = (self.above > goal).any(-1) & ((self.low < halves) & (halves < self.high)).any(-1)
        self.undecided = self.undecided or bool((self.above[~matters] > goal).any())
        self._keep(matters)
        if not len(self.low):
            return False
        self.deadline.check()
        excess = (self.above - goal).nan_to_num(0.0, torch.inf, 0.0).amax(-1)
        order = excess.argsort(descending=True)
        chosen, rest = order[: BATCH // 2], order[BATCH // 2 :]
        places, low, high = self._halved(self.low[chosen], self.high[chosen])
        before = self.above[chosen].repeat(2, 1)
        after = torch.minimum(before, self._bounded(low, high))
        self._learn(places, before, after)
        self.low, self.high = torch.cat([self.low[rest], low]), torch.cat([self.high[rest], high])
        self.above = torch.cat([self.above[rest], after])
        self._see((low + high) / 2)
        return True

    def _keep(self, matters: Tensor) -> None:
        """Close all other boxes."""
        if not bool(matters.all()):
            self.closed = torch.maximum(self.closed, self.above[~matters].amax(0))
            self.low, self.high, self.above = self.low[matters], self.high[matters], self.above[matters]

    def _halved(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(the inputs (2B, 1) that are split, the ends of both halves of each box)."""
        middle = low + (high - low) / 2
        possible = (low < middle) & (middle < high)
        worth = torch.where(possible, (high - low) / self.width * self.gains, -1.0)
        place = worth.argmax(-1, keepdim=True)
        at = middle.gather(-1, place)
        lows, highs = (
            torch.cat([low, low.scatter(-1, place, at)]),
            torch.cat([high.scatter(-1, place, at), high]),
        )
        return place.repeat(2, 1), lows, highs

    def _learn(self, places: Tensor, before: Tensor, after: Tensor) -> None:
        """What a split of each input gains, as a running mean."""
        gained = (before - after).nan_to_num(0.0, 0.0, 0.0).clamp_min(0.0).mean(-1)
        scale = float(gained.mean()) or 1.0
        for i in sorted(set(places[:, 0].tolist())):
            here = float(gained[places[:, 0] == i].mean()) / scale
            self.gains[i] = 0.8 * self.gains[i] + 0.2 * (0.2 + here)

    def _bounded(self, low: Tensor, high: Tensor) -> Tensor:
        self.count += len(low)
        ends = node_intervals(self.engine, (low, high), self.method, 0)[self.engine.exact.output]
        return self.wanted.above(*ends)

    def found(self) -> Maxima:
        """What is known now."""
        above = torch.maximum(self.closed, self.above.amax(0)) if len(self.above) else self.closed
        seen = torch.minimum(self.best, above)  # onnxruntime rounds
        return Maxima(above.numpy(), seen.numpy(), self.at.numpy(), self._done(), self.count)

    def _done(self) -> bool:
        return not len(self.low) and not self.undecided
