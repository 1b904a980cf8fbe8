"""A nonlinearity is a handful of facts; everything else in this package is derived from them.

The facts: the value, the derivative, where the curvature changes its sign (inflections, kinks, jumps), and,
where it has a closed form, the point of a segment at which the derivative takes a given value.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from genbab.errors import UsageError

TensorMap = Callable[[Tensor], Tensor]
Stationary = Callable[[Tensor, int], Tensor]
Enclosure = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
Jump = tuple[float, float, float, float]
"""(low, high, left limit, right limit)"""


@dataclass(frozen=True, eq=False)
class Nonlinearity:
    """One function of one real variable, applied elementwise; equal name and params make records equal.

    *Shape.* `breaks` (ascending) cut the line into len(breaks) + 1 open segments; `curvature[i]` is +1 where
    segment i is convex, -1 concave, 0 linear. `kinks` are the breaks at which the derivative or the value
    jumps, and `jumps` lists (low, high, left limit, right limit) for those where the value does: the jump is
    somewhere in [low, high], both of them breaks (equal where it is known exactly). A pole is a jump with
    infinite limits.

    *Slopes.* `stationary(k, i)` is a point of segment i with derivative k. Where no such point exists it is
    the end (possibly infinite) of the segment towards which value(x) - k*x improves (falls on a convex
    segment, rises on a concave one), or anything beyond that end. It must not be NaN for a finite k. None:
    the derivative is inverted by table. `symmetric`: breaks[0] is a centre, stationary(k, 1) = 2*breaks[0] -
    stationary(k, 0).

    *Where.* `period` > 0: value(x + period) = value(x) + rise; breaks then cover one period, [breaks[0],
    breaks[0] + period), the segment left of them ends at breaks[0], and the last segment repeats the first. A
    periodic record with a curved segment needs `stationary`.

    `domain` is closed; value() at its ends may be infinite. `bounds` encloses every value.

    *Accuracy.* `value` and `derivative` return new tensors. In float64, value errs by at most eps * (noise *
    (1 + its size) + drift[0] * |x|), derivative likewise by drift[1], which is 0 unless facts were computed.

    *Bend.* `second`, the second derivative, is what composing functions needs; it is monotone between
    consecutive `turns` and breaks (turns of one period, if periodic). A record that has it promises a
    relative error of at most 1e-12 for second, for value and for derivative, apart from eps * |x| * (size of
    the next derivative) near their zeros. At a break it may give either side's value.

    `derivative` is that of the right side of a kink or jump from `clear` away from it on (0: from the next
    number on).

    *Computed facts.* `bulges[i]`, for facts that were computed: segment i, of curvature 0, stays within
    bulges[i] of its chord (and both its ends are kinks). `enclose(l, u)`: a rigorous range on boxes that
    leave the domain, where the domain is only the part of the line on which the facts are certain. `written`:
    the expression that the function was composed from; composing it further opens it. `absent(l, u)`: the
    boxes on which some point has no value although `domain` does not say so; nothing is said of the function
    there.
    """

    name: str
    value: TensorMap
    derivative: TensorMap
    params: tuple[float, ...] = ()
    breaks: tuple[float, ...] = ()
    curvature: tuple[int, ...] = (1,)
    kinks: tuple[float, ...] = ()
    jumps: tuple[Jump, ...] = ()
    stationary: Stationary | None = None
    symmetric: bool = False
    period: float = 0.0
    rise: float = 0.0
    domain: tuple[float, float] = (-math.inf, math.inf)
    bounds: tuple[float, float] = (-math.inf, math.inf)
    noise: float = 8.0
    drift: tuple[float, float] = (0.0, 0.0)
    clear: float = 0.0
    second: TensorMap | None = None
    turns: tuple[float, ...] = ()
    bulges: tuple[float, ...] = ()
    enclose: Enclosure | None = None
    written: object = None
    absent: Callable[[Tensor, Tensor], Tensor] | None = None

    def __post_init__(self) -> None:
        problems = []
        if list(self.breaks) != sorted(set(self.breaks)):
            problems.append("breaks must ascend")
        if len(self.curvature) != len(self.breaks) + 1:
            problems.append("there must be one curvature per segment, one more than breaks")
        if not set(self.curvature) <= {-1, 0, 1}:
            problems.append("curvature is -1, 0 or +1")
        if not set(self.kinks) <= set(self.breaks):
            problems.append("every kink must be a break")
        if not {place for low, high, _, _ in self.jumps for place in (low, high)} <= set(self.kinks):
            problems.append("both ends of every jump must be kinks")
        if self.bulges and len(self.bulges) != len(self.curvature):
            problems.append("there must be one bulge per segment, or none at all")
        if self.period and self.bulges:
            problems.append("a periodic function has no bulges")
        if self.period and any(self.curvature) and self.stationary is None:
            problems.append("a curved periodic function needs a closed form of stationary")
        if problems:
            raise UsageError(f"nonlinearity '{self.name}': " + "; ".join(problems))

    @property
    def key(self) -> tuple[str, tuple[float, ...]]:
        """What equality and hash compare."""
        return self.name, self.params

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Nonlinearity) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __str__(self) -> str:
        return f"{self.name}({', '.join(f'{p:g}' for p in self.params)})" if self.params else self.name

    def segment(self, index: int) -> tuple[float, float]:
        """Ends of segment `index`, clipped to the domain; infinite at the outside unless periodic."""
        before, after = -math.inf, math.inf
        if self.period:
            before, after = self.breaks[-1] - self.period, self.breaks[0] + self.period
        ends = (before, *self.breaks, after)
        return max(ends[index], self.domain[0]), min(ends[index + 1], self.domain[1])

    def reliable(self, index: int) -> tuple[float, float]:
        """The part of segment `index` on which `derivative` is that of the segment: off its kinks."""
        low, high = self.segment(index)
        if low in self.kinks:
            low = math.nextafter(low + self.clear, math.inf)
        if high in self.kinks:
            high = math.nextafter(high - self.clear, -math.inf)
        return low, high

    def segments(self, curvature: int) -> tuple[int, ...]:
        """Indices of the segments with this curvature (of one period only, if the function is periodic)."""
        count = len(self.breaks) if self.period else len(self.curvature)
        return tuple(i for i in range(count) if self.curvature[i] == curvature)
