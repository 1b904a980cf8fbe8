"""Which neuron to split, and where.

A score estimates, per neuron, what both children gain on every row; `worth` makes one number of that. The
estimates here need no propagation: O(B·S·N). Those with shortcuts to the input are in `bbps`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from genbab.bounds import Answer, Relaxation, descend, swept
from genbab.branch.choose.trials import Reading, View
from genbab.branch.open.domains import Domains, Splits
from genbab.network import Affine, Network, Nonlinear
from genbab.nonlinear import Nonlinearity
from genbab.problem import Query

Point = Callable[[Network, int, Tensor, Tensor, Mapping[int, Tensor]], Tensor]
"""(network, node, lower (B, N), upper, the rows' coefficients by node) -> where to split each neuron, inside."""

Gains = tuple[Tensor, Tensor]
"""What the lower and the upper child of every neuron gain on every row; (B, S, N) each, >= 0."""

Score = Callable[[View], dict[int, Tensor]]
"""What a split of each neuron is worth: node -> (B, N), >= 0."""

Combine = Callable[[Tensor, Tensor], Tensor]
"""The gains of both children (B, N) -> the worth of the split."""


def kink_or_middle(
    network: Network, node: int, lower: Tensor, upper: Tensor, weights: Mapping[int, Tensor] | None = None
) -> Tensor:
    """The kink of a function that reads the node where one lies inside the interval, else the middle."""
    point = lower + (upper - lower) / 2
    point = torch.where(torch.isfinite(point), point, torch.zeros_like(point))
    for reader in network.consumers[node]:
        reading = network.nodes[reader]
        if isinstance(reading, Nonlinear) and isinstance(reading.fn, Nonlinearity):
            for kink in reading.fn.kinks:
                point = torch.where((lower < kink) & (kink < upper), torch.full_like(point, kink), point)
    return point


def both(first: Tensor, second: Tensor) -> Tensor:
    """The sum of the children's gains."""
    return first + second


def weaker(first: Tensor, second: Tensor) -> Tensor:
    """The gain of the worse child."""
    return torch.minimum(first, second)


def geometric(first: Tensor, second: Tensor) -> Tensor:
    """The geometric mean of the children's gains."""
    return (first * second).sqrt()


def line_gains(view: View, node: int, readings: list[list[Reading]] | None = None) -> Gains:
    """The gain where the bound is attained, at the argument's value as the lines of the pass have it.

    Taken is the better of the parent's slope with the child's intercept and the child's line of least area.
    """
    return _summed(view, node, lambda reading: reading.attained, readings)


def free_gains(view: View, node: int) -> Gains:
    """The gain at the parent's slopes: the intercept's improvement times |A|. Certain, but 0 for ReLU."""
    return _summed(view, node, lambda reading: reading.same)


def plain_gains(view: View, node: int) -> Gains:
    """BaBSR (Bunel et al., 2020) for any function: lines of least area before and after, and the bias of the
    affine node before the neuron; what lies before that is ignored.
    """
    reading = view.relaxation.network.nodes[node]
    bias = reading.bias if isinstance(reading, Affine) else view.one.constant.new_zeros(())
    sides = []
    for cut in (view.domains.hidden[node], *view.cuts(node)):
        total: Tensor | float = 0.0
        for one in view.readings(node, cut):
            total = total + one.offset + one.slope * bias.to(one.slope.dtype)
        sides.append(total + view.one.coefficients.new_zeros(1, 1, 1))
    gains = [torch.nan_to_num(side - sides[0], nan=0.0).clamp(min=0) for side in sides[1:]]
    extra = view.grouped(node)
    gains = gains if extra is None else [g + extra for g in gains]
    return gains[0], gains[1]


def _summed(
    view: View, node: int, gain: Callable[[Reading], Tensor], readings: list[list[Reading]] | None = None
) -> Gains:
    found: list[Tensor] = []
    extra = view.grouped(node)
    start = view.one.coefficients.new_zeros(1, 1, 1) if extra is None else extra
    for side in readings or [view.readings(node, cut) for cut in view.cuts(node)]:
        found.append(sum((gain(one) for one in side), start))
    return found[0], found[1]


def balanced(first: Tensor, second: Tensor) -> Tensor:
    """The power mean of exponent 1/2: between the mean, which one good child decides, and the geometric."""
    return (first.sqrt() + second.sqrt()).square() / 4


def score_by(gains: Callable[[View, int], Gains], combine: Combine) -> Score:
    """A score from gains per row."""

    def score(view: View) -> dict[int, Tensor]:
        query = view.domains.query
        found = {}
        for node in view.nodes:
            first, second = (worth(query, view.margins, gain) for gain in gains(view, node))
            found[node] = combine(first, second)
        return found

    return score


line_score = score_by(line_gains, balanced)
"""The gains of both children where the bound is attained."""

free_score = score_by(free_gains, balanced)
"""The gains of both children at the parent's slopes."""

plain_score = score_by(plain_gains, weaker)
"""BaBSR's estimate for the worse child."""


def widest_score(view: View) -> dict[int, Tensor]:
    """The width of the interval."""
    return {i: (view.domains.hidden[i][1] - view.domains.hidden[i][0]).abs() for i in view.nodes}


def random_score(seed: int) -> Score:
    """Random numbers in [0, 1)."""
    generator = torch.Generator().manual_seed(seed)

    def score(view: View) -> dict[int, Tensor]:
        return {
            i: torch.rand(low.shape, generator=generator, dtype=torch.float64).to(low.device)
            for i, (low, _) in ((i, view.domains.hidden[i]) for i in view.nodes)
        }

    return score


def worth(query: Query, margins: Tensor, gains: Tensor) -> Tensor:
    """How much nearer (B, N) the clauses come to being refuted if each row gains (B, S, N).

    A clause is refuted by its best row, so what counts is the rise of its best margin, up to what it needs;
    the rows' mean, a tenth of it, decides between equals. Refuted clauses do not count.
    """
    before = torch.nan_to_num(margins, nan=-1e6, posinf=1e6, neginf=-1e6).to(gains.dtype)[..., None]
    gains = gains.expand(*before.shape[:2], -1)
    gains = torch.minimum(gains, 1e6 + 0 * before)
    open_ = (~(query.clause_margins(margins) > 0) & (query.clause >= 0)).to(gains.dtype)[..., None]
    after = before + gains
    if before.shape[1] == 1:
        return torch.minimum(gains, -before)[:, 0].clamp(min=0) * open_[:, 0]
    same = (query.clause[:, :, None] == query.clause[:, None, :])[..., None]
    counts = same.sum(2).to(gains.dtype)
    lowest = torch.full((), -torch.inf, dtype=gains.dtype, device=gains.device)
    total = torch.zeros_like(gains[:, 0])
    for s in range(before.shape[1]):
        mine = same[:, s]
        rise = torch.where(mine, after, lowest).amax(1).clamp(max=0) - torch.where(mine, before, lowest).amax(
            1
        )
        mean = (gains * mine).sum(1) / counts[:, s]
        total = total + open_[:, s] * (rise.clamp(min=0) + 0.1 * mean) / counts[:, s]
    return total


def choose_neuron(
    score: Score,
    point: Point,
    width: float = 1e-7,
    estimates: bool = True,
    rival: Callable[[View, Splits], Splits] = lambda _, picked: picked,
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
            view = look(relaxation, known, domains, margins, open_, point)
            picked = rival(view, pick(view, score(view), width))
            found.node[open_], found.neuron[open_] = picked.node, picked.neuron
            found.point[open_] = picked.point
            if found.gain is not None and picked.gain is not None:
                found.gain[open_] = picked.gain
        return found

    return choose


def look(  # noqa: PLR0913
    relaxation: Relaxation,
    known: Answer,
    domains: Domains,
    margins: Tensor,
    which: Tensor,
    point: Point,
) -> View:
    """The domains selected as scores see them: with one more pass at their slopes."""
    dtype = relaxation.dtype
    warm, rows = known.certificate, known.rows
    if which.numel() < len(domains):
        count = len(domains)
        domains, margins = domains.take(which), margins[which]
        warm, rows = warm.take(which), rows.take(which, count)
        intervals = [(a[which], b[which]) if a.shape[0] == count else (a, b) for a, b in relaxation.intervals]
        relaxation = relaxation.moved(intervals)
    query = domains.query
    box = (query.lower.to(dtype), query.upper.to(dtype))
    one = swept(descend(relaxation, rows.to(dtype), box, warm.starts))
    return View(relaxation, one, domains, margins, point)


def pick(view: View, scores: dict[int, Tensor], width: float) -> Splits:
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
