"""Linear maps between flat vectors: what stands on the edges of an affine node.

Laws, which the tests check for every kind:
  * `pull` is the adjoint of `apply`:  <a, apply(x)> == <pull(a), x>  for all a, x;
  * `absolute().apply(r) >= |apply(x)|` whenever `|x| <= r`, with equality for some x per output unless the
    map is a composition;
  * `to` changes dtype and device only.
All maps act on the last axis and take any leading axes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


class LinearMap(ABC):
    """A linear map R^in_size -> R^out_size, without state."""

    in_size: int
    out_size: int

    @abstractmethod
    def apply(self, x: Tensor) -> Tensor:
        """The image of x (..., in_size), as (..., out_size)."""

    @abstractmethod
    def pull(self, a: Tensor) -> Tensor:
        """The adjoint applied to rows a (..., out_size), as (..., in_size)."""

    @abstractmethod
    def absolute(self) -> LinearMap:
        """A map with non-negative weights that dominates this one entry by entry."""

    @abstractmethod
    def to(self, dtype: torch.dtype, device: torch.device) -> LinearMap:
        """The same map with its weights in another dtype, on another device."""

    @property
    @abstractmethod
    def cost(self) -> int:
        """Multiply-adds for one vector (index maps count 0)."""

    @property
    @abstractmethod
    def terms(self) -> int:
        """An upper bound on the number of products summed into one output or one pulled entry (for rounding
        bounds).
        """

    @property
    def gain(self) -> float:
        """An upper bound, at least 1, on what a number inside the map may be multiplied with on its way out.

        So much more than itself may an underflow inside `apply` or `pull` cost.
        """
        return 1.0

    def reached(self, live: Tensor) -> Tensor:
        """Which outputs read one of the inputs marked in live (..., in_size), whatever underflows."""
        return self.absolute().apply(live.to(self._dtype())) > 0

    def _dtype(self) -> torch.dtype:
        weight = self._weight()
        return torch.float64 if weight is None else weight.dtype

    def dense(self) -> Tensor:
        """The matrix (out_size, in_size), in float64 on the CPU unless the weights live elsewhere."""
        weight = self._weight()
        dtype = torch.float64 if weight is None else weight.dtype
        device = torch.device("cpu") if weight is None else weight.device
        return self.apply(torch.eye(self.in_size, dtype=dtype, device=device)).mT.contiguous()

    def _weight(self) -> Tensor | None:
        """Some weight tensor that shows dtype and device, if there is one."""
        return None


def nonnegative(one: LinearMap) -> bool:
    """Whether no weight of the map is below 0."""
    if isinstance(one, Compose):
        return all(nonnegative(part) for part in one.maps)
    weight = one._weight()
    return weight is None or bool((weight >= 0).all())


@dataclass(frozen=True, eq=False)
class Identity(LinearMap):
    """x itself."""

    in_size: int

    @property
    def out_size(self) -> int:  # type: ignore[override]
        return self.in_size

    def apply(self, x: Tensor) -> Tensor:
        return x

    def pull(self, a: Tensor) -> Tensor:
        return a

    def absolute(self) -> LinearMap:
        return self

    def to(self, dtype: torch.dtype, device: torch.device) -> LinearMap:
        return self

    @property
    def cost(self) -> int:
        return 0

    @property
    def terms(self) -> int:
        return 0


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


@dataclass(frozen=True, eq=False)
class Adjoint(LinearMap):
    """The adjoint of another map: transposed convolution, and sums (the adjoint of a gather)."""

    map: LinearMap

    @property
    def in_size(self) -> int:  # type: ignore[override]
        return self.map.out_size

    @property
    def out_size(self) -> int:  # type: ignore[override]
        return self.map.in_size

    def apply(self, x: Tensor) -> Tensor:
        return self.map.pull(x)

    def pull(self, a: Tensor) -> Tensor:
        return self.map.apply(a)

    def absolute(self) -> LinearMap:
        return Adjoint(self.map.absolute())

    def to(self, dtype: torch.dtype, device: torch.device) -> LinearMap:
        return Adjoint(self.map.to(dtype, device))

    @property
    def cost(self) -> int:
        return self.map.cost

    @property
    def terms(self) -> int:
        return self.map.terms

    def _weight(self) -> Tensor | None:
        return self.map._weight()


@dataclass(frozen=True, eq=False)
class Compose(LinearMap):
    """maps[-1] ∘ … ∘ maps[0]: the first of the list is applied first."""

    maps: tuple[LinearMap, ...]

    def __post_init__(self) -> None:
        for first, then in zip(self.maps, self.maps[1:], strict=False):
            if first.out_size != then.in_size:
                raise ValueError(f"composition: {first.out_size} outputs meet {then.in_size} inputs")

    @property
    def in_size(self) -> int:  # type: ignore[override]
        return self.maps[0].in_size

    @property
    def out_size(self) -> int:  # type: ignore[override]
        return self.maps[-1].out_size

    def apply(self, x: Tensor) -> Tensor:
        for one in self.maps:
            x = one.apply(x)
        return x

    def pull(self, a: Tensor) -> Tensor:
        for one in reversed(self.maps):
            a = one.pull(a)
        return a

    def absolute(self) -> LinearMap:
        return Compose(tuple(one.absolute() for one in self.maps))

    def to(self, dtype: torch.dtype, device: torch.device) -> LinearMap:
        return Compose(tuple(one.to(dtype, device) for one in self.maps))

    @property
    def cost(self) -> int:
        return sum(one.cost for one in self.maps)

    @property
    def terms(self) -> int:
        return sum(one.terms for one in self.maps)

    @cached_property
    def gain(self) -> float:
        total = 1.0
        for one in (part.absolute() for part in self.maps if part.terms > 1 or part._weight() is not None):
            weight = one._weight()
            device = torch.device("cpu") if weight is None else weight.device
            ones = (torch.ones(n, dtype=one._dtype(), device=device) for n in (one.in_size, one.out_size))
            sums = one.apply(next(ones)), one.pull(next(ones))
            total *= max([1.0, *(float(s.max()) for s in sums if s.numel())])
        return total

    def reached(self, live: Tensor) -> Tensor:
        for one in self.maps:
            live = one.reached(live)
        return live

    def _weight(self) -> Tensor | None:
        return next((w for w in (one._weight() for one in self.maps) if w is not None), None)
