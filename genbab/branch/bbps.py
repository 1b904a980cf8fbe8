"""Bound propagation with shortcuts (BBPS; Shi et al., TACAS 2025): what a split gains at the input.

A neuron contributes λ·z + δ to a row. In a child both change; z is replaced by its shortcut, the linear
function of the input below it where λ > 0 and above it where λ < 0, so the row's form <F, x> + d over the
input changes by a known linear function of the input. F is the domain's own of its last pass; the gain is

    min over the domain's box of <F + ΔF, x> + Δd   less   min of <F, x>.

Evaluated at the corner that minimises F alone this is one matrix product for all neurons and never less
(`matrix_gains`): the filter before the exact estimate.

Shortcuts are the root's, and the deeper the tree the less they say. `anchored`, they only give the direction
in which z depends on the input, and its value at the corner is that of the domain's own lines; the filter is
then the line score, for nothing. And a child is a constraint on z as well: a multiplier for it takes part.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from genbab.branch.domains import Domains
from genbab.branch.scores import Combine, Gains, Score, balanced, line_gains, worth
from genbab.branch.shortcuts import NONE, Shortcuts
from genbab.branch.trials import HUGE, Reading, View, tidy
from genbab.problem import Query

SHORTLIST = 16
"""Neurons of each domain that are estimated exactly."""

MULTIPLIERS = (0.1, 0.25, 0.5, 1.0)
"""Multipliers of the constraint of a child that are tried, as shares of the balance of both forms."""

CHUNK = 4_000_000
"""Numbers in one temporary tensor of the exact estimate."""


def matrix_gains(shortcuts: Shortcuts, view: View, node: int) -> Gains:
    """BBPS where the parent's form is least: shortcuts evaluated at that corner; (B, S, N) per child."""
    readings = [view.readings(node, cut) for cut in view.cuts(node)]
    return _at_corner(shortcuts, view, node, readings)


def _at_corner(shortcuts: Shortcuts, view: View, node: int, readings: list[list[Reading]]) -> Gains:
    extra = view.grouped(node)
    start = view.one.coefficients.new_zeros(1, 1, 1) if extra is None else extra
    if not readings[0]:
        return start, start
    corner = view.one.corner
    slope = view.coefficient(node)
    low, high = _evaluated(shortcuts, node, corner, readings[0][0].value)
    known = {node: (low, high)}
    found = []
    for side in readings:
        gain, same = torch.zeros_like(slope), torch.zeros_like(slope)
        after = slope
        for one in side:
            gain, same, after = gain + one.offset, same + one.same, after + one.slope
            for other, change, value in one.others:
                if other not in known:
                    known[other] = _evaluated(shortcuts, other, corner, value)
                gain = gain + _toward(change, *known[other])
        gain = gain + _toward(after, low, high) - _toward(slope, low, high)
        found.append(torch.maximum(tidy(gain), same) + start)
    return found[0], found[1]


def _toward(coefficient: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """The lower bound of coefficient·z for low <= z <= high."""
    return coefficient.clamp(min=0) * low + coefficient.clamp(max=0) * high


def _evaluated(shortcuts: Shortcuts, node: int, x: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """The shortcuts of all neurons of the node at x (B, S, D); `value` (B, S, N) where there is none."""
    place = shortcuts.places(node)
    if place is None:
        return value, value
    has = place != NONE
    ends = []
    for rows in shortcuts.rows(node):
        at = x @ rows[:, :-1].mT + rows[:, -1]
        ends.append(torch.where(has, at[..., place.clamp(min=0)], value))
    return ends[0], ends[1]


def exact_gains(  # noqa: PLR0913
    shortcuts: Shortcuts,
    view: View,
    node: int,
    which: Tensor,
    neurons: Tensor,
    readings: list[list[Reading]],
    anchored: bool = False,
) -> Gains:
    """BBPS of P splits of the node, neuron `neurons` (P,) of domain `which` (P,); (P, S) for each child.

    anchored: shortcuts are shifted to the value that z has where the parent's bound is attained, and the
    constraint that makes the child (z <= point or z >= point) takes part with a multiplier.
    """
    size = max(1, CHUNK // max(1, view.one.coefficients.shape[1] * shortcuts.inputs))
    extra = view.grouped(node)
    parts: list[Gains] = []
    for b, j in zip(torch.split(which, size), torch.split(neurons, size), strict=True):
        sides = []
        for side, sign in zip(readings, (1.0, -1.0), strict=True):
            forms = Forms.of(shortcuts, view, node, (b, j), side, anchored)
            gain = forms.gain(view, b, forms.after)
            if anchored:
                point = view.points[node][b, j].to(gain.dtype)[:, None]
                for share in MULTIPLIERS:
                    by = sign * share * forms.balance(view, b)
                    gain = torch.maximum(gain, forms.gain(view, b, forms.after + by) - by * point)
            gain = torch.maximum(tidy(gain), forms.same)
            sides.append(gain if extra is None else gain + extra[b, :, j])
        parts.append((sides[0], sides[1]))
    return torch.cat([p[0] for p in parts]), torch.cat([p[1] for p in parts])


@dataclass(frozen=True, eq=False)
class Forms:
    """One child of P splits at the input: change (P, S, D) and constant (P, S) of the rows' forms that come
    from elsewhere, the neuron's coefficient before and after, and its shortcuts (P, S, D + 1).
    """

    change: Tensor
    constant: Tensor
    before: Tensor
    after: Tensor
    same: Tensor
    below: Tensor
    above: Tensor

    @staticmethod
    def of(  # noqa: PLR0913
        shortcuts: Shortcuts,
        view: View,
        node: int,
        pairs: tuple[Tensor, Tensor],
        readings: list[Reading],
        anchored: bool,
    ) -> Forms:
        """The forms of splits `pairs` = (domain, neuron) of the node, read as `readings` say."""
        b, j = pairs
        before = view.one.coefficients.new_zeros(len(b), view.one.coefficients.shape[1])
        for line, place in view.lines_of(node):
            own = line.slopes[place].expand_as(line.coefficients)
            before = before + line.coefficients[b, :, j] * own[b, :, j]
        corner = view.one.corner[b] if anchored else None
        change, constant, same = torch.zeros_like(view.one.corner[b]), before * 0, before * 0
        after, value = before, before * 0
        for one in readings:
            constant, same = constant + one.offset[b, :, j], same + one.same[b, :, j]
            after, value = after + one.slope[b, :, j], one.value[b, :, j]
            for other, by, elsewhere in one.others:
                low, high = _picked(shortcuts, other, j, elsewhere[b, :, j], corner)
                more = _sided(by[b, :, j], low, high)
                change, constant = change + more[..., :-1], constant + more[..., -1]
        below, above = _picked(shortcuts, node, j, value, corner)
        return Forms(change, constant, before, after, same, below, above)

    def gain(self, view: View, b: Tensor, after: Tensor) -> Tensor:
        """What the rows (P, S) gain at the input if the neuron's coefficient becomes `after`."""
        more = _sided(after, self.below, self.above) - _sided(self.before, self.below, self.above)
        form = view.one.coefficients[b]
        change = self.change + more[..., :-1]
        low, high = view.box[0][b, None], view.box[1][b, None]
        centre, radius = (low + high) / 2, (high - low) / 2
        moved = (change * centre).sum(-1) - (((form + change).abs() - form.abs()) * radius).sum(-1)
        return moved + self.constant + more[..., -1]

    def balance(self, view: View, b: Tensor) -> Tensor:
        """The multiplier (P, S) with which the neuron's form weighs as much over the box as the row's."""
        radius = (view.box[1] - view.box[0])[b, None]
        own = ((self.below + self.above)[..., :-1].abs() / 2 * radius).sum(-1)
        return (view.one.coefficients[b].abs() * radius).sum(-1) / own.clamp(min=1e-30) * (own > 0)


def _sided(coefficient: Tensor, below: Tensor, above: Tensor) -> Tensor:
    return coefficient.clamp(min=0)[..., None] * below + coefficient.clamp(max=0)[..., None] * above


def _picked(
    shortcuts: Shortcuts, node: int, neurons: Tensor, value: Tensor, anchor: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Shortcuts (P, S or 1, D + 1) of the neurons (P,); constant `value` (P, S) where there is none.

    With an anchor (P, S, D) both are shifted to take that value there.
    """
    place = shortcuts.places(node)
    alone = value.new_zeros(*value.shape, shortcuts.inputs + 1)
    alone[..., -1] = value
    if place is None:
        return alone, alone
    rows = place[neurons]
    has = (rows != NONE)[:, None, None]
    ends = [side[rows.clamp(min=0)][:, None] if side.numel() else alone for side in shortcuts.rows(node)]
    if anchor is not None:
        ends = [
            torch.cat(
                [e[..., :-1].expand_as(anchor), (value - (e[..., :-1] * anchor).sum(-1))[..., None]], -1
            )
            for e in ends
        ]
    if bool(has.all()):
        return ends[0], ends[1]
    return torch.where(has, ends[0], alone), torch.where(has, ends[1], alone)


def matrix_score(shortcuts: Shortcuts, combine: Combine = balanced) -> Score:
    """The filter alone: BBPS where the parent's form is least."""

    def score(view: View) -> dict[int, Tensor]:
        query = view.domains.query
        found = {}
        for node in view.points:
            gains = matrix_gains(shortcuts, view, node)
            found[node] = combine(*(worth(query, view.margins, gain) for gain in gains))
        return found

    return score


def bbps_score(
    shortcuts: Shortcuts, combine: Combine = balanced, anchored: bool = True, shortlist: int = SHORTLIST
) -> Score:
    """Exact BBPS of the neurons that the filter ranks highest; all others 0."""

    def score(view: View) -> dict[int, Tensor]:
        query = view.domains.query
        if not view.points:
            return {}
        readings = {node: [view.readings(node, cut) for cut in view.cuts(node)] for node in view.points}
        filtered = {}
        for node, sides in readings.items():
            gains = line_gains(view, node, sides) if anchored else _at_corner(shortcuts, view, node, sides)
            wide = view.domains.hidden[node][1] > view.domains.hidden[node][0]
            filtered[node] = combine(*(worth(query, view.margins, gain) for gain in gains)) * wide
        everything = torch.cat(list(filtered.values()), 1)
        kept = everything.topk(min(shortlist, everything.shape[1]), 1).indices
        mask = torch.zeros_like(everything, dtype=torch.bool).scatter_(1, kept, True) & (everything > 0)
        found = {}
        masks = torch.split(mask, [f.shape[1] for f in filtered.values()], 1)
        for (node, rough), chosen in zip(filtered.items(), masks, strict=True):
            which, neurons = chosen.nonzero(as_tuple=True)
            exact = torch.zeros_like(rough)
            if which.numel():
                gains = exact_gains(shortcuts, view, node, which, neurons, readings[node], anchored)
                both = [_each_worth(view.domains, view.margins, which, gain) for gain in gains]
                exact[which, neurons] = combine(both[0], both[1]).to(exact.dtype)
            found[node] = exact
        return found

    return score


def _each_worth(domains: Domains, margins: Tensor, which: Tensor, gains: Tensor) -> Tensor:
    """`worth` of gains (P, S) in domains `which` (P,)."""
    query = domains.query
    small = Query(
        query.lower[:, :0][which],
        query.upper[:, :0][which],
        query.matrix[:, :, :0][which],
        None,
        query.rhs[which],
        query.clause[which],
    )
    return worth(small, margins[which], gains.clamp(max=HUGE)[..., None])[:, 0]
