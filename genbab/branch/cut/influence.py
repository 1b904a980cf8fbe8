"""What the gap between a neuron's lines costs the open rows, through all hidden intervals that it widens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from genbab.bounds import Engine, Relaxation
from genbab.bounds.plan import line_gap

NUMBERS = 1 << 27
"""Most numbers kept of the coefficients of hidden rows."""


@dataclass(eq=False)
class Influence:
    """Coefficients of hidden rows at the nonlinear nodes below them; none once they became too many.

    weights[i][j] (N_i, N_j): |a| of the lower plus |a| of the upper row of each neuron of node i.
    """

    weights: dict[int, dict[int, Tensor]] = field(default_factory=dict)
    full: bool = False

    def add(self, engine: Engine, i: int, chunk: Tensor, weights: Mapping[int, Tensor]) -> None:
        """Keep the coefficients of the rows of neurons `chunk` (C,) of node i: first of z, then of -z."""
        nodes = engine.exact.nodes
        for j, weight in weights.items():
            if self.full or j not in engine.exact.nonlinear:
                continue
            mine = self.weights.setdefault(i, {})
            if j not in mine:
                held = sum(w.numel() for of in self.weights.values() for w in of.values())
                self.full = held + nodes[i].size * nodes[j].size > NUMBERS
                if self.full:
                    self.weights = {}
                    return
                mine[j] = torch.zeros(nodes[i].size, nodes[j].size, device=chunk.device)
            size = weight[0].abs().float()
            mine[j][chunk] = size[: len(chunk)] + size[len(chunk) :]

    def costs(
        self, relaxation: Relaxation, final: Mapping[int, Tensor], open_rows: Tensor
    ) -> dict[int, Tensor]:
        """Per relaxed node (N,), about what the gaps of each neuron's readers cost the open rows (S,) in all.

        A gap at a neuron costs a row its coefficient times itself; and it widens the intervals of later
        neurons, whose own gaps grow as the square of their widths.
        """
        network = relaxation.network
        weight = open_rows.float()
        price = {
            j: torch.einsum("s,bsn->n", weight, coefficients.abs().float())
            for j, coefficients in final.items()
            if j in network.nonlinear
        }
        gaps = {
            j: torch.nan_to_num(line_gap(relaxation, j)[0].float().abs(), nan=0.0, posinf=0.0) for j in price
        }
        found: dict[int, Tensor] = {}
        for i in reversed(network.relaxed):
            low, high = (end[0] for end in relaxation.intervals[i])
            cost = torch.zeros(network.nodes[i].size, device=low.device)
            for j in network.consumers[i]:
                if j in price:
                    cost = cost + price[j] * gaps[j]
            found[i] = cost
            per_width = torch.nan_to_num(2 * cost / (high - low).float(), nan=0.0, posinf=0.0)
            for j, coefficients in self.weights.get(i, {}).items():
                price[j] = price.get(j, 0.0) + per_width @ coefficients
                if j not in gaps:
                    gaps[j] = torch.nan_to_num(line_gap(relaxation, j)[0].float().abs(), nan=0.0, posinf=0.0)
        return found
