"""The pool of open domains: worst bound first, under a memory budget."""

from __future__ import annotations

import torch

from genbab.branch.domains import Domains, join


class Pool:
    """Open domains; `pop` gives those with the worst bounds, or the deepest ones while memory is short."""

    def __init__(self, first: Domains, memory: int) -> None:
        self._batches = [first] if len(first) else []
        self._memory = memory

    def __len__(self) -> int:
        return sum(len(b) for b in self._batches)

    @property
    def nbytes(self) -> int:
        """Memory held."""
        return sum(b.nbytes for b in self._batches)

    @property
    def worst(self) -> float:
        """The smallest bound of an open domain; +inf when there is none."""
        return min((float(b.bound.min()) for b in self._batches), default=float("inf"))

    def push(self, domains: Domains) -> None:
        """Add open domains."""
        if len(domains):
            self._batches.append(domains)

    def pop(self, size: int) -> Domains:
        """Up to `size` domains, removed from the pool."""
        everything = join(self._batches)
        if len(everything) <= size:
            self._batches = []
            return everything
        short = everything.nbytes > self._memory // 2
        key = -everything.depth.to(everything.bound.dtype) if short else everything.bound
        order = torch.argsort(key, stable=True)
        self._batches = [everything.take(order[size:])]
        return everything.take(order[:size])
