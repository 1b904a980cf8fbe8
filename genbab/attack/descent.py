"""Projected gradient descent on many starting points and clauses at once.

The loss of a point is the largest row value of its clause (a clause is met when that is <= 0); steps follow
the sign of the gradient, scaled by the width of the box per input, with a decaying step size (Madry et al.
2018, arXiv 1706.06083); some starts first walk along random output directions (Tashiro et al. 2020, arXiv
2003.06878).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from genbab.attack.targets import Targets
from genbab.network import Network, evaluate
from genbab.system.clock import WALL, RunClock
from genbab.system.deadline import Deadline

BATCH_WORK = 1_000_000_000
"""Multiply-adds in one pass at most, so that a deadline is looked at a few times a second."""

PASS = 64
"""Multiply-adds of a matrix product that take as long as one number's way through an elementwise function: 25
to 200 were measured on one core."""

SPEED, CALL = 1.5e10, 5e-5
"""Multiply-adds in a second, and seconds that a node takes in any pass, where work is counted."""

GRADIENT = 2
"""What a pass with gradients costs, as a multiple of one without."""

DIVERSIFY = 3
"""Steps along random output directions before the descent."""


@dataclass(frozen=True, eq=False)
class Field:
    """A network in the dtype and on the device of the search, with the limits of one pass.

    clock: is told of every pass.
    """

    network: Network
    memory: int
    deadline: Deadline | None
    clock: RunClock = WALL

    @cached_property
    def work(self) -> int:
        """The cost of one evaluation in multiply-adds; a number that passes through memory counts as many."""
        maps = (one for node in self.network.affine.values() for _, one in node.terms)
        return sum(one.cost for one in maps) + PASS * self.width

    @cached_property
    def width(self) -> int:
        """Numbers that one evaluation computes."""
        return sum(node.size for node in self.network.nodes)

    @cached_property
    def batch(self) -> int:
        """Points in one pass: what memory (values, gradients, a copy) and the deadline's grain allow."""
        return max(1, min(self.memory // (24 * self.width), BATCH_WORK // self.work))

    def check(self) -> None:
        """Raise `DeadlineReached` when the time is up."""
        if self.deadline is not None:
            self.deadline.check()

    def worked(self, points: int, passes: int = 1) -> None:
        """Tell the clock of so many passes of so many points."""
        self.clock.worked(lambda: passes * (CALL * len(self.network.nodes) + points * self.work / SPEED))

    def values(self, x: Tensor) -> Tensor:
        """Outputs (..., O) at x (..., D), in batches, without gradients."""
        flat = x.reshape(-1, x.shape[-1])
        parts = []
        with torch.no_grad():
            for start in range(0, flat.shape[0], self.batch):
                self.check()
                part = flat[start : start + self.batch]
                parts.append(evaluate(self.network, part))
                self.worked(len(part))
        return torch.cat(parts).reshape(*x.shape[:-1], -1)


@dataclass(frozen=True, eq=False)
class Best:
    """The best points of a descent: x (C, P, D), margins (C, P)."""

    x: Tensor
    margins: Tensor

    def improved(self, x: Tensor, margins: Tensor) -> Best:
        """The better of the two, point by point."""
        better = margins < self.margins
        return Best(torch.where(better.unsqueeze(-1), x, self.x), torch.where(better, margins, self.margins))

    def first(self) -> Best:
        """The best point of each clause: x (C, 1, D), margins (C, 1)."""
        place = self.margins.argmin(-1, keepdim=True)
        rows = torch.arange(len(place), device=place.device)[:, None]
        return Best(self.x[rows, place], self.margins[rows, place])


Watch = Callable[[Tensor, Tensor], bool]
"""Called with points (C, P, D) and margins (C, P) after every step; True ends the descent."""


def descend(
    field: Field, targets: Targets, box: tuple[Tensor, Tensor], start: Tensor, steps: int, watch: Watch
) -> Best:
    """The best points that `steps` steps reach from start (C, P, D) inside box (C, 1, D), (C, 1, D).

    All C·P points must fit into one batch of the field. Margins are those of the points returned.
    """
    low, high = box
    first = _sizes(start.shape[1], start) * (high / 2 - low / 2)
    if (whole := field.network.entry.whole) is not None:  # two steps are to change an integer
        first[..., whole.columns] = first[..., whole.columns].clamp_min(CHANGED)
    x = start
    velocity = torch.zeros_like(x)
    best = Best(x, torch.full(x.shape[:-1], torch.inf, dtype=x.dtype, device=x.device))
    for k in range(steps + 1):
        field.check()
        here = field.network.entry.nearest(x)
        margins, gradient = _loss(field.network, targets, here, k < steps)
        field.worked(margins.numel(), GRADIENT)
        best = best.improved(here, margins)
        if watch(here, margins) or gradient is None:
            break
        velocity = MOMENTUM * velocity + gradient / gradient.abs().amax(-1, keepdim=True).clamp_min(1e-30)
        size = first * DECAY ** (k / max(1, steps - 1))
        x = projected(field.network, x - size * velocity.sign(), low, high)
    return best


MOMENTUM = 0.75
"""Of the direction of descent."""

CHANGED = 0.3
"""First step size of inputs that are integers, at least."""

LARGEST, SMALLEST, DECAY = 0.15, 0.01, 0.1
"""First step sizes over the points (parts of the radius of the box); the last size as a part of the first.

Large steps cross plateaus; small ones stay in the narrow basin they start in.
"""


def _sizes(points: int, like: Tensor) -> Tensor:
    """First step sizes (P, 1), spread evenly on a logarithmic scale over any run of points."""
    place = torch.arange(points, dtype=torch.float64) * 0.6180339887498949 % 1.0
    return (LARGEST * (SMALLEST / LARGEST) ** place).unsqueeze(-1).to(like)


def diversify(
    network: Network, box: tuple[Tensor, Tensor], start: Tensor, generator: torch.Generator
) -> Tensor:
    """start (C, P, D) moved a few steps along random directions of the outputs, inside box (C, 1, D)."""
    low, high = box
    x = start
    shape = (*start.shape[:-1], network.output_size)
    direction = torch.randn(shape, generator=generator, dtype=start.dtype).to(start.device)
    for _ in range(DIVERSIFY):
        x = network.entry.nearest(x).detach().requires_grad_()
        total = (evaluate(network, x) * direction).sum()
        gradient = _gradient(total, x)
        if gradient is None:
            return start
        x = projected(network, x.detach() + (high - low) / 4 * gradient.sign(), low, high)
    return x


def projected(network: Network, x: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """x (C, P, D) moved into the boxes, and into the balls of the network's input."""
    x = torch.minimum(torch.maximum(x, low), high)
    for ball in network.entry.within:
        x = ball.moved(x)
    return x


def _loss(network: Network, targets: Targets, x: Tensor, gradient: bool) -> tuple[Tensor, Tensor | None]:
    """Margins (C, P) at x (C, P, D), and the gradient of each at its point if asked for and there is one."""
    if not gradient:
        with torch.no_grad():
            return targets.margins(x, evaluate(network, x)), None
    x = x.detach().requires_grad_()
    margins, loss = targets.loss(x, evaluate(network, x))
    return margins.detach(), _gradient(loss.sum(), x)


def _gradient(total: Tensor, x: Tensor) -> Tensor | None:
    if not total.requires_grad:
        return None
    (gradient,) = torch.autograd.grad(total, x, allow_unused=True)
    return None if gradient is None else torch.nan_to_num(gradient, nan=0.0, posinf=0.0, neginf=0.0)
