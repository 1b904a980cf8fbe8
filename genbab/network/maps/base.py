"""Linear maps between flat vectors: what stands on the edges of an affine node.

Laws, which the tests check for every kind:
  * `pull` is the adjoint of `apply`:  <a, apply(x)> == <pull(a), x>  for all a, x;
  * `absolute().apply(r) >= |apply(x)|` whenever `|x| <= r`, with equality for some x per output unless the
    map is a composition;
  * `by_sign` is (P, N) with P.apply(x) - N.apply(x) == apply(x) and no weight below 0;
  * `to` changes dtype and device only.
All maps act on the last axis and take any leading axes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

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

    def by_sign(self) -> tuple[LinearMap, LinearMap | None]:
        """(the map with the weights above 0, that with the sizes of those below 0 or None without any).

        Their difference is this map. Not for compositions with weights: take their `parts`.
        """
        assert self.some_weight is None, "a map with weights says which of them are below 0"
        return self, None

    @property
    @abstractmethod
    def cost(self) -> int:
        """Multiply-adds for one vector (index maps count 0)."""

    @property
    @abstractmethod
    def terms(self) -> int:
        """The most products summed into one output or one pulled entry, or more (for rounding bounds)."""

    @property
    def gain(self) -> float:
        """An upper bound, at least 1, on what a number inside the map may be multiplied with on its way out.

        So much more than itself may an underflow inside `apply` or `pull` cost.
        """
        return 1.0

    @property
    def parts(self) -> tuple[LinearMap, ...]:
        """The maps that are applied one after the other: itself, unless it is a composition."""
        return (self,)

    def reached(self, live: Tensor) -> Tensor:
        """Which outputs read one of the inputs marked in live (..., in_size), whatever underflows."""
        if len(self.parts) > 1:
            for part in self.parts:
                live = part.reached(live)
            return live
        like = self.some_weight
        return self.absolute().apply(live.double() if like is None else live.to(like.dtype)) > 0

    def dense(self) -> Tensor:
        """The matrix (out_size, in_size), in float64 on the CPU unless the weights live elsewhere."""
        unit = torch.eye(self.in_size, dtype=torch.float64)
        like = self.some_weight
        return self.apply(unit if like is None else unit.to(like)).mT.contiguous()

    @property
    def some_weight(self) -> Tensor | None:
        """Some weight tensor that shows dtype and device, if there is one."""
        return None
