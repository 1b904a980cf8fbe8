"""What rounding and unknown digits may cost: γ, underflow, and the uncertainty of affine nodes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from genbab.network.nodes import Affine
from genbab.network.uncertainty import LocalError, Roundoff

Interval = tuple[Tensor, Tensor]
"""(lower, upper), each (B, N)."""


def gamma(terms: int, dtype: torch.dtype) -> float:
    """Relative error of a sum of `terms` products in any order, with room for a few more roundings."""
    unit = torch.finfo(dtype).eps / 2
    n = (terms + 8) * unit
    return 2 * n / (1 - n)


def underflow(terms: int, dtype: torch.dtype) -> float:
    """What a sum of `terms` products may lose because products underflow, whatever their sizes."""
    return (terms + 8) * torch.finfo(dtype).smallest_normal * torch.finfo(dtype).eps


def magnitude(interval: Interval) -> Tensor:
    """max |x| over the interval, (B, N)."""
    return torch.maximum(interval[0].abs(), interval[1].abs())


def uncertain(node: Affine, sources: Sequence[Interval], own: Tensor | None = None) -> Tensor | None:
    """How far the node's true value may be from what its numbers give, (B, N), rounded up; None for 0.

    That is beside its relative roundings. sources: intervals (B, M) of `node.sources`; own: the size of the
    node's value (B, N), with or without what this function adds to it.
    """
    doubt = node.uncertainty
    if not doubt.more:
        return None
    sizes = [magnitude(interval) for interval in sources]
    total, terms, gain = doubt.constant, 1, 1.0
    for (_, one), size in zip(doubt.weights, sizes[len(node.terms) :], strict=False):
        spread = one.apply(size)
        total, terms = spread if total is None else total + spread, terms + one.terms
        gain = max(gain, one.gain)
    if doubt.roundoff is not None:
        more = _computed(node, doubt.roundoff, sources, 0.0 if total is None else total)
        total, terms = more if total is None else total + more, terms + 4
        assert own is not None, "a size of the value"
        total = total + doubt.roundoff.unit * (own + total)
    assert total is not None
    dtype = node.bias.dtype
    rounded = torch.nan_to_num(total, nan=torch.inf, posinf=torch.inf) * (1 + gamma(terms, dtype))
    return rounded + underflow(terms, dtype) * gain


def _computed(node: Affine, roundoff: Roundoff, sources: Sequence[Interval], doubt: Tensor | float) -> Tensor:
    """What the program's arithmetic may add, (B, N), before the last rounding of the value.

    doubt: what its constants and weights may add to the terms that it rounds.
    """
    size, over = node.bias.abs()[None] + doubt, torch.zeros_like(node.bias, dtype=torch.bool)[None]
    for (_, one), interval in zip(node.terms, sources, strict=False):
        reach = magnitude(interval)
        beyond = ~(reach < roundoff.largest)
        if bool(beyond.any()):
            over, reach = over | one.reached(beyond), reach.masked_fill(beyond, 0.0)
        size = size + one.absolute().apply(reach)
    total = roundoff.relative * size
    start = len(node.terms) + len(node.uncertainty.weights)
    for local in roundoff.local:
        given, start = sources[start : start + len(local.sources)], start + len(local.sources)
        total = total + (1.0 + roundoff.relative) * _spread(local, local.error(given))
    return torch.where(over | ~(size * (1 + roundoff.relative) < roundoff.largest), torch.inf, total)


def _spread(one: LocalError, error: Tensor) -> Tensor:
    """The error (B, M) as it reaches the node's numbers, (B, N)."""
    lost = ~torch.isfinite(error)
    if not bool(lost.any()):
        return one.spread.apply(error)
    return one.spread.apply(error.masked_fill(lost, 0.0)).masked_fill(one.spread.reached(lost), torch.inf)
