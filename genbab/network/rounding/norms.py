"""What programs round in a normalisation, in whichever way they compute its variance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from genbab.network.rounding.formats import Format
from genbab.network.roundoff import Interval, magnitude

REACH = 2.0**60
"""Numbers that are normalised are expected to be smaller than this."""

ROOM = 1 + 2.0**-20
"""Room for the roundings of the error's own arithmetic."""


@dataclass(frozen=True)
class NormError:
    """An error bound of (x - m) / √(v + epsilon) by rows of x, of mean m and variance v.

    Its sources are x (B, N), the rows x - m, and their sums of squares (B, N / length). Holds for v as the
    mean of squares of differences and as that of squares less the square of the mean, for a root that is
    divided by or multiplied with, before or after m is subtracted. Without `centred` m is 0. A short format
    is that of the result only.
    """

    length: int
    epsilon: float
    centred: bool
    form: Format

    def __call__(self, intervals: Sequence[Interval]) -> Tensor:
        """Distances (B, N), infinite where the variance may be lost."""
        x, rows, (least, most) = intervals
        size, apart = (self._by_rows(magnitude(one)) for one in (x, rows))
        form = self.form.wide
        unit, gamma = form.unit, float(form.gamma(self.length + 6.0))
        tiny = 4 * form.tiny * (self.length + 4)
        mean = size.mean(-1, keepdim=True) if self.centred else torch.zeros_like(size[..., :1])
        low, high = (end.clamp_min(0.0)[..., None] / self.length for end in (least, most))
        moved = gamma * mean + tiny if self.centred else torch.zeros_like(mean)
        off = moved + 4 * unit * (size + mean + moved) + tiny
        worst = off.amax(-1, keepdim=True)
        by_differences = 2 * high.sqrt() * worst + worst**2 + gamma * (high.sqrt() + worst) ** 2
        by_moments = 2 * gamma * (size**2).mean(-1, keepdim=True) + 2 * mean * moved + moved**2
        variance = torch.maximum(by_differences, by_moments) + tiny
        base = low * (1 - 2.0**-40) + self.epsilon
        share = torch.where(base > 0, variance / base, math.inf)
        relative = torch.expm1(-0.5 * torch.log1p(-share.clamp(max=0.5))) + 8 * unit
        relative = torch.where(share < 0.5, relative, math.inf)
        value = torch.minimum(apart / base.sqrt(), torch.tensor(math.sqrt(self.length)).to(apart))
        error = value * relative + (off / base.sqrt()) * (1 + relative) + tiny
        if self.form.short:
            error = error + self.form.unit * (value + error) + self.form.tiny
        most = size.amax(-1, keepdim=True)
        kept = (most < REACH) & (8.0 * self.length * most**2 < form.largest)  # squares of x, and of x - m
        error = torch.where(kept, error, math.inf)
        return torch.nan_to_num(error.flatten(-2) * ROOM, nan=math.inf, posinf=math.inf)

    def _by_rows(self, numbers: Tensor) -> Tensor:
        return numbers.reshape(*numbers.shape[:-1], -1, self.length)

    def to(self, device: torch.device) -> NormError:
        """Itself."""
        return self
