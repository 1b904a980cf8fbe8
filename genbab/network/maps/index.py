"""Maps that move numbers: each output reads one input, or none."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional

from genbab.network.maps.base import LinearMap

AXES = 6
"""Most axes of an index that is read as a grid: copying along steps is several times faster than a lookup."""

SHORT = 8
"""Sums over fewer neighbours are slower than scattered additions."""


@dataclass(frozen=True, eq=False)
class Index(LinearMap):
    """y_i = x[index_i], and 0 where index_i is -1.

    Slice, gather, transpose, expand, tile, pad, nearest resize.
    """

    index: Tensor
    in_size: int

    def __post_init__(self) -> None:
        if self.index.numel() and not -1 <= int(self.index.min()) <= int(self.index.max()) < self.in_size:
            raise ValueError(f"index map: entries must lie in [-1, {self.in_size})")

    @property
    def out_size(self) -> int:  # type: ignore[override]
        """Entries of the index."""
        return self.index.numel()

    @cached_property
    def _gather(self) -> tuple[Tensor, Tensor | None]:
        """(index with -1 replaced by 0, mask of the kept entries or None if all are kept)."""
        kept = self.index >= 0
        return self.index.clamp(min=0), None if bool(kept.all()) else kept

    @cached_property
    def inverse(self) -> Index | None:
        """The adjoint as an index map, when no input is read twice."""
        if self._most_read > 1:
            return None
        used = self.index[self.index >= 0]
        inverse = torch.full((self.in_size,), -1, dtype=torch.long, device=self.index.device)
        inverse[used] = torch.arange(self.index.numel(), device=self.index.device)[self.index >= 0]
        return Index(inverse, self.out_size)

    @cached_property
    def _start(self) -> int:
        """First input of a contiguous slice, or -1."""
        n = self.index.numel()
        if n == 0 or int(self.index[0]) < 0:
            return -1
        first = int(self.index[0])
        steps = torch.arange(first, first + n, device=self.index.device)
        return first if bool((self.index == steps).all()) else -1

    @cached_property
    def _grid(self) -> tuple[int, list[int], list[int]] | None:
        """(first input, sizes, steps) of the index as a grid, slowest axis first; None where it is none."""
        firsts, sizes, steps = self.index.cpu(), list[int](), list[int]()
        if firsts.numel() < 2 or int(firsts.min()) < 0:
            return None
        while firsts.numel() > 1:
            apart = firsts.diff()
            step = int(apart[0])
            breaks = (apart != step).nonzero()
            size = firsts.numel() if not breaks.numel() else int(breaks[0]) + 1
            if step < 0 or len(sizes) == AXES or firsts.numel() % size:
                return None
            rows = firsts.reshape(-1, size)
            if bool((rows != rows[:, :1] + step * torch.arange(size)).any()):
                return None
            firsts, sizes, steps = rows[:, 0], [size, *sizes], [step, *steps]
        return int(firsts), sizes, steps

    @cached_property
    def _summed(self) -> tuple[list[int], list[int], Index] | None:
        """The index as a smaller one whose entries are read again along some axes of a grid.

        (sizes of the grid, these axes (-1: the last), index without them); None where that does not pay.
        """
        if self._grid is None or 0 not in self._grid[2]:
            return None
        _, sizes, steps = self._grid
        if steps[-1] == 0 and sizes[-1] < SHORT:
            return None
        axes = [i - len(sizes) for i, step in enumerate(steps) if step == 0]
        index = self.index.reshape(sizes)
        for axis in axes:
            index = index.narrow(axis, 0, 1)
        return sizes, axes, Index(index.reshape(-1), self.in_size)

    def apply(self, x: Tensor) -> Tensor:
        """x (..., in_size) read at the index."""
        if self._start >= 0:
            return x.narrow(-1, self._start, self.out_size)
        if self._grid is not None and not x.requires_grad and x.numel():
            first, sizes, steps = self._grid
            *lead, one = x.stride()
            strides, offset = [*lead, *(step * one for step in steps)], x.storage_offset() + first * one
            shape = (*x.shape[:-1], self.out_size)
            return x.as_strided((*x.shape[:-1], *sizes), strides, offset).reshape(shape)
        index, kept = self._gather
        if self.in_size == 0:
            return x.new_zeros(*x.shape[:-1], self.out_size)
        y = x.index_select(-1, index)
        return y if kept is None else y.masked_fill(~kept, 0)

    def pull(self, a: Tensor) -> Tensor:
        """a (..., out_size) added up where the index points."""
        if self._start >= 0:
            return functional.pad(a, (self._start, self.in_size - self._start - self.out_size))
        if self.inverse is not None:
            return self.inverse.apply(a)
        if self._summed is not None and a.numel():
            sizes, axes, rest = self._summed
            return rest.pull(a.reshape(*a.shape[:-1], *sizes).sum(axes).reshape(*a.shape[:-1], rest.out_size))
        index, kept = self._gather
        pulled = a.new_zeros(*a.shape[:-1], self.in_size)
        return pulled.index_add_(-1, index, a if kept is None else a.masked_fill(~kept, 0))

    def absolute(self) -> LinearMap:
        """Itself: its weights are 0 and 1."""
        return self

    def to(self, dtype: torch.dtype, device: torch.device) -> LinearMap:
        """The same map on another device; it has no dtype."""
        return self if self.index.device == device else Index(self.index.to(device), self.in_size)

    @property
    def cost(self) -> int:
        """0: numbers are moved."""
        return 0

    @cached_property
    def _most_read(self) -> int:
        used = self.index[self.index >= 0]
        return int(torch.bincount(used).max()) if used.numel() else 0

    @property
    def terms(self) -> int:
        """How often an input is read at most: so many numbers a pulled entry adds up."""
        return self._most_read
