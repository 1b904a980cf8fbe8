"""The four kinds of node, and what a walk over them is told each kind means.

The value of a node is a vector of `size` numbers (row-major flattening of the tensor it came from, batch axis
dropped). A node never says what it means: that is a `Meaning`, which each node meets with the method of its
kind. So bounds, values and rewritings are written down kind by kind, and nobody asks a node for its class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

from torch import Tensor

from genbab.network.ball import Within
from genbab.network.maps.base import LinearMap
from genbab.network.uncertainty import EXACT, Uncertainty
from genbab.network.whole import WholeInputs
from genbab.nonlinear import Gate, Nonlinearity, Product
from genbab.nonlinear.groups.kind import GroupFunction

X = TypeVar("X")
T = TypeVar("T")

Numbering = Mapping[int, int] | Sequence[int]
"""The new number of each node."""


class Meaning(Generic[X, T]):
    """What each kind of node means to a walk that brings x to node i.

    The kinds that it never meets may stay as they are here.
    """

    def input(self, i: int, node: Input, x: X) -> T:
        """What the input means."""
        raise NotImplementedError

    def affine(self, i: int, node: Affine, x: X) -> T:
        """What a sum of linear maps means."""
        raise NotImplementedError

    def nonlinear(self, i: int, node: Nonlinear, x: X) -> T:
        """What an elementwise function means: by default what any function does."""
        return self.function(i, node, x)

    def grouped(self, i: int, node: Grouped, x: X) -> T:
        """What a function of rows means: by default what any function does."""
        return self.function(i, node, x)

    def function(self, i: int, node: Nonlinear | Grouped, x: X) -> T:
        """What any function means that has no meaning of its own."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class Input:
    """All inputs of the network, concatenated: they live in one box, and in the balls `within`.

    Those of `whole` are whole numbers.
    """

    size: int
    within: tuple[Within, ...] = ()
    whole: WholeInputs | None = None

    def cut(self, lower: Tensor, upper: Tensor) -> tuple[Tensor, Tensor]:
        """The boxes (..., D) cut to what the inputs can be; lower > upper where that is nothing."""
        return (lower, upper) if self.whole is None else self.whole.cut(lower, upper)

    def nearest(self, x: Tensor) -> Tensor:
        """Points (..., D) whose entries are what the inputs can be; gradients pass through the rounding."""
        return x if self.whole is None else self.whole.nearest(x)

    def apart(self, point: Tensor) -> Tensor:
        """Where to split each input (..., D) instead of at `point`."""
        return point if self.whole is None else self.whole.apart(point)

    def one_apart(self, point: Tensor, inputs: Tensor) -> Tensor:
        """The same for single inputs (P,) and their points (P,)."""
        return point if self.whole is None else self.whole.one_apart(point, inputs)

    @property
    def sources(self) -> tuple[int, ...]:
        """The nodes that are read: none."""
        return ()

    def renumbered(self, number: Numbering) -> Input:
        """The same node where node i of the network has become node number[i]."""
        return self

    def meet(self, meaning: Meaning[X, T], i: int, x: X) -> T:
        """What this node, number i, means for x."""
        return meaning.input(i, self, x)


@dataclass(frozen=True, eq=False)
class Affine:
    """bias + Σ map(source); bias (size,). The file's node is within `uncertainty` of it at every point."""

    terms: tuple[tuple[int, LinearMap], ...]
    bias: Tensor
    uncertainty: Uncertainty = EXACT

    @property
    def size(self) -> int:
        """N, as the bias has it."""
        return self.bias.shape[0]

    @cached_property
    def sources(self) -> tuple[int, ...]:
        """The nodes that are read: by the terms in order, then by the uncertainty."""
        return (*(source for source, _ in self.terms), *self.uncertainty.sources)

    def renumbered(self, number: Numbering) -> Affine:
        """The same node where node i of the network has become node number[i]."""
        terms = tuple((number[source], one) for source, one in self.terms)
        return Affine(terms, self.bias, self.uncertainty.renumbered(number))

    def meet(self, meaning: Meaning[X, T], i: int, x: X) -> T:
        """What this node, number i, means for x."""
        return meaning.affine(i, self, x)


@dataclass(frozen=True, eq=False)
class Nonlinear:
    """fn(*args), elementwise, over one or two nodes of equal size."""

    fn: Nonlinearity | Product | Gate
    args: tuple[int, ...]
    size: int

    @property
    def sources(self) -> tuple[int, ...]:
        """The nodes that are read, in order, repeated where read twice."""
        return self.args

    def renumbered(self, number: Numbering) -> Nonlinear:
        """The same node where node i of the network has become node number[i]."""
        return Nonlinear(self.fn, tuple(number[a] for a in self.args), self.size)

    def meet(self, meaning: Meaning[X, T], i: int, x: X) -> T:
        """What this node, number i, means for x."""
        return meaning.nonlinear(i, self, x)


@dataclass(frozen=True, eq=False)
class Grouped:
    """fn(args[0]) by rows of equal length; further arguments are redundant, only their intervals are used."""

    fn: GroupFunction
    args: tuple[int, ...]
    size: int

    @property
    def sources(self) -> tuple[int, ...]:
        """The nodes that are read, in order, repeated where read twice."""
        return self.args

    def renumbered(self, number: Numbering) -> Grouped:
        """The same node where node i of the network has become node number[i]."""
        return Grouped(self.fn, tuple(number[a] for a in self.args), self.size)

    def meet(self, meaning: Meaning[X, T], i: int, x: X) -> T:
        """What this node, number i, means for x."""
        return meaning.grouped(i, self, x)


Node = Input | Affine | Nonlinear | Grouped

Kind = TypeVar("Kind", Input, Affine, Nonlinear, Grouped)


def of_kind(nodes: Sequence[Node], kind: type[Kind]) -> dict[int, Kind]:
    """The nodes of one kind by number, in order."""
    return {i: node for i, node in enumerate(nodes) if isinstance(node, kind)}
