"""What splits were expected to gain against what they gained."""

from __future__ import annotations

import torch
from torch import Tensor

from genbab.branch.open.domains import Domains

Sums = tuple[float, float, float, float, float, float]
"""(splits, Σp, Σr, Σp², Σr², Σpr) of predicted gains p and realised gains r."""

NOTHING: Sums = (0.0,) * 6


def balanced(first: Tensor, second: Tensor) -> Tensor:
    """The power mean of exponent 1/2: between the mean, which one good child decides, and the geometric."""
    return (first.sqrt() + second.sqrt()).square() / 4


def gained(parents: Domains, children: Domains) -> Sums:
    """The sums over the splits of a round; children: all lower ones first.

    Realised is the children's rise of the worst margin, up to 0, put together as scores do; children that
    were found empty have no such rise, so their splits do not count.
    """
    if parents.splits is None or parents.splits.gain is None or not len(parents):
        return NOTHING
    rise = children.bound.clamp(max=0) - parents.bound.repeat(2)
    first, second = torch.chunk(rise.clamp(min=0), 2)
    real, said = balanced(first, second), parents.splits.gain.to(rise.dtype)
    counts = real.isfinite() & said.isfinite() & ~torch.chunk(children.bound.isinf(), 2)[0]
    counts &= ~torch.chunk(children.bound.isinf(), 2)[1]
    p, r = said[counts], real[counts]
    sums: list[Tensor] = [p.sum(), r.sum(), p @ p, r @ r, p @ r]
    return (float(p.numel()), *(float(s) for s in sums))  # type: ignore[return-value]


class Tally:
    """The sums of a whole run."""

    def __init__(self) -> None:
        self.sums = NOTHING

    def add(self, more: Sums) -> None:
        """Count a round."""
        a, b = self.sums, more
        self.sums = (a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3], a[4] + b[4], a[5] + b[5])

    def summary(self) -> dict[str, float]:
        """Means of predicted and realised gains, and their correlation where there is one."""
        count, p, r, pp, rr, pr = self.sums
        if not count:
            return {}
        found = {"gain predicted": round(p / count, 6), "gain realised": round(r / count, 6)}
        spread = (count * pp - p * p) * (count * rr - r * r)
        if spread > 0:
            found["gain correlation"] = round((count * pr - p * r) / spread**0.5, 3)
        return found
