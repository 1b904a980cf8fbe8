"""What a crew says to its members, and they to it; every message is plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt
import torch

from genbab.branch import SearchOutcome, SearchProgress, Tally
from genbab.branch.open.packing import PackedDomains, Packing
from genbab.branch.open.pool import keys_of
from genbab.driver.crew.proving import Note
from genbab.errors import GenbabError, ResourceError
from genbab.result import Counterexample
from genbab.system.coding import Coder, numbers, tensor_of

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Parcel:
    """Packed domains as arrays, to be sent; worst: the least of their bounds."""

    origin: Array
    columns: tuple[Array, ...]
    values: tuple[Array, ...]
    worst: float

    def __len__(self) -> int:
        return len(self.origin)

    @staticmethod
    def of(packed: PackedDomains, packing: Packing) -> Parcel:
        """What is to be sent of these domains, at least one."""
        columns, values = (tuple(map(numbers, ts)) for ts in (packed.columns, packed.values))
        worst = float(keys_of(packing.bounds(packed)).min())
        return Parcel(numbers(packed.origin), columns, values, worst)

    def packed(self, device: torch.device) -> PackedDomains:
        """The domains that were sent."""
        columns, values = (tuple(tensor_of(a, device) for a in some) for some in (self.columns, self.values))
        return PackedDomains(tensor_of(self.origin, device), columns, values)


@dataclass(frozen=True, eq=False)
class Baggage:
    """Any value that a coder writes, to be sent."""

    tree: Any
    arrays: list[Array]

    @staticmethod
    def of(value: Any, coder: Coder) -> Baggage:
        """What is to be sent of a value."""
        tensors: list[torch.Tensor] = []
        tree = coder.write(value, tensors)
        return Baggage(tree, [numbers(t) for t in tensors])

    def value(self, coder: Coder, device: torch.device) -> Any:
        """The value that was sent."""
        return coder.read(self.tree, [tensor_of(a, device) for a in self.arrays])


@dataclass(frozen=True, eq=False)
class Take:
    """To a member: these domains are yours."""

    parcel: Parcel


@dataclass(frozen=True)
class Give:
    """To a member: hand over so many open domains, at most half of them, or all; it answers `Handed`."""

    count: int
    everything: bool = False


@dataclass(frozen=True)
class Reveal:
    """To a member: say what you have open, and keep it; it answers `Revealed`."""


@dataclass(frozen=True, eq=False)
class Divide:
    """To a member: split this region; it answers `Halved`. seconds: what bounding a region takes."""

    region: Baggage
    seconds: float


@dataclass(frozen=True, eq=False)
class Handed:
    """From a member: the domains that were asked for, which are its own no more; None if it has too few."""

    parcel: Parcel | None


@dataclass(frozen=True, eq=False)
class Revealed:
    """From a member: all that it has open after so many `Take`; None: nothing, or, for `trouble`, unknown."""

    taken: int
    parcel: Parcel | None
    trouble: str = ""


@dataclass(frozen=True, eq=False)
class Noted:
    """From a member: what a proof has to know of its part of the tree since it last said so.

    unnamed: nodes that it split and that are no tensors of the file.
    """

    notes: list[Note]
    unnamed: frozenset[str]


@dataclass(frozen=True)
class Report:
    """From a member: where its part stands.

    taken: how many `Take` it has followed; progress: of all its rounds, but `gained`, `splits` and `seconds`,
    which are of those since its last report; stopped: why it can do no more, "time" or "memory: ...";
    scouting: whether it still makes the first attacks, and has nothing open.
    """

    taken: int
    progress: SearchProgress
    least: float
    given_up: float
    stopped: str = ""
    clauses: tuple[int, ...] = ()
    scouting: bool = False


NOTHING = Report(0, SearchProgress(bound=float("inf")), float("inf"), float("inf"))
"""What a member says before it has said anything."""


@dataclass(frozen=True, eq=False)
class Halved:
    """From a member: a `Divided`; None where the region has no split."""

    divided: Baggage | None
    seconds: float


@dataclass(frozen=True, eq=False)
class Found:
    """From a member: a counterexample, which it replayed; or why nothing can be proved."""

    counterexample: Counterexample | None = None
    hopeless: str = ""


@dataclass(frozen=True)
class Failed:
    """From a member, or of one: what went wrong; whether memory was short, whether it is lost altogether."""

    text: str
    memory: bool = False
    lost: bool = False

    def error(self) -> GenbabError:
        """The same for people."""
        if self.memory:
            short = f"not enough memory for several workers ({self.text.strip()}); try fewer"
            return ResourceError(short)
        return GenbabError(f"a worker failed:\n{self.text}")


@dataclass(frozen=True)
class Concluded:
    """From one that decides alone: how its search ended, of all that was asked."""

    outcome: SearchOutcome


Order = Take | Give | Reveal | Divide
Answer = Report | Handed | Revealed | Noted | Halved | Found | Failed | Concluded


@dataclass(eq=False)
class Sums:
    """What a member did since its last report: sums of rounds."""

    tally: Tally = field(default_factory=Tally)
    splits: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def gained(self) -> tuple[float, float, float, float, float, float]:
        """As in `SearchProgress`."""
        return self.tally.sums

    def add(self, progress: SearchProgress) -> None:
        """Count a round."""
        self.tally.add(progress.gained)
        self.splits += progress.splits
        for part, seconds in progress.seconds.items():
            self.seconds[part] = self.seconds.get(part, 0.0) + seconds
