"""Linear forms of hidden neurons in terms of the input, kept from the root's certified passes."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from genbab.bounds import (
    Answer,
    Engine,
    Interval,
    Question,
    Relaxations,
    Rows,
    Steps,
    answer,
    copies,
    rows_at_once,
)
from genbab.bounds.plan import rows_that_matter
from genbab.branch.cut.influence import Influence


@dataclass(eq=False)
class NodeForms:
    """Forms of one node of N neurons: row n < N says <form, x> + constant <= z_n, row N + n the same of -z_n.

    place (2N,): where a row is kept, -1 where it is not; rows (K,): the other way round; bound (K,): what the
    form says on the root's box; form (K, D), constant (K,).
    """

    place: Tensor
    rows: Tensor
    bound: Tensor
    form: Tensor
    constant: Tensor


@dataclass(eq=False)
class HiddenForms:
    """The tightest form seen of each hidden row, as many as fit `memory` bytes; all hold on the root's box.

    Rows come in the order in which the root bounds them: those with the widest gap first.
    """

    engine: Engine
    memory: int
    box: Interval
    nodes: dict[int, NodeForms] = field(default_factory=dict)
    influence: Influence = field(default_factory=Influence)

    def keep(self, i: int, neurons: Tensor, known: Answer) -> None:
        """Keep forms of both sides of these neurons (C,) of node i.

        They are those of an answer about one box, whose rows are first z, then -z.
        """
        size = self.engine.exact.nodes[i].size
        form, constant = known.certified.form[0].double(), known.certified.constant[0].double()
        middle, radius = (self.box[0] + self.box[1])[0] / 2, (self.box[1] - self.box[0])[0] / 2
        bound = constant + form @ middle - form.abs() @ radius
        rows = torch.cat([neurons, size + neurons])
        self.influence.add(self.engine, i, neurons, known.weights)
        mine = self.nodes.setdefault(i, self._empty(size, form))
        good = torch.isfinite(bound) & torch.isfinite(form).all(-1) & torch.isfinite(constant)
        budget = self._rows_of(i) - len(mine.rows)
        new = (good & (mine.place[rows] < 0)).nonzero().squeeze(-1)[: max(0, budget)]
        old = (good & (mine.place[rows] >= 0)).nonzero().squeeze(-1)
        old = old[bound[old] > mine.bound[mine.place[rows[old]]]]
        where = mine.place[rows[old]]
        for kept, fresh in ((mine.bound, bound), (mine.form, form), (mine.constant, constant)):
            kept[where] = fresh[old]
        mine.place[rows[new]] = len(mine.rows) + torch.arange(len(new), device=rows.device)
        mine.rows = torch.cat([mine.rows, rows[new]])
        mine.bound, mine.form = torch.cat([mine.bound, bound[new]]), torch.cat([mine.form, form[new]])
        mine.constant = torch.cat([mine.constant, constant[new]])

    def complete(self, relaxations: Relaxations) -> None:
        """Add default forms of nodes of which none was kept.

        They are so near the input that the root had none to find.
        """
        engine = self.engine
        for i in engine.exact.relaxed:
            if i in self.nodes or i == 0:
                continue
            order = rows_that_matter(relaxations.exact, i)[: max(0, self._rows_of(i) // 2)]
            size = max(1, rows_at_once(engine, 1, i, searching=False) // 2)
            for chunk in torch.split(order, size):
                engine.check()
                rows = Rows.of_neurons(i, chunk, engine.exact.nodes[i].size)
                self.keep(i, chunk, answer(engine, Question(rows, self.box, relaxations), Steps(0)))

    def narrowed(self, i: int, places: Tensor, found: Tensor, interval: Interval) -> Interval:
        """The interval (B, N) of node i cut by the bounds found (B, K) of the rows kept at these places."""
        low, high = (end.clone() for end in interval)
        rows, size = self.nodes[i].rows[places], low.shape[1]
        below, above = rows < size, rows >= size
        mine, others = rows[below], rows[above] - size
        low[:, mine] = torch.maximum(low[:, mine], found[:, below])
        high[:, others] = torch.minimum(high[:, others], -found[:, above])
        twins = self.engine.exact.once(copies, i)
        return torch.maximum(low, low[:, twins]), torch.minimum(high, high[:, twins])

    def _rows_of(self, i: int) -> int:
        """How many rows of node i fit its part of the memory."""
        network = self.engine.exact
        sizes = sum(network.nodes[j].size for j in network.relaxed if j)
        part = self.memory * network.nodes[i].size // max(1, sizes)
        return int(part // (8 * (network.input_size + 4)))

    @staticmethod
    def _empty(size: int, form: Tensor) -> NodeForms:
        nothing = form.new_zeros(0)
        place = torch.full((2 * size,), -1, device=form.device)
        return NodeForms(place, place[:0], nothing, form[:0], nothing)
