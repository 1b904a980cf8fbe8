"""Rows divided by the root of their sum of squares, and what is known of that on boxes before any plane is.

    y_i = z_i / √(Σ_j z_j² + floor)

Layer, group, instance and root-mean-square normalisation are this of centred (or plain) entries, times √K.
y_i rises with z_i, and |y_i| falls with every other |z_j|: ends of boxes give its range.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from genbab.nonlinear.groups.softmax import by_rows

Pair = tuple[Tensor, Tensor]

_LARGEST = {torch.float32: 1e15, torch.float64: 1e140}
"""Rows with larger entries are not looked at: their squares might overflow."""

_LEAST = {torch.float32: 1e-30, torch.float64: 1e-280}
"""Sums of squares below this are taken for 0: squares may have vanished."""


@dataclass(frozen=True)
class Norm:
    """Rows of `length` entries, one after the other, each divided by √(sum of squares + floor), floor >= 0.

    A second argument, if there is one, has the sum of squares of each row: the value does not need it, bounds
    use its interval.
    """

    length: int
    floor: float = 0.0

    @property
    def name(self) -> str:
        """What texts call it."""
        return "norm"

    def value(self, z: Tensor, *_: Tensor) -> Tensor:
        """Each row over its root, z (..., N); NaN where the root is 0."""
        rows = by_rows(z, self.length)
        return (rows / (rows.square().sum(-1, keepdim=True) + self.floor).sqrt()).flatten(-2)

    def sizes(self, size: int) -> tuple[int, int]:
        """The sizes of the two arguments of a node of this size."""
        return size, size // self.length


@dataclass(frozen=True, eq=False)
class NormBox:
    """A norm on boxes: l, u (B, 1, N), and the box (B, 1, R) of the sums of squares, if known.

    R rows of K entries.
    """

    fn: Norm
    l: Tensor  # noqa: E741
    u: Tensor
    sums: Pair | None = None

    @property
    def rounding(self) -> float:
        """What the relative error of a sum of K squares stays below, with room for a few more roundings."""
        return 2 * (self.fn.length + 32) * torch.finfo(self.l.dtype).eps

    @cached_property
    def usable(self) -> Tensor:
        """Rows (B, 1, R, 1) of finite, not huge boxes in which the root is never 0."""
        size = torch.maximum(self.l.abs(), self.u.abs())
        small = (by_rows(size, self.fn.length) < _LARGEST[self.l.dtype]).all(-1, keepdim=True)
        return small & self._positive

    @cached_property
    def ends(self) -> Pair:
        """(l, u) by rows (B, 1, R, K), 1 where a row is not usable."""
        low, high = by_rows(self.l, self.fn.length), by_rows(self.u, self.fn.length)
        return torch.where(self.usable, low, 1.0), torch.where(self.usable, high, 1.0)

    @cached_property
    def middle(self) -> Tensor:
        """The centres of the rows, (B, 1, R, K)."""
        low, high = self.ends
        return low + (high - low) / 2

    @cached_property
    def scale(self) -> Pair:
        """Rigorous bounds (B, 1, R, 1) of 1 / √(Σ z² + floor), of usable rows."""
        low, high = (torch.where(self.usable, s, 1.0) for s in self._squares)
        high = torch.maximum(low, high)  # in an empty box anything holds
        return (
            (high + self.fn.floor).rsqrt() * (1 - self.rounding),
            (low + self.fn.floor).rsqrt() * (1 + self.rounding),
        )

    @cached_property
    def range(self) -> Pair:
        """Rigorous bounds (B, 1, R, K) of the values: exact but for rounding, where `sums` are not known."""
        low, high = self.ends
        least, most = self._others
        slow, fast = self.scale
        tiny, floor = _LEAST[self.l.dtype], self.fn.floor

        def far(z: Tensor, rest: Tensor) -> Tensor:
            """|y| at most."""
            y = z.abs() * (z.square() + rest + floor).clamp_min(tiny).rsqrt()
            return torch.minimum(y, z.abs() * fast) * (1 + self.rounding) + tiny

        def near(z: Tensor, rest: Tensor) -> Tensor:
            """|y| at least."""
            y = z.abs() * (z.square() + rest + floor).clamp_min(tiny).rsqrt()
            return (torch.maximum(y, z.abs() * slow) * (1 - self.rounding) - tiny).clamp_min(0.0)

        bottom = torch.where(low < 0, -far(low, least), near(low, most)).clamp(-1.0, 1.0)
        top = torch.where(high > 0, far(high, least), -near(high, most)).clamp(-1.0, 1.0)
        reach = torch.where(self._positive, 1.0, torch.inf)
        return torch.where(self.usable, bottom, -reach), torch.where(self.usable, top, reach)

    @cached_property
    def curved(self) -> tuple[Tensor, ...]:
        """About how far from linear the norm is in each number of each argument, (B, its size)."""
        slow, fast = self.scale
        low, high = self.ends
        wide = high - low
        own = (wide * (fast - slow) + (wide * fast).square()).clamp_max(2.0)
        own = torch.where(self.usable, own, 2.0)
        found = [own.flatten(1)]
        if self.sums is not None:
            reach = torch.maximum(self.range[0].abs(), self.range[1].abs()).amax(-1)
            part = (1 - slow / fast)[..., 0] * reach
            found.append(torch.where(self.usable[..., 0], part, 1.0).flatten(1))
        return tuple(torch.nan_to_num(f, nan=torch.inf) for f in found)

    @cached_property
    def _positive(self) -> Tensor:
        """Rows (B, 1, R, 1) whose root is known not to be 0."""
        return self._squares[0] + self.fn.floor > _LEAST[self.l.dtype]

    @cached_property
    def _parts(self) -> Pair:
        """(least, greatest) squares of the entries (B, 1, R, K), nearest rounding."""
        low, high = by_rows(self.l, self.fn.length), by_rows(self.u, self.fn.length)
        inner = torch.maximum(low, -high).clamp_min(0.0).nan_to_num(0.0, torch.inf)
        return inner.square(), torch.maximum(low.abs(), high.abs()).nan_to_num(torch.inf).square()

    @cached_property
    def _squares(self) -> Pair:
        """Rigorous bounds (B, 1, R, 1) of the sums of squares."""
        least, most = (part.sum(-1, keepdim=True) for part in self._parts)
        least, most = least * (1 - self.rounding), most * (1 + self.rounding)
        least = torch.where(torch.isfinite(least), least, _LARGEST[self.l.dtype])
        most = most + _LEAST[self.l.dtype]
        if self.sums is None:
            return least, most
        low, high = (s[..., None] for s in self.sums)
        return torch.maximum(least, low.nan_to_num(0.0, torch.inf)), torch.minimum(
            most, high.nan_to_num(torch.inf, torch.inf)
        )

    @cached_property
    def _others(self) -> Pair:
        """(least, greatest) sums of squares of the other entries of the row, (B, 1, R, K)."""
        return _without_own(self._parts[0]), _without_own(self._parts[1])


def _without_own(parts: Tensor) -> Tensor:
    """Σ_{j≠i} parts_j for each i, without a difference: what comes before i and what comes after."""
    before = torch.zeros_like(parts)
    before[..., 1:] = parts.cumsum(-1)[..., :-1]
    after = torch.zeros_like(parts)
    after[..., :-1] = parts.flip(-1).cumsum(-1).flip(-1)[..., 1:]
    return before + after
