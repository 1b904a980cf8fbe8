"""Balls that an input lies in, and the least value of a linear form over them (the dual norm).

min over ||x - c||₂ <= r of <a, x> is <a, c> - r·||a||₂; over ||x - c||₁ <= r it is <a, c> - r·max |a|.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

from genbab.specs import Ball, Spec

INSIDE = 1 - 1e-6
"""Points are moved into this part of a radius, so that rounding to float32 leaves them in the ball."""


@dataclass(frozen=True, eq=False)
class Within:
    """x[columns] lies in the ball of this norm (1 or 2) around centre; columns, centre (n,)."""

    columns: Tensor
    centre: Tensor
    radius: float
    norm: int

    def to(self, dtype: torch.dtype, device: torch.device) -> Within:
        """The same ball with its numbers in another dtype, on another device."""
        return replace(self, columns=self.columns.to(device), centre=self.centre.to(device, dtype))

    def least(self, form: Tensor) -> Tensor:
        """The point (..., n) of the ball where form (..., n) is least, up to rounding."""
        size = form.abs().amax(-1, keepdim=True)
        scaled = form / size.clamp_min(torch.finfo(form.dtype).tiny)
        if self.norm == 2:
            length = scaled.square().sum(-1, keepdim=True).sqrt()
            return self.centre - self.radius * scaled / length.clamp_min(1e-30)
        place = form.abs().argmax(-1, keepdim=True)
        step = torch.zeros_like(form).scatter_(-1, place, scaled.gather(-1, place))
        return self.centre - self.radius * step.sign()

    def reach(self) -> Tensor:
        """|centre| + radius (n,): no entry of a point of the ball is larger."""
        return self.centre.abs() + self.radius

    def moved(self, x: Tensor) -> Tensor:
        """x (..., D) with its columns drawn towards the centre, where needed, until they are in the ball."""
        offset = x[..., self.columns] - self.centre
        length = offset.norm(p=self.norm, dim=-1, keepdim=True)
        factor = (self.radius * INSIDE / length.clamp_min(1e-30)).clamp(max=1.0)
        return x.index_copy(-1, self.columns, self.centre + offset * factor)


def within(spec: Spec) -> tuple[Within, ...] | None:
    """Balls without common inputs in which every point of the spec lies; None: there are none.

    Only balls that all boxes share are used, of overlapping ones the first: fewer balls allow more points.
    """
    if not spec.balls or any(b != spec.balls[0] for b in spec.balls):
        return None
    taken: set[int] = set()
    found = []
    for ball in spec.balls[0]:
        columns = set(ball.columns.tolist())
        if not taken & columns and columns:
            taken |= columns
            found.append(_tensors(ball))
    return tuple(found)


def _tensors(ball: Ball) -> Within:
    radius = float(ball.radius)
    radius = radius if Fraction(radius) >= ball.radius else math.nextafter(radius, math.inf)
    centre = torch.from_numpy(np.array(ball.centre, np.float64))
    return Within(torch.from_numpy(ball.columns.copy()), centre, radius, ball.norm)
