"""Networks in normal form: `Input`, `Affine`, `Nonlinear` and `Grouped` nodes in topological order."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import torch
from torch import Tensor

from genbab.errors import ModelError
from genbab.network.maps.base import LinearMap
from genbab.network.nodes import Affine, Grouped, Input, Meaning, Node, Nonlinear, of_kind
from genbab.nonlinear import Nonlinearity
from genbab.nonlinear.groups.grouped import on_own_interval

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Network:
    """A DAG of nodes: node i reads only nodes before it, node 0 is the input.

    output: the node that specs speak of; premises: nodes whose values are taken to lie in an interval (N,),
    (N,): bounds then speak only of inputs for which they do. origins: per node, the node of the network as
    it was first written that has the same value over the reals, -1 where none has; () for all the same.
    """

    nodes: tuple[Node, ...]
    output: int
    names: tuple[str, ...] = field(default=())
    premises: Mapping[int, tuple[Tensor, Tensor]] = field(default_factory=dict)
    origins: tuple[int, ...] = ()

    @property
    def input_size(self) -> int:
        """D, the numbers of all inputs together."""
        return self.nodes[0].size

    @property
    def output_size(self) -> int:
        """Numbers of the output."""
        return self.nodes[self.output].size

    @cached_property
    def entry(self) -> Input:
        """The input node."""
        return of_kind(self.nodes[:1], Input)[0]

    @cached_property
    def affine(self) -> Mapping[int, Affine]:
        """The affine nodes by number, in order."""
        return of_kind(self.nodes, Affine)

    @cached_property
    def nonlinear(self) -> Mapping[int, Nonlinear]:
        """The nodes of elementwise functions by number, in order."""
        return of_kind(self.nodes, Nonlinear)

    @cached_property
    def grouped(self) -> Mapping[int, Grouped]:
        """The nodes of functions of rows by number, in order."""
        return of_kind(self.nodes, Grouped)

    @cached_property
    def implicit(self) -> frozenset[int]:
        """The nodes of functions of rows whose planes depend on their own interval."""
        return frozenset(i for i, node in self.grouped.items() if on_own_interval(node.fn))

    @cached_property
    def functions(self) -> Mapping[int, Nonlinear | Grouped]:
        """The nodes that are not affine in what they read, by number, in order."""
        found: dict[int, Nonlinear | Grouped] = {**self.nonlinear, **self.grouped}
        return {i: found[i] for i in sorted(found)}

    @cached_property
    def _derived(self) -> dict[Hashable, Any]:
        return {}

    def once(self, derive: Callable[Concatenate[Network, P], T], *args: P.args, **other: P.kwargs) -> T:
        """derive(network, ...), computed when it is first asked for and kept with the network."""
        key = derive, args, tuple(sorted(other.items()))
        if key not in self._derived:
            self._derived[key] = derive(self, *args, **other)
        return cast(T, self._derived[key])

    @cached_property
    def relaxed(self) -> tuple[int, ...]:
        """Nodes that are an argument of a function, in topological order: their intervals are needed."""
        return tuple(sorted({a for node in self.functions.values() for a in node.args}))

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
    def products(self) -> tuple[tuple[int, ...], Tensor, float]:
        """How many products of a backward pass may underflow at most, times what maps make of that.

        (nodes that are read; per entry of these, one after the other, how many with it; how many with
        constants).
        """
        weight, own = dict[int, float](), 0.0
        for i, node in enumerate(self.nodes):
            many, gain = node.size + 8.0, 1.0
            if i in self.affine:
                maps = [one for _, one in self.affine[i].terms]
                many += sum(one.terms for one in maps)
                gain = max([1.0, *(one.gain for one in maps)])
            own += node.size * many * gain
            for source in self.sources(i):
                weight[source] = weight.get(source, 0.0) + many * gain
        read = tuple(sorted(weight)) or (0,)
        parts = [torch.full((self.nodes[i].size,), weight.get(i, 0.0), dtype=torch.float64) for i in read]
        return read, torch.cat(parts), own

    def with_nodes(self, changed: Mapping[int, Node]) -> Network:
        """The same network where other nodes stand at these numbers; itself where there are none."""
        if not changed:
            return self
        return replace(self, nodes=tuple(changed.get(i, node) for i, node in enumerate(self.nodes)))

    def sources(self, i: int) -> tuple[int, ...]:
        """The nodes that node i reads, in order, repeated where read twice."""
        return self.nodes[i].sources

    def name(self, i: int) -> str:
        """The name a person knows node i by."""
        return self.names[i] if i < len(self.names) and self.names[i] else f"node {i}"

    def origin(self, i: int) -> int:
        """Which node of the network as it was first written node i is, -1 for none."""
        return self.origins[i] if self.origins else i

    def to(self, dtype: torch.dtype, device: torch.device) -> Network:
        """The same network with its weights in another dtype, on another device."""
        premises = {i: (low.to(device), high.to(device)) for i, (low, high) in self.premises.items()}
        nodes = tuple(node.meet(_Moved(), i, (dtype, device)) for i, node in enumerate(self.nodes))
        return Network(nodes, self.output, self.names, premises, self.origins)

    def check(self) -> None:
        """Raise `ModelError` unless the graph is legal: order, sizes, one input, finite weights."""
        inputs = of_kind(self.nodes, Input)
        if 0 not in inputs:
            raise ModelError("network: node 0 must be the input")
        if not 0 <= self.output < len(self.nodes):
            raise ModelError(f"network: output {self.output} is not a node")
        for i, node in enumerate(self.nodes):
            if i and i in inputs:
                raise ModelError(f"network: second input at {self.name(i)}")
            if any(not 0 <= s < i for s in node.sources):
                raise ModelError(f"network: {self.name(i)} reads a node that does not come before it")
            node.meet(_Legal(), i, self)


class _Legal(Meaning[Network, None]):
    """Raises `ModelError` at a node whose sizes do not fit, or that has numbers which are not finite."""

    def input(self, i: int, node: Input, x: Network) -> None:
        pass

    def affine(self, i: int, node: Affine, x: Network) -> None:
        for source, one in (*node.terms, *node.uncertainty.weights):
            if one.in_size != x.nodes[source].size or one.out_size != node.size:
                sizes = f"{one.in_size} to {one.out_size} numbers"
                raise ModelError(f"network: {x.name(i)} maps {sizes}, wrongly")
            if not _finite(one):
                raise ModelError(f"network: {x.name(i)} has a weight that is not a finite number")
        constant = node.uncertainty.constant
        if not all(bool(torch.isfinite(b).all()) for b in (node.bias, constant) if b is not None):
            raise ModelError(f"network: {x.name(i)} has a bias that is not a finite number")

    def nonlinear(self, i: int, node: Nonlinear, x: Network) -> None:
        arity = 1 if isinstance(node.fn, Nonlinearity) else 2
        if len(node.args) != arity or any(x.nodes[a].size != node.size for a in node.args):
            raise ModelError(f"network: {x.name(i)} has arguments of the wrong number or size")

    def grouped(self, i: int, node: Grouped, x: Network) -> None:
        wanted = node.fn.sizes(node.size)[: len(node.args)]
        found = tuple(x.nodes[a].size for a in node.args)
        if not found or found != wanted or node.size % node.fn.length:
            raise ModelError(f"network: {x.name(i)} has arguments of the wrong number or size")


def _finite(one: LinearMap) -> bool:
    """Whether all weights of the map are finite numbers."""
    weights = [part.some_weight for part in one.parts]
    return all(w is None or bool(torch.isfinite(w).all()) for w in weights)


class _Moved(Meaning[tuple[torch.dtype, torch.device], Node]):
    """Each node with its weights in another dtype, on another device."""

    def input(self, i: int, node: Input, x: tuple[torch.dtype, torch.device]) -> Node:
        whole = None if node.whole is None else node.whole.to(x[1])
        return Input(node.size, tuple(ball.to(*x) for ball in node.within), whole)

    def affine(self, i: int, node: Affine, x: tuple[torch.dtype, torch.device]) -> Node:
        dtype, device = x
        terms = tuple((source, one.to(dtype, device)) for source, one in node.terms)
        return Affine(terms, node.bias.to(device, dtype), node.uncertainty.to(dtype, device))

    def function(self, i: int, node: Nonlinear | Grouped, x: tuple[torch.dtype, torch.device]) -> Node:
        return node
