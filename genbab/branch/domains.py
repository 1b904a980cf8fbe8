"""Domains: the open boxes of a branch and bound, as immutable batches (take, join, split)."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from genbab.bounds import Chosen, Interval
from genbab.branch.clipping import HalfSpaces
from genbab.problem import Query

INPUT = 0
"""Node number of the input: a split of node 0 is a split of the input box."""


@dataclass(frozen=True, eq=False)
class Warm:
    """Slopes of a domain's last pass at one nonlinear node, with the sides they belong to; (B, S, N) each."""

    slopes: tuple[Tensor, ...]
    upper: Tensor

    def take(self, which: Tensor) -> Warm:
        """The domains selected."""
        return Warm(tuple(k[which] for k in self.slopes), self.upper[which])


@dataclass(frozen=True, eq=False)
class Splits:
    """What to split next, per domain: node (B,), neuron (B,), point (B,); node -1: nothing is left to
    split. gain (B,): what that is expected to gain, where it was estimated.
    """

    node: Tensor
    neuron: Tensor
    point: Tensor
    gain: Tensor | None = None

    def take(self, which: Tensor) -> Splits:
        """The domains selected."""
        gain = None if self.gain is None else self.gain[which]
        return Splits(self.node[which], self.neuron[which], self.point[which], gain)


RECENT = 4
"""Splits of its path that a domain remembers one by one."""


@dataclass(frozen=True, eq=False)
class Path:
    """The last splits that made a domain, newest first: z <= point or, where upper, z >= point of a neuron of
    a node.

    All (B, P); node -1: there was none.
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

    def take(self, which: Tensor) -> Path:
        """The domains selected."""
        return Path(self.node[which], self.neuron[which], self.point[which], self.upper[which])

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
class Domains:
    """A batch of B open domains.

    query: boxes and rows; hidden: intervals of split or tightened nodes (node -> (B, N) pair), cut into the
    root's;
    warm: slopes to start from; bound (B,): certified worst margin; depth (B,); splits: the next split of
    each; path: those that made it; released: neurons split so far (node -> (B, N) mask);
    unsafe: half-spaces of the input in which every unsafe point of the domain lies.
    """

    query: Query
    bound: Tensor
    depth: Tensor
    splits: Splits | None = None
    hidden: dict[int, Interval] = field(default_factory=dict)
    warm: dict[int, Warm] = field(default_factory=dict)
    path: Path | None = None
    released: dict[int, Tensor] = field(default_factory=dict)
    unsafe: HalfSpaces | None = None

    def __len__(self) -> int:
        return len(self.query)

    @property
    def nbytes(self) -> int:
        """Memory held by the batch."""
        tensors = [self.query.lower, self.query.upper, self.query.matrix, self.query.rhs, self.query.clause]
        tensors += [] if self.query.on_input is None else [self.query.on_input]
        tensors += [side for pair in self.hidden.values() for side in pair]
        tensors += [t for w in self.warm.values() for t in (*w.slopes, w.upper)]
        tensors += list(self.released.values())
        tensors += (
            [] if self.path is None else [self.path.node, self.path.neuron, self.path.point, self.path.upper]
        )
        tensors += [] if self.unsafe is None else [self.unsafe.normal, self.unsafe.level]
        return sum(t.numel() * t.element_size() for t in tensors)

    def take(self, which: Tensor) -> Domains:
        """The domains selected by indices or by a mask."""
        return Domains(
            self.query.take(which),
            self.bound[which],
            self.depth[which],
            None if self.splits is None else self.splits.take(which),
            {i: (low[which], high[which]) for i, (low, high) in self.hidden.items()},
            {i: w.take(which) for i, w in self.warm.items()},
            None if self.path is None else self.path.take(which),
            {i: mask[which] for i, mask in self.released.items()},
            None if self.unsafe is None else self.unsafe.take(which),
        )


def root_domains(query: Query, margins: Tensor) -> Domains:
    """The boxes of a query as domains, nothing decided about their splits yet."""
    depth = torch.zeros(len(query), dtype=torch.long, device=margins.device)
    return Domains(query, query.worst(margins), depth)


def join(batches: list[Domains]) -> Domains:
    """One batch of all domains; the batches must have the same parts."""
    if len(batches) == 1:
        return batches[0]
    first = batches[0]
    queries = [b.query for b in batches]
    on_input = None if first.query.on_input is None else _cat([q.on_input for q in queries])
    query = Query(
        _cat([q.lower for q in queries]),
        _cat([q.upper for q in queries]),
        _cat([q.matrix for q in queries]),
        on_input,
        _cat([q.rhs for q in queries]),
        _cat([q.clause for q in queries]),
    )
    splits = None
    if first.splits is not None:
        parts = [b.splits for b in batches if b.splits is not None]
        splits = Splits(
            _cat([s.node for s in parts]),
            _cat([s.neuron for s in parts]),
            _cat([s.point for s in parts]),
            None if first.splits.gain is None else _cat([s.gain for s in parts]),
        )
    hidden = {
        i: (_cat([b.hidden[i][0] for b in batches]), _cat([b.hidden[i][1] for b in batches]))
        for i in first.hidden
    }
    warm = {
        i: Warm(
            tuple(_cat([b.warm[i].slopes[p] for b in batches]) for p in range(len(w.slopes))),
            _cat([b.warm[i].upper for b in batches]),
        )
        for i, w in first.warm.items()
    }
    released = {i: _cat([b.released[i] for b in batches]) for i in first.released}
    halves = [b.unsafe for b in batches if b.unsafe is not None]
    unsafe = HalfSpaces(_cat([h.normal for h in halves]), _cat([h.level for h in halves])) if halves else None
    bound, depth = _cat([b.bound for b in batches]), _cat([b.depth for b in batches])
    paths = [b.path for b in batches if b.path is not None]
    path = (
        Path(*(_cat([getattr(p, k) for p in paths]) for k in ("node", "neuron", "point", "upper")))
        if paths
        else None
    )
    return Domains(query, bound, depth, splits, hidden, warm, path, released, unsafe)


def bisect(parents: Domains) -> Domains:
    """Both children of every domain at its chosen split: first all lower children, then all upper ones.

    The children's boxes tile the parent's: [l, p] and [p, u] of the neuron that is split.
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
    return Domains(boxes, children.bound, depth, None, hidden, children.warm, path, released, children.unsafe)


def warm_from(chosen: dict[int, Chosen]) -> dict[int, Warm]:
    """What the next pass needs of this one."""
    return {i: Warm(c.slopes, c.upper) for i, c in chosen.items()}


def start_from(warm: dict[int, Warm]) -> dict[int, Chosen]:
    """Warm slopes in the form that passes take."""
    return {i: Chosen(w.upper, w.upper, w.slopes, w.upper, ()) for i, w in warm.items()}


def _cat(parts: list[Tensor | None]) -> Tensor:
    return torch.cat([p for p in parts if p is not None])
