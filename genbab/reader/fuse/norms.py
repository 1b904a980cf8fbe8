"""Normalisation, however a model writes it, becomes one node: z / √(w·Σ z² + b) by rows.

Looked for in the lowered network, so the operators of ONNX and what exporters make of them are the same: a
product whose one factor is a power -1/2 of sums of squares, and whose other factor has the numbers squared.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from genbab.network import (
    Adjoint,
    Affine,
    Compose,
    Diagonal,
    Grouped,
    Identity,
    Index,
    LinearMap,
    Network,
    Node,
    Nonlinear,
)
from genbab.network.maps.algebra import nonnegative
from genbab.network.uncertainty import Uncertainty
from genbab.nonlinear import Nonlinearity, Product
from genbab.nonlinear.groups.norm import Norm
from genbab.reader.tensors.functions import function

LIMIT = 1 << 24
"""Largest number of weights (sums × squares) that is looked at."""

DEPTH = 4
"""How far back two nodes are compared."""

Copy = tuple[int, Tensor, Tensor, int]
"""(node, index, weight, roundings): entry j is weight[j], which went through so many roundings, times entry
index[j] of the node.
"""


@dataclass(frozen=True, eq=False)
class Normalisation:
    """A product that is the norm of rows of entries, copied and scaled.

    Entry j is factor[j] times entry place[j] of the norm of the entries rows.ravel() of node `source`, in
    rows of `rows`, with this floor; but for so many roundings of the product, as the factor and the floor
    went through.
    """

    source: int
    rows: Tensor
    floor: float
    place: Tensor
    factor: Tensor
    roundings: int


def with_norms(network: Network) -> Network:
    """The same function with every normalisation as a `Grouped` node; nodes no longer needed stay."""
    nodes: list[Node] = []
    names: list[str] = []
    origins: list[int] = []
    number: dict[int, int] = {}
    for i, node in enumerate(network.nodes):
        found = _found(network, i)
        if found is not None:
            _emit(nodes, found, number[found.source])
        else:
            nodes.append(node.renumbered(number))
        number[i] = len(nodes) - 1
        added = len(nodes) - len(names)
        names += [network.name(i)] * added
        origins += [-1] * (added - 1) + [network.origin(i)] * (added > 0)
    return Network(tuple(nodes), number[network.output], tuple(names), origins=tuple(origins))


def _emit(nodes: list[Node], found: Normalisation, source: int) -> None:
    """Append the rows, their sums of squares, the norm, and its values where the product had them."""
    groups, length = found.rows.shape
    size = groups * length
    zeros = torch.zeros(size, dtype=torch.float64)
    index = found.rows.reshape(-1)
    rows = source
    if size != nodes[source].size or not torch.equal(index, torch.arange(size)):
        nodes.append(Affine(((source, Index(index, nodes[source].size)),), zeros))
        rows = len(nodes) - 1
    nodes.append(Nonlinear(function("power", 2), (rows,), size))
    into = Adjoint(Index(torch.arange(groups).repeat_interleave(length), groups))
    nodes.append(Affine(((len(nodes) - 1, into),), torch.zeros(groups, dtype=torch.float64)))
    nodes.append(Grouped(Norm(length, found.floor), (rows, len(nodes) - 1), size))
    back = Compose((Index(found.place, size), Diagonal(found.factor)))
    none = torch.zeros(found.place.numel(), dtype=torch.float64)
    nodes.append(Affine(((len(nodes) - 1, back),), none, Uncertainty(found.roundings)))


def _found(network: Network, i: int) -> Normalisation | None:
    """How node i is a normalisation, or None."""
    node = network.nonlinear.get(i)
    if node is None or not isinstance(node.fn, Product):
        return None
    first, second = node.args
    for entries, inverse in ((first, second), (second, first)):
        root = _inverse_root(network, inverse)
        if root is not None:
            found = _matched(network, entries, root)
            if found is not None:
                return found
    return None


def _inverse_root(network: Network, i: int) -> Copy | None:
    """Where node i is weight · v[index] ** -1/2: (v, index, weight, its roundings)."""
    node, index, weight, roundings = _copied(network, i)
    wanted = {"sqrt", "reciprocal"}
    while wanted:
        here = network.nonlinear.get(node)
        if here is None or not isinstance(here.fn, Nonlinearity):
            return None
        if here.fn.key == ("power", (-0.5,)) and len(wanted) == 2:
            return here.args[0], index, weight, roundings
        if here.fn.name not in wanted:
            return None
        wanted.remove(here.fn.name)
        if not wanted:
            return here.args[0], index, weight, roundings
        node, place, factor, more = _copied(network, here.args[0])
        if more or not bool((factor == 1.0).all()):
            return None
        index = place[index]
    return None


def _matched(network: Network, entries: int, root: Copy) -> Normalisation | None:
    """The norm that the product of node `entries` and this inverse root is."""
    sums, group, weight, roundings = root
    reduced = _reduced(network, sums)
    if reduced is None:
        return None
    squares, matrix, bias, more = reduced
    shape = _uniform_rows(matrix, bias)
    if shape is None:
        return None
    rows, share = shape
    own, other = _copied(network, entries), _copied(network, squares)
    if not alike(network, own[0], other[0]) or other[3] or not bool((other[2] == 1.0).all()):
        return None
    where = torch.full((network.nodes[own[0]].size,), -1, dtype=torch.long)
    where[other[1]] = torch.arange(other[1].numel())
    if not torch.equal(where[other[1]], torch.arange(other[1].numel())):
        return None
    at = where[own[1]]
    if bool((at < 0).any()) or not bool((matrix[group, at] != 0).all()):
        return None
    place = group * rows.shape[1] + ((matrix != 0).cumsum(1) - 1)[group, at]
    factor = own[2] * weight / share**0.5
    # a relative error of share and bias moves the root by half as much, the factor and the floor by as much
    return Normalisation(
        squares, rows, float(bias[0]) / share, place, factor, own[3] + roundings + 2 * more + 8
    )


def _uniform_rows(matrix: Tensor, bias: Tensor) -> tuple[Tensor, float] | None:
    """(the entries (G, K) that each row adds up, their weight): equally many, of one weight; one bias."""
    used = matrix != 0
    length = int(used[0].sum())
    if length < 2 or not bool((used.sum(1) == length).all()):
        return None
    share, floor = float(matrix.max()), float(bias[0])
    same = bool((matrix[used] == share).all()) and bool((bias == floor).all())
    if not same or share <= 0 or not 0 <= floor < float("inf"):
        return None
    return used.nonzero()[:, 1].reshape(-1, length), share


def _reduced(network: Network, i: int) -> tuple[int, Tensor, Tensor, int] | None:
    """(the node z, matrix M (G, N), bias (G,), their roundings) where node i is M·z² + bias, both >= 0."""
    groups = network.nodes[i].size
    matrix = torch.eye(groups, dtype=torch.float64) if groups * groups <= LIMIT else None
    bias, roundings = torch.zeros(groups, dtype=torch.float64), 0
    while matrix is not None:
        if i in network.nonlinear:
            squares = network.nonlinear[i]
            return (squares.args[0], matrix, bias, roundings) if _squares(squares) else None
        node = network.affine.get(i)
        if node is None or len(node.terms) != 1 or not _only_rounded(node):
            return None
        source, one = node.terms[0]
        if groups * one.in_size > LIMIT or not nonnegative(one) or not bool((node.bias >= 0).all()):
            return None
        exact = one.some_weight is None and bool((bias == 0).all())
        roundings += node.uncertainty.roundings + (0 if exact else one.terms + groups + 2)
        bias = bias + matrix @ node.bias
        i, matrix = source, one.pull(matrix)
    return None


def _only_rounded(node: Affine) -> bool:
    """Whether the node's true weights are the ones as written, but for relative roundings."""
    return node.uncertainty.constant is None and not node.uncertainty.weights


def _squares(node: Nonlinear) -> bool:
    if isinstance(node.fn, Product):
        return node.args[0] == node.args[1]
    return isinstance(node.fn, Nonlinearity) and node.fn.key == ("power", (2.0,))


def _copied(network: Network, i: int) -> Copy:
    """The node that node i only copies, moves and scales entries of (itself, if it does more)."""
    index = torch.arange(network.nodes[i].size)
    weight, roundings = torch.ones(index.numel(), dtype=torch.float64), 0
    while True:
        node = network.affine.get(i)
        if node is None or len(node.terms) != 1 or bool(node.bias.any()):
            return i, index, weight, roundings
        source, one = node.terms[0]
        moved, scaled = _moved(one)
        if moved is None or bool((moved[index] < 0).any()) or not _only_rounded(node):
            return i, index, weight, roundings
        roundings += node.uncertainty.roundings + 2 * int(bool((scaled != 1.0).any()))
        weight = weight * scaled[index]
        i, index = source, moved[index]


def _moved(one: LinearMap) -> tuple[Tensor | None, Tensor]:
    """(index, weight) of a map that only moves and scales numbers; index None for any other."""
    index = torch.arange(one.in_size)
    weight = torch.ones(one.in_size, dtype=torch.float64)
    for part in one.parts:
        if isinstance(part, Diagonal):
            weight = weight * part.weight
        elif isinstance(part, Index):
            weight, here = weight[part.index.clamp(min=0)], index[part.index.clamp(min=0)]
            index = torch.where(part.index < 0, -1, here)
        elif not isinstance(part, Identity):
            return None, weight
    return index, weight


def alike(network: Network, a: int, b: int, depth: int = DEPTH) -> bool:
    """Whether two nodes are the same affine functions of the same nodes."""
    if a == b:
        return True
    x, y = network.affine.get(a), network.affine.get(b)
    if not depth or x is None or y is None or len(x.terms) != len(y.terms):
        return False
    if not x.terms or x.size != y.size or not torch.equal(x.bias, y.bias):
        return False
    if not (x.uncertainty.exact and y.uncertainty.exact):
        return False
    pairs = zip(x.terms, y.terms, strict=True)
    return all(alike(network, s, t, depth - 1) and _equal(m, n) for (s, m), (t, n) in pairs)


def _equal(a: Any, b: Any) -> bool:
    """Whether two maps have the same parts and weights."""
    if type(a) is not type(b):
        return False
    if isinstance(a, Tensor):
        return a.shape == b.shape and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, tuple):
        return len(a) == len(b) and all(_equal(x, y) for x, y in zip(a, b, strict=True))
    if dataclasses.is_dataclass(a):
        return all(_equal(getattr(a, f.name), getattr(b, f.name)) for f in dataclasses.fields(a))
    return bool(a == b)
