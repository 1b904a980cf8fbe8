"""The two networks of a run, and relaxations of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from genbab.bounds.nominal import LINES, NominalSpeed, seconds
from genbab.bounds.relax.curvature import Linearised
from genbab.bounds.relax.relaxation import Masses, Relaxation
from genbab.config import Config
from genbab.kernels import DEFAULT, Kernels
from genbab.network import Compose, Index, Network, rounded
from genbab.network.roundoff import Interval
from genbab.system.clock import WALL, RunClock
from genbab.system.device import kernels_for


@dataclass(frozen=True, eq=False)
class Engine:
    """A network in the two dtypes of a run: `search` finds slopes, `exact` (float64) evaluates what is kept.
    Inner loops run in `kernels`. memory: bytes for bounds; check: called often, raises what ends the work;
    clock: is told of the work, and tells the time that parts of it get.
    """

    exact: Network
    search: Network
    memory: int
    check: Callable[[], None] = field(default=lambda: None)
    kernels: Kernels = DEFAULT
    clock: RunClock = WALL

    @staticmethod
    def of(
        network: Network,
        config: Config,
        device: torch.device,
        check: Callable[[], None],
        clock: RunClock = WALL,
    ) -> Engine:
        """The network in the dtypes that the settings name, on the device, with the kernels they name.

        Raises `ResourceError` or `UsageError` where there are no such kernels.
        """
        exact = network.to(torch.float64, device)
        search = exact.to(torch.float32 if config.search_dtype == "float32" else torch.float64, device)
        if config.search_products == "bfloat16":
            search = rounded(search, torch.bfloat16)
        return Engine(exact, search, config.memory, check, kernels_for(config.backend, device), clock)

    @cached_property
    def dtype(self) -> torch.dtype:
        """The search dtype."""
        return next((node.bias.dtype for node in self.search.affine.values()), torch.float64)

    @property
    def search_bytes(self) -> int:
        """Bytes of a number of the search."""
        return torch.finfo(self.dtype).bits // 8

    def relaxed(
        self, intervals: list[Interval], masses: Masses | None = None, linear: Linearised | None = None
    ) -> Relaxations:
        """The relaxations on these intervals."""
        made = Relaxations(
            Relaxation(self.exact, intervals, torch.float64, masses, linear, self.kernels, self.check),
            Relaxation(self.search, intervals, self.dtype, masses, None, self.kernels, self.check),
        )
        self.clock.worked(lambda: seconds(self.exact, self.exact.output, made.exact.batch, LINES))
        return made

    def worked(self, at: NominalSpeed, rows: int, target: int | None = None, times: int = 1) -> None:
        """Tell the clock of work for so many rows of a node (default: the output), done so often."""
        node = self.exact.output if target is None else target
        self.clock.worked(lambda: times * seconds(self.exact, node, rows, at))

    def asked(self, bounds: Tensor) -> bool:
        """A `Stop` that never stops but minds the time."""
        self.check()
        return False

    def cast(self, interval: Interval) -> Interval:
        """A box in the search dtype (nearest: it only guides slopes)."""
        return interval[0].to(self.dtype), interval[1].to(self.dtype)


@dataclass(frozen=True, eq=False)
class Relaxations:
    """One list of intermediate bounds, relaxed in both dtypes: `exact` evaluates, `search` finds slopes."""

    exact: Relaxation
    search: Relaxation

    @property
    def intervals(self) -> list[Interval]:
        """The intermediate bounds: per node (B, N), float64."""
        return self.exact.intervals

    def moved(self, intervals: list[Interval]) -> Relaxations:
        """The relaxations on other intermediate bounds; what has not changed is kept."""
        return Relaxations(self.exact.moved(intervals), self.search.moved(intervals))


def copies(network: Network, i: int) -> Tensor:
    """For each neuron (N,) of node i, the first neuron that is a copy of the same number (itself if none is).

    Expanded operands (of a product of two matrices, say) repeat each number many times; one row serves them
    all.
    """
    size, node = network.nodes[i].size, network.affine.get(i)
    alone = torch.arange(size)
    if node is None or not node.terms:
        return alone
    constant, roundoff = node.uncertainty.constant, node.uncertainty.roundoff
    if roundoff is not None and roundoff.local:
        return alone.to(node.bias.device)
    also = (constant, None if roundoff is None else roundoff.relative)
    keys = [node.bias, *(numbers for numbers in also if numbers is not None)]
    for _, one in (*node.terms, *node.uncertainty.weights):
        last = one.maps[-1] if isinstance(one, Compose) else one
        if not isinstance(last, Index):
            return alone.to(node.bias.device)
        keys.append(last.index.to(node.bias.dtype))
    _, group = torch.unique(torch.stack(keys), dim=1, return_inverse=True)
    first = torch.full((int(group.max()) + 1,), size, device=group.device)
    first.scatter_reduce_(0, group, alone.to(group.device), "amin")
    return first[group]
