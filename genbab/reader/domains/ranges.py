"""What holds of every node whatever the inputs are: its range, where that is known at a glance.

A square is never below 0, a sum of exponentials never 0: so the root and the reciprocal that a
normalisation or a softmax takes of them are defined everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from genbab.network import Affine, Grouped, Input, Meaning, Network, Node, Nonlinear, forward
from genbab.network.interval import known_below
from genbab.network.maps.roundings import UNIT
from genbab.network.maps.signs import image
from genbab.network.roundoff import uncertain, underflow
from genbab.nonlinear import Nonlinearity, Product
from genbab.nonlinear import interval as range_of
from genbab.nonlinear.groups.softmax import Softmax

Range = tuple[Tensor, Tensor]
"""(lower, upper), (N,) each; what is above 0 counts as at least the least number above 0."""

LEAST = math.ulp(0.0)
SLACK = 1e-9
"""Room for rounding, relative to what is added up."""

ABOVE_ZERO = frozenset({"exp", "sigmoid", "softplus", "cosh"})
"""Functions that are above 0 at every number."""

KEEP_ABOVE_ZERO = frozenset({"reciprocal", "sqrt", "power", "abs", "relu", "softsign", "tanh", "erf", "atan"})
"""Functions that are above 0 at every number above 0."""


def ranges(network: Network, wanted: set[int]) -> dict[int, Range]:
    """A range of each wanted node, and of all that it depends on, over all inputs with values."""
    needed = set().union(*(network.ancestors[i] for i in wanted)) if wanted else set()
    return forward(network, _Everywhere(), sorted(needed))


class _Everywhere(Meaning[Sequence[Range], Range]):
    """The range of each node over those of its sources."""

    def input(self, i: int, node: Input, x: Sequence[Range]) -> Range:
        return _full(node, -math.inf), _full(node, math.inf)

    def affine(self, i: int, node: Affine, x: Sequence[Range]) -> Range:
        return _affine(node, x)

    def nonlinear(self, i: int, node: Nonlinear, x: Sequence[Range]) -> Range:
        if isinstance(node.fn, Nonlinearity):
            return _function(node.fn, *x[0])
        if isinstance(node.fn, Product):
            return _product(node, x)
        return _full(node, -math.inf), _full(node, math.inf)

    def grouped(self, i: int, node: Grouped, x: Sequence[Range]) -> Range:
        if isinstance(node.fn, Softmax):
            return _full(node, LEAST), _full(node, 1.0)
        return _full(node, -math.inf), _full(node, math.inf)


def _full(node: Node, value: float) -> Tensor:
    return torch.full((node.size,), value, dtype=torch.float64)


def _function(fn: Nonlinearity, low: Tensor, high: Tensor) -> Range:
    lower, upper = range_of(fn, low, high)
    above = torch.full_like(low, fn.name in ABOVE_ZERO, dtype=torch.bool)
    if fn.name in KEEP_ABOVE_ZERO:
        above |= low > 0
    return torch.where(above, lower.clamp_min(LEAST), lower), upper


def _product(node: Nonlinear, sources: Sequence[Range]) -> Range:
    (a, _), (b, _) = sources
    lower = _full(node, -math.inf)
    lower[(a >= 0) & (b >= 0)] = 0.0
    lower[(a > 0) & (b > 0)] = LEAST
    return lower, _full(node, math.inf)


def _affine(node: Affine, sources: Sequence[Range]) -> Range:
    """The range of bias + Σ map(source), widened for rounding, but not beyond a sum of nothing below 0.

    What is above 0 stays so, however small (`Range`); `tensors.spans` has no such ends.
    """
    lower, upper, mass = node.bias.clone(), node.bias.clone(), node.bias.abs()
    falls = rises = torch.zeros_like(node.bias, dtype=torch.bool)  # below 0 (above 0) some term may be
    grows, shrinks = falls, falls  # some term is surely above (below) 0
    for (_, one), source in zip(node.terms, sources, strict=False):
        made = image(one, *source)
        lower, upper, mass = lower + made.least, upper + made.most, mass + made.mass
        falls, rises = falls | made.falls, rises | made.rises
        grows, shrinks = grows | made.grows, shrinks | made.shrinks
    slack, roundings = SLACK * mass, node.uncertainty.roundings
    doubt = uncertain(node, sources)
    if doubt is not None:
        slack, falls, rises = slack + doubt, falls | (doubt > 0), rises | (doubt > 0)
    lost = underflow(sum(one.terms for _, one in node.terms), lower.dtype)
    lost = lost * max([1.0, *(one.gain for _, one in node.terms)])
    lower = known_below(lower - slack - torch.where(falls, lost, 0.0))
    upper = -known_below(-upper - slack - torch.where(rises, lost, 0.0))
    room = 2.0 * roundings * UNIT * node.bias.abs()
    lower = torch.where(falls, lower, torch.maximum(lower, node.bias - room))
    upper = torch.where(rises, upper, torch.minimum(upper, node.bias + room))
    lower = torch.where(~falls & grows & (node.bias >= 0), lower.clamp_min(LEAST), lower)
    upper = torch.where(~rises & shrinks & (node.bias <= 0), upper.clamp_max(-LEAST), upper)
    return lower, upper
