"""Between which numbers a node lies, whatever the inputs are: intervals, found when they are asked for.

Inputs are unbounded, but for whole numbers that are known to lie between two; bounds come from functions that
are bounded, from truth values and from what rules say of the nodes they make. Ends may be infinite, one of
them alone, too.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from genbab.network import (
    Affine,
    Grouped,
    Input,
    Meaning,
    Network,
    Nonlinear,
)
from genbab.network.interval import known_below
from genbab.network.maps.signs import image
from genbab.network.roundoff import uncertain
from genbab.nonlinear import Nonlinearity, interval, interval2
from genbab.reader.tensors.builder import Builder
from genbab.reader.tensors.values import Var

Span = tuple[Tensor, Tensor]

STEPS = 64
"""The most jumps of a staircase that are worth being looked at one by one."""


def span(b: Builder, x: Var) -> tuple[float, float]:
    """(least, largest) that an entry of the tensor can be; whole numbers where its type is one of integers.

    (0, 0) for a tensor without entries.
    """
    low, high = entries(b, x)
    return (float(low.min()), float(high.max())) if x.size else (0.0, 0.0)


def entries(b: Builder, x: Var) -> Span:
    """The same of every entry, (N,), (N,)."""
    low, high = _of_node(b, x.node)
    return (torch.ceil(low), torch.floor(high)) if x.whole or x.boolean else (low, high)


def _of_node(b: Builder, node: int) -> Span:
    """The span of a node, after those of all that it is made of."""
    waiting = [node]
    while waiting:
        one = waiting[-1]
        missing = [s for s in _sources(b, one) if s not in b.spans] if one not in b.spans else []
        if missing:
            waiting += missing
            continue
        waiting.pop()
        if one not in b.spans:
            b.spans[one] = _computed(b, one)
    return b.spans[node]


def _fact(b: Builder, node: int) -> tuple[float, float] | None:
    """What is known of a node without a look at what it is made of."""
    if node in b.truths:
        return 0.0, 1.0
    return b.known.get(node)


def _sources(b: Builder, node: int) -> tuple[int, ...]:
    plain = node in b.sums or node in b.elementwise  # of others nothing is known, whatever they read
    return b.nodes[node].sources if plain and node not in b.given and _fact(b, node) is None else ()


def _computed(b: Builder, node: int) -> Span:
    if node in b.given:
        b.ranged = True
        return b.given[node]
    made, fact = b.nodes[node], _fact(b, node)
    if fact is not None:
        low, high = (torch.full((made.size,), end, dtype=torch.float64) for end in fact)
        return low, high
    return made.meet(_Spans(), node, [b.spans[s] for s in _sources(b, node)])


class _Spans(Meaning[Sequence[Span], Span]):
    """The span of each node, given those of its sources."""

    def input(self, i: int, node: Input, x: Sequence[Span]) -> Span:
        return _unbounded(node.size)

    def affine(self, i: int, node: Affine, x: Sequence[Span]) -> Span:
        return _affine(node, x)

    def nonlinear(self, i: int, node: Nonlinear, x: Sequence[Span]) -> Span:
        return _nonlinear(node, x)

    def grouped(self, i: int, node: Grouped, x: Sequence[Span]) -> Span:
        return _unbounded(node.size)


def endless(network: Network, between: Sequence[int]) -> bool:
    """Whether one of the nodes `between` takes more than `STEPS` steps.

    As floor does where nothing in between bounds its argument. Each is made of earlier ones and of what is
    outside.
    """
    periods = {i: _period(network.nonlinear[i]) for i in between if i in network.nonlinear}
    if not any(period < torch.inf for period in periods.values()):
        return False
    known: dict[int, Span] = {}
    for i in between:
        made = network.nodes[i]
        spans = [known.get(s) or _unbounded(network.nodes[s].size) for s in made.sources]
        if i in periods and bool((spans[0][1] - spans[0][0] > STEPS * periods[i]).any()):
            return True
        known[i] = made.meet(_Spans(), i, spans)
    return False


def _period(made: Nonlinear) -> float:
    """How wide a step of a staircase is; infinite for other functions."""
    fn = made.fn
    return fn.period if isinstance(fn, Nonlinearity) and fn.period > 0 and fn.jumps else torch.inf


def _unbounded(size: int) -> Span:
    end = torch.full((size,), torch.inf, dtype=torch.float64)
    return -end, end


def _nonlinear(made: Nonlinear, args: Sequence[Span]) -> Span:
    rows = [(low[None], high[None]) for low, high in args]
    if isinstance(made.fn, Nonlinearity):
        low, high = interval(made.fn, *rows[0])
    else:
        low, high = interval2(made.fn, rows[0], rows[1])
    return low[0], high[0]


def _affine(made: Affine, sources: Sequence[Span]) -> Span:
    """bias + Σ map(source), rounded outward by as little as may be: whole numbers are read off.

    `domains.ranges` gives more room, and knows what is above 0 for certain.
    """
    lower, upper, mass = made.bias.clone(), made.bias.clone(), made.bias.abs()
    terms = len(sources) + 8 + made.uncertainty.roundings
    for (_, one), source in zip(made.terms, sources, strict=False):
        part = image(one, *source)
        lower, upper, mass = lower + part.least, upper + part.most, mass + part.mass
        terms += one.terms
    slack = 2 * terms * torch.finfo(torch.float64).eps * mass
    doubt = uncertain(made, sources)
    slack = slack if doubt is None else slack + doubt
    return known_below(lower - slack), -known_below(-upper - slack)
