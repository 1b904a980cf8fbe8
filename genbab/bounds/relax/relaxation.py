"""The lines and planes of all functions of a network on a batch of boxes.

A `Relaxation` belongs to one network, one list of intervals and one dtype. It computes a node's lines when
they are first asked for; nobody else writes into it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

from genbab.bounds.relax.contraction import Contracted, contracted
from genbab.bounds.relax.curvature import Linearised
from genbab.bounds.relax.lines import Lines, shaped
from genbab.kernels import DEFAULT, Kernels
from genbab.network import Network, contractions
from genbab.network.interval import Ask, affine_doubt, affine_mass
from genbab.network.roundoff import Interval, gamma, underflow
from genbab.nonlinear.groups.grouped import group_box
from genbab.nonlinear.groups.kind import GroupBox
from genbab.nonlinear.groups.softmax import SoftmaxBox
from genbab.nonlinear.lines.box import go_on

T = TypeVar("T")

Masses = Mapping[int, tuple[int, Tensor]]
"""Per affine node, what `Relaxation.mass` says."""


@dataclass(eq=False)
class Relaxation:
    """Lines of all nonlinear nodes of `network` on `intervals` (per node (B, N), float64), in `dtype`.

    masses: known ones of boxes that these lie in; linear: the arguments of products on the same boxes, where
    they are known. Passes go through the lines by `kernels`. `ask` is called before each node of a pass, and
    between pieces of long work at one; what it raises ends the work.
    """

    network: Network
    intervals: list[Interval]
    dtype: torch.dtype
    masses: Masses | None = None
    linear: Linearised | None = None
    kernels: Kernels = DEFAULT
    ask: Ask = go_on
    _kept: dict[tuple[str, int], Any] = field(default_factory=dict, init=False, repr=False)

    @property
    def batch(self) -> int:
        """Number of domains B."""
        return max(interval[0].shape[0] for interval in self.intervals)

    def moved(self, intervals: list[Interval]) -> Relaxation:
        """The relaxation on other boxes.

        What was computed for nodes whose sources kept the very same tensors is kept too; where planes depend
        on a node's own interval, if that was kept.
        """
        same = [new is old for new, old in zip(intervals, self.intervals, strict=True)]
        still = [all(same[s] for s in node.sources) for node in self.network.nodes]
        still = [kept and (i not in self.network.implicit or same[i]) for i, kept in enumerate(still)]
        masses = {i: mass for i, mass in (self.masses or {}).items() if still[i]}
        other = replace(self, intervals=intervals, masses=masses)
        other._kept = {(what, i): value for (what, i), value in self._kept.items() if still[i]}
        return other

    def _once(self, what: str, i: int, make: Callable[[], T]) -> T:
        """What `make` finds for node i, found once."""
        if (what, i) not in self._kept:
            self._kept[what, i] = make()
        return cast(T, self._kept[what, i])

    def lines(self, i: int) -> Lines:
        """The lines of nonlinear node i."""

        def make() -> Lines:
            node = self.network.nonlinear[i]
            boxes = tuple(shaped(self.intervals[a], self.dtype) for a in node.args)
            return Lines(node.fn, boxes, self.kernels, self.ask)

        return self._once("lines", i, make)

    def groups(self, i: int) -> GroupBox:
        """What grouped node i offers on its arguments' boxes."""

        def make() -> GroupBox:
            node = self.network.grouped[i]
            boxes = [shaped(self.intervals[a], self.dtype) for a in node.args]
            return group_box(node.fn, boxes, shaped(self.intervals[i], self.dtype))

        return self._once("groups", i, make)

    def ready(self, i: int) -> Any:
        """What the kernels want of node i, a function that they take.

        Its boxes, or what is known of the softmax that it is.
        """

        def make() -> Any:
            if i in self.network.grouped:
                box = self.groups(i)
                assert isinstance(box, SoftmaxBox)
                return self.kernels.softmax_ready(box.facts)
            lines = self.lines(i)
            assert lines.hot is not None
            return self.kernels.prepare(lines.hot, lines.boxes)

        return self._once("ready", i, make)

    def contracted(self, i: int) -> Contracted | None:
        """The matrix product that product node i belongs to, with default planes; None if there is none."""
        of = self.network.once(contractions).get(i)
        if of is None or self.dtype != self.intervals[of.left.node][0].dtype:
            return None
        factors = of.left.node, of.right.node

        def make() -> Contracted | None:
            left, right = (self.intervals[a] for a in factors)
            doubts = [affine_doubt(self.network, a, self.intervals) for a in factors]
            return contracted(of, left, right, (doubts[0], doubts[1]))

        return self._once("contracted", i, make)

    def mass(self, i: int) -> tuple[int, Tensor]:
        """The length n of the longest sums of affine node i, and the scale of their roundings.

        That is, over its sources' boxes, a mass (B, N) with γ_n·mass >= γ_n·(|W||x| + |bias|) + what the
        node's uncertainty says. A sum of a backward pass goes on over other nodes, hence their number is
        added to the length.
        """
        if self.masses and i in self.masses:
            return self.masses[i]

        def make() -> tuple[int, Tensor]:
            node = self.network.affine[i]
            terms = sum(one.terms + 1 for _, one in node.terms) + node.size + len(self.network.nodes)
            terms += node.uncertainty.roundings
            mass, doubt = affine_mass(node, self.intervals), affine_doubt(self.network, i, self.intervals)
            if doubt is not None:
                mass = mass + doubt * ((1 + 2.0**-40) / gamma(terms, mass.dtype))
            return terms, torch.nan_to_num(mass, nan=torch.inf, posinf=torch.inf)

        return self._once("mass", i, make)

    @cached_property
    def lost(self) -> Tensor:
        """What underflow may take from a backward pass, for any row: (B, 1).

        Each coefficient that a step makes may be off by so many of the least numbers, and meets a number of a
        source. Infinite intervals are left out: a coefficient other than 0 makes the mass infinite there.
        """
        read, weights, own = self.network.products
        ends = [
            torch.cat([self.intervals[i][side].expand(self.batch, -1) for i in read], 1) for side in (0, 1)
        ]
        size = torch.maximum(ends[0].abs(), ends[1].abs())
        reach = torch.where(torch.isfinite(size), size, 0.0) @ weights.to(size) + own
        return (reach * underflow(0, self.dtype)).to(self.dtype)[:, None]
