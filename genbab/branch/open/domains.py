"""Domains: the open boxes of a branch and bound, as immutable batches (take, join, split)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from genbab.bounds import Interval, WarmStart
from genbab.network import Input
from genbab.problem import Query

INPUT = 0
"""Node number of the input: a split of node 0 is a split of the input box."""


@dataclass(frozen=True, eq=False)
class Splits:
    """What to split next, per domain.

    node (B,), -1: nothing is left to split; neuron (B,); point (B,); gain (B,): what that is expected to
    gain, where it was estimated.
    """

    node: Tensor
    neuron: Tensor
    point: Tensor
    gain: Tensor | None = None


RECENT = 4
"""Splits of its path that a domain remembers one by one."""


@dataclass(frozen=True, eq=False)
class Path:
    """The last splits that made a domain, newest first.

    z <= point or, where upper, z >= point of a neuron of a node. All (B, P); node -1: there was none.
    """

    node: Tensor
    neuron: Tensor
    point: Tensor
    upper: Tensor

    @staticmethod
    def none(count: int, device: torch.device) -> Path:
        """No splits yet."""
        nothing = torch.full((count, RECENT), -1, device=device)
        return Path(
            nothing, nothing, torch.zeros(count, RECENT, dtype=torch.float64, device=device), nothing > 0
        )

    def longer(self, node: int, neuron: int, point: float, upper: bool) -> Path:
        """The paths with one more split, the same for all."""

        def first(new: float, old: Tensor) -> Tensor:
            return torch.cat([torch.full_like(old[:, :1], new), old[:, :-1]], 1)

        return Path(
            first(node, self.node),
            first(neuron, self.neuron),
            first(point, self.point),
            first(upper, self.upper),
        )

    def split(self, splits: Splits) -> Path:
        """The paths of the children: first all lower ones, then all upper ones."""

        def longer(new: Tensor, old: Tensor) -> Tensor:
            return torch.cat([new[:, None], old[:, :-1]], 1).repeat(2, 1)

        node, neuron = longer(splits.node, self.node), longer(splits.neuron, self.neuron)
        upper = longer(self.upper.new_zeros(len(self.upper)), self.upper)
        upper[len(self.upper) :, 0] = True
        return Path(node, neuron, longer(splits.point, self.point), upper)


@dataclass(frozen=True, eq=False)
class HalfSpaces:
    """<normal, x> <= level: normal (B, H, D), level (B, H), float64. A normal of zeros says nothing."""

    normal: Tensor
    level: Tensor

    def take(self, which: Tensor) -> HalfSpaces:
        """The boxes selected."""
        return HalfSpaces(self.normal[which], self.level[which])

    def usable(self) -> HalfSpaces:
        """Those that are finite; the others replaced by ones that say nothing."""
        good = torch.isfinite(self.normal).all(-1) & torch.isfinite(self.level)
        good &= (self.normal != 0).any(-1)
        return HalfSpaces(torch.where(good[..., None], self.normal, 0.0), torch.where(good, self.level, 0.0))


@dataclass(frozen=True, eq=False)
class Domains:
    """A batch of B open domains.

    query: boxes and rows; hidden: intervals of split or tightened nodes (node -> (B, N) pair), cut into the
    root's;
    warm: slopes to start from; bound (B,): certified worst margin; depth (B,); splits: the next split of
    each; path: those that made it; released: neurons split so far (node -> (B, N) mask);
    unsafe: half-spaces of the input in which every unsafe point of the domain lies; origin (B,): the domain
    of the search's root that each lies in; corner (B, D): inputs to attack from, not kept in the pool; number
    (B,): the nodes of the tree that a proof has for them, where one is written.
    """

    query: Query
    bound: Tensor
    depth: Tensor
    splits: Splits | None = None
    hidden: dict[int, Interval] = field(default_factory=dict)
    warm: WarmStart = field(default_factory=WarmStart)
    path: Path | None = None
    released: dict[int, Tensor] = field(default_factory=dict)
    unsafe: HalfSpaces | None = None
    origin: Tensor | None = None
    corner: Tensor | None = None
    number: Tensor | None = None

    def __len__(self) -> int:
        return len(self.query)

    @property
    def nbytes(self) -> int:
        """Memory held by the batch."""
        return sum(t.numel() * t.element_size() for t in self.tensors())

    def tensors(self) -> list[Tensor]:
        """Every tensor of the batch, in the order in which `mapped` meets them."""
        found: list[Tensor] = []

        def note(t: Tensor) -> Tensor:
            found.append(t)
            return t

        self.mapped(note)
        return found

    def take(self, which: Tensor) -> Domains:
        """The domains selected by indices or by a mask."""
        return self.mapped(lambda t: t[which])

    def mapped(self, change: Callable[[Tensor], Tensor]) -> Domains:
        """The batch with every tensor replaced by what `change` makes of it, always in the same order."""

        def maybe(t: Tensor | None) -> Tensor | None:
            return None if t is None else change(t)

        query, splits, path, unsafe = self.query, self.splits, self.path, self.unsafe
        return Domains(
            Query(
                change(query.lower),
                change(query.upper),
                change(query.matrix),
                maybe(query.on_input),
                change(query.rhs),
                change(query.clause),
            ),
            change(self.bound),
            change(self.depth),
            splits
            and Splits(change(splits.node), change(splits.neuron), change(splits.point), maybe(splits.gain)),
            {i: (change(self.hidden[i][0]), change(self.hidden[i][1])) for i in sorted(self.hidden)},
            self.warm.mapped(change),
            path and Path(change(path.node), change(path.neuron), change(path.point), change(path.upper)),
            {i: change(self.released[i]) for i in sorted(self.released)},
            unsafe and HalfSpaces(change(unsafe.normal), change(unsafe.level)),
            maybe(self.origin),
            maybe(self.corner),
            maybe(self.number),
        )


Bound = Callable[[Domains], Domains]
"""Bounds a batch of children and decides their next splits; the result has `bound` and `splits` set."""


def root_domains(query: Query, margins: Tensor) -> Domains:
    """The boxes of a query as domains, nothing decided about their splits yet."""
    depth = torch.zeros(len(query), dtype=torch.long, device=margins.device)
    return Domains(query, query.worst(margins), depth)


def cut_inputs(domains: Domains, entry: Input) -> Domains:
    """The domains with their boxes cut to what the inputs can be: integers, say."""
    if entry.whole is None:
        return domains
    lower, upper = entry.cut(domains.query.lower, domains.query.upper)
    hidden = domains.hidden
    if INPUT in hidden:
        hidden = {**hidden, INPUT: entry.cut(*hidden[INPUT])}
    return replace(domains, query=replace(domains.query, lower=lower, upper=upper), hidden=hidden)


def join(batches: list[Domains]) -> Domains:
    """One batch of all domains; the batches must have the same parts."""
    if len(batches) == 1:
        return batches[0]
    columns = zip(*(b.tensors() for b in batches), strict=True)
    return batches[0].mapped(lambda _: torch.cat(next(columns)))


def bisect(parents: Domains) -> Domains:
    """Both children of every domain at its chosen split: first all lower children, then all upper ones.

    The children's boxes tile the parent's: [l, p] and [p, u] of the neuron that is split. Until they are
    bounded, their `splits` are those that made them, and inputs of integers end halfway between two.
    """
    splits = parents.splits
    assert splits is not None
    both = torch.arange(len(parents), device=parents.bound.device).repeat(2)
    children = parents.take(both)
    query, count = children.query, len(parents)
    lower, upper = query.lower.clone(), query.upper.clone()
    hidden = {i: (low.clone(), high.clone()) for i, (low, high) in children.hidden.items()}
    released = {i: mask.clone() for i, mask in children.released.items()}
    for node in sorted(set(splits.node.tolist())):
        rows = (splits.node == node).nonzero().squeeze(-1)
        low, high = (lower, upper) if node == INPUT else hidden[node]
        high[rows, splits.neuron[rows]] = splits.point[rows].to(high.dtype)
        low[rows + count, splits.neuron[rows]] = splits.point[rows].to(low.dtype)
        if node in released:
            released[node][torch.cat([rows, rows + count]), splits.neuron[rows].repeat(2)] = True
        if node == INPUT and INPUT in hidden:
            hidden[INPUT] = (lower.clone(), upper.clone())
    boxes = Query(lower, upper, query.matrix, query.on_input, query.rhs, query.clause)
    path = None if parents.path is None else parents.path.split(splits)
    depth = children.depth + 1
    return replace(children, query=boxes, depth=depth, hidden=hidden, path=path, released=released)
