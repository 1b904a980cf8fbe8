"""Planes below linear forms of a softmax's values, in plain torch.

N = G·K numbers are G groups of K entries, one after the other. For coefficients A of a group and any c,
Σ A·p = c + Σ (A - c)·p, since the entries add up to 1. With tangents of convex L <= p and of concave U >= p,
all at one point, each entry takes that of L where A >= c and that of U elsewhere; c is the best for the
values of L and U there (a knapsack). Any point gives a plane below: it is what is searched.
For searching points only: nothing is said of rounding. genbab.nonlinear.groups.softmax_planes has the proofs.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from genbab.kernels.functions import Function
from genbab.kernels.torch.conjugates import conjugate

Pair = tuple[Tensor, Tensor]

SIGMOID = Function("sigmoid")

FLOOR = {torch.float32: 1e-30, torch.float64: 1e-250}
"""Powers below this are taken for 0, sums of powers for this."""

CERTAIN = 1e-20
"""Where the other entries' powers add up to less than this part of an entry's own, its upper line is flat."""


LOW, HIGH, START, SLOPE, TOP, KNOWN, LEAST, MOST, STEEPEST, S_LOW, S_HIGH, AT_LOW, AT_HIGH = range(13)
USABLE, FIXED, DOWN = range(13, 16)
"""Kinds of facts in the order of `packed`."""


@dataclass(frozen=True, eq=False)
class Apart:
    """Chords known of differences: 1 + fixed_k + Σ_j slopes_jk·x_j - down_k·x_k >= 1 / p_k on the box.

    They hold where usable (bool); fixed, down and usable (B or 1, 1, N), slopes (B or 1, G, K, K) with a
    diagonal of zeros, down its sums over j.
    """

    usable: Tensor
    fixed: Tensor
    down: Tensor
    slopes: Tensor


@dataclass(frozen=True, eq=False)
class SoftmaxFacts:
    """What is known of a softmax of groups of `length` entries on boxes; all (B or 1, 1, N).

    ends: of the arguments, 0 where the group is not `known` (bool) to be bounded; start, slope: a chord
    start + slope·(x - l) >= exp(x - top) on the box, top the largest u of the group; logits: finite bounds of
    x_k - log Σ_{j≠k} exp(x_j); values: bounds of the softmax; steepest: the largest slope of the sigmoid's
    concave envelope on the logits.
    """

    length: int
    ends: Pair
    known: Tensor
    top: Tensor
    start: Tensor
    slope: Tensor
    logits: Pair
    values: Pair
    steepest: Tensor
    apart: Apart | None = None


@dataclass(frozen=True, eq=False)
class SoftmaxPlanes:
    """Σ A·softmax(x) >= Σ form·x + bias on the box (up to rounding): form (B, S, N), bias (B, S).

    at: the points, inside the box; upper: 1 where an entry took U, else 0; both (B, S, N). The entries' lines
    at x = at + δ are value + own·δ_k - cross·Σ, with Σ_j power_j·δ_j where upper, else Σ_j slope_j·δ_j, or,
    where own is 0, Σ_j slopes_jk·δ_j - down_k·δ_k; all (B, S, N). critical (B, S, G): the entry of each group
    whose value follows from the others.
    """

    form: Tensor
    bias: Tensor
    at: Tensor
    upper: Tensor
    value: Tensor
    own: Tensor
    cross: Tensor
    power: Tensor
    critical: Tensor


def by_groups(x: Tensor, length: int) -> Tensor:
    """(..., N) as (..., G, K)."""
    return x.reshape(*x.shape[:-1], x.shape[-1] // length, length)


def packed(facts: SoftmaxFacts) -> Tensor:
    """The facts as one tensor (13 or, where differences are known, 16, B or 1, N).

    The last two kinds of the 13 are the sigmoid at the logits' ends.
    """
    like, apart = facts.start, facts.apart
    given = [*facts.ends, like, facts.slope, facts.top, facts.known, *facts.values, facts.steepest]
    given += [*facts.logits, *(torch.sigmoid(s) for s in facts.logits)]
    given += [] if apart is None else [apart.usable, apart.fixed, apart.down]
    return torch.stack([t.to(like.dtype).expand(like.shape)[:, 0] for t in given])


def softmax_ready(facts: SoftmaxFacts) -> SoftmaxFacts:
    """What to give to `softmax_planes` and `softmax_values` instead of the facts; here the facts."""
    return facts


def softmax_planes(facts: SoftmaxFacts, a: Tensor, at: Tensor) -> SoftmaxPlanes:
    """Planes below Σ a·softmax, a (B, S, N), tangent at `at` (B or 1, S or 1, N), moved into the box.

    A number of `at` that is none counts 0. NaN in a coefficient makes its row's bias NaN.
    """
    length = facts.length
    whole = by_groups(a, length)
    x = (
        by_groups(at, length)
        .nan_to_num(0.0)
        .clamp(*(by_groups(end, length) for end in facts.ends))
        .expand(whole.shape)
    )
    power, rest, logit = _powers(x)
    low, low_own, low_cross = _below(facts, x)
    high, steep = _above(facts, power, rest, logit)
    c, critical = _knapsack(whole, low, high)
    w = whole - c
    upper = w < 0
    value = torch.where(upper, high, low)
    own = torch.where(upper, steep * (1.0 + power / rest), low_own)
    cross = torch.where(upper, steep / rest, low_cross)
    taken, slope = w * cross, by_groups(facts.slope, length)
    form = w * own - power * torch.where(upper, taken, 0.0).sum(-1, keepdim=True)
    paired = ~upper & (own == 0)
    form = form - slope * torch.where(upper | paired, 0.0, taken).sum(-1, keepdim=True)
    if facts.apart is not None:
        by_pairs = torch.where(paired, taken, 0.0)
        form = form - torch.einsum("bgjk,bsgk->bsgj", facts.apart.slopes.expand(len(a), -1, -1, -1), by_pairs)
        form = form + by_groups(facts.apart.down, length) * by_pairs
    bias = (c[..., 0] + (w * value - form * x).sum(-1)).sum(-1)
    flat = (t.flatten(-2) for t in (form, x, upper.to(a.dtype), value, own, cross, power))
    form, at, side, value, own, cross, power = flat
    return SoftmaxPlanes(form, bias, at, side, value, own, cross, power, critical[..., 0])


def softmax_values(facts: SoftmaxFacts, planes: SoftmaxPlanes, v: Tensor) -> Tensor:
    """The entries' lines at arguments v (B, S, N), which is the derivative by a of <form, v> + bias."""
    length = facts.length
    delta, upper, own = (
        by_groups(v - planes.at, length),
        by_groups(planes.upper, length) != 0,
        by_groups(planes.own, length),
    )
    among = torch.where(
        upper,
        (by_groups(planes.power, length) * delta).sum(-1, keepdim=True),
        (by_groups(facts.slope, length) * delta).sum(-1, keepdim=True),
    )
    if facts.apart is not None:
        slopes = facts.apart.slopes.expand(len(v), -1, -1, -1)
        mixed = torch.einsum("bgjk,bsgj->bsgk", slopes, delta) - by_groups(facts.apart.down, length) * delta
        among = torch.where(~upper & (own == 0), mixed, among)
    y = by_groups(planes.value, length) + own * delta - by_groups(planes.cross, length) * among
    critical = planes.critical[..., None]
    others = y.scatter(-1, critical, 0.0).sum(-1, keepdim=True)
    return y.scatter(-1, critical, 1.0 - others).flatten(-2)


def _powers(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(e_k = exp(x_k - largest), Σ_{j≠k} e_j without cancellation, logit) of groups (..., K)."""
    top, place = x.max(-1, keepdim=True)
    e = torch.exp(x - top)
    alone = e.scatter(-1, place, 0.0).sum(-1, keepdim=True)
    rest = (e.sum(-1, keepdim=True) - e).scatter(-1, place, alone).clamp_min(FLOOR[x.dtype])
    return e, rest, (x - top) - torch.log(rest)


def _below(facts: SoftmaxFacts, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(L at x, its own and cross slopes): exp(x_k) / Σ chords, or what differences tell if that is more."""
    floor = FLOOR[x.dtype]
    l, start, slope, top = (  # noqa: E741
        by_groups(t, facts.length) for t in (facts.ends[0], facts.start, facts.slope, facts.top)
    )
    known, least = (by_groups(t, facts.length) for t in (facts.known, facts.values[0]))
    total = (start + slope * (x - l)).sum(-1, keepdim=True).clamp_min(floor)
    power = torch.exp(x - top)
    steep = torch.where(known & (power >= floor), power / total, 0.0)
    value = torch.where(known, steep, least)
    if facts.apart is None:
        return value, steep, steep / total
    usable, fixed, down = (
        by_groups(t, facts.length) for t in (facts.apart.usable, facts.apart.fixed, facts.apart.down)
    )
    d, slopes = x - x.amax(-1, keepdim=True), facts.apart.slopes.expand(len(x), -1, -1, -1)
    inverse = 1.0 + fixed + torch.einsum("bgjk,bsgj->bsgk", slopes, d) - down * d
    mine = 1.0 / inverse.clamp_min(1.0)
    better = usable & (mine > value)
    return (
        torch.where(better, mine, value),
        torch.where(better, 0.0, steep),
        torch.where(better, mine * mine, steep / total),
    )


def _above(facts: SoftmaxFacts, power: Tensor, rest: Tensor, logit: Tensor) -> Pair:
    """(U at the point, its slope by the logit): the concave envelope of the sigmoid."""
    known, steepest, most, low, high = (
        by_groups(t, facts.length) for t in (facts.known, facts.steepest, facts.values[1], *facts.logits)
    )
    total = power + rest
    steep = torch.where(power > rest, power / total * (rest / total), 0.25)
    steep = torch.where(known & (rest > CERTAIN * power), torch.minimum(steep, steepest), 0.0)
    side = torch.ones_like(steep, dtype=torch.bool)
    c, _ = conjugate(SIGMOID, steep, low.expand_as(steep), high.expand_as(steep), side)
    return torch.where(known, c + steep * logit, most), steep


def _knapsack(a: Tensor, low: Tensor, high: Tensor) -> Pair:
    """(c, its entry), (B, S, G, 1): the multiplier of Σ p = 1 in min Σ a·p over low <= p <= high."""
    ordered, order = a.sort(dim=-1, stable=True)
    room = (high - low).gather(-1, order).cumsum(-1)
    place = (room < 1.0 - low.sum(-1, keepdim=True)).sum(-1, keepdim=True).clamp_max(a.shape[-1] - 1)
    return ordered.gather(-1, place), order.gather(-1, place)
