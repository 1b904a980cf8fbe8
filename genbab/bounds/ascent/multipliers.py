"""Multipliers of premises: what is known of the outputs, beside what bounds say of them.

Hidden neurons that a specification names are outputs, too. Where every input that counts has l <= y_k <= u
for such outputs (an activation pattern), and U·y <= r in the rows U of an unsafe set, any weights μ and
ν >= 0 give

    C·y  >=  (C + μ + ν·U)·y - Σ max(μ_k·l_k, μ_k·u_k) - ν·r,

so what bounds the rows C + μ + ν·U bounds the rows C, whichever weights were found (weak duality; Kotha et
al., NeurIPS 2023, bound preimages like this). A slope outside of the range of f' is such a multiplier as well
(`Freedom`), but only in proportion to the row's coefficient at the neuron, and never for an earlier neuron.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from genbab.bounds.passes.taken import Pass, Rows
from genbab.network import Network, output_neurons
from genbab.network.roundoff import Interval, gamma, magnitude

RATE = 2.0
"""Step of a multiplier, as a multiple of its own size."""


class PremiseOutputs(NamedTuple):
    """Outputs (K,) that are the number `neuron` (K,) of node `node` (K,), which has a premise.

    They may be off by `relative` (K,) of it, and by `error` (K,) beside.
    """

    output: Tensor
    node: Tensor
    neuron: Tensor
    relative: Tensor
    error: Tensor

    @staticmethod
    def of(network: Network) -> PremiseOutputs | None:
        """The outputs that show nodes with a premise; None without any."""
        found = [
            (k, place.node, place.neuron, place.relative, place.error)
            for k, place in sorted(output_neurons(network).items() if network.premises else ())
            if place.node in network.premises and place.shift == 0
        ]
        if not found:
            return None
        device = network.premises[found[0][1]][0].device
        whole = torch.tensor([one[:3] for one in found], device=device).unbind(1)
        off = torch.tensor([one[3:] for one in found], device=device, dtype=torch.float64).unbind(1)
        return PremiseOutputs(*whole, *off)

    def ends(self, intervals: list[Interval]) -> Interval:
        """The intervals (B, 1, K) of these numbers."""
        batch = max(len(intervals[i][0]) for i in sorted(set(self.node.tolist())))
        sides = []
        for side, sign in ((0, -1.0), (1, 1.0)):
            ends = intervals[0][side].new_zeros(batch, 1, len(self.output))
            for i in sorted(set(self.node.tolist())):
                mine = self.node == i
                ends[:, 0, mine] = intervals[i][side][:, self.neuron[mine]]
            room = (2 * self.relative * ends.abs() + 2 * self.error).nan_to_num(0.0)  # 0 of infinity
            sides.append(ends + sign * room.to(ends.dtype))
        return sides[0], sides[1]


class Unsafe(NamedTuple):
    """Rows <matrix, y> <= rhs that every point that counts satisfies: (B, R, O), (B, R); float64."""

    matrix: Tensor
    rhs: Tensor


class Premises(NamedTuple):
    """What holds at every point that counts.

    Each of the outputs lies in its node's interval, and the unsafe rows hold. size: how far a multiplier may
    move, (B, S, K + R); None, without unsafe rows only: as far as the rows' coefficients at neurons of the
    same layer.
    """

    outputs: PremiseOutputs
    unsafe: Unsafe | None = None
    size: Tensor | None = None


class Multipliers:
    """The weights of S rows, moved by an ascent: state, like that of its optimiser.

    weight (B, S, K + R): of the K outputs with premises, signed, then of R unsafe rows, >= 0; low, high
    (B, 1, K + R): what these are known to lie between, float64; reach (B or 1, 1, O): the largest |y|.
    """

    def __init__(
        self, premises: Premises, intervals: list[Interval], rows: Rows, start: Tensor | None = None
    ) -> None:
        """rows: in the dtype of the search, of the outputs; start: weights to begin with."""
        outputs, unsafe, size = premises
        low, high = outputs.ends(intervals)
        reach = magnitude(intervals[rows.target])[:, None]
        reach = reach.expand(max(len(reach), len(low)), -1, -1).index_copy(
            -1, outputs.output, magnitude((low, high)).expand(max(len(reach), len(low)), -1, -1)
        )
        if unsafe is not None:
            rhs = unsafe.rhs[:, None]
            low = torch.cat([low.expand(len(rhs), -1, -1), torch.full_like(rhs, -torch.inf)], -1)
            high = torch.cat([high.expand(len(rhs), -1, -1), rhs], -1)
        self.outputs, self.unsafe, self.reach, self.size = outputs, unsafe, reach, size
        self.low, self.high = low, high
        self._near = low.to(rows.matrix.dtype), high.to(rows.matrix.dtype)
        shape = max(len(low), len(rows.matrix)), rows.matrix.shape[1], low.shape[2]
        zeros = rows.matrix.new_zeros(shape)
        self.weight = zeros if start is None else self._allowed(start.to(zeros.dtype).expand(shape))

    def added(self, rows: Rows) -> Rows:
        """The rows C + μ + ν·U, in the dtype of the rows."""
        own, others = self._parts(self.weight.to(rows.matrix.dtype))
        matrix = rows.matrix.expand(len(own), -1, -1).index_add(-1, self.outputs.output, own)
        if self.unsafe is not None:
            matrix = matrix + others @ self.unsafe.matrix.to(matrix.dtype)
        return replace(rows, matrix=matrix)

    def price(self) -> Tensor:
        """What the weights cost, Σ max(μ·l, μ·u) + ν·r (B, S), for the search."""
        return _prices(self.weight, *self._near).sum(-1)

    def certain_price(self, rows: Rows) -> Tensor:
        """The price in float64, rounded up, with the rounding of `added` to these rows paid for."""
        weight = self.weight.double()
        prices = _prices(weight, self.low, self.high)
        own, others = self._parts(weight.abs())
        moved = torch.zeros_like(rows.matrix).expand(len(own), -1, -1)
        moved = moved.index_add(-1, self.outputs.output, own)
        if self.unsafe is not None:
            moved = moved + others @ self.unsafe.matrix.abs()
        size = torch.where(moved == 0, 0.0, (moved + rows.matrix.abs()) * self.reach).sum(-1)
        terms = weight.shape[-1] + 16
        return prices.sum(-1) + gamma(terms, prices.dtype) * (size + prices.abs().sum(-1))

    def climb(self, one: Pass, direction: Tensor, rate: float) -> None:
        """A step along `direction`; a weight that would change its sign becomes 0."""
        if self.size is None:
            assert self.unsafe is None, "unsafe rows are of no layer"
            self.size = self._sizes(one)
        moved = torch.addcmul(self.weight, direction, self.size, value=rate * RATE)
        self.weight = self._allowed(torch.where(moved * self.weight < 0, 0.0, moved))

    def uphill(self, value: Tensor) -> Tensor:
        """The bound's gradient to the weights, `value` (B, S, O): the outputs where it is attained."""
        known = value[..., self.outputs.output]
        if self.unsafe is not None:
            known = torch.cat([known, value @ self.unsafe.matrix.to(value.dtype).mT], -1)
        low, high = self._near
        inside = torch.minimum(torch.maximum(known, low), high)
        end = torch.where(self.weight > 0, high, torch.where(self.weight < 0, low, inside))
        return torch.nan_to_num(known - end, nan=0.0, posinf=0.0, neginf=0.0)

    def _parts(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """The weights of outputs and those of unsafe rows."""
        count = len(self.outputs.output)
        return weight[..., :count], weight[..., count:]

    def _allowed(self, weight: Tensor) -> Tensor:
        """The weights, 0 where they would ask for an end that is not there."""
        low, high = self._near
        weight = torch.nan_to_num(weight, nan=0.0, posinf=0.0, neginf=0.0)
        missing = (weight > 0) & ~torch.isfinite(high) | (weight < 0) & ~torch.isfinite(low)
        return torch.where(missing, 0.0, weight)

    def _sizes(self, one: Pass) -> Tensor:
        """The mean coefficient of each row at the neurons of each layer, (B, S, K)."""
        size = torch.zeros_like(self.weight)
        for i, line in one.lines.items():
            for argument, slope in zip(one.relaxation.network.nodes[i].sources, line.slopes, strict=True):
                mean = (line.coefficients * slope).abs().mean(-1, keepdim=True)
                size = torch.where(self.outputs.node == argument, torch.maximum(size, mean), size)
        return torch.nan_to_num(size, nan=0.0, posinf=0.0)


def _prices(weight: Tensor, low: Tensor, high: Tensor) -> Tensor:
    return torch.where(weight == 0, 0.0, torch.maximum(weight * low, weight * high))
