"""Networks in normal form: `Input`, `Affine`, `Nonlinear` and `Grouped` nodes in topological order.

The value of a node is a vector of `size` numbers (row-major flattening of the tensor it came from, batch axis
dropped); every function here takes any leading axes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from genbab.errors import ModelError
from genbab.network.ball import Within
from genbab.network.maps.base import Compose, LinearMap
from genbab.network.uncertainty import EXACT, Uncertainty
from genbab.nonlinear import Gate, Nonlinearity, Product
from genbab.nonlinear.groups.grouped import GroupFunction

if TYPE_CHECKING:
    from genbab.network.contraction import Contraction


@dataclass(frozen=True, eq=False)
class Input:
    """All inputs of the network, concatenated: they live in one box, and in the balls `within`."""

    size: int
    within: tuple[Within, ...] = ()


@dataclass(frozen=True, eq=False)
class Affine:
    """bias + Σ map(source); bias (size,). The file's node is within `uncertainty` of it at every point."""

    terms: tuple[tuple[int, LinearMap], ...]
    bias: Tensor
    uncertainty: Uncertainty = EXACT

    @property
    def size(self) -> int:
        return self.bias.shape[0]

    @property
    def sources(self) -> tuple[int, ...]:
        """The nodes that are read: by the terms in order, then by uncertain weights."""
        return tuple(source for source, _ in (*self.terms, *self.uncertainty.weights))

    def renumbered(self, number: Mapping[int, int] | Sequence[int]) -> Affine:
        """The same node where node i of the network has become node number[i]."""
        terms = tuple((number[source], one) for source, one in self.terms)
        weights = tuple((number[source], one) for source, one in self.uncertainty.weights)
        return Affine(terms, self.bias, replace(self.uncertainty, weights=weights))


@dataclass(frozen=True, eq=False)
class Nonlinear:
    """fn(*args), elementwise, over one or two nodes of equal size."""

    fn: Nonlinearity | Product | Gate
    args: tuple[int, ...]
    size: int


@dataclass(frozen=True, eq=False)
class Grouped:
    """fn(args[0]) by rows of equal length; further arguments are redundant, only their intervals are used."""

    fn: GroupFunction
    args: tuple[int, ...]
    size: int


Node = Input | Affine | Nonlinear | Grouped


@dataclass(frozen=True, eq=False)
class Network:
    """A DAG of nodes; node i reads only nodes before it, node 0 is the input, `output` is the node that specs
    speak of.

    held: nodes whose values are taken to lie in an interval (N,), (N,): bounds then speak only of inputs for
    which they do.
    """

    nodes: tuple[Node, ...]
    output: int
    names: tuple[str, ...] = field(default=())
    held: Mapping[int, tuple[Tensor, Tensor]] = field(default_factory=dict)

    @property
    def input_size(self) -> int:
        return self.nodes[0].size

    @property
    def output_size(self) -> int:
        return self.nodes[self.output].size

    @cached_property
    def relaxed(self) -> tuple[int, ...]:
        """Nodes that are an argument of a nonlinear node: those whose intervals are needed, in topological
        order.
        """
        return tuple(sorted({a for n in self.nodes if isinstance(n, Nonlinear | Grouped) for a in n.args}))

    @cached_property
    def consumers(self) -> tuple[tuple[int, ...], ...]:
        """Per node, the nodes that read it."""
        readers: list[list[int]] = [[] for _ in self.nodes]
        for i in range(len(self.nodes)):
            for source in set(self.sources(i)):
                readers[source].append(i)
        return tuple(tuple(r) for r in readers)

    @cached_property
    def ancestors(self) -> tuple[frozenset[int], ...]:
        """Per node, itself and every node it depends on."""
        known: list[frozenset[int]] = []
        for i in range(len(self.nodes)):
            known.append(frozenset({i}).union(*(known[s] for s in self.sources(i))))
        return tuple(known)

    @cached_property
    def contractions(self) -> dict[int, Contraction]:
        """Per product node that belongs to a matrix product of two variable tensors: what it is of."""
        from genbab.network.contraction import contractions

        return contractions(self)

    @cached_property
    def products(self) -> tuple[tuple[int, ...], Tensor, float]:
        """(nodes that are read; per entry of these, one after the other, how many products of a backward pass
        with it may underflow at most, times what maps make of that; the same for constants).
        """
        weight, own = dict[int, float](), 0.0
        for i, node in enumerate(self.nodes):
            many, gain = node.size + 8.0, 1.0
            if isinstance(node, Affine):
                many += sum(one.terms for _, one in node.terms)
                gain = max([1.0, *(one.gain for _, one in node.terms)])
            own += node.size * many * gain
            for source in self.sources(i):
                weight[source] = weight.get(source, 0.0) + many * gain
        read = tuple(sorted(weight)) or (0,)
        parts = [torch.full((self.nodes[i].size,), weight.get(i, 0.0), dtype=torch.float64) for i in read]
        return read, torch.cat(parts), own

    def sources(self, i: int) -> tuple[int, ...]:
        """The nodes that node i reads, in order, repeated where read twice."""
        node = self.nodes[i]
        if isinstance(node, Affine):
            return node.sources
        return node.args if isinstance(node, Nonlinear | Grouped) else ()

    def name(self, i: int) -> str:
        """The name a person knows node i by."""
        return self.names[i] if i < len(self.names) and self.names[i] else f"node {i}"

    def to(self, dtype: torch.dtype, device: torch.device) -> Network:
        """The same network with its weights in another dtype, on another device."""
        held = {i: (low.to(device), high.to(device)) for i, (low, high) in self.held.items()}
        return Network(tuple(_moved(n, dtype, device) for n in self.nodes), self.output, self.names, held)

    def check(self) -> None:
        """Raise `ModelError` unless the graph is legal: order, sizes, one input, finite weights."""
        if not self.nodes or not isinstance(self.nodes[0], Input):
            raise ModelError("network: node 0 must be the input")
        if not 0 <= self.output < len(self.nodes):
            raise ModelError(f"network: output {self.output} is not a node")
        for i, node in enumerate(self.nodes):
            if i and isinstance(node, Input):
                raise ModelError(f"network: second input at {self.name(i)}")
            if any(not 0 <= s < i for s in self.sources(i)):
                raise ModelError(f"network: {self.name(i)} reads a node that does not come before it")
            self._check_sizes(i)

    def _check_sizes(self, i: int) -> None:
        node = self.nodes[i]
        if isinstance(node, Affine):
            for source, one in (*node.terms, *node.uncertainty.weights):
                if one.in_size != self.nodes[source].size or one.out_size != node.size:
                    sizes = f"{one.in_size} to {one.out_size} numbers"
                    raise ModelError(f"network: {self.name(i)} maps {sizes}, wrongly")
                if not _finite(one):
                    raise ModelError(f"network: {self.name(i)} has a weight that is not a finite number")
            constant = node.uncertainty.constant
            if not all(bool(torch.isfinite(b).all()) for b in (node.bias, constant) if b is not None):
                raise ModelError(f"network: {self.name(i)} has a bias that is not a finite number")
        elif isinstance(node, Nonlinear):
            arity = 1 if isinstance(node.fn, Nonlinearity) else 2
            if len(node.args) != arity or any(self.nodes[a].size != node.size for a in node.args):
                raise ModelError(f"network: {self.name(i)} has arguments of the wrong number or size")
        elif isinstance(node, Grouped):
            wanted = node.fn.sizes(node.size)[: len(node.args)]
            given = tuple(self.nodes[a].size for a in node.args)
            if not given or given != wanted or node.size % node.fn.length:
                raise ModelError(f"network: {self.name(i)} has arguments of the wrong number or size")


def _finite(one: LinearMap) -> bool:
    """Whether all weights of the map are finite numbers."""
    weights = [part._weight() for part in (one.maps if isinstance(one, Compose) else (one,))]
    return all(w is None or bool(torch.isfinite(w).all()) for w in weights)


def values(network: Network, x: Tensor) -> list[Tensor]:
    """The value of every node at inputs x (..., D), as a list of (..., size)."""
    known: list[Tensor] = []
    for node in network.nodes:
        if isinstance(node, Input):
            known.append(x)
        elif isinstance(node, Nonlinear | Grouped):
            known.append(node.fn.value(*(known[a] for a in node.args)))
        else:
            total = node.bias.expand(*x.shape[:-1], node.size)
            for source, one in node.terms:
                total = total + one.apply(known[source])
            known.append(total)
    return known


def evaluate(network: Network, x: Tensor) -> Tensor:
    """The outputs (..., O) at inputs x (..., D)."""
    return values(network, x)[network.output]


def _moved(node: Node, dtype: torch.dtype, device: torch.device) -> Node:
    if isinstance(node, Input) and node.within:
        return Input(node.size, tuple(ball.to(dtype, device) for ball in node.within))
    if not isinstance(node, Affine):
        return node
    terms = tuple((source, one.to(dtype, device)) for source, one in node.terms)
    return Affine(terms, node.bias.to(device, dtype), node.uncertainty.to(dtype, device))
