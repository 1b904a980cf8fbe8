"""Input splits beside neuron splits: both gains on one scale, and the better one of each domain.

Halving input d moves the corner at which a row's linear form <F, x> is least out of one child: that child
gains |F_d|·width/2, exactly for the form itself. Both children gain by narrower hidden intervals: a neuron
with a stored form g varies by |g_d|·width/2 less, and the gap between a function and its lines shrinks about
as the square of the width of its interval. Neither estimate is certain, so each kind of split is scaled by
what such splits gained of what they promised. Of two splits that gain δ, at costs c per child, for a margin
m, the one of smaller m/δ + log2 c has the smaller tree.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from genbab.bounds import (
    SEARCHED,
    Engine,
    Interval,
    Tightening,
    cheap_intervals,
    intersect,
    pass_cost,
    tighten_all,
    tightening_cost,
)
from genbab.branch.choose.candidates import HUGE
from genbab.branch.choose.score import worth
from genbab.branch.choose.shortcuts import stored
from genbab.branch.choose.view import DomainView
from genbab.branch.cut.clipping import Means, lowest
from genbab.branch.cut.forms import HiddenForms
from genbab.branch.open.domains import INPUT, Bound, Domains, HalfSpaces, Splits, cut_inputs
from genbab.branch.tally import balanced

CLOSER = 0.75
"""Most of its gap that a function loses when its interval is halved."""

KINDS = ("input", "neuron")


@dataclass(eq=False)
class Gauge:
    """What splits of each kind gain of what was predicted, as logarithms; 0 where nothing is known."""

    trust: dict[str, float] = field(default_factory=lambda: dict.fromkeys(KINDS, 0.0))

    def add(self, before: Domains, after: Tensor) -> None:
        """Count a round; kinds that were not split are slowly forgiven.

        before: children with the splits and bounds of their parents, lower ones first; after: their bounds
        now.
        """
        splits = before.splits
        if splits is None or splits.gain is None:
            return
        rise = torch.nan_to_num((after.clamp(max=0) - before.bound).clamp(min=0), posinf=0.0)
        first, second = rise.chunk(2)
        real, said = balanced(first, second), splits.gain.chunk(2)[0].to(rise.dtype)
        by_input = splits.node.chunk(2)[0] == INPUT
        for kind, mine in (("input", by_input), ("neuron", ~by_input)):
            promised = float(said[mine].sum())
            if promised > 0:
                share = min(max(float(real[mine].sum()) / promised, 0.01), 100.0)
                self.trust[kind] += 0.3 * (math.log(share) - self.trust[kind])
            else:
                self.trust[kind] *= 0.97

    def scale(self, kind: str) -> float:
        """By what predicted gains of this kind are to be multiplied."""
        return math.exp(self.trust[kind])


@dataclass(eq=False)
class Mixed:
    """The two places where input splits enter a search by neurons: choosing, and bounding children.

    forms: of hidden rows, valid on every domain's box; tighten: whether hidden rows of children of input
    splits are bounded backwards, too; cost: of such a child, as a multiple of a neuron split's.
    """

    engine: Engine
    forms: HiddenForms
    tighten: bool
    cost: float
    gauge: Gauge = field(default_factory=Gauge)
    _sizes: dict[int, Tensor] = field(default_factory=dict)

    @staticmethod
    def of(engine: Engine, forms: HiddenForms, rows: int, steps: int, tighten: bool) -> Mixed:
        """For rows whose slopes take so many steps in every child; the cost is counted in multiply-adds."""
        anew = float(sum(kept.form.numel() for kept in forms.nodes.values()))
        anew += tightening_cost(engine) if tighten else 0
        usual = pass_cost(engine, engine.exact.output, rows) * (SEARCHED * steps + 2)
        return Mixed(engine, forms, tighten, 1 + anew / max(1.0, usual))

    def around(self, bound: Bound) -> Bound:
        """A bound that first gives children of input splits their hidden intervals afresh.

        It learns from what the splits gained.
        """

        def both(children: Domains) -> Domains:
            found = bound(self.afresh(cut_inputs(children, self.engine.exact.entry)))
            self.gauge.add(children, found.bound)
            return found

        return both

    def afresh(self, children: Domains) -> Domains:
        """The children with hidden intervals cut to what their boxes allow, where an input was split."""
        path = children.path
        if path is None:
            return children
        which = (path.node[:, 0] == INPUT).nonzero().squeeze(-1)
        if not which.numel():
            return children
        some = children.take(which)
        box = (some.query.lower, some.query.upper)
        intervals = cheap_intervals(self.engine, box, self._by_forms(some))
        hidden = _put(children.hidden, which, intervals)
        if self.tighten:
            good = ~torch.stack([(low > high).any(-1) for low, high in intervals]).any(0)
            if bool(good.any()):
                box = (box[0][good], box[1][good])
                intervals = [(low[good], high[good]) for low, high in intervals]
                found = tighten_all(self.engine, box, intervals, Tightening()).intervals
                hidden = _put(hidden, which[good], found)
        return replace(children, hidden=hidden)

    def _by_forms(self, some: Domains) -> dict[int, Interval]:
        """The hidden intervals cut by the stored forms on the boxes."""
        box = (some.query.lower, some.query.upper)
        none = HalfSpaces(box[0].new_zeros(len(some), 0, box[0].shape[1]), box[0].new_zeros(len(some), 0))
        means = Means(self.engine.dtype, self.engine.kernels)
        found = dict(some.hidden)
        for i, kept in self.forms.nodes.items():
            if i in found:
                least = lowest(kept.form[None], kept.constant[None], box, none, means)
                every = torch.arange(len(kept.rows), device=least.device)
                found[i] = self.forms.narrowed(i, every, least, found[i])
        return found

    def choose(self, view: DomainView, picked: Splits) -> Splits:
        """The neurons picked, or an input where that promises the smaller tree."""
        assert picked.gain is not None
        query = view.domains.query
        width = query.upper - query.lower
        middle = self.engine.exact.entry.apart(query.lower + width / 2)
        can = (middle > query.lower) & (middle < query.upper)
        gains = (worth(query, view.margins, gain) for gain in self.gains(view))
        values = balanced(*gains).to(torch.float64).nan_to_num(nan=0.0, posinf=HUGE) + 1e-12 * width
        gain, neuron = torch.where(can, values, 0.0).max(-1)
        margin = (-query.worst(view.margins)).clamp(1e-9, HUGE).nan_to_num(nan=HUGE)
        levels = margin / (gain * self.gauge.scale("input")) + math.log2(self.cost)
        usual = margin / (picked.gain * self.gauge.scale("neuron"))
        better = (gain > 0) & ((picked.node < 0) | (levels < usual))
        at = middle.gather(1, neuron[:, None]).squeeze(1)
        return Splits(
            torch.where(better, INPUT, picked.node),
            torch.where(better, neuron, picked.neuron),
            torch.where(better, at, picked.point),
            torch.where(better, gain, picked.gain),
        )

    def gains(self, view: DomainView) -> tuple[Tensor, Tensor]:
        """What the lower and the upper child of each halved input gain on every row, (B, S, D) each.

        Where hidden rows are bounded anew, what their forms lose shrinks with the box as their spread does.
        """
        low, high = view.box
        width = (high - low)[:, None]
        form = view.last_pass.coefficients * width / 2
        narrow, most = torch.zeros_like(form), form.new_zeros(*form.shape[:2], 1)
        for node in view.nodes:
            if node == INPUT or node not in self.forms.nodes:
                continue
            start, end = view.domains.hidden[node]
            gap = view.rough(node).expand(*form.shape[:2], -1) / 2
            size, wide = self._size(node, form), (end - start)[:, None].to(gap.dtype)
            if self.tighten:
                wide = torch.minimum(wide, width @ size.mT)
            share = torch.nan_to_num(gap / wide, nan=0.0, posinf=0.0)
            narrow = narrow + (share @ size) * width
            most = most + gap.sum(-1, keepdim=True)
        narrow = torch.minimum(narrow, CLOSER * most)
        return narrow - form.clamp(max=0), narrow + form.clamp(min=0)

    def _size(self, node: int, like: Tensor) -> Tensor:
        """Mean of |coefficient| of the forms below and above each neuron of the node, (N, D)."""
        if node not in self._sizes:
            every = torch.arange(self.engine.exact.nodes[node].size, device=like.device)
            below, above = stored(self.forms, node, every, like)
            self._sizes[node] = (below[0].abs() + above[0].abs()) / 2
        return self._sizes[node]


def _put(hidden: dict[int, Interval], which: Tensor, intervals: list[Interval]) -> dict[int, Interval]:
    """The intervals of all domains, cut by those of some."""
    found = {}
    for i, (low, high) in hidden.items():
        low, high = low.clone(), high.clone()
        low[which], high[which] = intersect((low[which], high[which]), intervals[i])
        found[i] = low, high
    return found
