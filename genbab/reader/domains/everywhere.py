"""What holds of every node whatever the inputs are: its range, where that is known at a glance.

A square is never below 0, a sum of exponentials never 0: so the root and the reciprocal that a
normalisation or a softmax takes of them are defined everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from genbab.network import Affine, Grouped, Input, LinearMap, Meaning, Network, Node, Nonlinear, forward
from genbab.network.interval import magnitude, uncertain
from genbab.network.uncertainty import UNIT
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
    """A range of each wanted node, and of all that it depends on, over all inputs at which these have
    values.
    """
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
    """The range of bias + Σ map(source), widened for rounding, but not beyond a sum of nothing below 0."""
    lower, upper, mass = node.bias.clone(), node.bias.clone(), node.bias.abs()
    falls = rises = torch.zeros_like(node.bias, dtype=torch.bool)  # below 0 (above 0) some term may be
    grows, shrinks = falls, falls  # some term is surely above (below) 0
    for (_, one), (low, high) in zip(node.terms, sources, strict=False):
        plus, minus = _least(one, low, high)
        lower, mass = lower + plus[0], mass + plus[1]
        upper, mass = upper + minus[0], mass + minus[1]
        falls, rises = falls | plus[2], rises | minus[2]
        grows, shrinks = grows | plus[3], shrinks | minus[3]
    slack, roundings = SLACK * mass, node.uncertainty.roundings
    doubt = uncertain(node, [magnitude((low, high)) for low, high in sources])
    if doubt is not None:
        slack, falls, rises = slack + doubt, falls | (doubt > 0), rises | (doubt > 0)
    lower, upper = lower - slack, upper + slack
    room = 2.0 * roundings * UNIT * node.bias.abs()
    lower = torch.where(falls, lower, torch.maximum(lower, node.bias - room))
    upper = torch.where(rises, upper, torch.minimum(upper, node.bias + room))
    lower = torch.where(~falls & grows & (node.bias >= 0), lower.clamp_min(LEAST), lower)
    upper = torch.where(~rises & shrinks & (node.bias <= 0), upper.clamp_max(-LEAST), upper)
    return lower, upper


Part = tuple[Tensor, Tensor, Tensor, Tensor]
"""(bound, mass, whether a product may lie on the far side of 0, whether one surely lies on the near side)"""


def _least(one: LinearMap, low: Tensor, high: Tensor) -> tuple[Part, Part]:
    """What one term adds at least, and at most."""
    size = one.absolute()

    def split(x: Tensor) -> tuple[Tensor, Tensor]:
        """The parts of the map with weights above 0, and those below, each times x >= 0."""
        straight, most = one.apply(x), size.apply(x)
        return (most + straight).clamp_min(0.0) / 2, (most - straight).clamp_min(0.0) / 2

    def reached(mask: Tensor) -> tuple[Tensor, Tensor]:
        up, down = split(mask.double())
        return up > 0, down > 0

    def end(x: Tensor) -> Tensor:
        return torch.where(torch.isfinite(x), x, 0.0)

    def side(first: Tensor, second: Tensor, sign: float) -> Part:
        """Weights above 0 times `first` and below 0 times `second`, bounded from below (sign 1) or above."""
        p, n = split(end(first).clamp_min(0.0)), split((-end(first)).clamp_min(0.0))
        q, m = split(end(second).clamp_min(0.0)), split((-end(second)).clamp_min(0.0))
        bound = p[0] - n[0] - q[1] + m[1]
        infinite = reached(first == -sign * math.inf)[0] | reached(second == sign * math.inf)[1]
        bound = torch.where(infinite, -sign * math.inf, bound)
        mass = torch.where(infinite, 0.0, p[0] + n[0] + q[1] + m[1])
        far = reached(sign * first < 0)[0] | reached(sign * second > 0)[1]
        near = reached(sign * first > 0)[0] | reached(sign * second < 0)[1]
        return bound, mass, far, near

    return side(low, high, 1.0), side(high, low, -1.0)
