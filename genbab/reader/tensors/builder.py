"""The network under construction: nodes are appended, never changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from genbab.network import (
    Affine,
    Grouped,
    Identity,
    Index,
    Input,
    LinearMap,
    Network,
    Node,
    Nonlinear,
    WholeInputs,
)
from genbab.network.uncertainty import EXACT, Uncertainty, padded
from genbab.nonlinear import Gate, Nonlinearity, Product
from genbab.nonlinear.groups.kind import GroupFunction
from genbab.reader.domains.domains import Selection, partial
from genbab.reader.tensors.exact import Ball, ball
from genbab.reader.tensors.values import (
    MAX_NUMBERS,
    Array,
    Inexact,
    TensorTooLarge,
    Value,
    Var,
    count,
    element,
    room,
)


def uncertain(error: Array, shape: Sequence[int], roundings: int = 0) -> Uncertainty:
    """The uncertainty of a node of this shape whose bias is known to within `error`, broadcast to it.

    Its weights and bias went through so many roundings.
    """
    return Uncertainty(roundings, padded(flat(error, shape)) if error.any() else None)


def flat(values: Array | None, shape: Sequence[int]) -> torch.Tensor:
    """The numbers (0 for None), broadcast to the shape, as float64 (N,)."""
    if values is None:
        return torch.zeros(count(shape), dtype=torch.float64)
    full = np.broadcast_to(np.asarray(values, np.float64), shape)
    return torch.from_numpy(np.array(full, dtype=np.float64).reshape(-1))


def index_map(places: Array, size: int) -> Index:
    """The map that reads a vector of this size at the places, in row-major order (-1: nothing)."""
    return Index(torch.from_numpy(np.array(places, dtype=np.int64, order="C").reshape(-1)), size)


class Builder:
    """Appends nodes to a network; `label` is the name that new nodes get.

    `sums` and `elementwise` are the nodes made by `affine` and `nonlinear`, by number. `truths` are nodes
    that are known to be 0 or 1 everywhere, `known` nodes that lie between two numbers, `integral` nodes of
    whole numbers; `winners` are nodes of numbers k and, for each of them, K truth values, the k-th true:
    (N, K); `distinct` are nodes of numbers that differ along an axis; `places` are where slices begin, by
    the node of the number and the length of the axis; `partial` nodes depend on a function that is not
    defined everywhere; `selections` are what `Where` chose from such nodes; `copies` are nodes that one
    reader of a tensor takes for it, and the tensor's type; `given` are between which numbers the whole inputs
    lie, by their node, and `ranged`, whether anybody asked; `near` are nodes whose distance from the tensor
    may change with the input: they are near it in value only; `shares` are nodes whose rows are not below 0
    and add up to 1.
    """

    def __init__(self, input_size: int, computed: bool = False, whole: WholeInputs | None = None) -> None:
        self.computed = computed
        self.nodes: list[Node] = [Input(input_size, whole=whole)]
        self.given: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        self.ranged = False
        self.sums: dict[int, Affine] = {}
        self.elementwise: dict[int, Nonlinear] = {}
        self.names: list[str] = ["input"]
        self.label = ""
        self.truths: set[int] = set()
        self.known: dict[int, tuple[float, float]] = {}
        self.integral: set[int] = set()
        self.winners: dict[int, Var] = {}
        self.distinct: dict[int, int] = {}
        self.places: dict[tuple[int, int], Var] = {}
        self.spans: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        self.partial: set[int] = set()
        self.selections: dict[int, Selection] = {}
        self.copies: dict[int, int] = {}
        self.near: set[int] = set()
        self.shares: set[int] = set()
        self.numbers = 0

    def network(self, output: int) -> Network:
        """The network built so far, with this node as its output."""
        return Network(tuple(self.nodes), output, tuple(self.names))

    def whole_input(self, x: Var, entries: torch.Tensor) -> Var:
        """The tensor of these entries of the input, of which it is known now what its integers can be."""
        whole = self.nodes[0].whole if isinstance(self.nodes[0], Input) else None
        if whole is None or not (x.whole or x.boolean):
            return x
        self.integral.add(x.node)
        if x.boolean:
            self.truths.add(x.node)
        else:
            mine = torch.isin(whole.columns, entries)
            self.given[x.node] = whole.low[mine], whole.high[mine]
        return x

    def affine(
        self,
        shape: Sequence[int],
        terms: Sequence[tuple[int, LinearMap]],
        bias: Array | None = None,
        uncertainty: Uncertainty = EXACT,
    ) -> Var:
        """bias + Σ map(node), a tensor of this shape; the bias is broadcast to it."""
        room(shape)
        node = self.sums[len(self.nodes)] = Affine(tuple(terms), flat(bias, shape), uncertainty)
        return self._append(node, shape)

    def nonlinear(self, fn: Nonlinearity | Product | Gate, *args: Var) -> Var:
        """fn(*args), elementwise, in the shape of the first argument; sizes must be equal."""
        node = Nonlinear(fn, tuple(a.node for a in args), args[0].size)
        self.elementwise[len(self.nodes)] = node
        return self._append(node, args[0].shape, partial(fn))

    def grouped(self, fn: GroupFunction, *args: Var) -> Var:
        """fn(args[0]) by rows, in its shape; see `Grouped`."""
        return self._append(Grouped(fn, tuple(a.node for a in args), args[0].size), args[0].shape)

    def gather(self, x: Value, index: Array) -> Value:
        """The tensor of index's shape whose entries are x.ravel()[index], and 0 where the index is -1."""
        if not isinstance(x, Var):
            return np.append(x.reshape(-1), np.zeros(1, x.dtype))[index]
        room(index.shape)
        if index.size == x.size and np.array_equal(index.reshape(-1), np.arange(x.size)):
            return x.reshaped(index.shape)
        moved = self.affine(index.shape, [(x.node, index_map(index, x.size))])
        return replace(x, node=moved.node, shape=moved.shape)

    def expand(self, x: Value, shape: Sequence[int]) -> Value:
        """x broadcast to this shape."""
        if tuple(x.shape) == tuple(shape):
            return x
        room(shape)
        if not isinstance(x, Var):
            return np.broadcast_to(x, shape)
        if x.size == count(shape):
            np.broadcast_shapes(x.shape, tuple(shape))
            return x.reshaped(shape)
        return self.gather(x, np.broadcast_to(np.arange(x.size).reshape(x.shape), shape))

    def spread(self, x: Var, shape: Sequence[int]) -> tuple[int, LinearMap]:
        """x broadcast to this shape, as a term of an affine node (without a node of its own)."""
        if x.size == count(shape):
            return x.node, Identity(x.size)
        room(shape)
        return x.node, index_map(np.broadcast_to(np.arange(x.size).reshape(x.shape), shape), x.size)

    def variable(self, x: Value | Inexact) -> Var:
        """x as a node: a constant becomes an affine node without terms."""
        if isinstance(x, Var):
            return x
        value, error = ball(x)
        return replace(self.affine(x.shape, [], value, uncertain(error, x.shape)), element=element(x))

    def number(self, value: Ball) -> Value:
        """The constant as an array where it is exact, else as a node."""
        numbers, error = value
        shape = np.broadcast_shapes(numbers.shape, error.shape)
        if not error.any():
            return np.asarray(numbers)
        return self.affine(shape, [], numbers, uncertain(error, shape))

    def _append(self, node: Node, shape: Sequence[int], undefined: bool = False) -> Var:
        self.numbers += count(shape)
        if self.numbers > 8 * MAX_NUMBERS:
            raise TensorTooLarge(
                f"the tensors up to here hold {self.numbers:,} numbers, {8 * MAX_NUMBERS:,} are accepted"
            )
        if undefined or not self.partial.isdisjoint(node.sources):
            self.partial.add(len(self.nodes))
        self.nodes.append(node)
        self.names.append(self.label)
        return Var(len(self.nodes) - 1, tuple(int(n) for n in shape))
