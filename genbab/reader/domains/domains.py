"""Where the file's graph has no value, the network has none either, whatever is simplified later.

Each output gets one more term for every function that is not defined everywhere and that it is computed from,
however it is: the function that is 0 where that one has a value and undefined elsewhere
(`nonlinear/defined.py`). Rewriting does not look into these. So what cancels, is multiplied by 0 or is
hidden by a bounded function makes bounds infinite, and values NaN, exactly where the file's graph has no
value over the real numbers.

A branch that `Where` does not take counts only where it is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeGuard

import torch
from torch import Tensor

from genbab.network import (
    Affine,
    Compose,
    Dense,
    Diagonal,
    Identity,
    Index,
    LinearMap,
    Network,
    Nonlinear,
)
from genbab.nonlinear import Nonlinearity
from genbab.nonlinear.composed.defined import Taken, absent, defined, keeps_domain, total
from genbab.reader.domains.implied import Implied
from genbab.reader.domains.needs import Needs
from genbab.reader.domains.ranges import ranges

SEPARATE = 1 << 24
"""So many (output, number) pairs are looked at; beyond that every output counts as computed from
everything.
"""

WRITTEN = 1 << 22
"""Largest number of entries of a matrix that says which output is computed from what."""


PAIRS = 1 << 16
"""So many pairs of an entry of a branch and an argument are compared with the condition."""

Truth = tuple[int, bool]
"""(a condition, the truth of its entries with which those of a branch are taken)"""


@dataclass(frozen=True)
class Selection:
    """A node that `Where` made.

    Entry j is `yes` where entry j of `condition` is 1 and `no` where it is 0; nodes of its size, None for
    constants.
    """

    condition: int
    yes: int | None
    no: int | None


def partial(fn: object) -> TypeGuard[Nonlinearity]:
    """Whether it is a function of one number that is undefined somewhere, and tells of no other one."""
    return isinstance(fn, Nonlinearity) and not keeps_domain(fn) and not total(fn)


def with_domains(network: Network, selections: Mapping[int, Selection]) -> Network:
    """The same function, undefined wherever some function that its outputs are computed from is.

    The network itself where all of them are defined everywhere.
    """
    work = _Work(network, selections)
    if not work.doubtful:
        return network
    size = network.output_size
    checks = work.checks(network.output)
    if checks is None:
        return network
    node, rows, shared = checks
    if shared:  # rows of a specification may subtract outputs: what is undefined must not cancel there
        node = work.append(Nonlinear(defined(None), (node,), rows.numel()), network.output)
    index = torch.full((size,), -1, dtype=torch.long)
    index[rows] = torch.arange(rows.numel())
    terms = ((network.output, Identity(size)), (node, _moved(index, rows.numel())))
    output = work.append(Affine(terms, torch.zeros(size, dtype=torch.float64)), network.output)
    return Network(tuple(work.nodes), output, tuple(work.names))


class _Work:
    """A network to which checks are appended.

    partial: per node with a function that is undefined somewhere, that function and its argument; doubtful:
    which of its entries have an argument that may be outside of the domain, as far as is known without a
    box; depends: the nodes computed from those.
    """

    def __init__(self, network: Network, selections: Mapping[int, Selection]) -> None:
        self.network, self.selections = network, selections
        self.nodes, self.names = list(network.nodes), [network.name(i) for i in range(len(network.nodes))]
        live = sorted(network.ancestors[network.output])
        self.partial = {
            i: (node.fn, node.args[0])
            for i, node in network.nonlinear.items()
            if i in network.ancestors[network.output] and partial(node.fn)
        }
        known = ranges(network, {argument for _, argument in self.partial.values()})
        self.doubtful: dict[int, Tensor] = {}
        for i, (fn, argument) in self.partial.items():
            missing = absent(fn, *known[argument])
            if bool(missing.any()):
                self.doubtful[i] = missing
        self.depends = {i for i in live if network.ancestors[i] & self.doubtful.keys()}
        self.widest = max((network.nodes[i].size for i in self.depends), default=0)
        self.implied = Implied(network)
        self._guards: dict[tuple[Nonlinearity, int, bytes], int] = {}
        self._made: dict[tuple[int, Truth | None], tuple[int, Tensor, bool] | None] = {}

    def append(self, node: Affine | Nonlinear, named_after: int) -> int:
        """The number of a new node."""
        self.nodes.append(node)
        self.names.append(self.network.name(named_after))
        return len(self.nodes) - 1

    def checks(self, anchor: int, taken: Truth | None = None) -> tuple[int, Tensor, bool] | None:
        """As `_checks`; the same node when asked again."""
        if (anchor, taken) not in self._made:
            self._made[anchor, taken] = self._checks(anchor, taken)
        return self._made[anchor, taken]

    def _checks(self, anchor: int, taken: Truth | None) -> tuple[int, Tensor, bool] | None:
        """(a node, entries, shared): what is undefined where an entry of the anchor is.

        Number k of the node is 0 where entry entries[k] of the anchor has a value, and undefined elsewhere;
        shared: some numbers of it may have that from the same source. None where all entries have a value
        everywhere, or wherever they are taken.
        """
        size = self.network.nodes[anchor].size
        together = size * self.widest > SEPARATE
        demand = torch.ones(1, size, dtype=torch.bool) if together else torch.eye(size, dtype=torch.bool)
        found = self._demanded(anchor, demand, None if together else taken)
        if not found:
            return None
        found = _merged(found)
        rows = torch.stack([mask.any(-1) for _, mask in found]).any(0).nonzero().reshape(-1)
        terms = [(node, _reader(mask[rows])) for node, mask in found]
        node = self.append(Affine(tuple(terms), torch.zeros(rows.numel(), dtype=torch.float64)), anchor)
        if not together:
            return node, rows, any(bool((mask.sum(0) > 1).any()) for _, mask in found)
        spread = Affine(((node, Index(torch.zeros(size, dtype=torch.long), 1)),), torch.zeros(size).double())
        return self.append(spread, anchor), torch.arange(size), size > 1

    def _demanded(self, anchor: int, demand: Tensor, taken: Truth | None) -> list[tuple[int, Tensor]]:
        """(node, which of its entries each row of the demand (R, size of the anchor) needs to be defined)."""
        demands = {anchor: demand}
        found = []
        for i in range(anchor, 0, -1):
            if i not in demands or i not in self.depends:
                continue
            wanted = demands.pop(i)
            for source, mask in self._passed(i, wanted):
                demands[source] = demands[source] | mask if source in demands else mask
            found += self._checked(i, wanted, taken)
        return found

    def _passed(self, i: int, wanted: Tensor) -> list[tuple[int, Tensor]]:
        """What the entries of node i that are wanted are computed from, as (node, entries)."""
        if i in self.selections:
            return [(self.selections[i].condition, wanted)]
        return self.network.nodes[i].meet(Needs(self.depends), i, wanted)

    def _checked(self, i: int, wanted: Tensor, taken: Truth | None) -> list[tuple[int, Tensor]]:
        """The new nodes that are undefined where node i itself is, or a branch that it takes."""
        if i in self.selections:
            return self._branches(i, wanted)
        if i not in self.doubtful:
            return []
        fn, argument = self.partial[i]
        wanted = wanted & self.doubtful[i]
        if taken is not None and int(wanted.sum()) <= PAIRS:
            wanted = wanted.clone()
            for row, entry in wanted.nonzero().tolist():
                safe = self.implied.holds((taken[0], row), taken[1], fn, (argument, entry))
                wanted[row, entry] = not safe
        entries = wanted.any(0).nonzero().reshape(-1)
        if not entries.numel():
            return []
        key = (fn, argument, entries.numpy().tobytes())
        if key not in self._guards:
            picked = self._picked(argument, entries, i)
            self._guards[key] = self.append(Nonlinear(defined(fn), (picked,), entries.numel()), i)
        self.names[self._guards[key]] = self.network.name(i)  # of equal ones the first
        return [(self._guards[key], wanted[:, entries])]

    def _branches(self, i: int, wanted: Tensor) -> list[tuple[int, Tensor]]:
        """Checks of the branches of a selection, times whether they are taken."""
        chosen = self.selections[i]
        found = []
        for branch, negated in ((chosen.yes, False), (chosen.no, True)):
            if branch is None or branch not in self.depends:
                continue
            checks = self.checks(branch, (chosen.condition, not negated))
            if checks is None:
                continue
            node, entries, _ = checks
            taken = self._picked(chosen.condition, entries, i, negated)
            guarded = self.append(Nonlinear(Taken(), (taken, node), entries.numel()), i)
            found.append((guarded, wanted[:, entries]))
        return found

    def _picked(self, source: int, entries: Tensor, i: int, negated: bool = False) -> int:
        """These entries of a node, or 1 less each."""
        size = self.network.nodes[source].size
        moved = _moved(entries, size)
        if isinstance(moved, Identity) and not negated:
            return source
        bias = torch.full((entries.numel(),), float(negated), dtype=torch.float64)
        if negated:
            moved = Compose((moved, Diagonal(torch.full((entries.numel(),), -1.0, dtype=torch.float64))))
        return self.append(Affine(((source, moved),), bias), i)


def _merged(found: list[tuple[int, Tensor]]) -> list[tuple[int, Tensor]]:
    """Each node once."""
    masks: dict[int, Tensor] = {}
    for node, mask in found:
        masks[node] = masks[node] | mask if node in masks else mask
    return list(masks.items())


def _moved(index: Tensor, size: int) -> LinearMap:
    if index.numel() == size and torch.equal(index, torch.arange(size)):
        return Identity(size)
    return Index(index, size)


def _reader(mask: Tensor) -> LinearMap:
    """A map (R, N) that adds up, per row, the entries of the mask, or more where it would be large."""
    rows, size = mask.shape
    counts = mask.sum(-1)
    if bool((counts <= 1).all()):
        index = torch.where(counts > 0, mask.int().argmax(-1), -1)
        return _moved(index, size)
    alike = bool((mask == mask[:1]).all()) or mask.numel() > WRITTEN
    one = mask.any(0) if alike else None
    if one is not None:
        total = Dense(one.double()[None])
        return total if rows == 1 else Compose((total, Index(torch.zeros(rows, dtype=torch.long), 1)))
    return Dense(mask.double())
