"""Chains of one and the same turn, and their fixed points in their place.

The file's numbers after the last turn are the fixed point's, within what a `Remainder` says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from genbab.errors import UnsupportedError
from genbab.network import Affine, Grouped, Identity, Index, LinearMap, Network, Node, Nonlinear, simplify
from genbab.network.interval import affine_doubt, propagate
from genbab.network.roundoff import magnitude
from genbab.network.uncertainty import EXACT, LocalError, Roundoff, Uncertainty
from genbab.nonlinear import Nonlinearity
from genbab.nonlinear.groups.settled import Settled
from genbab.reader.implicit.chains import Chain, chains
from genbab.reader.implicit.equations import Equation, equation
from genbab.reader.implicit.remainder import Remainder

TURNS = 8
"""Chains of fewer turns stay as they are."""

NEAR = 2.0**-8
"""Chains whose last turn may be further than this part of its size from the fixed point stay as they are."""

SEED = 20240103

UNSETTLED = (
    "the condition of its body depends on the network's input: accepted are, over the reals, turns that "
    "contract for certain and go on while a state changes by more than a constant"
)


def with_fixed_points(network: Network, ask: Callable[[], None] = lambda: None) -> Network:
    """The same function, within its uncertainties, with fixed points for chains of contracting turns.

    The network itself where it has none that come near enough. `ask` is called now and then; what it raises
    ends the work.
    """
    fused = simplify(network)
    found: dict[int, tuple[Chain, Equation]] = {}
    first = 0  # node that is still there
    for whole in chains(fused, TURNS):
        ask()
        chain = _read_at_last(fused, whole)
        made = equation(fused, chain) if chain.turns >= TURNS else None
        if made is None:
            continue
        chain = _begun(fused, chain, made, first)
        one = {chain.end - 1: (chain, made)}
        if _left_by_loops(fused, chain) or _comes_near(_rewritten(fused, one)):
            found |= one
            first = chain.end - chain.period
    return simplify(_rewritten(fused, found)) if found else network


def _left_by_loops(network: Network, chain: Chain) -> bool:
    """Whether loops that stop by themselves leave what the chain's last turn comes to."""
    near = range(chain.end - chain.period, chain.end + chain.period)
    return any(node.args[0] in near for node in _settled(network).values())


def _settled(network: Network) -> dict[int, Grouped]:
    """The nodes of what such loops leave."""
    return {i: node for i, node in network.grouped.items() if isinstance(node.fn, Settled)}


def _loop(node: Grouped) -> Settled:
    """What is known of the loop that leaves this node."""
    assert isinstance(node.fn, Settled)
    return node.fn


def _comes_near(network: Network) -> bool:
    """Whether the remainder is small at some points, by interval arithmetic."""
    random = torch.Generator().manual_seed(SEED)
    normal = torch.randn(1, network.input_size, generator=random, dtype=torch.float64)
    points = torch.cat([normal, torch.rand(1, network.input_size, generator=random, dtype=torch.float64)])
    intervals = propagate(network, (points, points))
    for i, node in network.affine.items():
        if network.implicit.intersection(node.sources) and node.uncertainty.roundoff is not None:
            doubt, size = affine_doubt(network, i, intervals), magnitude(intervals[i])
            if doubt is not None and not bool((doubt.amax(-1) <= NEAR * size.amax(-1)).all()):
                return False
    return True


def refuse_unsettled(network: Network, source: str) -> None:
    """Raise `UnsupportedError` with every loop that stops by itself and has no fixed point in its place."""
    left = sorted({network.name(i) for i in _settled(network)})
    if left:
        raise UnsupportedError(source, [(name, "Loop", UNSETTLED) for name in left])


def _read_at_last(network: Network, chain: Chain) -> Chain:
    """The chain up to the first turn that something after it reads from."""
    outside = [network.output, *(s for j in range(chain.end, len(network.nodes)) for s in network.sources(j))]
    read = [s for s in outside if chain.start <= s < chain.end]
    turns = (min(read, default=chain.end - 1) - chain.start) // chain.period + 1
    return Chain(chain.start, chain.period, turns)


def _begun(network: Network, chain: Chain, made: Equation, first: int) -> Chain:
    """The chain without its first turn, unless what that reads of the nodes before it is a turn's state.

    first: the earliest node that stays, but for those before earlier chains.
    """
    before = chain.start - chain.period
    for variable in made.variables:
        at = before + variable.position
        if at < max(0, first) or network.nodes[at].size != variable.rows.stop - variable.rows.start:
            return Chain(chain.start + chain.period, chain.period, chain.turns - 1)
        if variable.function is None:
            continue
        own, now = (
            network.nodes[before + variable.function],
            network.nonlinear[chain.start + variable.function],
        )
        if not isinstance(own, Nonlinear) or own.fn != now.fn or own.args != (at,):
            return Chain(chain.start + chain.period, chain.period, chain.turns - 1)
    return chain


Near = tuple[int, Remainder, tuple[int, ...], slice]
"""(a node, how far from it, the remainder's sources, which rows of it)."""


@dataclass
class _Rewriting:
    """The network as it is written anew, and the new number of each node that may still be read.

    ends: what stands for variables of chains' last turns; images: for functions of those of the last two.
    """

    network: Network
    nodes: list[Node] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    origins: list[int] = field(default_factory=list)
    number: dict[int, int] = field(default_factory=dict)
    images: dict[tuple[int, Nonlinearity], Near] = field(default_factory=dict)
    ends: dict[int, Near] = field(default_factory=dict)

    def append(self, node: Node, like: int, same: bool = False) -> int:
        """The node's number; named like an old one, whose value it has where they are the `same`."""
        self.nodes.append(node)
        self.names.append(self.network.name(like))
        self.origins.append(self.network.origin(like) if same else -1)
        return len(self.nodes) - 1

    def fixed_point(self, chain: Chain, made: Equation) -> None:
        """Append the fixed point of a chain's turns, and what stands for the nodes of its last turn."""
        last = chain.end - chain.period
        u = self._added(last, made)
        y = self.append(Grouped(made.point, (u,), len(made.bias)), last)
        images = {
            fn: self.append(Nonlinear(fn, (y,), len(made.bias)), last)
            for fn, _ in made.point.entries.functions
        }
        before = chain.start - chain.period
        first = [self.number[before + v.position] for v in made.variables]
        sources = (y, *first, *(self.number[d.source] for v in made.variables for d in v.doubts))
        for variable in made.variables:
            at, rows = last + variable.position, variable.rows
            self.ends[at] = (y, Remainder(made, chain.turns), sources, rows)
            self.number[at] = self._near(*self.ends[at], at)
            if variable.function is None:
                continue
            own = self.network.nonlinear[last + variable.function].fn
            assert isinstance(own, Nonlinearity)
            for lag in (0, 1):  # a turn's function may read the turn before
                error = Remainder(made, chain.turns - lag, of_functions=True)
                self.images[at - lag * chain.period, own] = (images[own], error, sources, rows)
        for i in range(last, chain.end):
            if i not in self.number:
                self.number[i] = self.copied(i)

    def copied(self, i: int) -> int:
        """Append node i as it is; the image of a fixed point's function where it is that."""
        node = self.network.nodes[i]
        near = self._end(i)
        if near is None and i in _settled(self.network):
            near = self._stopped(i)
        if near is not None:
            return self._near(*near, i)
        return self.append(node.renumbered(self.number), i, same=True)

    def _added(self, last: int, made: Equation) -> int:
        """u: what the variables read from before the chain, and their biases."""
        parts = []
        for variable in made.variables:
            terms = tuple((self.number[source], one) for source, one in variable.outer)
            node = Affine(terms, made.bias[variable.rows], EXACT)
            parts.append(self.append(node, last + variable.position))
        if len(parts) == 1:
            return parts[0]
        maps: list[tuple[int, LinearMap]] = []
        for part, variable in zip(parts, made.variables, strict=True):
            index = torch.full((len(made.bias),), -1, dtype=torch.long)
            index[variable.rows] = torch.arange(variable.rows.stop - variable.rows.start)
            maps.append((part, Index(index, self.nodes[part].size)))
        return self.append(Affine(tuple(maps), torch.zeros_like(made.bias), EXACT), last)

    def _near(self, node: int, error: Remainder, sources: tuple[int, ...], rows: slice, like: int) -> int:
        """These rows of a node, within what the remainder says."""
        size, places = self.nodes[node].size, torch.arange(rows.start, rows.stop)
        one: LinearMap = Identity(size) if len(places) == size else Index(places, size)
        none = torch.zeros(len(places), dtype=torch.float64)
        spread = Index(places, size)
        doubt = Uncertainty(roundoff=Roundoff(none, none, (LocalError(sources, error, spread),)))
        return self.append(Affine(((node, one),), none, doubt), like, same=True)

    def _end(self, i: int) -> Near | None:
        """What stands for node i, a variable of a chain's last turn or a function of one."""
        node = self.network.nodes[i]
        if isinstance(node, Nonlinear) and isinstance(node.fn, Nonlinearity):
            return self.images.get((node.args[0], node.fn))
        return self.ends.get(i)

    def _stopped(self, i: int) -> Near | None:
        """What stands for node i, what a loop leaves that stops by itself; None where that is not known."""
        node = self.network.grouped[i]
        found = self._end(node.args[0])
        if found is None:
            return None
        equation, changes = found[1].equation, list[Tensor]()
        for other in _settled(self.network).values():
            end, known = self._end(other.args[0]), _loop(other).tolerance
            if known is not None and end is not None and end[1].equation is equation:
                change = equation.change(known, end[1].of_functions)
                changes += [] if change is None else [change]
        if not changes:
            return None
        most, turns = _loop(node).most, found[1].turns
        if turns is not None and turns > _loop(node).turns:
            return None  # the chain's turns are not the loop's, of which one may be several
        if turns is not None:
            turns = None if most is None else turns + most - _loop(node).turns
        return found[0], replace(found[1], turns=turns, stop=changes[0]), *found[2:]


def _rewritten(network: Network, found: dict[int, tuple[Chain, Equation]]) -> Network:
    """The network with fixed points for chains, by the chains' last nodes."""
    new = _Rewriting(network)
    within = {i for chain, _ in found.values() for i in range(chain.start, chain.end)}
    for i in range(len(network.nodes)):
        if i in found:
            new.fixed_point(*found[i])
        if i not in within:
            new.number[i] = new.copied(i)
    output = new.number[network.output]
    return Network(tuple(new.nodes), output, tuple(new.names), origins=tuple(new.origins))
