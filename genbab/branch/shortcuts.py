"""Shortcuts: hidden neurons between two linear functions of the input, as the root's own passes found them.

They hold on the root's box, hence in every domain below it. Only scores use them (in the search dtype,
without rounding account), so nothing that is proved depends on them.
"""

from __future__ import annotations

import time

import torch
from torch import Tensor

from genbab.bounds import Chosen, Engine, Interval, Relaxation, Rows, certify

NONE = -1
"""Row of a neuron without a shortcut."""


class Shortcuts:
    """Linear functions of the input below and above neurons, as many as fit `memory` bytes.

    Nodes get memory in proportion to their size, and give it to their neurons in the order in which these are
    recorded, which is widest gap first. What does not fit has no shortcut.
    """

    def __init__(self, engine: Engine, memory: int) -> None:
        network = engine.exact
        self.engine = engine
        self.inputs = network.input_size
        row = 2 * (self.inputs + 1) * torch.finfo(engine.dtype).bits // 8
        wanted = sum(network.nodes[i].size for i in network.relaxed)
        self.share = min(1.0, memory / max(1, wanted * row))
        self._place: dict[int, Tensor] = {}
        self._below: dict[int, Tensor] = {}
        self._above: dict[int, Tensor] = {}

    def record(
        self,
        node: int,
        neurons: Tensor,
        form: Tensor,
        constant: Tensor,
        lines: dict[int, Chosen] | None = None,
    ) -> None:
        """Keep what a pass over the rows +z, then -z, of these neurons found: form (1, 2n, D), constant.

        A later pass replaces an earlier one.
        """
        if form.shape[0] != 1:
            return
        size = self.engine.exact.nodes[node].size
        if node not in self._place:
            self._place[node] = torch.full((size,), NONE, device=form.device)
            empty = form.new_zeros(0, self.inputs + 1, dtype=self.engine.dtype)
            self._below[node], self._above[node] = empty, empty
        place = self._place[node]
        room = max(1, int(self.share * size)) - self._below[node].shape[0]
        new = (place[neurons] == NONE).nonzero().squeeze(-1)[: max(0, room)]
        place[neurons[new]] = self._below[node].shape[0] + torch.arange(new.numel(), device=form.device)
        count = neurons.numel()
        rows = torch.cat([form[0], constant[0, :, None]], -1).to(self.engine.dtype)
        kept = (place[neurons] != NONE).nonzero().squeeze(-1)
        for store, side in ((self._below, rows[:count]), (self._above, -rows[count:])):
            whole = torch.cat([store[node], side.new_zeros(new.numel(), side.shape[1])])
            whole[place[neurons[kept]]] = side[kept]
            store[node] = whole

    def complete(self, box: Interval, intervals: list[Interval], seconds: float) -> None:
        """Passes with default slopes for nodes of which nothing is recorded, while the time lasts."""
        end = time.monotonic() + seconds
        network = self.engine.exact
        exact = Relaxation(network, intervals, torch.float64)
        for node in network.relaxed:
            if node in self._place:
                continue
            size = network.nodes[node].size
            twins = self.engine.twins(node)
            first = torch.unique(twins)
            for chunk in torch.split(first, max(1, self.engine.chunk(1, node, 0) // 2)):
                self.engine.check()
                if time.monotonic() > end:
                    return
                units = torch.zeros(chunk.numel(), size, dtype=torch.float64, device=twins.device)
                units[torch.arange(chunk.numel(), device=twins.device), chunk] = 1.0
                rows = Rows(node, torch.cat([units, -units])[None])
                _, form, constant = certify(network, exact, rows, box, {})
                self.record(node, chunk, form, constant)

    def places(self, node: int) -> Tensor | None:
        """Per neuron of the node its row in `rows`, `NONE` where there is none; None: the node has none."""
        place = self._place.get(node)
        return None if place is None else place[self.engine.twins(node)]

    def rows(self, node: int) -> tuple[Tensor, Tensor]:
        """Coefficients and constant (R, D + 1) below and above the neurons that have a row."""
        return self._below[node], self._above[node]

    @property
    def nbytes(self) -> int:
        """Memory held."""
        stored = [*self._below.values(), *self._above.values()]
        return sum(t.numel() * t.element_size() for t in stored)
