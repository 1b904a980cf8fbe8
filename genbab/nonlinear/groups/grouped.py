"""Functions of whole rows by their kinds: boxes, and planes below linear forms of their values.

A new kind is what is known of it on boxes, its planes, and a `GroupKind` that is listed here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from genbab.kernels import Kernels, SoftmaxPlanes
from genbab.nonlinear.groups import fixed_point_planes, norm_planes, settled, softmax_planes
from genbab.nonlinear.groups.kind import CertainPlanes, GroupBox, GroupFunction, GroupPlanes
from genbab.nonlinear.groups.softmax import by_rows
from genbab.nonlinear.groups.softmax_planes import Sides, towards

KINDS = {
    kind.function: kind
    for kind in (softmax_planes.KIND, norm_planes.KIND, fixed_point_planes.KIND, settled.KIND)
}
"""What bounds need of each class of functions of rows."""


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

    def moved(self, at: Tensor, v: Tensor, rate: float, direction: Callable[[Tensor], Tensor]) -> Tensor:
        """As `Planes.moved`."""
        return towards(at, v, rate)


def group_box(
    fn: GroupFunction, boxes: list[tuple[Tensor, Tensor]], own: tuple[Tensor, Tensor] | None = None
) -> GroupBox:
    """The function on boxes (B, 1, N) of its arguments, the redundant ones included.

    own: the box of its values, if it is known.
    """
    kind = KINDS[type(fn)]
    return kind.box(fn, [*boxes, own] if kind.own and own is not None else boxes)


def on_own_interval(fn: GroupFunction) -> bool:
    """Whether the planes of this function depend on the interval of its values."""
    return KINDS[type(fn)].own


def group_planes(box: GroupBox, a: Tensor, at: Tensor | None, *, rigorous: bool) -> CertainPlanes:
    """Planes below Σ a·y on the box, a (B, S, N), parameters `at` (B, S, N; None: the default)."""
    return KINDS[type(box.fn)].planes(box, a, at, rigorous)


def group_roundings(fn: GroupFunction) -> int:
    """How many units of rounding error, relative to their masses, the planes of this function have."""
    return KINDS[type(fn)].roundings(fn.length)


def group_lost(
    box: GroupBox, a: Tensor, at: Tensor, v: Tensor, planes: GroupPlanes | None = None
) -> tuple[Tensor, ...]:
    """Roughly what the relaxation of each number of each argument costs Σ a·y at v, >= 0.

    planes: those for a at `at`, if they are there.
    """
    return KINDS[type(box.fn)].lost(box, a, at, v, planes)
