"""Interval bounds of every node: cheap, always sound, often the tightest for what other bounds cannot see.

An `Interval` is a pair (lower, upper) of (B, N) tensors; one side may be infinite, NaN never occurs.
Rounding: every affine step is widened by γ_n(|W||x| + |b|), γ_n = n·u / (1 − n·u), u the unit roundoff, n the
length of the sums (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1), so the result holds
over the reals.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from genbab.network.exactly import without_rounding
from genbab.network.graph import Network
from genbab.network.maps.algebra import Identity, nonnegative
from genbab.network.maps.base import LinearMap
from genbab.network.maps.index import Index
from genbab.network.nodes import Affine, Grouped, Input, Meaning, Nonlinear
from genbab.network.roundoff import Interval, gamma, magnitude, uncertain, underflow
from genbab.nonlinear import Gate, Nonlinearity, Product
from genbab.nonlinear import interval as range_of
from genbab.nonlinear import interval2 as range_of_two
from genbab.nonlinear.groups.grouped import group_box
from genbab.nonlinear.lines.box import go_on


def known_below(bound: Tensor) -> Tensor:
    """The lower bound, and -inf where arithmetic gave no number; infinities stay what they are."""
    return torch.nan_to_num(bound, nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf)


def intersect(a: Interval, b: Interval) -> Interval:
    """The common part; empty where lower > upper."""
    return torch.maximum(a[0], b[0]), torch.minimum(a[1], b[1])


Ask = Callable[[], None]
"""Called before each node; what it raises ends the work."""


def propagate(
    network: Network,
    box: Interval,
    known: dict[int, Interval] | None = None,
    ask: Ask = go_on,
    exact: bool = False,
) -> list[Interval]:
    """Sound intervals of every node on the input boxes (B, D), cut with what is known.

    That is `known`, where it speaks of the node, and the network's premises. `known` intervals may have
    batch size 1 and are taken as facts (from other sound bounds, or from splits). exact: sums that float64
    is sure to compute exactly, of numbers that are known exactly, are not widened.
    """
    batch, ranges = len(box[0]), _Exact(box, ask) if exact else _Ranges(box, ask)
    boxes: list[Interval] = []
    for i, node in enumerate(network.nodes):
        ask()
        lower, upper = node.meet(ranges, i, [boxes[s] for s in node.sources])
        boxes.append(cut(network, i, (lower.expand(batch, -1), upper.expand(batch, -1)), known or {}))
    return boxes


class _Ranges(Meaning[Sequence[Interval], Interval]):
    """The range of each node over the intervals of its sources."""

    def __init__(self, box: Interval, ask: Ask) -> None:
        self.box, self.ask = box, ask

    def input(self, i: int, node: Input, x: Sequence[Interval]) -> Interval:
        return self.box

    def affine(self, i: int, node: Affine, x: Sequence[Interval]) -> Interval:
        return affine_range(node, x)

    def function(self, i: int, node: Nonlinear | Grouped, x: Sequence[Interval]) -> Interval:
        return nonlinear_range(node, x, self.ask)


class _Exact(_Ranges):
    """The same; of numbers that are known, what arithmetic does not round is known, too."""

    def affine(self, i: int, node: Affine, x: Sequence[Interval]) -> Interval:
        low, high = affine_range(node, x)
        if not node.uncertainty.exact or not all(bool((a == b).any()) for a, b in x):
            return low, high
        value, sure = without_rounding(node, [below for below, _ in x])
        for below, above in x:
            sure = sure & (below == above).all(-1)
        return torch.where(sure[:, None], value, low), torch.where(sure[:, None], value, high)

    def function(self, i: int, node: Nonlinear | Grouped, x: Sequence[Interval]) -> Interval:
        low, high = super().function(i, node, x)
        fn, (first, last) = node.fn, x[0]
        if not isinstance(fn, Nonlinearity) or fn.noise or fn.drift[0] or fn.enclose or fn.absent:
            return low, high
        ends = fn.value(first), fn.value(last)
        rises = fn.derivative is torch.zeros_like and all(jump[2] <= jump[3] for jump in fn.jumps)
        known = torch.isfinite(first + last + ends[0] + ends[1]) & (rises | (first == last))
        return torch.where(known, ends[0], low), torch.where(known, ends[1], high)


def cut(network: Network, i: int, interval: Interval, known: dict[int, Interval]) -> Interval:
    """Node i's interval cut with what is known of it, and with the network's premises."""
    for facts in (known, network.premises):
        interval = intersect(interval, facts[i]) if i in facts else interval
    return interval


def contradicted(network: Network, intervals: list[Interval]) -> Tensor:
    """(B,) boxes in which no input keeps the network's premises: some interval is empty."""
    empty = torch.zeros(intervals[0][0].shape[0], dtype=torch.bool, device=intervals[0][0].device)
    for low, high in intervals if network.premises else ():
        empty = empty | (low > high).any(-1)
    return empty


def refined(
    network: Network, intervals: list[Interval], i: int, found: Interval, ask: Ask = go_on
) -> list[Interval]:
    """The intervals with node i's cut by `found`, and what follows from that by interval arithmetic.

    Nodes that do not depend on node i keep the very same tensors.
    """
    changed, ranges = list(intervals), _Ranges(intervals[0], ask)
    changed[i] = intersect(changed[i], found)
    for j in range(i + 1, len(network.nodes)):
        if i in network.ancestors[j]:
            ask()
            follows = network.nodes[j].meet(ranges, j, [changed[s] for s in network.sources(j)])
            changed[j] = intersect(changed[j], follows)
    return changed


def nonlinear_range(node: Nonlinear | Grouped, args: Sequence[Interval], ask: Ask = go_on) -> Interval:
    """The range of a function over its arguments' intervals."""
    fn = node.fn
    if isinstance(fn, Nonlinearity):
        return range_of(fn, *args[0], ask)
    if isinstance(fn, Product | Gate):
        return range_of_two(fn, args[0], args[1])
    low, high = group_box(fn, [(low[:, None], high[:, None]) for low, high in args]).range
    return low.flatten(1), high.flatten(1)


def affine_range(node: Affine, sources: Sequence[Interval]) -> Interval:
    """The range of bias + Σ map(source), rounded outward; the intervals (B, M) are those of `node.sources`.

    The middle and the radius go through each map, two products a term; an infinite end of what a sum reads
    leaves both of its ends infinite. The reader's ranges over all inputs, whose intervals have one end
    only more often than not, take weights apart by sign instead (`maps.signs.image`).
    """
    if _only_moved(node):
        one = node.terms[0][1]
        return one.apply(sources[0][0]), one.apply(sources[0][1])
    lower = node.bias.expand(sources[0][0].shape[0], -1) if sources else node.bias[None]
    upper = lower
    size = node.bias.abs()
    roundings = node.uncertainty.roundings
    terms = len(sources) + roundings
    for (_, one), source in zip(node.terms, sources, strict=False):
        low, high, mass = _mapped(one, source)
        lower, upper, size = lower + low, upper + high, size + mass
        terms += one.terms
    slack = gamma(terms, node.bias.dtype) * size + _lost(node, sources, size, terms)
    doubt = None
    if node.uncertainty.more:
        doubt = uncertain(node, sources, magnitude((lower, upper)) + slack)
    slack = slack if doubt is None else slack + doubt
    lower = known_below(lower - slack)
    if sources and doubt is None and all(bool((low >= 0).all()) for low, _ in sources):
        if all(nonnegative(one) for _, one in node.terms):  # rounding must not push a sum of squares below 0
            least = (
                node.bias - gamma(roundings, node.bias.dtype) * node.bias.abs() if roundings else node.bias
            )
            lower = torch.maximum(lower, least)
    return lower, -known_below(-upper - slack)


def _lost(node: Affine, sources: Sequence[Interval], size: Tensor, terms: int) -> Tensor | float:
    """What underflow may have taken from sums of this size; nothing from sums of products with 0."""
    tiny = underflow(terms, node.bias.dtype) * max([1.0, *(one.gain for _, one in node.terms)])
    if bool((size > 0).all()):
        return tiny
    live = size > 0
    for (_, one), interval in zip(node.terms, sources, strict=False):
        live = live | one.reached(magnitude(interval) > 0)
    return live.to(size.dtype) * tiny


def halved(width: Tensor) -> Tensor:
    """Half of widths, rounded up where that underflows."""
    return width / 2 + (width > 0).to(width.dtype) * underflow(0, width.dtype)


def _only_moved(node: Affine) -> bool:
    """Whether the node's value is computed without rounding: each entry is an entry of one source."""
    plain = len(node.terms) == 1 and isinstance(node.terms[0][1], Identity | Index)
    return plain and node.uncertainty.exact and not bool(node.bias.any())


def _mapped(one: LinearMap, source: Interval) -> tuple[Tensor, Tensor, Tensor]:
    """(lower, upper, |W||x|) of one term, before the widening for rounding."""
    lower, upper = source
    finite = torch.isfinite(lower) & torch.isfinite(upper)
    whole = bool(finite.all())
    if not whole:
        lower, upper = torch.where(finite, lower, 0.0), torch.where(finite, upper, 0.0)
    width = upper - lower
    middle, radius = (lower + upper) / 2, halved(width)
    spread = one.absolute().apply(torch.stack([radius, middle.abs()]))
    centre, mass = one.apply(middle), spread[0] + spread[1]
    if whole:
        return centre - spread[0], centre + spread[0], mass
    reached = one.reached(~finite)
    unbounded = torch.full_like(centre, torch.inf)
    low = torch.where(reached, -unbounded, centre - spread[0])
    high = torch.where(reached, unbounded, centre + spread[0])
    return low, high, torch.where(reached, torch.zeros_like(mass), mass)


def affine_mass(node: Affine, intervals: list[Interval]) -> Tensor:
    """Σ |W||x|max + |bias| (B, N): the scale of the rounding errors of one backward step through the node."""
    mass = node.bias.abs()[None]
    for source, one in node.terms:
        mass = mass + one.absolute().apply(magnitude(intervals[source]))
    return mass


def affine_doubt(network: Network, i: int, intervals: list[Interval]) -> Tensor | None:
    """What `uncertain` says of affine node i where the nodes have these intervals."""
    node = network.affine[i]
    if not node.uncertainty.more:
        return None
    return uncertain(node, [intervals[source] for source in node.sources], magnitude(intervals[i]))


def interval_rows(matrix: Tensor, output: Interval, on_input: Tensor | None, box: Interval) -> Tensor:
    """Lower bounds (B, S) of the rows matrix·y + on_input·x by interval arithmetic, rounded down."""
    total = _row_bound(matrix, output)
    return total if on_input is None else total + _row_bound(on_input, box)


def _row_bound(matrix: Tensor, interval: Interval) -> Tensor:
    lower, upper = interval[0][:, :, None], interval[1][:, :, None]
    finite = torch.isfinite(lower) & torch.isfinite(upper)
    low, high = torch.where(finite, lower, 0.0), torch.where(finite, upper, 0.0)
    positive, negative = matrix.clamp(min=0), matrix.clamp(max=0)
    bound = positive @ low + negative @ high
    mass = positive @ low.abs() - negative @ high.abs()
    bound = bound - gamma(matrix.shape[-1], matrix.dtype) * mass
    reached = matrix.abs() @ (~finite).to(matrix.dtype) > 0
    return torch.where(reached, -torch.inf, bound).squeeze(-1)
