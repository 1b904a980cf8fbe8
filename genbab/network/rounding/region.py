"""The error of what a program computes between some tensors and one that is computed from these."""

from __future__ import annotations

import math
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from genbab.network.graph import Network
from genbab.network.maps.algebra import Compose, Identity
from genbab.network.maps.base import LinearMap
from genbab.network.maps.index import Index
from genbab.network.maps.weighted import Diagonal
from genbab.network.nodes import Affine, Grouped, Input, Meaning, Nonlinear
from genbab.network.rounding.steps import ErrorSteps, Rounding
from genbab.network.roundoff import Interval
from genbab.network.walk import forward

CELLS = 32
"""Boxes of elementwise regions are cut into so many: errors of long chains are much smaller on these."""

ROOM = 1 + 2.0**-20
"""Room for the roundings of the error's own arithmetic."""


@dataclass(frozen=True, eq=False)
class ErrorRegion:
    """An error bound: `network` from the numbers of the sources, one after the other, to what is computed.

    roundings: what the program rounds at its nodes; largest: beyond it there are no finite numbers. place
    (N,): the entry of the input that each output alone depends on; None where some depend on several.
    """

    network: Network
    roundings: Mapping[int, Rounding]
    largest: float
    place: Tensor | None = field(default=None)
    _last: LastCall = field(default_factory=lambda: LastCall(), init=False)

    def __call__(self, intervals: Sequence[Interval]) -> Tensor:
        """Distances (B, N) of what is computed from what the network means."""
        found = self._last.answer(intervals)
        if found is None:
            found = self._found(intervals)
            self._last.keep(intervals, found)
        return found

    def _found(self, intervals: Sequence[Interval]) -> Tensor:
        low, high = (torch.cat([one[side] for one in intervals], -1) for side in (0, 1))
        if self.place is None or not bool(torch.isfinite(high - low).all()):
            return self._error((low, high))
        batch, width = low.shape[0], high - low
        steps = torch.linspace(0.0, 1.0, CELLS + 1, dtype=low.dtype)[:, None, None]
        ends = low + steps * width
        ends[0], ends[-1] = low, high
        cells = ends[:-1].flatten(0, 1), torch.maximum(ends[1:], ends[:-1]).flatten(0, 1)
        return self._error(cells).reshape(CELLS, batch, -1).amax(0)

    def _error(self, box: Interval) -> Tensor:
        steps = ErrorSteps(box, dict(self.roundings), self.largest)
        made = forward(self.network, steps)[self.network.output]
        off = torch.nan_to_num(made.off * ROOM, nan=math.inf, posinf=math.inf).expand(len(box[0]), -1)
        return off.masked_fill(steps.lost[:, None], math.inf)  # also where it is multiplied by 0

    def to(self, device: torch.device) -> ErrorRegion:
        """The same on another device."""
        network = self.network.to(torch.float64, device)
        place = None if self.place is None else self.place.to(device)
        roundings = {i: rounding.to(device) for i, rounding in self.roundings.items()}
        return ErrorRegion(network, roundings, self.largest, place)


class LastCall:
    """The last answer of a bound, as long as what it was asked about is there.

    One batch is bounded several times, each time with the very same intervals.
    """

    def __init__(self) -> None:
        self._asked: tuple[tuple[weakref.ref[Tensor], int], ...] = ()
        self._found: Tensor | None = None

    def answer(self, intervals: Sequence[Interval]) -> Tensor | None:
        """The answer, where these are the tensors of the last call, and none has been written to."""
        asked, found = self._asked, self._found
        ends = [end for one in intervals for end in one]
        if found is None or len(ends) != len(asked):
            return None
        same = all(
            one() is end and version == end._version for (one, version), end in zip(asked, ends, strict=True)
        )
        return found if same else None

    def keep(self, intervals: Sequence[Interval], found: Tensor) -> None:
        """Remember this answer until one of the tensors is gone."""
        ends = [end for one in intervals for end in one]
        self._found = None
        self._asked = tuple((weakref.ref(end, self._forget), end._version) for end in ends)
        self._found = found

    def _forget(self, gone: weakref.ref[Tensor]) -> None:
        if any(one is gone for one, _ in self._asked):
            self._found = None


def places(network: Network) -> Tensor | None:
    """The one entry of the input that each output (N,) depends on, -1 for none; None if one has several."""
    return forward(network, _Places())[network.output]


class _Places(Meaning[Sequence[Tensor | None], Tensor | None]):
    """The entry of the input that each number of a node depends on."""

    def input(self, i: int, node: Input, x: Sequence[Tensor | None]) -> Tensor | None:
        return torch.arange(node.size)

    def affine(self, i: int, node: Affine, x: Sequence[Tensor | None]) -> Tensor | None:
        found: Tensor | None = torch.full((node.size,), -1)
        for (_, one), place in zip(node.terms, x, strict=False):
            found = _met(found, None if place is None else _through(one, place))
        return found

    def nonlinear(self, i: int, node: Nonlinear, x: Sequence[Tensor | None]) -> Tensor | None:
        return x[0] if len(x) == 1 else _met(x[0], x[1])

    def grouped(self, i: int, node: Grouped, x: Sequence[Tensor | None]) -> Tensor | None:
        return None


def _through(one: LinearMap, place: Tensor) -> Tensor | None:
    if isinstance(one, Compose):
        for part in one.parts:
            made = _through(part, place)
            if made is None:
                return None
            place = made
        return place
    if isinstance(one, Identity | Diagonal):
        return place
    if isinstance(one, Index):
        return torch.where(one.index >= 0, place[one.index.clamp(min=0)], -1)
    return None


def _met(one: Tensor | None, other: Tensor | None) -> Tensor | None:
    if one is None or other is None:
        return None
    if bool(((one >= 0) & (other >= 0) & (one != other)).any()):
        return None
    return torch.maximum(one, other)
