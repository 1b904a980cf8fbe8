"""One attack: sample, then descend from the most promising points; stop at the first confirmed violation."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from genbab.attack.descent import Best, Field, descend, diversify, projected
from genbab.attack.integers import gridded, walked
from genbab.attack.targets import Floats, Targets, gather
from genbab.result import Counterexample
from genbab.specs import Spec

Confirm = Callable[[Floats], Counterexample | None]
"""Judges a point (D,): the counterexample there (replayed), or None."""

SCREEN_ENTRIES = 16_000_000
"""Numbers in the rows of the clauses, in their values, and in points, at one time in the first phase."""

GLANCE = 256
"""Points of a very first look, for what is easily falsified."""

MANY_INPUTS = 64
"""With more inputs than this, random points say little: there are fewer of them."""

KEEP = 8
"""Points per clause that the first phase hands to the second."""

TRIES = 4
"""Points judged after one step, the best first."""

REPLAYS = 256
"""Points judged in one attack before it stops asking: each costs a fraction of a millisecond and up."""


@dataclass(frozen=True)
class AttackEffort:
    """How hard an attack tries.

    samples: points of the first phase over all boxes (three per box at least); clauses: how many clauses get
    descents, the most promising first; restarts: descents per clause; steps: gradient steps of each; rounds:
    repetitions with new random starts, numbered from `first`; work: multiply-adds of each phase in a round,
    about (this shrinks samples, clauses and restarts for large networks).
    """

    samples: int
    clauses: int
    restarts: int
    steps: int
    rounds: int
    work: float
    seed: int = 0
    first: int = 0


QUICK = AttackEffort(samples=4096, clauses=64, restarts=2048, steps=40, rounds=1, work=3e9)
"""Before any bound is computed: a fifth of a second on small networks where there is nothing to find."""

FULL = AttackEffort(samples=16384, clauses=256, restarts=4096, steps=80, rounds=4, work=2e10)
"""About ten times as much."""


@dataclass(frozen=True, eq=False)
class AttackOutcome:
    """A confirmed counterexample or None, and the best points of the attack, the most promising first.

    points (M, D) lie in their boxes and are numbers of the search's dtype; margins (M,) are the largest row
    value of their clause (<= 0: met, if rounding is left aside); clauses (M,) are places in `spec.clauses`.
    """

    counterexample: Counterexample | None
    points: Floats
    margins: Floats
    clauses: np.ndarray[tuple[int], np.dtype[np.int64]]


@dataclass(frozen=True, eq=False)
class Screened:
    """After the first phase: clauses (C,) of the spec, promise (C,) (lower: better), points (C, KEEP, D)."""

    clauses: Tensor
    promise: Tensor
    points: Tensor


@dataclass(eq=False)
class Hunt:
    """The state of one attack: what was found so far, and the random numbers."""

    field: Field
    spec: Spec
    box: tuple[Tensor, Tensor]
    confirm: Confirm
    generator: torch.Generator
    found: Counterexample | None = None
    _replays: int = 0
    _kept: list[tuple[Tensor, Tensor, Tensor]] = dataclasses.field(default_factory=list)

    def play(self, effort: AttackEffort, wanted: Sequence[int], number: int) -> None:
        """Both phases once; every round draws new points and moves on to the next most promising clauses."""
        if number == 0:
            self._screen(dataclasses.replace(effort, samples=GLANCE, work=effort.work / 20), wanted)
        screened = None if self.found is not None else self._screen(effort, wanted)
        if screened is None:
            return
        width = screened.clauses.shape[0]
        capacity = max(2, int(effort.work / (3 * effort.steps * self.field.work)))
        count = min(effort.clauses, width, capacity)
        restarts = max(1, min(effort.restarts, capacity // count, self.field.batch))
        order = screened.promise.argsort(stable=True).roll(-number * count)[:count]
        chunk = max(1, self.field.batch // restarts)
        for part in torch.split(order, chunk):
            targets = gather(self.spec, screened.clauses[part].tolist(), self.box[0])
            self.descend(targets, self._starts(targets, screened.points[part], restarts), effort.steps)
            if self.found is None and self.field.network.entry.whole is not None:
                self.walk(targets)
            if self.found is not None:
                return

    def descend(self, targets: Targets, x: Tensor, steps: int) -> None:
        """Descend from x (C, P, D), clipped to the boxes, and keep the best point of every clause."""
        low, high = self._around(targets.box)
        x = projected(self.field.network, x, low, high)
        best = descend(self.field, targets, (low, high), x, steps, self.watch).first()
        self._kept.append((best.x[:, 0], best.margins[:, 0], targets.index))

    def walk(self, targets: Targets) -> None:
        """Go on from the last points kept, which are of these clauses, by changing one integer at a time."""
        x, margins, index = self._kept[-1]
        start, box = Best(x[:, None], margins[:, None]), self._around(targets.box)
        best = walked(self.field, targets, box, start, self.generator, self.watch)
        self._kept[-1] = best.x[:, 0], best.margins[:, 0], index

    def watch(self, x: Tensor, margins: Tensor) -> bool:
        """Judge the best of x (C, P, D) with margins (C, P) <= 0; whether a counterexample is known now."""
        flat = margins.flatten()
        if self._replays < REPLAYS and bool((flat <= 0).any()):
            best = flat.topk(min(TRIES, flat.numel()), largest=False)
            for place in best.indices[best.values <= 0].tolist():
                self._replays += 1
                self.found = self.confirm(x.reshape(-1, x.shape[-1])[place].double().cpu().numpy())
                if self.found is not None:
                    break
        return self.found is not None

    def outcome(self) -> AttackOutcome:
        """What is known now."""
        size = self.spec.input_size
        if not self._kept:
            return AttackOutcome(self.found, np.zeros((0, size)), np.zeros(0), np.zeros(0, dtype=np.int64))
        points, margins, clauses = (torch.cat(parts).cpu() for parts in zip(*self._kept, strict=True))
        order = margins.argsort(stable=True)
        return AttackOutcome(
            self.found,
            points[order].double().numpy(),
            margins[order].double().numpy(),
            clauses[order].numpy(),
        )

    def _around(self, box: Tensor) -> tuple[Tensor, Tensor]:
        """The boxes (C,) as (C, 1, D), (C, 1, D)."""
        return self.box[0][box].unsqueeze(1), self.box[1][box].unsqueeze(1)

    def _screen(self, effort: AttackEffort, wanted: Sequence[int]) -> Screened | None:
        """Evaluate sample points of every box; rank clauses by best margin / spread; None: found."""
        boxes = len({self.spec.clauses[i].box for i in wanted})
        dense = min(effort.samples, effort.work / self.field.work)
        if self.spec.input_size > MANY_INPUTS:
            dense = min(dense, max(GLANCE, effort.samples * MANY_INPUTS / self.spec.input_size))
        count = max(3, int(dense) // boxes)
        found: list[tuple[Tensor, Tensor, Tensor]] = []
        for targets in self._chunks(wanted, count):
            used, place = torch.unique(targets.box, return_inverse=True)
            low, high = self._around(used)
            x = self._sample(low, high, count)
            y = self.field.values(x)
            if used.shape[0] > 1:
                x, y = x[place], y[place]
            margins = targets.margins(x, y)
            x = x.expand(margins.shape[0], -1, -1)
            if self.watch(x, margins):
                return None
            best = margins.topk(min(KEEP, count), largest=False)
            spread = (margins.clamp(max=1e30).amax(-1) - best.values[:, 0]).clamp_min(1e-30)
            points = x.gather(1, best.indices.unsqueeze(-1).expand(-1, -1, x.shape[-1]))
            found.append((targets.index, best.values[:, 0] / spread, points))
        return Screened(*(torch.cat(parts) for parts in zip(*found, strict=True)))

    def _chunks(self, wanted: Sequence[int], count: int) -> Iterator[Targets]:
        """The wanted clauses, ordered by box, in groups with small tensors for `count` points per box."""
        order = sorted(wanted, key=lambda i: self.spec.clauses[i].box)
        rows = max(1, *(self.spec.clauses[i].rhs.shape[0] for i in order))
        inputs, outputs = self.spec.input_size, self.spec.output_size
        shared = self.spec.clauses[order[0]].box == self.spec.clauses[order[-1]].box
        copied = 0 if shared else outputs + inputs
        entries = count * (rows + copied) + rows * (outputs + inputs)
        size = max(1, SCREEN_ENTRIES // entries)
        for start in range(0, len(order), size):
            yield gather(self.spec, order[start : start + size], self.box[0])

    def _sample(self, low: Tensor, high: Tensor, count: int) -> Tensor:
        """Points (K, count, D) of boxes (K, 1, D): centre, two opposite corners, random corners, uniform."""
        shape = (low.shape[0], count, low.shape[-1])
        weight = torch.rand(shape, generator=self.generator, dtype=low.dtype)
        corners = count // 2 if low.shape[-1] > 12 else min(count // 2, 2 ** low.shape[-1])
        weight[:, 3 : 3 + corners] = weight[:, 3 : 3 + corners].round()
        for place, value in enumerate((0.5, 0.0, 1.0)):
            weight[:, place] = value
        weight = weight.to(low.device)
        network, whole = self.field.network, self.field.network.entry.whole
        x = network.entry.nearest(projected(network, low * (1 - weight) + high * weight, low, high))
        return x if whole is None else gridded(whole, low, high, x)

    def _starts(self, targets: Targets, points: Tensor, restarts: int) -> Tensor:
        """Starts (C, restarts, D): half of them screened, the rest random, half of those diversified."""
        kept = points[:, : max(1, restarts // 2)]
        missing = restarts - kept.shape[1]
        if missing == 0:
            return kept
        low, high = self._around(targets.box)
        fresh = self._sample(low, high, missing + 3)[:, 3:]
        walked = diversify(self.field.network, (low, high), fresh[:, missing // 2 :], self.generator)
        return torch.cat([kept, fresh[:, : missing // 2], walked], 1)
