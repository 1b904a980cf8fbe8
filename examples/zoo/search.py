"""The attack that says how large a neighbourhood is too large: gradient steps from many starts, bisected."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from zoo.family import Claim

STEPS = 60


@dataclass(frozen=True)
class Question:
    """Whether a claim about a module is true around an input, (D,); inputs lie between the ends of `clip`."""

    model: nn.Module
    claim: Claim
    centre: Tensor
    clip: tuple[float, float]


def smallest_broken(asked: Question, restarts: int) -> float:
    """The least distance (norm infinity) at which an input was found that breaks the claim.

    Infinite where none is found anywhere.
    """
    low, high, wide = 0.0, float("inf"), 0.02
    for _ in range(24):
        radius = wide if high == float("inf") else (low + high) / 2
        point = broken(asked, radius, restarts)
        if point is not None:
            high = float((point - asked.centre).abs().max())
        else:
            low, wide = radius, 2 * wide
            if radius > asked.clip[1] - asked.clip[0]:
                break
        if high < 1.01 * low:
            break
    return high


def broken(asked: Question, radius: float, restarts: int) -> Tensor | None:
    """The input (D,) within `radius` that breaks the claim by most, of those found."""
    claim, centre = asked.claim, asked.centre
    generator = torch.Generator().manual_seed(0)
    lower, upper = ((centre + side * radius).clamp(*asked.clip) for side in (-1, 1))
    share = torch.rand(restarts, len(centre), generator=generator, dtype=centre.dtype)
    share[::2] = share[::2].round()  # half of the starts are corners
    x = lower + (upper - lower) * share
    row = torch.arange(restarts) % len(claim.limits)  # each start is after one row of the claim
    best, least = centre, 0.0
    for step in range(STEPS + 1):
        x.requires_grad_(True)
        room = claim.room(asked.model(x))
        value, which = room.detach().min(1).values.min(0)
        if float(value) < least or (best is centre and float(value) <= 0):
            best, least = x.detach()[which].clone(), float(value)
        (gradient,) = torch.autograd.grad(room.gather(1, row[:, None]).sum(), x)
        x = x.detach() - radius * 0.4 * 0.94**step * gradient.sign()
        x = torch.minimum(torch.maximum(x, lower), upper)
    return None if best is centre else best
