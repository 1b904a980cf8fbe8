"""Maps with weights of their own: dense, diagonal, and one matrix for every token."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from genbab.network.maps.base import LinearMap


@dataclass(frozen=True, eq=False)
class WeightedMap(LinearMap):
    """A map that is linear in its weight, too."""

    weight: Tensor

    def with_weight(self, weight: Tensor) -> Self:
        """The same map with another weight of the same shape."""
        return replace(self, weight=weight)

    def absolute(self) -> Self:
        """The map with the sizes of the weights."""
        return self.with_weight(self.weight.abs())

    def by_sign(self) -> tuple[Self, Self | None]:
        """The weights above 0, and the sizes of those below, None without any."""
        below = (-self.weight).clamp_min(0.0)
        above = self.with_weight(self.weight.clamp_min(0.0))
        return above, self.with_weight(below) if bool(below.any()) else None

    def to(self, dtype: torch.dtype, device: torch.device) -> Self:
        """The same map with its weights in another dtype, on another device."""
        return self.with_weight(self.weight.to(device, dtype))

    @property
    def some_weight(self) -> Tensor:
        """Its weight."""
        return self.weight


@dataclass(frozen=True, eq=False)
class Dense(WeightedMap):
    """W x, with W (out_size, in_size)."""

    @property
    def in_size(self) -> int:  # type: ignore[override]
        """Columns of the matrix."""
        return self.weight.shape[1]

    @property
    def out_size(self) -> int:  # type: ignore[override]
        """Rows of the matrix."""
        return self.weight.shape[0]

    def apply(self, x: Tensor) -> Tensor:
        """W x."""
        return x @ self.weight.mT

    def pull(self, a: Tensor) -> Tensor:
        """a W."""
        return a @ self.weight

    @property
    def cost(self) -> int:
        """Entries of the matrix."""
        return self.weight.numel()

    @property
    def terms(self) -> int:
        """The longer side of the matrix."""
        return max(self.weight.shape)

    def dense(self) -> Tensor:
        """W itself."""
        return self.weight


@dataclass(frozen=True, eq=False)
class Diagonal(WeightedMap):
    """weight * x, elementwise, weight (N,)."""

    @property
    def in_size(self) -> int:  # type: ignore[override]
        """N."""
        return self.weight.shape[0]

    @property
    def out_size(self) -> int:  # type: ignore[override]
        """N."""
        return self.weight.shape[0]

    def apply(self, x: Tensor) -> Tensor:
        """weight * x."""
        return x * self.weight

    def pull(self, a: Tensor) -> Tensor:
        """weight * a: the map is its own adjoint."""
        return a * self.weight

    @property
    def cost(self) -> int:
        """One product an entry."""
        return self.weight.numel()

    @property
    def terms(self) -> int:
        """One: nothing is added."""
        return 1


@dataclass(frozen=True, eq=False)
class TokenDense(WeightedMap):
    """Matrix product with a constant on the right: x as (groups, tokens, K) times weight (groups, K, M).

    A weight of one group serves all `groups` of x.
    """

    groups: int
    tokens: int

    @property
    def in_size(self) -> int:  # type: ignore[override]
        """groups · tokens · K."""
        return self.groups * self.tokens * self.weight.shape[1]

    @property
    def out_size(self) -> int:  # type: ignore[override]
        """groups · tokens · M."""
        return self.groups * self.tokens * self.weight.shape[2]

    def apply(self, x: Tensor) -> Tensor:
        """Every token of x (..., groups·tokens·K) times the weight of its group."""
        return self._product(x, self.weight)

    def pull(self, a: Tensor) -> Tensor:
        """Every token of a (..., groups·tokens·M) times the transposed weight of its group."""
        return self._product(a, self.weight.mT)

    def _product(self, x: Tensor, weight: Tensor) -> Tensor:
        """All tokens of x (..., groups·tokens·K) times a weight (groups or 1, K, M)."""
        size = self.groups * self.tokens * weight.shape[2]
        if len(weight) == 1:  # one product of a tall matrix, not one of a few tokens for every row
            return (x.reshape(-1, weight.shape[1]) @ weight[0]).reshape(*x.shape[:-1], size)
        tokens = x.reshape(*x.shape[:-1], self.groups, self.tokens, weight.shape[1])
        return (tokens @ weight).reshape(*x.shape[:-1], size)

    @property
    def cost(self) -> int:
        """One product of K by M numbers a token."""
        return self.groups * self.tokens * self.weight.shape[1] * self.weight.shape[2]

    @property
    def terms(self) -> int:
        """The longer side of a group's matrix."""
        return max(self.weight.shape[1], self.weight.shape[2])
