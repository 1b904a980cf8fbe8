"""The pool of open domains: worst bound first, within a memory budget; what does not fit is spilled.

Batches are kept packed in a few segments, each at most half as long as the one before, so that a domain is
copied a logarithmic number of times. When they exceed the budget the half of the domains with the best
bounds, which are wanted last, is spilled, sorted, in blocks; a block comes back when its worst bound
is among those asked for.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from genbab.amounts import machine_memory
from genbab.branch.open.domains import Domains, join
from genbab.branch.open.packing import PackedDomains, Packing
from genbab.branch.open.spill import Block, Spill, SpillFull

__all__ = ["Pool", "SpillFull"]

FULL = 0.75
"""Share of the memory at which half of the pool is put away; copies of a segment need the rest."""

LARGEST = 1 / 16
"""Share of the memory that one segment or block may take."""


@dataclass(eq=False)
class _Segment:
    """Packed domains; rows (L,) of them are still in the pool, with these keys (L,)."""

    packed: PackedDomains
    rows: Tensor
    key: Tensor

    @property
    def nbytes(self) -> int:
        return self.packed.nbytes + 16 * len(self.rows)

    def without(self, gone: Tensor) -> _Segment:
        """What is left without the rows of a mask; rewritten when less than half of it is alive."""
        rows, key = self.rows[~gone], self.key[~gone]
        if 2 * len(rows) > len(self.packed):
            return _Segment(self.packed, rows, key)
        return _Segment(self.packed.take(rows), torch.arange(len(rows), device=rows.device), key)


@dataclass(frozen=True, eq=False)
class _Spilled:
    """A spilled block: its least key, how many domains it has, and the root's domains they lie in."""

    least: float
    number: int
    block: Block
    count: int
    origins: Tensor

    def __lt__(self, other: _Spilled) -> bool:
        return (self.least, self.number) < (other.least, other.number)


class Pool:
    """The open domains below `root`, at first those of the root that are not refuted.

    memory: bytes that it may take. A bound that is not a number counts as the worst.
    """

    def __init__(self, root: Domains, memory: int) -> None:
        root = replace(root, origin=torch.arange(len(root), device=root.bound.device), corner=None)
        self.packing, self.memory = Packing(root), memory
        self.away = 0
        self._segments: list[_Segment] = []
        self._away: list[_Spilled] = []
        self._spill = Spill(root.bound.device, machine_memory() // 4)
        opened = root.take(~(root.bound > 0))
        self._fresh: Domains | None = opened if len(opened) else None

    @classmethod
    def holding(cls, root: Domains, open_: Iterable[PackedDomains], memory: int) -> Pool:
        """The pool of a search that began with `root`, with these domains open; raises `SpillFull`."""
        pool = cls(root, memory)
        pool._fresh = None
        for packed in open_:
            pool.put(packed)
        return pool

    def __len__(self) -> int:
        fresh = 0 if self._fresh is None else len(self._fresh)
        return fresh + sum(len(s.rows) for s in self._segments) + sum(a.count for a in self._away)

    @property
    def nbytes(self) -> int:
        """Memory held."""
        fresh = 0 if self._fresh is None else self._fresh.nbytes
        return fresh + sum(s.nbytes for s in self._segments)

    @property
    def worst(self) -> float:
        """The smallest bound of an open domain; +inf when there is none."""
        here = [float(s.key.min()) for s in self._segments]
        here += [] if self._fresh is None else [float(keys_of(self._fresh.bound).min())]
        return min(here + [a.least for a in self._away[:1]], default=float("inf"))

    @property
    def clauses(self) -> Tensor:
        """Numbers of the clauses that are open somewhere, each once; -1 may be among them."""
        self._settle()
        origins = [s.packed.origin[s.rows] for s in self._segments] + [a.origins for a in self._away]
        table = self.packing.root.query.clause
        return torch.unique(table[torch.unique(torch.cat(origins))]) if origins else table.new_zeros(0)

    def push(self, domains: Domains) -> None:
        """Add open domains; raises `SpillFull` when they fit neither here nor elsewhere."""
        if not len(domains):
            return
        self._settle()
        self._fresh = replace(domains, corner=None)
        if self.nbytes > FULL * self.memory:
            self._settle()
        self._fit()

    def pop(self, size: int) -> Domains:
        """The `size` domains with the worst bounds, or all, removed from the pool."""
        fresh = self._fresh
        if fresh is not None and len(fresh) <= size and not self._segments and not self._away:
            self._fresh = None
            return fresh
        self._settle()
        while self._away and self._away[0].least < self._last(size):
            packed = self._spill.get(self._away[0].block)  # which may fail, and then nothing is lost
            heapq.heappop(self._away)
            self._add(packed, keys_of(self.packing.bounds(packed)))
        chosen = self._smallest(min(size, sum(len(s.rows) for s in self._segments)))
        return join([self.packing.unpack(part) for part in self._removed(chosen)])

    def packed(self) -> Iterator[PackedDomains]:
        """All open domains, which stay; raises `SpillFull` where what was put away cannot be read."""
        self._settle()
        for segment in self._segments:
            yield segment.packed.take(segment.rows)
        for away in self._away:
            yield self._spill.read(away.block)

    def put(self, packed: PackedDomains) -> None:
        """Add domains of the same root that are packed; raises `SpillFull` as `push`."""
        if not len(packed):
            return
        self._settle()
        self._add(packed, keys_of(self.packing.bounds(packed)))
        self._fit()

    def share(self, count: int) -> PackedDomains | None:
        """Remove `count` of the domains in memory, at most half: every other one in the order of bounds.

        So what goes and what stays are about as hard. None where there is none to give.
        """
        self._settle()
        keys = torch.cat([s.key for s in self._segments]) if self._segments else torch.zeros(0)
        some = min(count, len(keys) // 2)
        if some < 1:
            return None
        given = torch.zeros(len(keys), dtype=torch.bool, device=keys.device)
        given[keys.argsort(stable=True)[1 : 2 * some : 2]] = True
        parts = torch.split(given, [len(s.rows) for s in self._segments])
        return self.packing.join(self._removed(parts))

    def drained(self) -> PackedDomains | None:
        """Remove all domains, None where there are none; raises `SpillFull` where they cannot be read."""
        parts = [packed for packed in self.packed() if len(packed)]
        for away in self._away:
            self._spill.free(away.block)
        self._segments, self._away = [], []
        return self.packing.join(parts) if parts else None

    def _removed(self, chosen: Sequence[Tensor]) -> list[PackedDomains]:
        """The domains that a mask per segment chooses, which leave the pool."""
        parts, left = [], []
        for segment, mask in zip(self._segments, chosen, strict=True):
            if bool(mask.any()):
                parts.append(segment.packed.take(segment.rows[mask]))
                segment = segment.without(mask)
            if len(segment.rows):
                left.append(segment)
        self._segments = left
        return parts

    def _fit(self) -> None:
        """Put domains away where those here exceed the memory; raises `SpillFull`."""
        if self.nbytes > FULL * self.memory:
            self._put_away()

    def _settle(self) -> None:
        """Pack what was pushed last, which until then is kept as it is: often it is all that there is."""
        fresh, self._fresh = self._fresh, None
        if fresh is not None:
            self._add(self.packing.pack(fresh), keys_of(fresh.bound))

    def _add(self, packed: PackedDomains, key: Tensor) -> None:
        """A new segment, joined with those before that are not much longer."""
        new = _Segment(packed, torch.arange(len(packed), device=key.device), key)
        while self._segments and len(self._segments[-1].rows) <= 2 * len(new.rows):
            last = self._segments[-1]
            if last.nbytes + new.nbytes > LARGEST * self.memory:
                break
            self._segments.pop()
            joined = self.packing.join([last.packed.take(last.rows), new.packed])
            rows = torch.arange(len(joined), device=key.device)
            new = _Segment(joined, rows, torch.cat([last.key, new.key]))
        self._segments.append(new)

    def _last(self, size: int) -> float:
        """The key of the `size`-th worst domain in memory; +inf when there are fewer."""
        keys = torch.cat([s.key for s in self._segments]) if self._segments else torch.zeros(0)
        return float(keys.kthvalue(size).values) if len(keys) >= size else float("inf")

    def _smallest(self, count: int) -> list[Tensor]:
        """Masks of the `count` domains of smallest key, per segment; of equal ones those that came first."""
        keys = torch.cat([s.key for s in self._segments])
        if count == len(keys):
            chosen = torch.ones_like(keys, dtype=torch.bool)
        else:
            last = keys.kthvalue(count).values
            chosen = keys < last
            equal = (keys == last).nonzero().squeeze(-1)
            chosen[equal[: count - int(chosen.sum())]] = True
        return list(torch.split(chosen, [len(s.rows) for s in self._segments]))

    def _put_away(self) -> None:
        """Move the half with the best bounds elsewhere, sorted, block by block."""
        total = sum(len(s.rows) for s in self._segments)
        if total < 2:  # the last one is wanted next, whatever it takes
            return
        kept = self._smallest((total + 1) // 2)
        best = [_Segment(s.packed, s.rows[~m], s.key[~m]) for s, m in zip(self._segments, kept, strict=True)]
        keys = torch.cat([s.key for s in best])
        source = torch.cat([torch.full_like(s.rows, n) for n, s in enumerate(best)])
        rows = torch.cat([s.rows for s in best])
        each = max(1, int(LARGEST * self.memory * total / max(1, self.nbytes)))
        for part in torch.split(keys.argsort(stable=True), each):
            wanted = [(n, rows[part[source[part] == n]]) for n in range(len(best))]
            packed = self.packing.join([best[n].packed.take(own) for n, own in wanted if len(own)])
            block = self._spill.put(packed)
            self.away += packed.nbytes
            away = _Spilled(float(keys[part[0]]), self.away, block, len(part), torch.unique(packed.origin))
            heapq.heappush(self._away, away)
        del best
        for number, mask in enumerate(kept):
            segment = self._segments[number]
            rows = segment.rows[mask]
            few = torch.arange(len(rows), device=rows.device)
            self._segments[number] = _Segment(segment.packed.take(rows), few, segment.key[mask])
        self._segments = [s for s in self._segments if len(s.rows)]


def keys_of(bound: Tensor) -> Tensor:
    """What the pool is sorted by: the bounds, with the least in place of what is not a number."""
    return bound.nan_to_num(nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf)
