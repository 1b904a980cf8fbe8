"""Which nodes are functions of one number per entry, and of which earlier node's.

A node hangs below a root r when its entry j depends on entry place[j] of r alone. Roots of roots are roots:
the nodes make a forest, by the same rule as dominators in flow graphs (Cooper, Harvey and Kennedy, A simple,
fast dominance algorithm, 2001), with the places agreeing on all ways.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from genbab.network import Diagonal, Identity, Index, LinearMap, Network
from genbab.network.maps.composition import gathered, multiplied
from genbab.network.maps.roundings import of_product
from genbab.nonlinear.composed.defined import keeps_domain


@dataclass(frozen=True, eq=False)
class Read:
    """Entry j takes weight[j] · source[index[j]], or nothing where index[j] is -1; None: j itself, 1."""

    source: int
    index: Tensor | None = None
    weight: Tensor | None = None

    @property
    def dead(self) -> Tensor | None:
        """Where nothing is taken, (N,); None where something always is."""
        none = None if self.index is None else self.index < 0
        if self.weight is not None:
            zero = self.weight == 0.0
            none = zero if none is None else none | zero
        return none if none is not None and bool(none.any()) else None


@dataclass(frozen=True, eq=False)
class Hook:
    """Entry j of a node depends on entry place[j] of `root` only; None: on entry j."""

    root: int
    place: Tensor | None


class Roots:
    """The forest of a network: `hooks[i]` is the nearest root of node i, or None."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.reads: list[tuple[Read, ...] | None] = []
        self.hooks: list[Hook | None] = []
        self.depth: list[int] = []
        for i in range(len(network.nodes)):
            self.reads.append(_reads(network, i))
            self.hooks.append(self._hook(i))
            hook = self.hooks[i]
            self.depth.append(0 if hook is None else self.depth[hook.root] + 1)

    def joins(self, i: int) -> bool:
        """Whether some entry of node i reads two numbers or more."""
        reads = self.reads[i] or ()
        if len(reads) < 2:
            return False
        alive = torch.zeros(self.network.nodes[i].size, dtype=torch.long)
        for read in reads:
            dead = read.dead
            alive += 1 if dead is None else (~dead).long()
        return bool((alive > 1).any())

    def chain(self, i: int) -> list[int]:
        """All roots of node i, the nearest first."""
        found = []
        hook = self.hooks[i]
        while hook is not None:
            found.append(hook.root)
            hook = self.hooks[hook.root]
        return found

    def place(self, i: int, root: int) -> Tensor | None:
        """Which entry of the root, one of i's, each entry of node i depends on; None: its own."""
        total: Tensor | None = None
        while i != root:
            hook = self.hooks[i]
            assert hook is not None
            if hook.place is not None:
                total = hook.place if total is None else hook.place[total]
            i = hook.root
        return total

    def between(self, i: int, root: int, limit: int) -> list[int] | None:
        """The nodes on the ways from the root to node i, in order, with i; None if more than `limit`."""
        found = {i}
        waiting = [i]
        while waiting:
            for read in self.reads[waiting.pop()] or ():
                if read.source != root and read.source not in found:
                    found.add(read.source)
                    waiting.append(read.source)
            if len(found) > limit:
                return None
        return sorted(found)

    def _hook(self, i: int) -> Hook | None:
        reads = self.reads[i]
        if not reads:
            return None
        if len(reads) == 1:
            only = reads[0]
            return None if only.dead is not None else Hook(only.source, only.index)
        sources = [read.source for read in reads]
        root = self._shared(sources)
        while root is not None:
            place = self._agreed(i, reads, root)
            if place is not None:
                return Hook(root, None if place.numel() == 0 else place)
            above = self.hooks[root]
            root = None if above is None else above.root
        return None

    def _shared(self, nodes: list[int]) -> int | None:
        """The nearest node that is a root of all of these, or one of them and a root of the others."""
        here = set(nodes)
        while len(here) > 1:
            deepest = max(here, key=lambda n: (self.depth[n], n))
            hook = self.hooks[deepest]
            if hook is None:
                return None
            here.remove(deepest)
            here.add(hook.root)
        return here.pop()

    def _agreed(self, i: int, reads: tuple[Read, ...], root: int) -> Tensor | None:
        """The places in the root that all reads agree on, empty for one's own; None if they do not agree."""
        places = []
        for read in reads:
            place = self.place(read.source, root)
            if place is None or read.index is None:
                places.append(read.index if place is None else place)
            else:
                places.append(place[read.index.clamp(min=0)])
        deads = [read.dead for read in reads]
        if all(p is None for p in places) and any(d is None for d in deads):
            return torch.empty(0, dtype=torch.long)
        size = self.network.nodes[i].size
        total = torch.full((size,), -1, dtype=torch.long)
        for place, dead in zip(places, deads, strict=True):
            mine = torch.arange(size) if place is None else place.clone()
            if dead is not None:
                mine[dead] = -1
            if bool(((mine >= 0) & (total >= 0) & (mine != total)).any()):
                return None
            total = torch.maximum(total, mine)
        return total if bool((total >= 0).all()) and size else None


def _reads(network: Network, i: int) -> tuple[Read, ...] | None:
    """What each entry of node i takes from which entry, or None when it takes more than one of a source."""
    if i in network.nonlinear:
        node = network.nonlinear[i]
        return None if keeps_domain(node.fn) else tuple(Read(a) for a in node.args)
    if i not in network.affine:
        return None
    found = []
    for source, one in network.affine[i].terms:
        read = _read(source, one)
        if read is None:
            return None
        found.append(read)
    return tuple(found)


def _read(source: int, one: LinearMap) -> Read | None:
    index: Tensor | None = None
    weight: Tensor | None = None
    if one.in_size == one.out_size == 1:
        number = multiplied(one)
        exact = number is not None and number[2] == 0
        return Read(source, None, number[0].weight.reshape(1)) if number is not None and exact else None
    for part in one.parts:
        step = gathered(part)
        if isinstance(step, Diagonal):
            before, weight = weight, step.weight if weight is None else weight * step.weight
            if before is not None and of_product(before, step.weight, weight) != 0:
                return None
        elif isinstance(step, Index):
            here, dead = step.index.clamp(min=0), step.index < 0
            if not step.in_size:  # of nothing only zeros are taken
                return None
            index = torch.where(dead, -1, index[here]) if index is not None else step.index
            weight = weight[here] if weight is not None else None
        elif not isinstance(step, Identity):
            return None
    if index is not None and index.numel() == one.in_size and torch.equal(index, torch.arange(one.in_size)):
        index = None
    return Read(source, index, weight)
