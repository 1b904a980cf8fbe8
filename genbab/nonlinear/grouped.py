"""Functions of whole rows, what is known of them on boxes, and planes below linear forms of their values."""

from __future__ import annotations

from torch import Tensor

from genbab.nonlinear.norm import Norm, NormBox
from genbab.nonlinear.norm_planes import NormPlanes, norm_lost, norm_planes, norm_roundings
from genbab.nonlinear.softmax import Softmax, SoftmaxBox
from genbab.nonlinear.softmax_planes import Planes, lost, planes, roundings

GroupFunction = Softmax | Norm
GroupBox = SoftmaxBox | NormBox
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


def group_lost(box: GroupBox, a: Tensor, at: Tensor, v: Tensor) -> tuple[Tensor, ...]:
    """Roughly what the relaxation of each number of each argument costs Σ a·y at v, >= 0."""
    return norm_lost(box, a, at, v) if isinstance(box, NormBox) else lost(box, a, at, v)
