"""What an attack aims at: boxes of representable numbers, and the clauses of a spec as batched tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from genbab.specs import Spec

Floats = npt.NDArray[np.float64]

Places = slice | npt.NDArray[np.int64]
"""Some entries of a point."""


def representable(lower: Floats, upper: Floats, dtype: np.dtype[np.generic]) -> tuple[Floats, Floats]:
    """The smallest and largest numbers of `dtype` inside [lower, upper] (any shape), as float64.

    The result is empty (low > high) where the interval holds no number of that type.
    """
    if np.issubdtype(dtype, np.integer) or dtype == np.bool_:
        return np.ceil(lower), np.floor(upper)
    if dtype == np.float64:
        return lower, upper
    with np.errstate(over="ignore"):
        low, high = lower.astype(dtype), upper.astype(dtype)
    infinite = np.asarray(np.inf, dtype=dtype)
    low = np.where(low.astype(np.float64) < lower, np.nextafter(low, infinite), low)
    high = np.where(high.astype(np.float64) > upper, np.nextafter(high, -infinite), high)
    return low.astype(np.float64), high.astype(np.float64)


def closest(ends: tuple[Floats, Floats], numbers: tuple[Floats, Floats]) -> Floats:
    """Of the numbers next to an interval, from `representable` of one that holds none, the nearer one.

    ends: those of the interval; any shape. Of two that are equally near the one with the shorter decimal:
    it is what was meant where 0.1 was written.
    """
    (lower, upper), (above, below) = ends, numbers
    with np.errstate(invalid="ignore"):
        down, up = np.maximum(lower - below, 0.0), np.maximum(above - upper, 0.0)
    found = np.where(up < down, above, below)
    for place in zip(*np.nonzero((up == down) & (above != below)), strict=True):
        found[place] = min(above[place], below[place], key=lambda v: len(repr(float(v))))
    return found


def around(spec: Spec, types: Sequence[tuple[Places, np.dtype[Any]]]) -> Spec:
    """The spec with boxes that end at numbers of these types: its own ends, or the next ones outside.

    Whichever of the numbers next to a bound a program takes for it, the boxes hold that. types: by entries
    of a point.
    """
    ends, flags = (spec.lower.copy(), spec.upper.copy()), list(spec.open_ends)
    for here, kind in types:
        if kind.kind in "iub" or kind == np.float64:
            continue
        for end, far in zip(ends, (-np.inf, np.inf), strict=True):
            with np.errstate(over="ignore"):
                near = end[:, here].astype(kind)
            inside = (near > end[:, here]) if far < 0 else (near < end[:, here])
            moved = np.where(inside, np.nextafter(near, np.asarray(far, kind)), near).astype(np.float64)
            end[:, here] = np.where(np.isfinite(moved), moved, end[:, here])
    for side, (old, new) in enumerate(zip((spec.lower, spec.upper), ends, strict=True)):
        one = flags[side]
        flags[side] = None if one is None else one & (old == new)
    return replace(spec, lower=ends[0], upper=ends[1], lower_open=flags[0], upper_open=flags[1])


@dataclass(frozen=True)
class SearchNumbers:
    """The numbers that a search computes with: float32 or, for models whose inputs are, float64.

    nearest: an interval that holds no such number is the one next to it, instead of empty.
    """

    dtype: torch.dtype = torch.float32
    device: torch.device = torch.device("cpu")
    nearest: bool = False


def search_box(spec: Spec, numbers: SearchNumbers) -> tuple[Tensor, Tensor]:
    """Boxes (K, D), (K, D) of these numbers inside the spec's; empty (low > high) if there are none."""
    dtype, device = numbers.dtype, numbers.device
    kind = np.dtype(np.float64 if dtype == torch.float64 else np.float32)
    low, high = representable(*spec.inner, kind)
    if numbers.nearest and (none := low > high).any():
        near = closest((spec.lower, spec.upper), (low, high))
        low, high = np.where(none, near, low), np.where(none, near, high)
    return torch.tensor(low, dtype=dtype, device=device), torch.tensor(high, dtype=dtype, device=device)


@dataclass(frozen=True, eq=False)
class Targets:
    """C clauses padded to the same number of rows R; clause c is met where all its row values are <= 0.

    index (C,) places in the spec; box (C,); outputs (C, R, O); inputs (C, R, D) or None; rhs (C, R), +inf in
    padding. many: whether clauses have so many rows that all violated ones are pursued at once.
    """

    index: Tensor
    box: Tensor
    outputs: Tensor
    inputs: Tensor | None
    rhs: Tensor
    many: bool = False

    def margins(self, x: Tensor, y: Tensor) -> Tensor:
        """max over rows of (outputs·y + inputs·x - rhs) as (C, P) for x (C or 1, P, D), y (C or 1, P, O).

        A value <= 0 meets the clause; NaN becomes +inf. Outputs that the spec does not speak of are left out.
        """
        return torch.nan_to_num(self.rows(x, y).amax(-1), nan=torch.inf, posinf=torch.inf, neginf=-torch.inf)

    def loss(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """(margins, what to descend), both (C, P); if `many`, the latter adds up rows that are not met."""
        margins = self.margins(x, y)
        if not self.many:
            return margins, margins
        return margins, margins + torch.nan_to_num(self.rows(x, y).clamp(min=0), nan=0.0, posinf=0.0).sum(-1)

    def rows(self, x: Tensor, y: Tensor) -> Tensor:
        """Row values (C, P, R): outputs·y + inputs·x - rhs."""
        total = _product(y[..., : self.outputs.shape[-1]], self.outputs)
        if self.inputs is not None:
            total = total + _product(x, self.inputs)
        return total - self.rhs.unsqueeze(1)


def _product(points: Tensor, rows: Tensor) -> Tensor:
    """points (C or 1, P, M) times rows (C, R, M), as (C, P, R); shared points are one matrix product."""
    if points.shape[0] == 1 and rows.shape[0] > 1:
        flat = points[0] @ rows.reshape(-1, rows.shape[-1]).mT
        return flat.reshape(points.shape[1], rows.shape[0], rows.shape[1]).transpose(0, 1)
    return points @ rows.mT


def gather(spec: Spec, chosen: Sequence[int], like: Tensor) -> Targets:
    """The chosen clauses of the spec as tensors of the dtype and device of `like`."""
    clauses = [spec.clauses[i] for i in chosen]
    height = max([1, *(c.rhs.shape[0] for c in clauses)])
    outputs = np.stack([_padded(c.outputs, height, 0.0) for c in clauses])
    rhs = np.stack([_padded(c.rhs, height, np.inf) for c in clauses])
    inputs = None
    if any(c.inputs is not None for c in clauses):
        none = np.zeros((height, spec.lower.shape[1]))
        inputs = np.stack([none if c.inputs is None else _padded(c.inputs, height, 0.0) for c in clauses])
    return Targets(
        index=torch.as_tensor(list(chosen), device=like.device),
        box=torch.as_tensor([c.box for c in clauses], device=like.device),
        outputs=torch.as_tensor(outputs, dtype=like.dtype, device=like.device),
        inputs=None if inputs is None else torch.as_tensor(inputs, dtype=like.dtype, device=like.device),
        rhs=torch.as_tensor(rhs, dtype=like.dtype, device=like.device),
        many=bool(spec.hidden),
    )


def _padded(array: Floats, height: int, value: float) -> Floats:
    missing = height - array.shape[0]
    if missing == 0:
        return array
    return np.concatenate([array, np.full((missing, *array.shape[1:]), value)])
