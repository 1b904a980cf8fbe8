"""What a loop leaves that stops when the network's numbers say so: near a turn, nobody knows yet how near."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from genbab.nonlinear.groups.kind import GroupKind, GroupPlanes, Pair


@dataclass(frozen=True)
class Settled:
    """The `length` numbers of a state after the last turn of a loop, given those after `turns` of them.

    most: the greatest number of turns, None for any number; tolerance: how much each number may have changed
    in the last turn if that was not the greatest one, None where that is not known.
    """

    length: int
    turns: int
    most: int | None
    tolerance: float | None

    @property
    def name(self) -> str:
        """What texts call it."""
        return "settled"

    def value(self, x: Tensor, *_: Tensor) -> Tensor:
        """The numbers after `turns` turns: about what they will be."""
        return x

    def sizes(self, size: int) -> tuple[int]:
        """The size of the only argument."""
        return (size,)


@dataclass(frozen=True, eq=False)
class SettledBox:
    """Anything, wherever the argument is."""

    fn: Settled
    l: Tensor  # noqa: E741

    @property
    def range(self) -> Pair:
        """No bounds (B, 1, 1, N)."""
        return torch.full_like(self.l, -torch.inf)[:, :, None], torch.full_like(self.l, torch.inf)[:, :, None]

    @property
    def middle(self) -> Tensor:
        """Planes have no parameters."""
        return torch.zeros_like(self.l)

    @property
    def curved(self) -> tuple[Tensor, ...]:
        """Narrower arguments do not help."""
        return (torch.zeros_like(self.l[:, 0]),)


@dataclass(frozen=True, eq=False)
class SettledPlanes:
    """Nothing lies below anything."""

    form: Tensor
    constants: Tensor
    masses: Tensor
    upper: Tensor
    at: Tensor

    def along(self, v: Tensor) -> Tensor:
        """The argument."""
        return v

    def moved(self, at: Tensor, v: Tensor, rate: float, direction: Callable[[Tensor], Tensor]) -> Tensor:
        """The same."""
        return at


def _box(fn: Settled, boxes: list[Pair]) -> SettledBox:
    return SettledBox(fn, boxes[0][0])


def _planes(box: SettledBox, a: Tensor, at: Tensor | None, rigorous: bool) -> SettledPlanes:
    none = torch.zeros_like(a)
    sums = torch.zeros_like(a[..., :1])
    return SettledPlanes(none, sums - torch.inf, sums, none[:, :, None] > 0, none)


def _lost(box: SettledBox, a: Tensor, at: Tensor, v: Tensor, known: GroupPlanes | None) -> tuple[Tensor, ...]:
    return (torch.zeros_like(a),)


KIND = GroupKind(Settled, _box, _planes, lambda length: 1, _lost)
"""What bounds need of what loops leave."""
