"""Bound propagation with shortcuts (BBPS; Shi et al., TACAS 2025): what a split gains at the input.

A neuron contributes λ·z + δ to a row. In a child both change; z is replaced by its shortcut, the linear
function of the input below it where λ > 0 and above it where λ < 0, so the row's form <F, x> + d over the
input changes by a known linear function of the input. F is the domain's own of its last pass; the gain is

    min over the domain's box of <F + ΔF, x> + Δd   less   min of <F, x>.

Evaluated at the corner that minimises F alone this is one matrix product for all neurons and never less
(`matrix_gains`): the filter before the exact estimate.

Shortcuts are the root's, and the deeper the tree the less they say. `anchored`, they only give the direction
in which z depends on the input, and its value at the corner is that of the domain's own lines; the filter is
then the line score, of the neurons that matter most by a rougher one. And a child is a constraint on z as
well: a multiplier for it takes part.
"""

from __future__ import annotations

import torch
from torch import Tensor

from genbab.branch.choose.candidates import HUGE, Candidates, tidy
from genbab.branch.choose.score import Combine, Gains, NamedScore, Score, worth
from genbab.branch.choose.shortcuts import ScaledForms, Shortcut, evaluated, toward
from genbab.branch.choose.view import DomainView
from genbab.branch.cut.forms import HiddenForms
from genbab.branch.open.domains import Domains
from genbab.branch.tally import balanced
from genbab.kernels import Kernels
from genbab.problem import Query

ROUGH = (1 / 8, 48, 96)
"""Share of the neurons of each domain that the rough filter leaves to the line score; no fewer, no more."""

SHORTLIST = 16
"""Neurons of each domain that are estimated exactly."""

MULTIPLIERS = (0.1, 0.25, 0.5, 1.0)
"""Multipliers of the constraint of a child that are tried, as shares of the balance of both forms."""

CHUNK = 250_000
"""Numbers in one temporary tensor of the exact estimate: what fits a processor's cache."""


def matrix_gains(forms: HiddenForms, view: DomainView, node: int) -> Gains:
    """BBPS where the parent's form is least: shortcuts evaluated at that corner; (B, S, N) per child."""
    readings = [view.readings(node, cut) for cut in view.cuts(node)]
    extra = view.grouped(node)
    start = view.last_pass.coefficients.new_zeros(1, 1, 1) if extra is None else extra
    if not readings[0]:
        return start, start
    corner = view.last_pass.corner
    slope = view.coefficient(node)
    low, high = evaluated(forms, node, corner, readings[0][0].value)
    known = {node: (low, high)}
    found = []
    for side in readings:
        gain, same = torch.zeros_like(slope), torch.zeros_like(slope)
        after = slope
        for one in side:
            gain, same, after = gain + one.offset, same + one.same, after + one.slope
            for other, change, value in one.others:
                if other not in known:
                    known[other] = evaluated(forms, other, corner, value)
                gain = gain + toward(change, *known[other])
        gain = gain + toward(after, low, high) - toward(slope, low, high)
        found.append(torch.maximum(tidy(gain), same) + start)
    return found[0], found[1]


def exact_gains(forms: HiddenForms, view: DomainView, these: Candidates, anchored: bool = False) -> Gains:
    """BBPS of P splits of one node, (P, S) for each child.

    anchored: shortcuts are shifted to the value that z has where the parent's bound is attained, and the
    constraint that makes the child (z <= point or z >= point) takes part with a multiplier.
    """
    size = max(
        1, CHUNK // max(1, view.last_pass.coefficients.shape[1] * view.last_pass.coefficients.shape[2])
    )
    every = torch.arange(len(these), device=these.which.device)
    parts = [_estimated(forms, view, these.take(some), anchored) for some in torch.split(every, size)]
    return torch.cat([p[0] for p in parts]), torch.cat([p[1] for p in parts])


def _estimated(forms: HiddenForms, view: DomainView, these: Candidates, anchored: bool) -> Gains:
    place = ScaledForms.of(view, these.which)
    before = these.coefficient
    value = these.readings[0][-1].value if these.readings[0] else torch.zeros_like(before)
    own = Shortcut.of(forms, these.node, these, value, place, anchored)
    without = own.added(place.form, before, -1.0)
    found = []
    for side, sign in zip(these.readings, (1.0, -1.0), strict=True):
        rest, constant = without, -own.at_centre(before)
        same, after = torch.zeros_like(before), before
        for one in side:
            constant, same, after = constant + one.offset, same + one.same, after + one.slope
            for other, change, elsewhere in one.others:
                shortcut = Shortcut.of(forms, other, these, elsewhere, place, anchored)
                rest, constant = shortcut.added(rest, change), constant + shortcut.at_centre(change)
        by = after.new_zeros(*after.shape, 1)
        if anchored:
            reach = own.size
            balance = place.size / reach.clamp(min=1e-30) * (reach > 0)
            by = sign * balance[..., None] * balance.new_tensor((0.0, *MULTIPLIERS))
        gains = _least(place, own, rest, after[..., None] + by, view.relaxation.kernels)
        gain = torch.amax(gains - by * these.points[:, None, None].to(gains.dtype), -1)
        found.append(torch.maximum(tidy(gain + constant), same) + these.extra)
    return found[0], found[1]


def _least(place: ScaledForms, own: Shortcut, rest: Tensor, coefficients: Tensor, kernels: Kernels) -> Tensor:
    """What the minimum over the box gains, (P, S, M), where the form is `rest` + coefficient·neuron."""
    centre = toward(coefficients, *(at[..., None] for at in (own.below[1], own.above[1])))
    # forms are times radii, so the box is the unit box
    size = kernels.reach(rest, own.below[0][:, 0], own.above[0][:, 0], coefficients)
    return place.size[..., None] - size + centre


def matrix_score(forms: HiddenForms, combine: Combine = balanced) -> Score:
    """The filter alone: BBPS where the parent's form is least."""

    def score(view: DomainView) -> dict[int, Tensor]:
        query = view.domains.query
        found = {}
        for node in view.nodes:
            gains = matrix_gains(forms, view, node)
            found[node] = combine(*(worth(query, view.margins, gain) for gain in gains))
        return found

    return score


def bbps_score(
    forms: HiddenForms, combine: Combine = balanced, anchored: bool = True, shortlist: int = SHORTLIST
) -> Score:
    """Exact BBPS of the neurons that the filter ranks highest; all others 0."""
    corner = matrix_score(forms, combine)

    def valued(view: DomainView, tried: list[Candidates], gains: list[Gains]) -> list[Tensor]:
        if not tried:
            return []
        which = torch.cat([these.which for these in tried])
        low, high = (torch.cat(side) for side in zip(*gains, strict=True))
        both = (_each_worth(view.domains, view.margins, which, side) for side in (low, high))
        return list(torch.split(combine(*both), [len(these) for these in tried]))

    def attained(these: Candidates) -> Gains:
        sides = [sum((one.attained for one in side), these.extra) for side in these.readings]
        return sides[0], sides[1]

    def score(view: DomainView) -> dict[int, Tensor]:
        if anchored:
            rough_scores = rough_score(view)
            share, least, most = ROUGH
            every = sum(score.shape[1] for score in rough_scores.values())
            count = max(shortlist, min(max(int(share * every), least), most))
            tried = _best(view, rough_scores, count)
            rough = valued(view, tried, [attained(these) for these in tried])
            tried = _kept(view, tried, rough, shortlist)
        else:
            tried = _best(view, corner(view), shortlist)
        found = {i: view.margins.new_zeros(view.domains.hidden[i][0].shape) for i in view.nodes}
        gains = [exact_gains(forms, view, these, anchored) for these in tried]
        for these, exact in zip(tried, valued(view, tried, gains), strict=True):
            found[these.node][these.which, these.neurons] = exact.to(view.margins.dtype)
        return found

    return score


def rough_score(view: DomainView) -> dict[int, Tensor]:
    """Gaps between functions and lines: a filter."""
    query = view.domains.query
    found = {}
    for node in view.nodes:
        low, high = view.domains.hidden[node]
        found[node] = worth(query, view.margins, view.rough(node)) * (high > low)
    return found


def _best(view: DomainView, scores: dict[int, Tensor], count: int) -> list[Candidates]:
    """The splits of the highest scores above 0 in each domain, by node."""
    if not scores:
        return []
    everything = torch.cat(list(scores.values()), 1)
    kept = everything.topk(min(count, everything.shape[1]), 1).indices
    mask = torch.zeros_like(everything, dtype=torch.bool).scatter_(1, kept, True) & (everything > 0)
    masks = torch.split(mask, [s.shape[1] for s in scores.values()], 1)
    found = []
    for node, chosen in zip(scores, masks, strict=True):
        which, neurons = chosen.nonzero(as_tuple=True)
        if which.numel():
            found.append(view.candidates(node, which, neurons))
    return found


def _kept(view: DomainView, tried: list[Candidates], scores: list[Tensor], count: int) -> list[Candidates]:
    """The candidates of the highest scores (P,) above 0 in each domain."""
    if not tried:
        return []
    value, which = torch.cat(scores), torch.cat([these.which for these in tried])
    order = value.argsort(descending=True, stable=True)
    order = order[which[order].argsort(stable=True)]
    counts = torch.bincount(which, minlength=len(view.domains))
    first = (counts.cumsum(0) - counts)[which[order]]
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(order), device=order.device) - first
    keep = torch.split((rank < count) & (value > 0), [len(these) for these in tried])
    some = ((these, mask.nonzero().squeeze(-1)) for these, mask in zip(tried, keep, strict=True))
    return [these.take(chosen) for these, chosen in some if chosen.numel()]


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


SCORE = NamedScore(lambda given: bbps_score(given.forms))
