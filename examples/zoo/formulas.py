"""Tasks whose data a formula gives."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from zoo.family import Claim, Task, squared_error, stays_within

UNSEEN = 20


def drawn(rows: int, size: int, low: float, high: float) -> Tensor:
    """Uniform draws (rows, size), always the same."""
    return low + (high - low) * torch.rand(rows, size, generator=torch.Generator().manual_seed(0))


def regression(about: str, x: Tensor, y: Tensor, room: float, clip: tuple[float, float]) -> Task:
    """Fit y (n, O) at x (n, D); no output may change by `room`."""
    asked = f"the change of an output, at most {room:g}"
    return asking(about, asked, x, y, stays_within(room), clip)


def asking(
    about: str,
    asked: str,
    x: Tensor,
    y: Tensor,
    claim: Callable[[Tensor, Tensor], Claim],
    clip: tuple[float, float],
) -> Task:
    """Fit y (n, O) at x (n, D), and make a claim of one's own."""
    return Task(about, asked, x[UNSEEN:], y[UNSEEN:], x[:UNSEEN], y[:UNSEEN], squared_error, claim, clip)


def bound(words: str, row: list[float], limit: float = 0.0) -> Callable[[Tensor, Tensor], Claim]:
    """Claims that `row @ y < limit`."""
    return lambda outputs, truth: Claim(words, torch.tensor([row]), torch.tensor([limit]))
