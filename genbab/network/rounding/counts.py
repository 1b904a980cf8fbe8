"""How many products each output of a map adds up, and what a program rounds in doing so."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from genbab.network.maps.algebra import Adjoint, Compose
from genbab.network.maps.base import LinearMap
from genbab.network.maps.weighted import WeightedMap
from genbab.network.nodes import Affine
from genbab.network.rounding.formats import Format
from genbab.network.rounding.steps import Rounding

REACH = 2.0**60
"""Sources of sums with weights below the normal numbers are expected to be smaller than this."""


def counted(one: LinearMap) -> Tensor:
    """Products with weights other than 0 that each output (N,) adds up; of compositions an upper bound."""
    return _pattern(one).apply(torch.ones(one.in_size, dtype=torch.float64))


def changed_by(one: LinearMap, wanted: Tensor) -> Tensor:
    """(R, in_size) booleans: what the outputs `wanted` (R, out_size) read with weights other than 0."""
    return _pattern(one).pull(wanted.double()) > 0


def _pattern(one: LinearMap) -> LinearMap:
    """The map with 1 for every weight other than 0."""
    if isinstance(one, Compose):
        return Compose(tuple(map(_pattern, one.maps)))
    if isinstance(one, Adjoint):
        return Adjoint(_pattern(one.map))
    if isinstance(one, WeightedMap):
        return one.with_weight((one.weight != 0).double())
    return one


def terms_of(node: Affine) -> Tensor:
    """How many numbers other than 0 each output (N,) adds up."""
    return sum((counted(one) for _, one in node.terms), (node.bias != 0).double())


def literally(node: Affine, form: Format, more: int = 0, others: float = 0.0) -> Rounding | None:
    """What a program rounds that computes bias + Σ map(source) in any order, fused or not.

    With so many roundings more of each term, and so many other terms in the same sum, which other nodes add
    before or after. None where it only moves numbers. Of m terms t that are added
    up, each of the m - 1 partial sums s is rounded by u·|s| at most, and |s| <= (Σ|t| + |Σ t|)/2 but for the
    roundings before: what is positive adds up to no more, and what is negative neither.
    """
    count = terms_of(node)
    scaled = not all(_only_signs(one) for _, one in node.terms)
    own, added = float(scaled) + more, (count - 1.0 + torch.where(count > 1.0, others, 0.0)).clamp_min(0.0)
    roundings = torch.where(count > 0, added + own, 0.0)
    if not bool((roundings > 0).any()):
        return None
    partial = form.unit * added / 2.0 * (1.0 + form.gamma(own))
    sums = form.gamma(torch.where(count > 0, own, 0.0)) + partial + form.unit * added * form.gamma(roundings)
    # each product and each sum may be flushed to 0, and is scaled by no more than the maps' own gain
    gain = max([1.0, *(one.gain for _, one in node.terms)])
    flushed = torch.where(roundings > 0, 2.0 * (count + more) * form.tiny * gain, 0.0)
    lost, largest = _lost(node, form)
    if more > 1:  # the sum is made before it is divided
        largest = min(largest, form.largest / (float(count.max()) + others + 1.0))
    return Rounding(sums=sums, unit=partial, absolute=flushed + lost, largest=largest)


def _only_signs(one: LinearMap) -> bool:
    """Whether all weights are 0, 1 or -1."""
    weights = [part.some_weight for part in one.parts]
    return all(w is None or bool(((w.abs() == 1) | (w == 0)).all()) for w in weights)


def _lost(node: Affine, form: Format) -> tuple[Tensor, float]:
    """What constants below the normal numbers add where they count as 0, for sources below a limit."""
    lost = torch.where(node.bias.abs() < form.tiny, node.bias.abs(), 0.0)
    parts = [part for _, one in node.terms for part in one.parts if part.some_weight is not None]
    small = [
        bool(((w != 0) & (w.abs() < form.tiny)).any())
        for part in parts
        if (w := part.some_weight) is not None
    ]
    if not any(small):
        return lost, math.inf
    return lost + terms_of(node) * form.tiny * REACH, REACH


def joined(one: Rounding | None, other: Rounding) -> Rounding:
    """Both roundings at one node."""
    if one is None:
        return other
    sums = one.sums if other.sums is None else other.sums if one.sums is None else one.sums + other.sums
    return replace(
        one,
        sums=sums,
        unit=one.unit + other.unit + one.unit * other.unit,
        absolute=one.absolute + other.absolute,
        function=one.function or other.function,
        largest=min(one.largest, other.largest),
    )
