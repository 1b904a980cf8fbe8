"""The tree of a search as it was grown by one worker, round by round."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class RecordedTree:
    """What a search split, and how long that took.

    Nodes have numbers: first the `roots` (R,), then the children of each round, all lower ones before all
    upper ones. parents: of all rounds, one after the other; bounds: of these; counts (K,): how many of them
    each round has; seconds, processor (K,): of each round, by the clock and of the processor; attacks (K,):
    what of the processor's were attacks; attack (4,): the numbers of `AttackCost`; batch: parents of a round
    at most. A node that is no parent was refuted.
    """

    roots: int
    parents: Numbers
    bounds: Numbers
    counts: Numbers
    seconds: Numbers
    processor: Numbers
    attacks: Numbers
    attack: Numbers
    batch: int

    @property
    def nodes(self) -> int:
        """How many domains there are, the roots included."""
        return self.roots + 2 * len(self.parents)

    def first_children(self) -> Numbers:
        """The number of each node's lower child, -1 where it was not split; (nodes,)."""
        found = np.full(self.nodes, -1, dtype=np.int64)
        begins = np.concatenate([[0], np.cumsum(self.counts)])
        for begin, end in zip(begins[:-1], begins[1:], strict=True):
            found[self.parents[begin:end]] = self.roots + 2 * begin + np.arange(end - begin)
        return found

    def second_children(self) -> Numbers:
        """The number of each node's upper child, -1 where it was not split; (nodes,)."""
        first, step = self.first_children(), np.full(self.nodes, 0, dtype=np.int64)
        step[self.parents] = np.repeat(self.counts, self.counts)
        return np.where(first < 0, -1, first + step)

    def keys(self) -> Numbers:
        """The bound of each node that was split, +inf for the others; (nodes,)."""
        found = np.full(self.nodes, np.inf)
        found[self.parents] = np.nan_to_num(self.bounds, nan=-np.inf, neginf=-np.inf)
        return found

    def depths(self) -> Numbers:
        """How many splits made each node; (nodes,)."""
        depth, first, second = (np.zeros(self.nodes, dtype=np.int64), *self._children())
        for parent in self.parents.tolist():
            depth[first[parent]] = depth[second[parent]] = depth[parent] + 1
        return depth

    def _children(self) -> tuple[Numbers, Numbers]:
        return self.first_children(), self.second_children()

    def copies(self, count: int) -> RecordedTree:
        """The tree of so many such searches as one, which is that much harder."""
        own = np.arange(count)[:, None]
        places = np.zeros((count, self.nodes), dtype=np.int64)
        places[:, : self.roots] = own * self.roots + np.arange(self.roots)
        ends, parents, bounds = np.cumsum(self.counts), [], []
        for size, end in zip(self.counts.tolist(), ends.tolist(), strict=True):
            begin, first = end - size, self.roots + 2 * (end - size)
            parents.append(places[:, self.parents[begin:end]].ravel())
            bounds.append(np.tile(self.bounds[begin:end], count))
            lower = count * first + own * size + np.arange(size)
            places[:, first : first + size], places[:, first + size : first + 2 * size] = (
                lower,
                lower + count * size,
            )
        grown = np.concatenate(parents), np.concatenate(bounds), count * self.counts
        return replace(self, roots=count * self.roots, parents=grown[0], bounds=grown[1], counts=grown[2])

    def save(self, path: Path) -> None:
        """Write it to a file of numpy."""
        np.savez_compressed(path, **vars(self))

    @staticmethod
    def load(path: Path) -> RecordedTree:
        """The tree in such a file."""
        with np.load(path) as found:
            return RecordedTree(**{n: a if a.shape else int(a) for n, a in found.items()})
