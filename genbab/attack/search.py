"""The attack as the rest of the package sees it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from genbab.attack.descent import Field
from genbab.attack.hunt import QUICK, AttackEffort, AttackOutcome, Confirm, Hunt
from genbab.attack.targets import Floats, SearchNumbers, gather, search_box
from genbab.network import Network
from genbab.specs import Spec
from genbab.system.clock import WALL, RunClock
from genbab.system.deadline import Deadline

CPU_FLOATS = SearchNumbers()
"""float32 on the CPU."""


class Attacker:
    """Searches inputs that violate a spec; keeps the network in the dtype of the search between calls.

    Every result is a function of the arguments and the seed of the effort, unless the deadline strikes.
    """

    def __init__(
        self,
        network: Network,
        spec: Spec,
        confirm: Confirm,
        numbers: SearchNumbers = CPU_FLOATS,
        memory: int = 1 << 29,
        clock: RunClock = WALL,
    ) -> None:
        """network: what the spec speaks of, in any dtype; memory: bytes for a pass; clock: told of work."""
        self._network = network.to(numbers.dtype, numbers.device)
        self._spec, self._confirm, self._memory = spec, confirm, memory
        self._clock = clock
        self._low, self._high = search_box(spec, numbers)
        holds = (self._low <= self._high).all(-1).cpu()
        self.reachable = tuple(i for i, c in enumerate(spec.clauses) if bool(holds[c.box]))
        """Clauses whose box holds a number of the search's dtype; the others cannot be attacked."""

    def run(
        self,
        effort: AttackEffort = QUICK,
        deadline: Deadline | None = None,
        clauses: Sequence[int] | None = None,
    ) -> AttackOutcome:
        """Sample all boxes, then descend; `clauses` narrows the attack to some. Raises `DeadlineReached`."""
        wanted = self.reachable if clauses is None else tuple(sorted(set(clauses) & set(self.reachable)))
        hunt = self._hunt(deadline, effort.seed + effort.first)
        for number in range(effort.rounds if wanted else 0):
            hunt.play(effort, wanted, effort.first + number)
            if hunt.found is not None:
                break
        return hunt.outcome()

    def refine(
        self, points: Floats, clauses: Sequence[int], steps: int = 8, deadline: Deadline | None = None
    ) -> AttackOutcome:
        """Descend from points (M, D), each towards its clause of `clauses` (M,), inside that clause's box.

        Points are clipped to their boxes, those of unreachable clauses left out. May raise `DeadlineReached`.
        """
        hunt, reachable = self._hunt(deadline, 0), set(self.reachable)
        kept = [i for i, c in enumerate(clauses) if c in reachable]
        for start in range(0, len(kept), hunt.field.batch):
            part = kept[start : start + hunt.field.batch]
            targets = gather(self._spec, [clauses[i] for i in part], self._low)
            x = torch.as_tensor(np.asarray(points)[part], dtype=self._low.dtype, device=self._low.device)
            hunt.descend(targets, x.unsqueeze(1), steps)
            if hunt.found is not None:
                break
        return hunt.outcome()

    def _hunt(self, deadline: Deadline | None, seed: int) -> Hunt:
        field = Field(self._network, self._memory, deadline, self._clock)
        return Hunt(
            field, self._spec, (self._low, self._high), self._confirm, torch.Generator().manual_seed(seed)
        )
