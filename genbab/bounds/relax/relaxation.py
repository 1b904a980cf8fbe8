"""The lines of every nonlinear node on a batch of boxes: prepared conjugates, default slopes, slope scales.

A `Relaxation` belongs to one network, one list of intervals and one dtype. It computes a node's lines when
they are first asked for and forgets them when the node's arguments are tightened.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from genbab.bounds.relax.contraction import Contracted, contracted
from genbab.bounds.relax.curvature import Linearised
from genbab.kernels import DEFAULT, S_SHAPED, Function, Kernels, hot
from genbab.network import Affine, Grouped, Network, Nonlinear, contractions
from genbab.network.interval import Ask, Interval, affine_doubt, affine_mass, gamma, underflow
from genbab.nonlinear import (
    Gate,
    Nonlinearity,
    Prepared,
    Prepared2,
    Product,
    default_slopes2,
    prepare,
    prepare2,
    slope_range2,
)
from genbab.nonlinear.groups.grouped import GroupBox, group_box
from genbab.nonlinear.groups.softmax import SoftmaxBox
from genbab.nonlinear.lines.box import go_on
from genbab.nonlinear.lines.envelope import defaults_of, range_of
from genbab.nonlinear.lines.span import spans_of

Slopes = tuple[Tensor, ...]
"""One slope tensor per argument of a nonlinear node, each (B, S, N) or broadcastable to it."""


@dataclass(frozen=True, eq=False)
class Lines:
    """What one function offers on its arguments' boxes; all tensors are (B, 1, N). Computed when asked
    for.
    """

    fn: Nonlinearity | Product | Gate
    boxes: tuple[Interval, ...]
    kernels: Kernels = DEFAULT
    ask: Ask = field(default=go_on, compare=False)

    @cached_property
    def hot(self) -> Function | None:
        """The function as kernels know it; None where they do not, or a box is not finite."""
        if isinstance(self.fn, Gate):
            return None
        found = Function("product") if isinstance(self.fn, Product) else hot(*self.fn.key)
        known = found is not None and found.name in self.kernels.FUNCTIONS
        return found if known and self.bounded else None

    @cached_property
    def envelope(self) -> tuple[Interval, Interval] | None:
        """Default slopes and spans by kernels; None where these have none."""
        if self.hot is None or self.hot.name not in S_SHAPED:
            return None
        return self.kernels.envelope(self.hot, self.boxes[0])

    @cached_property
    def prepared(self) -> Prepared | Prepared2:
        """The conjugate, ready to be evaluated at many slopes."""
        if isinstance(self.fn, Nonlinearity):
            return prepare(self.fn, *self.boxes[0], self.ask)
        return prepare2(self.fn, self.boxes[0], self.boxes[1])

    @cached_property
    def defaults(self) -> tuple[Slopes, Slopes]:
        """Slopes of the (lower, upper) lines of least area."""
        if self.envelope is not None:
            (low, high), _ = self.envelope
            return (low,), (high,)
        if isinstance(self.prepared, Prepared):
            lower, upper = defaults_of(self.prepared.searcher, self.range)
            return (lower,), (upper,)
        assert not isinstance(self.fn, Nonlinearity)
        return default_slopes2(self.fn, self.boxes[0], self.boxes[1])

    @cached_property
    def spans(self) -> tuple[Slopes, Slopes]:
        """The natural step of each slope of the (lower, upper) lines: how far slopes of undominated lines
        reach.
        """
        if self.envelope is not None:
            _, (low, high) = self.envelope
            return (low,), (high,)
        if isinstance(self.prepared, Prepared):
            lower, upper = spans_of(self.prepared.searcher, self.range)
            return (lower,), (upper,)
        return self.ranges, self.ranges

    @cached_property
    def range(self) -> Interval:
        """The range of the derivative of a function of one variable."""
        assert isinstance(self.prepared, Prepared)
        return range_of(self.prepared.searcher)

    @cached_property
    def ranges(self) -> Slopes:
        """Width of the range of the derivative over the box, per argument."""
        if isinstance(self.fn, Nonlinearity):
            found = [self.range]
        else:
            found = list(slope_range2(self.fn, self.boxes[0], self.boxes[1]))
        return tuple(torch.nan_to_num(high - low) for low, high in found)

    def scale(self, upper: Tensor) -> Slopes:
        """The natural steps for the side that the mask `upper` (B, S, N; 0.0 or 1.0) selects."""
        return tuple(_picked(k, u, upper) for k, u in zip(*self.spans, strict=True))

    @cached_property
    def default_lines(self) -> tuple[Slopes, Slopes, Tensor, Tensor, Tensor]:
        """(lower slopes, upper slopes, lower intercept, upper intercept, rounding scale), all (B, 1, N),
        rigorous.

        The rounding scale is the larger side's |intercept| + Σ|slope|·max|arg|, for the error account of a
        pass.
        """
        lower, upper = self.defaults
        low, _ = self.intercept(lower, False, rigorous=True)
        high, _ = self.intercept(upper, True, rigorous=True)
        return lower, upper, low, high, torch.maximum(self.mass(lower, low), self.mass(upper, high))

    def mass(self, slopes: Slopes, intercept: Tensor) -> Tensor:
        """|intercept| + Σ|slope|·max|arg|, where a slope of 0 counts 0."""
        size = intercept.abs()
        for k, (low, high) in zip(slopes, self.boxes, strict=True):
            size = torch.addcmul(size, k.abs(), torch.maximum(low.abs(), high.abs()))
        return size if self.bounded else torch.nan_to_num(size, nan=torch.inf, posinf=torch.inf)

    @cached_property
    def bounded(self) -> bool:
        """Whether every argument's interval is finite."""
        return all(bool(torch.isfinite(end).all()) for box in self.boxes for end in box)

    def default(self, upper: Tensor) -> Slopes:
        """The slopes of least area for the side that the mask `upper` (B, S, N; 0.0 or 1.0) selects."""
        return tuple(_picked(k, u, upper) for k, u in zip(*self.defaults, strict=True))

    def intercept(
        self, slopes: Slopes, upper: Tensor | bool, rigorous: bool
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The exact intercept for these slopes, and where the line touches (one point per argument)."""
        if isinstance(self.prepared, Prepared2):
            c, x, y = self.prepared.intercept(slopes[0], slopes[1], upper, rigorous=rigorous)
            return c, (x, y)
        c, x = self.prepared.intercept(slopes[0], upper, rigorous=rigorous)
        return c, (x,)


class Relaxation:
    """Lines of all nonlinear nodes of `network` on `intervals` (per node (B, N), float64), computed in
    `dtype`; passes go through them by `kernels`. `ask` is called before each node of a pass, and
    between pieces of long work at one; what it raises ends the work.
    """

    def __init__(  # noqa: PLR0913
        self,
        network: Network,
        intervals: list[Interval],
        dtype: torch.dtype,
        mass: dict[int, tuple[int, Tensor]] | None = None,
        linear: Linearised | None = None,
        kernels: Kernels = DEFAULT,
        ask: Ask = go_on,
    ) -> None:
        self.network = network
        self.dtype = dtype
        self.intervals = intervals
        self.linear = linear
        self.kernels = kernels
        self.ask = ask
        self._lines: dict[int, Lines] = {}
        self._ready: dict[int, Any] = {}
        self._groups: dict[int, GroupBox] = {}
        self._mass = {} if mass is None else mass
        self._contracted: dict[int, Contracted | None] = {}
        self.orders: dict[tuple[int, ...], list[int]] = {}
        """The nodes that a sweep with the lines of some nodes goes through."""

    @property
    def batch(self) -> int:
        """Number of domains B."""
        return max(interval[0].shape[0] for interval in self.intervals)

    def moved(self, intervals: list[Interval]) -> Relaxation:
        """The relaxation on other boxes; lines of nodes whose arguments kept the very same tensors are kept
        too.
        """
        other = Relaxation(self.network, intervals, self.dtype, None, self.linear, self.kernels, self.ask)
        same = [new is old for new, old in zip(intervals, self.intervals, strict=True)]
        sources = self.network.sources
        other._lines = {i: line for i, line in self._lines.items() if all(same[s] for s in sources(i))}
        other._groups = {i: box for i, box in self._groups.items() if all(same[s] for s in sources(i))}
        kept = other._lines.keys() | other._groups.keys()
        other._ready = {i: ready for i, ready in self._ready.items() if i in kept}
        other._mass = {i: mass for i, mass in self._mass.items() if all(same[s] for s in sources(i))}
        other._contracted = {i: c for i, c in self._contracted.items() if all(same[s] for s in sources(i))}
        return other

    def lines(self, i: int) -> Lines:
        """The lines of nonlinear node i."""
        if i not in self._lines:
            node = self.network.nodes[i]
            assert isinstance(node, Nonlinear)
            boxes = tuple(shaped(self.intervals[a], self.dtype) for a in node.args)
            self._lines[i] = Lines(node.fn, boxes, self.kernels, self.ask)
        return self._lines[i]

    def ready(self, i: int) -> Any:
        """The boxes of nonlinear node i, whose function is `hot`, or what is known of the softmax that it is,
        as the kernels want them.
        """
        if i in self._ready:
            return self._ready[i]
        if isinstance(self.network.nodes[i], Grouped):
            box = self.groups(i)
            assert isinstance(box, SoftmaxBox)
            self._ready[i] = self.kernels.softmax_ready(box.facts)
        else:
            lines = self.lines(i)
            assert lines.hot is not None
            self._ready[i] = self.kernels.prepare(lines.hot, lines.boxes)
        return self._ready[i]

    def groups(self, i: int) -> GroupBox:
        """What grouped node i offers on its arguments' boxes."""
        if i not in self._groups:
            node = self.network.nodes[i]
            assert isinstance(node, Grouped)
            self._groups[i] = group_box(node.fn, [shaped(self.intervals[a], self.dtype) for a in node.args])
        return self._groups[i]

    def contracted(self, i: int) -> Contracted | None:
        """The matrix product that product node i belongs to, with default planes; None if there is none."""
        of = self.network.once(contractions).get(i)
        if of is None or self.dtype != self.intervals[of.left.node][0].dtype:
            return None
        if i not in self._contracted:
            operands = of.left.node, of.right.node
            left, right = (self.intervals[a] for a in operands)
            doubts = [affine_doubt(self._affine(a), self.intervals) for a in operands]
            self._contracted[i] = contracted(of, left, right, (doubts[0], doubts[1]))
        return self._contracted[i]

    def _affine(self, i: int) -> Affine:
        node = self.network.nodes[i]
        assert isinstance(node, Affine)
        return node

    def mass(self, i: int) -> tuple[int, Tensor]:
        """For affine node i: the length n of its longest sums, and over its sources' boxes a mass (B, N) with
        γ_n·mass >= γ_n·(|W||x| + |bias|) + what the node's uncertainty says. A sum of a backward pass goes on
        over other nodes, hence their number is added to the length.

        Kept in the dictionary given at construction: boxes inside the ones it was made for may share it.
        """
        if i not in self._mass:
            node = self._affine(i)
            terms = sum(one.terms + 1 for _, one in node.terms) + node.size + len(self.network.nodes)
            terms += node.uncertainty.roundings
            mass, doubt = affine_mass(node, self.intervals), affine_doubt(node, self.intervals)
            if doubt is not None:
                mass = mass + doubt * ((1 + 2.0**-40) / gamma(terms, mass.dtype))
            self._mass[i] = terms, torch.nan_to_num(mass, nan=torch.inf, posinf=torch.inf)
        return self._mass[i]

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


def _picked(lower: Tensor, upper: Tensor, side: Tensor) -> Tensor:
    """Numbers of the side that the mask tells, broadcast to it or not; both sides may have the same."""
    return lower if lower is upper else torch.lerp(lower, upper, side)


def shaped(interval: Interval, dtype: torch.dtype) -> Interval:
    """(B, N) ends as (B, 1, N) in dtype, rounded outward."""
    return _cast(interval[0], dtype, False)[:, None, :], _cast(interval[1], dtype, True)[:, None, :]


def _cast(end: Tensor, dtype: torch.dtype, up: bool) -> Tensor:
    cast = end.to(dtype)
    if dtype == end.dtype:
        return cast
    wrong = (cast.to(end.dtype) < end) if up else (cast.to(end.dtype) > end)
    return torch.where(
        wrong, torch.nextafter(cast, torch.full_like(cast, torch.inf if up else -torch.inf)), cast
    )
