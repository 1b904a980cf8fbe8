"""The turn of a chain as one equation, y' = P y + Q f(y) + u, and how far from it the file's turn may be."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from genbab.network import Affine, LinearMap, Network, Nonlinear
from genbab.network.maps.roundings import UNIT
from genbab.nonlinear import Nonlinearity
from genbab.nonlinear.groups.contracting import contraction
from genbab.nonlinear.groups.entries import EntryFunctions
from genbab.nonlinear.groups.fixed_point import FixedPoint
from genbab.reader.implicit.chains import Chain

LIMIT = 1024
"""EntryFunctions of y at most."""


@dataclass(frozen=True, eq=False)
class Doubt:
    """A distance of factor · map(|source|) at most; source before the chain, no weight of the map below 0."""

    source: int
    map: LinearMap
    factor: float


@dataclass(frozen=True, eq=False)
class Variable:
    """A number of entries of y: an affine node of the turn, at this position of it.

    function: the position of the function that reads it, None for none; early: the variables whose values of
    the same turn it reads; late: those of the turn before; outer: what it reads from before the chain;
    doubts: what of that is uncertain.
    """

    position: int
    rows: slice
    function: int | None
    early: tuple[int, ...]
    late: tuple[int, ...]
    outer: tuple[tuple[int, LinearMap], ...]
    doubts: tuple[Doubt, ...]


@dataclass(frozen=True, eq=False)
class Equation:
    """y' = P y + Q f(y) + u of a chain's turns.

    The file's turn is within constant + linear |y| + matrix |f(y)| + the variables' doubts of it, entry by
    entry. bias (N,): the constant part of u.
    """

    point: FixedPoint
    variables: tuple[Variable, ...]
    bias: Tensor
    constant: Tensor
    linear: Tensor
    matrix: Tensor

    def change(self, tolerance: float, of_functions: bool) -> Tensor | None:
        """How much one more turn changes y (N,) at most, if y, or f(y), changed by the tolerance at most.

        None where turns depend on more than that.
        """
        if len(self.variables) != 1:
            return None
        every = torch.full_like(self.bias, tolerance)
        if not of_functions:  # a turn was y' - y itself, which shrinks
            return every
        if self.point.linear is not None:
            return None
        return (self.point.matrix.abs() + self.matrix) @ every * (1 + 4 * (len(every) + 8) * UNIT)


@dataclass
class _Reading:
    """Reads a chain's second turn, against the first one."""

    network: Network
    chain: Chain
    rows: dict[int, slice] = field(default_factory=dict)
    functions: dict[int, int] = field(default_factory=dict)

    def place(self, source: int) -> tuple[int, int]:
        """(position in its turn, how many turns before the second one) of a node."""
        off = source - self.chain.start - self.chain.period
        return off % self.chain.period, -(off // self.chain.period)

    def node(self, position: int) -> int:
        """The node at a position of the second turn."""
        return self.chain.start + self.chain.period + position

    def variable(self, position: int, place: int) -> tuple[int, int, bool] | None:
        """What the node at a position reads at this place of its sources; None for nodes before the chain.

        (the position of the variable, from how many turns before, whether it reads the function of it).
        """
        node = self.node(position)
        source = self.network.sources(node)[place]
        if source == self.network.sources(node - self.chain.period)[place]:
            return None
        at, lag = self.place(source)
        if at not in self.functions:
            return at, lag, False
        before = self.place(self.network.sources(self.node(at))[0])
        return self.functions[at], lag + before[1], True


def equation(network: Network, chain: Chain) -> Equation | None:
    """The equation of a chain's turns; None where they are no such equation, or no certain contraction."""
    read = _Reading(network, chain)
    size = 0
    for position in range(chain.period):
        node = network.nodes[read.node(position)]
        if isinstance(node, Affine):
            read.rows[position] = slice(size, size + node.size)
            size += node.size
    if not 0 < size <= LIMIT or not _functions(read):
        return None
    parts = _Parts((_square(size), _square(size)), (_square(size), _square(size)))
    variables = [_variable(read, parts, position) for position in read.rows]
    if None in variables:
        return None
    made = _point(read, parts)
    if made is None:
        return None
    nodes = [network.affine[read.node(position)] for position in read.rows]
    bias = torch.cat([node.bias for node in nodes])
    constant = torch.cat([_constant(node) for node in nodes])
    return Equation(
        made, tuple(v for v in variables if v), bias, constant, parts.linear[1], parts.of_functions[1]
    )


def _square(size: int) -> Tensor:
    return torch.zeros(size, size, dtype=torch.float64)


def _constant(node: Affine) -> Tensor:
    doubt = node.uncertainty
    known = torch.zeros_like(node.bias) if doubt.constant is None else doubt.constant
    return known + (doubt.roundings * UNIT) * node.bias.abs()


def _functions(read: _Reading) -> bool:
    """Notes which function reads which variable; whether each has one at most, of a kind that can be had."""
    for position in range(read.chain.period):
        node = read.network.nodes[read.node(position)]
        if not isinstance(node, Nonlinear):
            continue
        fn, (at, _) = node.fn, read.place(node.args[0])
        inside = node.args[0] != read.network.sources(read.node(position) - read.chain.period)[0]
        if not inside or at not in read.rows or at in read.functions.values():
            return False
        if not isinstance(fn, Nonlinearity) or fn.jumps or any(fn.bulges) or fn.clear or fn.absent:
            return False
        read.functions[position] = at
    return bool(read.functions)


@dataclass(frozen=True, eq=False)
class _Parts:
    """(P, what it is uncertain by), and the same of Q, as they are put together."""

    linear: tuple[Tensor, Tensor]
    of_functions: tuple[Tensor, Tensor]


def _variable(read: _Reading, parts: _Parts, position: int) -> Variable | None:
    """The variable at this position, after its rows of the matrices are filled in; None for a long memory."""
    node = read.network.affine[read.node(position)]
    count, factor = len(node.terms), node.uncertainty.roundings * UNIT
    outer: list[tuple[int, LinearMap]] = []
    doubts: list[Doubt] = []
    lags: tuple[set[int], set[int]] = (set(), set())
    for place, (source, one) in enumerate((*node.terms, *node.uncertainty.weights)):
        certain, where = place < count, read.variable(position, place)
        size = one.absolute() if certain else one
        if where is None:
            outer += [(source, one)] if certain else []
            doubts += [Doubt(source, size, factor if certain else 1.0)] if factor or not certain else []
            continue
        of, lag, through = where
        if lag >= len(lags):
            return None
        lags[lag].add(list(read.rows).index(of))
        rows, columns = read.rows[position], read.rows[of]
        weights, unsure = parts.of_functions if through else parts.linear
        if certain:
            weights[rows, columns] += one.dense()
        unsure[rows, columns] += size.dense() * (factor + (one.terms + 8) * 2 * UNIT if certain else 1.0)
    function = next((f for f, of in read.functions.items() if of == position), None)
    lists = tuple(sorted(lags[0])), tuple(sorted(lags[1]))
    return Variable(position, read.rows[position], function, *lists, tuple(outer), tuple(doubts))


def _point(read: _Reading, parts: _Parts) -> FixedPoint | None:
    """The fixed point, if the turn contracts for certain."""
    size = len(parts.linear[0])
    taken: dict[Nonlinearity, list[Tensor]] = {}
    for position, of in read.functions.items():
        fn = read.network.nonlinear[read.node(position)].fn
        assert isinstance(fn, Nonlinearity)
        rows = read.rows[of]
        taken.setdefault(fn, []).append(torch.arange(rows.start, rows.stop))
    places = {fn: torch.cat(at) for fn, at in taken.items()}
    entries = EntryFunctions(tuple((fn, None if len(at) == size else at) for fn, at in places.items()))
    everywhere = torch.full((size,), torch.inf, dtype=torch.float64)
    block = torch.cat([torch.full((r.stop - r.start,), k) for k, r in enumerate(read.rows.values())])
    linear = parts.linear[0] if bool(parts.linear[0].any()) else None
    found = contraction(linear, parts.of_functions[0], entries.slopes(-everywhere, everywhere), block)
    return None if found is None else FixedPoint(linear, parts.of_functions[0], entries, found)
