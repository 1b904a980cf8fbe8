"""A proof by many hands: what members note of their parts of the tree, and the one file that all goes into.

A member numbers the nodes that it makes by itself, far from all others; the crew, which alone writes, gives
them the numbers of the file. A domain that moves keeps its number, and what made it is noted before it moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from genbab.branch import Domains
from genbab.driver.record.proving import NodeFile, TreeNotes
from genbab.proof.file import Ints, Slopes

APART = 1 << 40
"""Numbers that each member has for its own nodes; those below the first are the file's."""


@dataclass(frozen=True, eq=False)
class NotedSplits:
    """Splits of nodes (B,) by the names of their tensors; first: the number of the first lower child."""

    nodes: Ints
    tensors: list[str]
    which: Ints
    entries: Ints
    points: npt.NDArray[np.float64]
    first: int


@dataclass(frozen=True, eq=False)
class NotedHints:
    """Backward passes of rows (B, S, O) at nodes (B,), as `ProofFile.hints` takes them."""

    nodes: Ints
    rows: npt.NDArray[Any]
    slopes: Slopes


Note = NotedSplits | NotedHints


@dataclass(eq=False)
class MemberFile:
    """What stands in for the proof's file where a member searches: it keeps notes for the crew."""

    place: int
    notes: list[Note] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._next = APART * (self.place + 1)
        self._tensors: dict[str, int] = {}

    def tensor(self, name: str) -> int:
        """The number of a tensor in splits, here."""
        return self._tensors.setdefault(name, len(self._tensors))

    def split(self, nodes: Ints, tensors: Ints, entries: Ints, points: npt.NDArray[np.float64]) -> Ints:
        """Note splits (B,); the nodes (2B,) of the lower children, then those of the upper ones."""
        lower = self._next + 2 * np.arange(len(nodes), dtype=np.int64)
        self.notes.append(NotedSplits(nodes, list(self._tensors), tensors, entries, points, self._next))
        self._next += 2 * len(nodes)
        return np.concatenate([lower, lower + 1])

    def hints(self, nodes: Ints, rows: npt.NDArray[Any], slopes: Slopes) -> None:
        """Note backward passes."""
        self.notes.append(NotedHints(nodes, rows, slopes))

    def taken(self) -> list[Note]:
        """The notes since the last time."""
        notes, self.notes = self.notes, []
        return notes


class MemberNotes(TreeNotes):
    """What a member notes for the crew, whose notes of the same tree are `whole`."""

    def __init__(self, whole: TreeNotes, place: int) -> None:
        self.mine = MemberFile(place)
        super().__init__(self.mine, whole.network, whole.names)

    def roots(self, domains: Domains) -> Tensor:
        """Not asked of a member: its domains were made by others and have numbers."""
        raise NotImplementedError("the roots of a proof's tree are the crew's")


@dataclass(eq=False)
class ProofMerge:
    """Writes the notes of members into the proof's file, in the order in which they come."""

    file: NodeFile
    _starts: dict[int, list[tuple[int, int]]] = field(default_factory=dict)

    def add(self, notes: Sequence[Note]) -> None:
        """Write notes down; all that they build on was added before."""
        for note in notes:
            nodes = self._numbers(note.nodes)
            if isinstance(note, NotedHints):
                self.file.hints(nodes, note.rows, note.slopes)
                continue
            known = np.asarray([self.file.tensor(name) for name in note.tensors], dtype=np.int64)
            tensors = np.where(note.which < 0, -1, known[note.which] if len(known) else -1)
            made = self.file.split(nodes, tensors, note.entries, note.points)
            if not len(nodes):
                continue
            self._starts.setdefault(note.first // APART, []).append((note.first, int(made[0])))

    def _numbers(self, nodes: Ints) -> Ints:
        """The file's numbers of nodes, as far as members made them."""
        found = nodes.copy()
        for place in set((nodes // APART).tolist()) - {0}:
            mine = nodes // APART == place
            first, here = np.asarray(self._starts[place], dtype=np.int64).T
            which = np.searchsorted(first, nodes[mine], side="right") - 1
            found[mine] = here[which] + nodes[mine] - first[which]
        return found
