"""Functions of whole rows, what is known of them on boxes, and planes below linear forms of their values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from genbab.kernels import Kernels, SoftmaxPlanes
from genbab.nonlinear.groups.norm import Norm, NormBox
from genbab.nonlinear.groups.norm_planes import NormPlanes, norm_lost, norm_planes, norm_roundings
from genbab.nonlinear.groups.softmax import Softmax, SoftmaxBox, by_rows
from genbab.nonlinear.groups.softmax_planes import Planes, Sides, lost, planes, roundings

GroupFunction = Softmax | Norm
GroupBox = SoftmaxBox | NormBox


@dataclass(frozen=True, eq=False)
class KernelPlanes:
    """Planes of a softmax that kernels found, with what these need to follow them."""

    kernels: Kernels
    ready: Any
    planes: SoftmaxPlanes

    @property
    def form(self) -> Tensor:
        """As `Planes.form`."""
        return self.planes.form

    @property
    def constants(self) -> Tensor:
        """Their sum, (B, S, 1)."""
        return self.planes.bias[..., None]

    @property
    def sides(self) -> Sides:
        """As `Planes.sides`."""
        found, groups = self.planes, self.planes.critical.shape[-1]
        length = found.upper.shape[-1] // groups
        upper, own = by_rows(found.upper, length) != 0, by_rows(found.own, length) == 0
        return Sides(upper, found.critical[..., None], ~upper & own)

    def along(self, v: Tensor) -> Tensor:
        """As `Planes.along`."""
        return self.kernels.softmax_values(self.ready, self.planes, v)


GroupPlanes = Planes | NormPlanes


def group_box(fn: GroupFunction, boxes: list[tuple[Tensor, Tensor]]) -> GroupBox:
    """The function on boxes (B, 1, N) of its arguments, the redundant ones included."""
    further = boxes[1] if len(boxes) > 1 else None
    return SoftmaxBox(fn, *boxes[0], further) if isinstance(fn, Softmax) else NormBox(fn, *boxes[0], further)


def group_planes(box: GroupBox, a: Tensor, at: Tensor | None, *, rigorous: bool) -> GroupPlanes:
    """Planes below Σ a·y on the box, a (B, S, N), parameters `at` (B, S, N; None: the default)."""
    if isinstance(box, NormBox):
        return norm_planes(box, a, at, rigorous=rigorous)
    return planes(box, a, box.middle if at is None else at, rigorous=rigorous)


def group_roundings(fn: GroupFunction) -> int:
    """How many units of rounding error, relative to their masses, the planes of this function have."""
    return roundings(fn.length) if isinstance(fn, Softmax) else norm_roundings(fn.length)


def group_lost(
    box: GroupBox, a: Tensor, at: Tensor, v: Tensor, found: GroupPlanes | KernelPlanes | None = None
) -> tuple[Tensor, ...]:
    """Roughly what the relaxation of each number of each argument costs Σ a·y at v, >= 0.

    found: the planes for a at `at`, if they are there.
    """
    if isinstance(box, NormBox):
        return norm_lost(box, a, at, v)
    if found is None:
        found = planes(box, a, at, rigorous=False)
    assert not isinstance(found, NormPlanes)
    return lost(box, a, found.sides, v)
