"""The identity, and maps made of other maps: adjoints and compositions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from genbab.network.maps.base import LinearMap


@dataclass(frozen=True, eq=False)
class Identity(LinearMap):
    """x itself."""

    in_size: int

    @property
    def out_size(self) -> int:  # type: ignore[override]
        """As many as go in."""
        return self.in_size

    def apply(self, x: Tensor) -> Tensor:
        """x itself."""
        return x

    def pull(self, a: Tensor) -> Tensor:
        """a itself."""
        return a

    def absolute(self) -> LinearMap:
        """Itself."""
        return self

    def to(self, dtype: torch.dtype, device: torch.device) -> LinearMap:
        """Itself: there are no weights."""
        return self

    @property
    def cost(self) -> int:
        """0: nothing is computed."""
        return 0

    @property
    def terms(self) -> int:
        """0: nothing is multiplied."""
        return 0


@dataclass(frozen=True, eq=False)
class Adjoint(LinearMap):
    """The adjoint of another map: transposed convolution, and sums (the adjoint of a gather)."""

    map: LinearMap

    @property
    def in_size(self) -> int:  # type: ignore[override]
        """Outputs of the other map."""
        return self.map.out_size

    @property
    def out_size(self) -> int:  # type: ignore[override]
        """Inputs of the other map."""
        return self.map.in_size

    def apply(self, x: Tensor) -> Tensor:
        """What the other map pulls."""
        return self.map.pull(x)

    def pull(self, a: Tensor) -> Tensor:
        """What the other map applies."""
        return self.map.apply(a)

    def absolute(self) -> LinearMap:
        """The adjoint of the other map's."""
        return Adjoint(self.map.absolute())

    def by_sign(self) -> tuple[LinearMap, LinearMap | None]:
        """The adjoints of the other map's."""
        above, below = self.map.by_sign()
        return Adjoint(above), None if below is None else Adjoint(below)

    def to(self, dtype: torch.dtype, device: torch.device) -> LinearMap:
        """The adjoint of the other map in another dtype, on another device."""
        return Adjoint(self.map.to(dtype, device))

    @property
    def parts(self) -> tuple[LinearMap, ...]:
        """The adjoints of the other map's, the last first."""
        turned = tuple(Adjoint(part) for part in reversed(self.map.parts))
        return turned if len(turned) > 1 else (self,)

    @property
    def cost(self) -> int:
        """What the other map costs."""
        return self.map.cost

    @property
    def terms(self) -> int:
        """As the other map's: these count both directions."""
        return self.map.terms

    @property
    def some_weight(self) -> Tensor | None:
        """The other map's."""
        return self.map.some_weight


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
        """Inputs of the first map."""
        return self.maps[0].in_size

    @property
    def out_size(self) -> int:  # type: ignore[override]
        """Outputs of the last map."""
        return self.maps[-1].out_size

    @property
    def parts(self) -> tuple[LinearMap, ...]:
        """The parts of the maps, one after the other."""
        return tuple(part for one in self.maps for part in one.parts)

    def apply(self, x: Tensor) -> Tensor:
        """One map after the other."""
        for one in self.maps:
            x = one.apply(x)
        return x

    def pull(self, a: Tensor) -> Tensor:
        """One adjoint after the other, the last map's first."""
        for one in reversed(self.maps):
            a = one.pull(a)
        return a

    def absolute(self) -> LinearMap:
        """The composition of the dominating maps, which may be larger than it must."""
        return Compose(tuple(one.absolute() for one in self.maps))

    def to(self, dtype: torch.dtype, device: torch.device) -> LinearMap:
        """The composition of the maps in another dtype, on another device."""
        return Compose(tuple(one.to(dtype, device) for one in self.maps))

    @property
    def cost(self) -> int:
        """What the maps cost together."""
        return sum(one.cost for one in self.maps)

    @property
    def terms(self) -> int:
        """The sums of the maps on the way, their lengths added up."""
        return sum(one.terms for one in self.maps)

    @cached_property
    def gain(self) -> float:
        """The product of the largest sums of sizes of the weights of each map, if above 1."""
        total = 1.0
        for one in (part.absolute() for part in self.maps if part.terms > 1 or part.some_weight is not None):
            like = torch.ones(0, dtype=torch.float64) if one.some_weight is None else one.some_weight
            sums = one.apply(like.new_ones(one.in_size)), one.pull(like.new_ones(one.out_size))
            total *= max([1.0, *(float(s.max()) for s in sums if s.numel())])
        return total

    @property
    def some_weight(self) -> Tensor | None:
        """The first that a map has."""
        return next((w for w in (one.some_weight for one in self.maps) if w is not None), None)


def nonnegative(one: LinearMap) -> bool:
    """Whether no weight of the map is below 0."""
    if isinstance(one, Compose):
        return all(nonnegative(part) for part in one.parts)
    weight = one.some_weight
    return weight is None or bool((weight >= 0).all())
