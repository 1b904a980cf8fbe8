"""The choice of the next split of each domain: the neuron of highest score."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from genbab.bounds import Answer, Relaxation, descend, swept
from genbab.branch.choose.points import Point
from genbab.branch.choose.score import Score
from genbab.branch.choose.view import DomainView
from genbab.branch.open.domains import Domains, Splits


def choose_neuron(
    score: Score,
    point: Point,
    width: float = 1e-7,
    estimates: bool = True,
    rival: Callable[[DomainView, Splits], Splits] = lambda _, picked: picked,
) -> Callable[..., Splits]:
    """A chooser: the neuron of highest score among those at least `width` wide (relative to their size).

    estimates: whether the score is meant as a gain, to be compared with what comes of it; rival: may put a
    better split in the place of a neuron's.
    """

    def choose(relaxation: Relaxation, known: Answer, domains: Domains, margins: Tensor) -> Splits:
        count, device = len(domains), margins.device
        found = Splits(
            torch.full((count,), -1, device=device),
            torch.zeros(count, dtype=torch.long, device=device),
            torch.zeros(count, dtype=torch.float64, device=device),
            torch.zeros(count, dtype=torch.float64, device=device) if estimates else None,
        )
        open_ = (~(domains.query.worst(margins) > 0)).nonzero().squeeze(-1)
        if open_.numel():
            view = view_of(relaxation, known, domains, margins, open_, point)
            picked = rival(view, pick(view, score(view), width))
            found.node[open_], found.neuron[open_] = picked.node, picked.neuron
            found.point[open_] = picked.point
            if found.gain is not None and picked.gain is not None:
                found.gain[open_] = picked.gain
        return found

    return choose


def view_of(
    relaxation: Relaxation,
    known: Answer,
    domains: Domains,
    margins: Tensor,
    which: Tensor,
    point: Point,
) -> DomainView:
    """The domains selected as scores see them: with one more pass at their slopes."""
    dtype = relaxation.dtype
    warm, rows, price = known.certificate, known.rows, known.price
    if which.numel() < len(domains):
        count = len(domains)
        domains, margins = domains.take(which), margins[which]
        warm, rows = warm.take(which), rows.take(which, count)
        price = None if price is None else price[which]
        intervals = [(a[which], b[which]) if a.shape[0] == count else (a, b) for a, b in relaxation.intervals]
        relaxation = relaxation.moved(intervals)
    query = domains.query
    box = (query.lower.to(dtype), query.upper.to(dtype))
    one = swept(descend(relaxation, rows.to(dtype), box, warm.starts))
    return DomainView(relaxation, one, rows, price, domains, margins, point)


def pick(view: DomainView, scores: dict[int, Tensor], width: float) -> Splits:
    """The split of highest score in each domain of the view; equal scores: the widest interval."""
    count, device = len(view.domains), view.margins.device
    best = torch.zeros(count, dtype=torch.float64, device=device)
    node = torch.full((count,), -1, device=device)
    neuron = torch.zeros(count, dtype=torch.long, device=device)
    where = torch.zeros(count, dtype=torch.float64, device=device)
    for i, score in scores.items():
        lower, upper = view.domains.hidden[i]
        inside = torch.nextafter(lower, upper) < upper
        wide = inside & ((upper - lower) > width * (1 + torch.maximum(lower.abs(), upper.abs())))
        total = torch.where(wide, score.to(torch.float64) + 1e-12 * (upper - lower), 0.0)
        top, which = total.max(-1)
        better = top > best
        best = torch.where(better, top, best)
        node = torch.where(better, i, node)
        neuron = torch.where(better, which, neuron)
    for i in scores:
        mine = (node == i).nonzero().squeeze(-1)
        if mine.numel():
            where[mine] = view.points_of(i, mine, neuron[mine]).to(where.dtype)
    return Splits(node, neuron, where, best)
