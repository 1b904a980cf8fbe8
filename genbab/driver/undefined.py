"""Points of the boxes at which the network has no value, and why then nothing can be proved."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from genbab.bounds import Interval
from genbab.network import Affine, Network, values
from genbab.nonlinear import Nonlinearity
from genbab.nonlinear.composed.defined import absent, guarded_by
from genbab.problem import Query

POINTS, BOXES = 64, 64
"""So many points of so many boxes are looked at, fewer where a network is large."""

NUMBERS = 1 << 25
"""So many numbers are computed for that."""


class Undefined:
    """What a network that is not defined everywhere lacks on the boxes of a query.

    certain: a point was found at which some clause cannot be refuted, since each of its rows speaks of an
    output that has no value there.
    """

    def __init__(self, network: Network, query: Query) -> None:
        self.network, self.query = network, query
        guards = {i: guarded_by(node.fn) for i, node in network.nonlinear.items()}
        self.checks = {i: fn for i, fn in guards.items() if fn is not None}
        self.certain = self.reason = ""
        if self.checks and len(query):
            self.certain = self.reason = self._sampled()

    def _sampled(self) -> str:
        """Why a property cannot be proved, from points of its boxes; "" if none shows it."""
        fits = NUMBERS // sum(node.size for node in self.network.nodes)
        count = max(3, min(POINTS, fits))
        boxes = max(1, min(BOXES, fits // count))
        query = self.query.take(torch.arange(min(boxes, len(self.query))))
        lower, upper = query.lower[:, None], query.upper[:, None]
        generator = torch.Generator().manual_seed(0)
        weight = torch.rand(len(lower), count, lower.shape[-1], generator=generator, dtype=lower.dtype)
        weight[:, 0], weight[:, 1], weight[:, 2] = 0.5, 0.0, 1.0
        weight[:, 3 : count // 2] = weight[:, 3 : count // 2].round()
        x = torch.lerp(lower, upper, weight.to(lower.device)).reshape(-1, lower.shape[-1])
        x = self.network.entry.nearest(x)
        known = values(self.network, x)
        points = self._silent(query, known[self.network.output].reshape(len(lower), count, -1))
        if points.numel():
            return self._told(known, int(points[0]))
        return self._crossed(query, [value.reshape(len(lower), count, -1) for value in known])

    def _silent(self, query: Query, outputs: Tensor) -> Tensor:
        """The points, counted over all boxes, at whose outputs (B, points, O) some clause cannot be refuted.

        Each of its rows has an output that is NaN.
        """
        lost = outputs.isnan()[:, :, None]
        silent = ((query.matrix != 0)[:, None] & lost).any(-1)  # (B, points, S)
        found = torch.zeros(silent.shape[:2], dtype=torch.bool)
        for point in silent.any(-1).any(0).nonzero().reshape(-1).tolist():
            found[:, point] = query.worst(torch.where(silent[:, point], -1.0, 1.0)).cpu() < 0
        return found.reshape(-1).nonzero().reshape(-1)

    def _crossed(self, query: Query, known: list[Tensor]) -> str:
        """The same, from a continuous argument that has values (B, points, N) on both sides of a pole."""
        for i, fn in self.checks.items() if self.network.entry.whole is None else ():
            argument = self.network.sources(i)[0]
            jumps = any(_jumps(self.network, a) for a in self.network.ancestors[argument])
            low, high = known[argument].amin(1), known[argument].amax(1)
            bad = absent(fn, low, high) & torch.isfinite(low) & torch.isfinite(high)
            if jumps or not bool(bad.any()):
                continue
            box, entry = (int(k) for k in bad.nonzero()[0])
            if self._silent(query.take(torch.tensor([box])), self._without(i, entry, query, box)).numel():
                return self._text(i, fn, f"takes values from {low[bad][0]:.6g} to {high[bad][0]:.6g}")
        return ""

    def _without(self, i: int, entry: int, query: Query, box: int) -> Tensor:
        """The outputs (1, 1, O) in the middle of a box if this entry of node i has no value."""
        node = self.network.nodes[i]
        bias = query.lower.new_zeros(node.size)
        bias[entry] = torch.nan
        nodes = (*self.network.nodes[:i], Affine((), bias), *self.network.nodes[i + 1 :])
        middle = (query.lower[box] + query.upper[box]) / 2
        return values(replace(self.network, nodes=nodes), middle)[self.network.output][None, None]

    def _told(self, known: list[Tensor], point: int) -> str:
        for i, fn in self.checks.items():
            x = known[self.network.sources(i)[0]][point]
            bad = absent(fn, x, x) & ~x.isnan()
            if bool(bad.any()):
                return self._text(i, fn, f"is {float(x[bad][0]):.6g} there")
        return ""

    def _text(self, i: int, fn: Nonlinearity, argument: str) -> str:
        where = f"{fn.name} at node '{self.network.name(i)}' is undefined on part of the box"
        return f"nothing can be proved: {where}, its argument {argument}"

    def added(self, reason: str) -> str:
        """The reason of a verdict, and which function may be undefined."""
        return f"{reason}; {self.reason}" if self.reason and self.reason != reason else reason

    def note(self, intervals: list[Interval]) -> None:
        """Notes which function may be undefined, as far as these intervals of nodes tell."""
        for i, fn in () if self.reason else self.checks.items():
            low, high = intervals[self.network.sources(i)[0]]
            bad = absent(fn, low, high)
            if bool(bad.any()):
                ends = f"[{float(low[bad][0]):.6g}, {float(high[bad][0]):.6g}]"
                where = f"{fn.name} at node '{self.network.name(i)}' may be undefined on part of the box"
                self.reason = f"{where}: its argument is only known to lie in {ends}"
                return


def _jumps(network: Network, i: int) -> bool:
    """Whether the values of node i may jump."""
    fn = network.nonlinear[i].fn if i in network.nonlinear else None
    return isinstance(fn, Nonlinearity) and (bool(fn.jumps) or fn.enclose is not None)
