"""What is certain about the network over the real numbers at single points of a box."""

from __future__ import annotations

from collections.abc import Container
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from genbab.attack.replay import Placed
from genbab.attack.targets import Floats
from genbab.network import Network, evaluate
from genbab.network.interval import interval_rows, propagate
from genbab.network.roundoff import Interval
from genbab.specs import Clause, Spec
from genbab.specs.form.clauses import Clauses
from genbab.specs.numbers.arrays import Ints

PRECISION = 1e-9
"""Rows that are known to this part of their size are known well enough to call them equal."""

CLOSE = 1e-5
"""Rows that exceed their right-hand sides by more than this part are not looked at more closely."""

LOOKS, CLAUSES = 64, 64
"""So many points are looked at for equality in one run, and so many clauses at each."""

NEAR = 1e-6
"""A point this near to an end of its box, as a part of its width, is also looked at on that end."""

SHOWN = 8
"""Inputs that a sentence shows."""


class PointRange(NamedTuple):
    """A box (1, D) of inputs, and an interval (1, O) of the outputs there."""

    box: Interval
    output: Interval


class Reals:
    """Evaluates the rows of a spec at points, by interval arithmetic in float64 that is rounded outward."""

    def __init__(self, network: Network, spec: Spec, device: torch.device) -> None:
        """network: what the rows of the spec speak of, in float64 on the device."""
        self.network, self.spec, self.device = network, spec, device
        self._looks = 0

    def violated(self, placed: Placed, clause: int) -> bool:
        """Whether a real point of the placed point's box violates the clause for certain.

        It has the entries that lie in the box; of others, all that is known is the interval of the box.
        """
        spec = self.spec
        rows = spec.clauses[clause]
        if (
            self.network.premises
            or rows.box != placed.box
            or rows.written
            or (spec.balls and spec.balls[rows.box])
        ):
            return False
        low, high = (np.where(placed.off, end, placed.x) for end in self._around(placed))
        point = low / 2 + high / 2
        if not self._close(rows, point, evaluate(self.network, self._tensor(point))[0].cpu().numpy()):
            return False
        above = self._rows(rows, self._range(low, high))[1]
        return bool((above < rows.rhs).all())

    @cached_property
    def strict(self) -> bool:
        """Whether the spec excludes any point of the closed sets that bounds speak of."""
        stack = self.spec.clauses.stack if isinstance(self.spec.clauses, Clauses) else None
        rows = stack is not None and bool((stack.strict | stack.rounded).any())
        return rows or any(flags is not None for flags in self.spec.open_ends)

    def equality(self, x: Floats, settled: Container[int] = ()) -> str:
        """Where a clause holds with `<=` and closed bounds near x (D,), but not as it was given; else "".

        Then no bound can refute it, although the point is no counterexample. Evaluated over the reals, to the
        precision of float64. Clauses that are settled are left out.
        """
        if not self.strict or self._looks >= LOOKS or not np.isfinite(x).all():
            return ""
        self._looks += 1
        box = int(np.maximum(self.spec.lower - x, x - self.spec.upper).max(axis=1).argmin())
        low, high = self.spec.lower[box], self.spec.upper[box]
        inside = self.network.entry.nearest(self._tensor(np.clip(x, low, high)))[0].cpu().numpy()
        near = NEAR * (high - low) + NEAR * abs(inside)
        corner = np.where(inside - low <= near, low, np.where(high - inside <= near, high, inside))
        for point in (inside,) if np.array_equal(inside, corner) else (inside, corner):
            if said := self._equality_at(box, point, settled):
                return said
        return ""

    def _equality_at(self, box: int, point: Floats, settled: Container[int]) -> str:
        spec = self.spec
        excluded = any(
            flags is not None and bool((flags[box] & (end[box] == point)).any())
            for flags, end in zip(spec.open_ends, (spec.lower, spec.upper), strict=True)
        )
        y = evaluate(self.network, self._tensor(point))[0].cpu().numpy()
        members = [k for k in np.flatnonzero(self._boxes == box)[:CLAUSES].tolist() if k not in settled]
        near = [k for k in members if self._close(spec.clauses[k], point, y)]
        known = self._range(point, point) if near else None
        for k in near:
            if known is not None and self._touched(spec.clauses[k], known, excluded):
                shown = " ".join(f"{v:.9g}" for v in point[:SHOWN].tolist())
                more = " ..." if len(point) > SHOWN else ""
                where = f"at x = ({shown}{more}), clause {k} is attained with equality"
                return f"{where}, which it excludes, and bounds do not tell < from <="
        return ""

    @staticmethod
    def _close(clause: Clause, point: Floats, y: Floats) -> bool:
        """Whether the rows may all hold at the point, whose outputs are about y: a look that costs little."""
        value = clause.outputs @ y[: clause.outputs.shape[1]]
        value = value if clause.inputs is None else value + clause.inputs @ point
        return not bool((value > clause.rhs + CLOSE * (1.0 + abs(clause.rhs) + abs(value))).any())

    def _touched(self, clause: Clause, point: PointRange, excluded: bool) -> bool:
        """Whether all rows are at most their right-hand sides at the point, and one is excluded there.

        That one is not surely below its right-hand side.
        """
        below, above = self._rows(clause, point)
        odd = np.full(len(below), excluded)
        for flags in (clause.strict, clause.rounded):
            odd |= False if flags is None else flags
        known = bool((above - below <= PRECISION * (1.0 + abs(clause.rhs))).all())
        return known and bool((below <= clause.rhs).all()) and bool((odd & (above >= clause.rhs)).any())

    @cached_property
    def _boxes(self) -> Ints:
        return np.array([clause.box for clause in self.spec.clauses], np.int64)

    def first_violated(self, placed: Placed) -> int | None:
        """The first clause (of a few) that a real point of the placed point's box violates for certain."""
        if self._looks >= LOOKS:
            return None
        self._looks += 1
        members = np.flatnonzero(self._boxes == placed.box)[:CLAUSES].tolist()
        return next((k for k in members if self.violated(placed, k)), None)

    def _around(self, placed: Placed) -> tuple[Floats, Floats]:
        """A float64 point of the box, as an interval; where there is none, the interval of the box."""
        low, high = (end[placed.box] for end in self.spec.inner)
        middle = np.clip(low / 2 + high / 2, low, np.maximum(low, high))
        none = low > high
        ends = self.spec.lower[placed.box], self.spec.upper[placed.box]
        return np.where(none, ends[0], middle), np.where(none, ends[1], middle)

    def _range(self, low: Floats, high: Floats) -> PointRange:
        """What is certain of the outputs for low <= x <= high, both (D,)."""
        box: Interval = self._tensor(low), self._tensor(high)
        return PointRange(box, propagate(self.network, box)[self.network.output])

    def _rows(self, clause: Clause, known: PointRange) -> tuple[Floats, Floats]:
        """Bounds (R,), (R,) of outputs·y + inputs·x of the clause's rows where that is known."""
        missing = self.network.output_size - clause.outputs.shape[1]
        matrix = self._tensor(np.pad(clause.outputs, ((0, 0), (0, missing))))
        inputs = None if clause.inputs is None else self._tensor(clause.inputs)
        below = interval_rows(matrix, known.output, inputs, known.box)
        above = -interval_rows(-matrix, known.output, None if inputs is None else -inputs, known.box)
        return below[0].cpu().numpy(), above[0].cpu().numpy()

    def _tensor(self, array: Floats) -> Tensor:
        """The array in a batch of one."""
        return torch.tensor(array, dtype=torch.float64, device=self.device)[None]
