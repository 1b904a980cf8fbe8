"""What a program rounds in chains of sums, in closed form: relative to what the chain adds up."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from genbab.network import Affine, Compose, Diagonal, Identity, Index, LinearMap, Network
from genbab.network.rounding.steps import Rounding
from genbab.reader.rounding.regions import Part

MODERATE = 2.0**40
"""Constants up to this, and factors down to its reciprocal, are far from the ends of the range."""

FAR = 2.0**116
"""Formats whose largest number is below this end close to numbers that occur."""

ROOM = 1 + 2.0**-30
"""Room for the roundings of weights that were multiplied out."""


@dataclass(frozen=True, eq=False)
class _Sum:
    """A sum on its way, within Σ relative[s] · |map of s|(|s|) + error, s the given tensors.

    unit: what is rounded relative to the value beside that. size: the sum of the sizes of its constants. All
    (N,). heavy: the tensors whose map adds numbers up, or has one in several places: another sum may cancel
    these.
    """

    relative: Mapping[int, Tensor]
    heavy: frozenset[int]
    error: Tensor
    size: Tensor
    unit: Tensor


def closed(lowered: Network, part: Part, roundings: Mapping[int, Rounding], most: float) -> Rounding | None:
    """The rounding of all sums of a part at once; None where it has functions, or terms may cancel.

    most: the largest number of the format; where that is close, every step has to be looked at.

    Its `sums` are relative to the terms of one sum that stands for the whole part; what constants add is in
    `absolute`.
    """
    known: dict[int, _Sum] = {}
    for given in part.given:
        none = torch.zeros(lowered.nodes[given].size, dtype=torch.float64)
        known[given] = _Sum({given: none}, frozenset(), none, none, none)
    for i in part.inner:
        node = lowered.affine.get(i)
        made = None if node is None or node.uncertainty.weights else _added(node, known)
        if made is None:
            return None
        known[i] = _with_rounding(made, roundings.get(i, Rounding()))
    whole = known[part.inner[-1]]
    sums = torch.zeros_like(whole.error)
    for relative in whole.relative.values():
        sums = torch.maximum(sums, relative)
    rounded = [roundings[i] for i in part.inner if i in roundings]
    if any(here.largest < math.inf for here in rounded[1:]) or not _moderate(lowered, part):
        return None
    if len(part.inner) > 1 and most < FAR:
        return None
    largest = rounded[0].largest if rounded else math.inf
    if len(part.inner) > 1:
        largest = min(largest, FAR / MODERATE)
    unit, absolute = whole.unit * ROOM, whole.error * ROOM
    return Rounding(sums=sums * ROOM, unit=unit, absolute=absolute, largest=largest)


def _moderate(lowered: Network, part: Part) -> bool:
    """Whether no number inside the part may be much larger than those at its end: scales and constants."""
    least = 1.0
    for i in part.inner:
        node = lowered.affine[i]
        if bool((node.bias.abs() > MODERATE).any()):
            return False
        for _, one in node.terms if i != part.inner[0] else ():
            reach = one.absolute().pull(torch.ones(one.out_size, dtype=torch.float64))
            used = reach[reach > 0] / (1 if _moves(one) else one.out_size)
            least *= min(1.0, float(used.min())) if used.numel() else 1.0
    return least >= 1.0 / MODERATE


def _added(node: Affine, known: Mapping[int, _Sum]) -> _Sum | None:
    """The node's exact sum of what its sources are computed as."""
    relative: dict[int, Tensor] = {}
    heavy: set[int] = set()
    bias, doubt = node.bias.abs(), node.uncertainty.constant
    bias = bias if doubt is None else bias + doubt
    error, size, unit = torch.zeros_like(bias), bias, torch.zeros_like(bias)
    terms = [(known[source], one) for source, one in node.terms if source in known]  # others are not wanted
    for before, one in terms:
        most, moves = one.absolute(), _moves(one)
        if moves and len(terms) == 1:  # |map|(|before|) <= |value| + |bias|
            unit = _carried(one, before.unit)
            error = error + unit * bias
        else:
            before = _settled(before)
        for tensor, factor in before.relative.items():
            if tensor in relative or (not moves and tensor in before.heavy):
                return None
            relative[tensor] = _carried(one, factor) if moves else factor.max().expand(node.size)
            if not moves or tensor in before.heavy or _repeats(one):
                heavy.add(tensor)
        error, size = error + most.apply(before.error), size + most.apply(before.size)
    return _Sum(relative, frozenset(heavy), error, size, unit)


def _settled(made: _Sum) -> _Sum:
    """What is rounded relative to the value as relative to the terms."""
    relative = {tensor: factor + made.unit for tensor, factor in made.relative.items()}
    error = made.error + made.unit * made.size
    return _Sum(relative, made.heavy, error, made.size, torch.zeros_like(made.unit))


def _with_rounding(made: _Sum, here: Rounding) -> _Sum:
    """With what the program rounds at this node, of numbers that are off already."""
    sums = torch.zeros_like(made.error) if here.sums is None else here.sums
    both = sums + here.unit
    relative = {
        tensor: factor + sums + (factor + made.unit) * both for tensor, factor in made.relative.items()
    }
    error = made.error + sums * made.size + both * (made.error + made.unit * made.size) + here.absolute
    return _Sum(relative, made.heavy, error, made.size, made.unit + here.unit)


def _moves(one: LinearMap) -> bool:
    """Whether each output is one number of the input, scaled."""
    if isinstance(one, Compose):
        return all(map(_moves, one.parts))
    return isinstance(one, Identity | Index | Diagonal)


def _repeats(one: LinearMap) -> bool:
    """Whether a map that moves numbers has one of them in several places."""
    return any(isinstance(part, Index) and part.inverse is None for part in one.parts)


def _carried(one: LinearMap, factor: Tensor) -> Tensor:
    """Factors of numbers through a map that moves and scales these."""
    for part in one.parts:
        factor = part.apply(factor) if isinstance(part, Index) else factor
    return factor
