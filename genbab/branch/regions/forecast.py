"""How long a tree of regions still takes, by what its splits gained so far."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from genbab.branch.regions.region import Region

TRIAL = 0.25
"""Share of the time left that splitting regions may take whatever it has gained."""

REMEMBERED = 8
"""Splits whose gains count."""


@dataclass(eq=False)
class Forecast:
    """What regions have taken and gained.

    seconds: what bounding the hidden rows of a region took last; spent: seconds for splitting regions so far;
    gains: of both children of each split, the smaller one first.
    """

    seconds: float
    spent: float = 0.0
    gains: list[tuple[float, float]] = field(default_factory=list)

    def needed(self, regions: Sequence[Region]) -> float:
        """Seconds that splitting all regions would take; +inf where nothing is known of gains."""
        pairs = self.gains[-REMEMBERED:]
        if not pairs:
            return math.inf
        low, high = (sum(p[k] for p in pairs) / len(pairs) for k in (0, 1))
        return self.seconds * sum(leaves(-r.worst, low, high) for r in regions)

    def pays(self, regions: Sequence[Region], left: float) -> bool:
        """Whether splitting regions may get through in the seconds left, or is on trial."""
        trial = self.spent + 2 * self.seconds < TRIAL * left
        return trial or self.needed(regions) < 2 * left


def leaves(margin: float, low: float, high: float) -> float:
    """Leaves of a tree whose splits gain `low` and `high` in the two children, until `margin` is gained."""
    high = min(max(high, 1e-12), 1e12)
    if low <= 0 or margin <= 0:
        return math.inf if margin > 0 else 1.0
    start, end = 0.0, math.log(2) / low
    for _ in range(60):
        rate = (start + end) / 2
        start, end = (rate, end) if math.exp(-rate * low) + math.exp(-rate * high) > 1 else (start, rate)
    return math.exp(min(700.0, margin * end))


def needed_at_rate(before: float, after: float, seconds: float) -> float:
    """The least seconds that a search still needs whose margin rose from `before` to `after` in so many.

    It rises ever more slowly.
    """
    return -after * seconds / max(after - before, 1e-9)
