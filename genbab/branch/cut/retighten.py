"""Re-tightening inside the tree: what a domain is known to satisfy cuts its box and its hidden intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from genbab.bounds import Answer, Engine, Interval, Relaxation, copies
from genbab.bounds.plan import line_gap
from genbab.branch.cut.clipping import Means, both, cut_box, lowest
from genbab.branch.cut.forms import HiddenForms
from genbab.branch.open.domains import Domains, HalfSpaces
from genbab.system.deadline import Timer

ROWS = 128
"""Hidden rows re-tightened in every domain: those that weigh most."""

RECENT = 2
"""Half-spaces of a domain that come from its last splits."""

LITTLE = 0.002
"""Mean share of their width that the rows must have lost in the last rounds, or most rounds are skipped."""

RETRY = 8
"""Rounds after which it is tried again then, and rows are weighed anew."""


@dataclass(eq=False)
class Retighten:
    """Cuts input boxes and hidden intervals of children by the splits that made them and by the unsafe set.

    The root's forms of the hidden rows that weigh most are evaluated on the box inside the half-spaces of the
    domain: those of its last splits of neurons with a stored form, and that of the row of the unsafe set that
    leaves least of the box, by its form of the parent. Everything else is shared by all domains of one root.
    seconds: where the time of cutting is noted, as `clipping`.
    """

    engine: Engine
    forms: HiddenForms
    count: int = ROWS
    recent: int = RECENT
    seconds: dict[str, float] = field(default_factory=dict)
    score: dict[int, Tensor] = field(default_factory=dict)
    gain: float = 1.0
    rounds: int = 0

    def before(self, children: Domains) -> Domains:
        """The domains cut by everything known before they are bounded."""
        with Timer(self.seconds, "clipping"):
            return self._cut(children)

    def _cut(self, children: Domains) -> Domains:
        halves = both(children.unsafe, self._splits(children))
        self.rounds += 1
        if halves is None or (self.gain < LITTLE and self.rounds % RETRY):
            return children
        halves = halves.usable()
        query = children.query
        lower, upper = self.engine.exact.entry.cut(*cut_box((query.lower, query.upper), halves))
        empty = (lower > upper).any(-1, keepdim=True)
        box = torch.where(empty, query.lower, lower), torch.where(empty, query.upper, upper)
        hidden, shrunk, number = dict(children.hidden), 0.0, 0
        for i, rows in self._chosen(everything=not bool(children.depth.any())).items():
            found = self._rows(i, rows, box, halves)
            hidden[i] = self.forms.narrowed(i, rows, found, hidden[i])
            neurons = self.forms.nodes[i].rows[rows] % (len(self.forms.nodes[i].place) // 2)
            before, after = ((high - low)[:, neurons] for low, high in (children.hidden[i], hidden[i]))
            shrunk += float(torch.nan_to_num(1 - after / before, nan=0.0).clamp(0, 1).sum())
            number += after.numel()
        self.gain = 0.7 * self.gain + 0.3 * shrunk / max(1, number)
        if 0 in hidden:
            hidden[0] = box
        query = replace(query, lower=torch.where(empty, 1.0, box[0]), upper=torch.where(empty, 0.0, box[1]))
        return replace(children, query=query, hidden=hidden)

    def after(self, children: Domains, search: Relaxation, known: Answer, margins: Tensor) -> Domains:
        """The domains with the half-space of their unsafe row, for their children; weighs the hidden rows."""
        if not self.score or self.rounds % RETRY == 0:
            self._weigh(search, known.weights, margins)
        query, form = children.query, known.certified.form
        level = query.rhs - known.certified.constant
        reach = (form.abs() * ((query.upper - query.lower) / 2)[:, None]).sum(-1)
        left = (level - (form @ ((query.upper + query.lower) / 2)[..., None]).squeeze(-1)) / reach
        best = torch.nan_to_num(left, nan=torch.inf).argmin(-1)
        index = torch.arange(len(best), device=best.device)
        unsafe = HalfSpaces(form[index, best][:, None], level[index, best][:, None])
        return replace(children, unsafe=unsafe)

    def _splits(self, children: Domains) -> HalfSpaces | None:
        """The half-spaces that follow from the last splits of each child; zeros where no form is kept."""
        path = children.path
        if path is None:
            return None
        count = self.recent
        shape = (*path.node[:, :count].shape, children.query.lower.shape[1])
        normal, level = children.bound.new_zeros(shape), children.bound.new_zeros(shape[:2])
        for i in set(path.node.flatten().tolist()) & set(self.forms.nodes):
            kept = self.forms.nodes[i]
            size = len(kept.place) // 2
            mine, nth = (path.node[:, :count] == i).nonzero().unbind(-1)
            neuron, point, upper = (t[mine, nth] for t in (path.neuron, path.point, path.upper))
            twin = self.engine.exact.once(copies, i)[neuron]
            place = kept.place[torch.where(upper, size + twin, twin)]
            good = place >= 0
            mine, nth, place = mine[good], nth[good], place[good]
            normal[mine, nth] = kept.form[place]
            level[mine, nth] = torch.where(upper, -point, point)[good] - kept.constant[place]
        return HalfSpaces(normal, level)

    def _chosen(self, everything: bool) -> dict[int, Tensor]:
        """Places of the rows to tighten, per node: all, or those of highest score."""
        nodes = self.forms.nodes
        if everything or not self.score:
            return {i: torch.arange(len(kept.rows)) for i, kept in nodes.items()}
        scores = {i: self.score[i][kept.rows % (len(kept.place) // 2)] for i, kept in nodes.items()}
        joined = torch.cat(list(scores.values()))
        least = joined.topk(min(self.count, len(joined))).values[-1] if len(joined) else torch.inf
        return {i: ((s >= least) & (s > 0)).nonzero().squeeze(-1) for i, s in scores.items()}

    def _rows(self, i: int, places: Tensor, box: Interval, halves: HalfSpaces) -> Tensor:
        kept = self.forms.nodes[i]
        form, constant = kept.form[places][None], kept.constant[places][None]
        means = Means(self.engine.dtype, self.engine.kernels)
        return lowest(form, constant, box, halves, means)

    def _weigh(self, search: Relaxation, weights: Mapping[int, Tensor], margins: Tensor) -> None:
        """Score each hidden neuron: Σ over open rows of |coefficient| times its reader's gap."""
        weight = (~(margins > 0)).to(search.dtype)
        score = {
            i: torch.zeros(self.engine.exact.nodes[i].size, dtype=search.dtype) for i in self.forms.nodes
        }
        for reader, coefficients in weights.items():
            node = search.network.nonlinear.get(reader)
            if node is None:
                continue
            part = torch.einsum("bs,bsn->bn", weight, coefficients.abs()) * line_gap(search, reader).abs()
            for a in node.args:
                if a in score:
                    score[a] += torch.nan_to_num(part, nan=0.0, posinf=1e30).mean(0)
        self.score = score
