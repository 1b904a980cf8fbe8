"""Maps with a matrix of weights: dense, diagonal, and one matrix for every token."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from genbab.network.maps.base import LinearMap


def signs(weight: Tensor, make: Callable[[Tensor], LinearMap]) -> tuple[LinearMap, LinearMap | None]:
    """`LinearMap.by_sign` of the map that `make` makes of a weight."""
    below = (-weight).clamp_min(0.0)
    return make(weight.clamp_min(0.0)), make(below) if bool(below.any()) else None


@dataclass(frozen=True, eq=False)
class Dense(LinearMap):
    """W x, with W (out_size, in_size)."""

    weight: Tensor

    @property
    def in_size(self) -> int:  # type: ignore[override]
        return self.weight.shape[1]

    @property
    def out_size(self) -> int:  # type: ignore[override]
        return self.weight.shape[0]

    def apply(self, x: Tensor) -> Tensor:
        return x @ self.weight.mT

    def pull(self, a: Tensor) -> Tensor:
        return a @ self.weight

    def absolute(self) -> LinearMap:
        return Dense(self.weight.abs())

    def by_sign(self) -> tuple[LinearMap, LinearMap | None]:
        return signs(self.weight, Dense)

    def to(self, dtype: torch.dtype, device: torch.device) -> LinearMap:
        return Dense(self.weight.to(device, dtype))

    @property
    def cost(self) -> int:
        return self.weight.numel()

    @property
    def terms(self) -> int:
        return max(self.weight.shape)

    def dense(self) -> Tensor:
        return self.weight

    def _weight(self) -> Tensor | None:
        return self.weight


@dataclass(frozen=True, eq=False)
class Diagonal(LinearMap):
    """weight * x, elementwise, weight (N,)."""

    weight: Tensor

    @property
    def in_size(self) -> int:  # type: ignore[override]
        return self.weight.shape[0]

    @property
    def out_size(self) -> int:  # type: ignore[override]
        return self.weight.shape[0]

    def apply(self, x: Tensor) -> Tensor:
        return x * self.weight

    def pull(self, a: Tensor) -> Tensor:
        return a * self.weight

    def absolute(self) -> LinearMap:
        return Diagonal(self.weight.abs())

    def by_sign(self) -> tuple[LinearMap, LinearMap | None]:
        return signs(self.weight, Diagonal)

    def to(self, dtype: torch.dtype, device: torch.device) -> LinearMap:
        return Diagonal(self.weight.to(device, dtype))

    @property
    def cost(self) -> int:
        return self.weight.numel()

    @property
    def terms(self) -> int:
        return 1

    def _weight(self) -> Tensor | None:
        return self.weight


@dataclass(frozen=True, eq=False)
class TokenDense(LinearMap):
    """Matrix product with a constant on the right: x as (groups, tokens, K) times weight (groups, K, M).

    A weight of one group serves all `groups` of x.
    """

    weight: Tensor
    groups: int
    tokens: int

    @property
    def in_size(self) -> int:  # type: ignore[override]
        return self.groups * self.tokens * self.weight.shape[1]

    @property
    def out_size(self) -> int:  # type: ignore[override]
        return self.groups * self.tokens * self.weight.shape[2]

    def apply(self, x: Tensor) -> Tensor:
        return self._product(x, self.weight)

    def pull(self, a: Tensor) -> Tensor:
        return self._product(a, self.weight.mT)

    def _product(self, x: Tensor, weight: Tensor) -> Tensor:
        """All tokens of x (..., groups·tokens·K) times a weight (groups or 1, K, M)."""
        size = self.groups * self.tokens * weight.shape[2]
        if len(weight) == 1:  # one product of a tall matrix, not one of a few tokens for every row
            return (x.reshape(-1, weight.shape[1]) @ weight[0]).reshape(*x.shape[:-1], size)
        tokens = x.reshape(*x.shape[:-1], self.groups, self.tokens, weight.shape[1])
        return (tokens @ weight).reshape(*x.shape[:-1], size)

    def absolute(self) -> LinearMap:
        return self._with(self.weight.abs())

    def by_sign(self) -> tuple[LinearMap, LinearMap | None]:
        return signs(self.weight, self._with)

    def to(self, dtype: torch.dtype, device: torch.device) -> LinearMap:
        return self._with(self.weight.to(device, dtype))

    def _with(self, weight: Tensor) -> TokenDense:
        return TokenDense(weight, self.groups, self.tokens)

    @property
    def cost(self) -> int:
        return self.groups * self.tokens * self.weight.shape[1] * self.weight.shape[2]

    @property
    def terms(self) -> int:
        return max(self.weight.shape[1], self.weight.shape[2])

    def _weight(self) -> Tensor | None:
        return self.weight
