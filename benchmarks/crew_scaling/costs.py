"""What things cost: a round of a worker, a message, a look of the hub, a start."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from crew_scaling.tree import Numbers, RecordedTree
from genbab.driver.crew.crew import ENOUGH


@dataclass(frozen=True)
class Linear:
    """Seconds of something with n parts: `fixed` + `each` * n."""

    fixed: float
    each: float

    def __call__(self, parts: int) -> float:
        """Seconds."""
        return self.fixed + self.each * parts

    @staticmethod
    def fitted(parts: Numbers, seconds: Numbers) -> Linear:
        """What fits measured times (K,), short ones no less than long ones; the sum over all is theirs."""
        weights = 1 / np.maximum(seconds, 1e-9)
        table = np.stack([np.ones(len(parts)), parts], 1) * weights[:, None]
        fixed, each = np.linalg.lstsq(table, np.ones(len(parts)), rcond=None)[0]
        fixed, each = max(0.0, float(fixed)), max(0.0, float(each))
        whole = fixed * len(parts) + each * float(parts.sum())
        scale = float(seconds.sum()) / whole if whole else 0.0
        return Linear(scale * fixed, scale * each)


@dataclass(frozen=True)
class AttackCost:
    """Seconds of one attack; of the first worker when its search begins: those taken by attacks, those gone
    since its clock began, and how many attacks there were.
    """

    seconds: float = 0.0
    taken: float = 0.0
    gone: float = 0.0
    rounds: int = 0


@dataclass(frozen=True)
class HubCost:
    """Seconds of the hub with N workers.

    look: of one look at all pipes, with what follows it; message: of taking one message in, more.
    """

    look: Linear
    message: Linear

    def seconds(self, workers: int, messages: int) -> float:
        """Seconds of one look that finds so many messages."""
        return self.look(workers) + messages * self.message(workers)


@dataclass(frozen=True)
class Place:
    """Where workers are: this machine, or a cluster.

    latency: seconds of a message; bandwidth: bytes a second; start, apart: seconds until a worker is there,
    one after the other or all at once; end: seconds of ending one; slower: how many times as long a round
    takes with others at work on the machine; hub: what each message costs it beyond that of a pipe; cores:
    that workers share, 0: each has its own; enough: open domains per worker for which they are started.
    """

    name: str
    latency: float
    bandwidth: float
    start: float
    apart: float
    end: float
    slower: float
    hub: float = 0.0
    cores: int = 0
    enough: float = ENOUGH

    def stretch(self, workers: int) -> float:
        """How many times as long as its processor's time a worker takes."""
        return max(1.0, workers / self.cores) if self.cores else 1.0


@dataclass(frozen=True)
class Wire:
    """Bytes of a message without domains, and of each domain in one; seconds of moving a domain, per side."""

    report: int
    domain: float
    handling: float


@dataclass(frozen=True)
class Costs:
    """All costs of one instance. serial: seconds before and after its search."""

    round: Linear
    attack: AttackCost
    hub: HubCost
    wire: Wire
    serial: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values."""
        return asdict(self)

    def free(self) -> Costs:
        """The same where only rounds cost anything."""
        free = HubCost(Linear(0.0, 0.0), Linear(0.0, 0.0))
        return replace(self, attack=AttackCost(), hub=free, wire=Wire(0, 0.0, 0.0), serial=0.0)


IDEAL = Place("nowhere", 0.0, float("inf"), 0.0, 0.0, 0.0, 1.0)
"""A place where messages and starts take no time."""


def cluster(slower: float) -> Place:
    """Machines in a network of 10 Gbit/s: what each message takes is assumed, not measured."""
    return Place("cluster", 1e-3, 1.25e9, 0.0, 5.0, 0.0, slower, 5e-5)


def round_cost(tree: RecordedTree) -> Linear:
    """The cost of a round by the processor's time, which a busy machine changes less; without attacks."""
    return Linear.fitted(tree.counts, tree.processor - tree.attacks)


def attack_cost(tree: RecordedTree) -> AttackCost:
    """The cost of attacks: what one took in the search, or the last one before it."""
    last, taken, gone, rounds = tree.attack.tolist()
    return AttackCost(last, taken, gone, int(rounds))
