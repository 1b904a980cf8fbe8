"""Clauses that are refuted point by point: in boxes of few points, all of whose inputs are integers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from genbab.network import Network
from genbab.network.exactly import exact_rows
from genbab.network.interval import interval_rows, propagate
from genbab.network.roundoff import Interval
from genbab.specs import Clause, Spec

POINTS = 4096
"""The most points of a box."""

NUMBERS = 1 << 24
"""The most numbers that are computed at all points of a box together."""


class FiniteRefuter:
    """Refutes clauses of a spec about a network where the points that could satisfy them are few."""

    def __init__(self, network: Network, spec: Spec) -> None:
        self.network, self.spec = network, spec

    def refuted(self, clauses: Sequence[int]) -> frozenset[int]:
        """Those of these clauses that no point of their boxes satisfies, as far as is known here."""
        known: dict[int, tuple[Tensor, Interval] | None] = {}
        found = set()
        for k in clauses if self.network.entry.whole is not None and not self.network.premises else ():
            clause = self.spec.clauses[k]
            if clause.box not in known:
                known[clause.box] = self._at_all_points(clause.box)
            at = known[clause.box]
            if at is not None and self._excluded(clause, *at):
                found.add(k)
        return frozenset(found)

    def _at_all_points(self, box: int) -> tuple[Tensor, Interval] | None:
        """The points (P, D) of a box, and the intervals of the outputs there; None where they are many."""
        whole = self.network.entry.whole
        assert whole is not None
        device = whole.columns.device
        low, high = (torch.tensor(end[box], device=device) for end in (self.spec.lower, self.spec.upper))
        varies = (low < high).nonzero().squeeze(-1)
        sizes = (high - low + 1)[varies]
        most = min(POINTS, NUMBERS // sum(node.size for node in self.network.nodes))
        if not bool(torch.isin(varies, whole.columns).all()) or float(sizes.prod()) > most:
            return None
        ranges = [torch.arange(int(n), device=device) for n in sizes.tolist()]
        steps = torch.cartesian_prod(*ranges).reshape(-1, len(ranges)) if ranges else low.new_zeros(1, 0)
        x = low.repeat(len(steps), 1)
        x[:, varies] += steps.to(x.dtype)
        return x, propagate(self.network, (x, x), exact=True)[self.network.output]

    def _excluded(self, clause: Clause, x: Tensor, output: Interval) -> bool:
        """Whether at each point some row of the clause does not hold."""
        rows = np.array([r for r in range(len(clause.rhs)) if r not in clause.written], np.int64)
        missing = self.network.output_size - clause.outputs.shape[1]
        matrix = torch.tensor(np.pad(clause.outputs, ((0, 0), (0, missing)))[rows], device=x.device)
        inputs = np.zeros((len(rows), x.shape[1])) if clause.inputs is None else clause.inputs[rows]
        on_input = torch.tensor(inputs, device=x.device)
        rhs = torch.tensor(clause.rhs[rows], device=x.device)
        odd = np.zeros(len(clause.rhs), bool)
        for flags in (clause.strict, clause.rounded):
            odd |= False if flags is None else flags
        least = interval_rows(matrix, output, on_input, (x, x))
        value, sure = exact_rows(matrix, on_input, output[0], x)
        sure = sure & (output[0] == output[1]).all(-1)
        least = torch.where(sure[:, None], value, least)
        above = (least > rhs) | ((least == rhs) & torch.tensor(odd[rows], device=x.device))
        return bool(above.any(-1).all())
