"""Maps that move numbers: each output reads one input, or none."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional

from genbab.network.maps import LinearMap


@dataclass(frozen=True, eq=False)
class Index(LinearMap):
    """y_i = x[index_i], and 0 where index_i is -1: slice, gather, transpose, expand, tile, pad, nearest
    resize.
    """

    index: Tensor
    in_size: int

    def __post_init__(self) -> None:
        if self.index.numel() and not -1 <= int(self.index.min()) <= int(self.index.max()) < self.in_size:
            raise ValueError(f"index map: entries must lie in [-1, {self.in_size})")

    @property
    def out_size(self) -> int:  # type: ignore[override]
        return self.index.numel()

    @cached_property
    def _gather(self) -> tuple[Tensor, Tensor | None]:
        """(index with -1 replaced by 0, mask of the kept entries or None if all are kept)."""
        kept = self.index >= 0
        return self.index.clamp(min=0), None if bool(kept.all()) else kept

    @cached_property
    def _inverse(self) -> Index | None:
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

    def apply(self, x: Tensor) -> Tensor:
        if self._start >= 0:
            return x.narrow(-1, self._start, self.out_size)
        index, kept = self._gather
        if self.in_size == 0:
            return x.new_zeros(*x.shape[:-1], self.out_size)
        y = x.index_select(-1, index)
        return y if kept is None else y.masked_fill(~kept, 0)

    def pull(self, a: Tensor) -> Tensor:
        if self._start >= 0:
            return functional.pad(a, (self._start, self.in_size - self._start - self.out_size))
        if self._inverse is not None:
            return self._inverse.apply(a)
        index, kept = self._gather
        pulled = a.new_zeros(*a.shape[:-1], self.in_size)
        return pulled.index_add_(-1, index, a if kept is None else a.masked_fill(~kept, 0))

    def absolute(self) -> LinearMap:
        return self

    def to(self, dtype: torch.dtype, device: torch.device) -> LinearMap:
        return self if self.index.device == device else Index(self.index.to(device), self.in_size)

    @property
    def cost(self) -> int:
        return 0

    @cached_property
    def _most_read(self) -> int:
        used = self.index[self.index >= 0]
        return int(torch.bincount(used).max()) if used.numel() else 0

    @property
    def terms(self) -> int:
        return self._most_read
