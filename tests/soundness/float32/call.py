"""What the rule of an operator gets: the arithmetic, the arguments, and the attributes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .arithmetic import Arithmetic
from .styles import Array


class NotEmulated(Exception):
    """An operator, or a use of one, that is not written here."""


class Call:
    """One node with its arguments: arrays (P, ...) with the points first, P = 1 for constants."""

    def __init__(
        self,
        m: Arithmetic,
        kind: str,
        args: Sequence[Array | None],
        attributes: Mapping[str, Any],
        outputs: int = 1,
    ) -> None:
        self.m, self.kind, self.args, self.attributes = m, kind, tuple(args), attributes
        self.outputs = outputs

    def has(self, place: int) -> bool:
        """Whether the argument is given."""
        return len(self.args) > place and self.args[place] is not None

    def arg(self, place: int) -> Array:
        """An argument that must be there."""
        found = self.args[place] if len(self.args) > place else None
        if found is None:
            raise NotEmulated(f"{self.kind} without argument {place}")
        return found

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute."""
        return self.attributes.get(name, default)

    def number(self, name: str, default: float) -> Array:
        """A float attribute, as a float32 number."""
        return np.float32(self.get(name, default)).reshape(1)

    def integers(self, place: int, name: str = "") -> list[int] | None:
        """The integers that an argument or else an attribute holds; None where neither is there."""
        if self.has(place):
            given = self.arg(place)
            if given.shape[0] != 1:
                raise NotEmulated(f"{self.kind} with argument {place} that depends on the input")
            return [int(v) for v in given.reshape(-1)]
        value = self.get(name)
        return None if value is None else [int(v) for v in np.atleast_1d(value)]

    def axis(self, default: int, rank: int | None = None) -> int:
        """The attribute `axis` as an axis of the array."""
        return places([self.get("axis", default)], self.arg(0).ndim - 1 if rank is None else rank)[0]

    def refuse(self, **allowed: Any) -> None:
        """Refuse attributes of other values than these."""
        for name, value in allowed.items():
            if self.get(name, value) != value:
                raise NotEmulated(f"{self.kind} with {name}={self.get(name)}")


Rule = Callable[[Call], "Array | list[Array]"]


def places(axes: Sequence[int], rank: int) -> list[int]:
    """Axes of the model's tensor of this rank as axes of the array."""
    return [axis % rank + 1 for axis in axes]


def aligned(*arrays: Array) -> tuple[Array, ...]:
    """The arrays with axes of length 1 after that of the points, so that all have the same number."""
    rank = max(a.ndim for a in arrays)
    return tuple(a.reshape(a.shape[0], *(1,) * (rank - a.ndim), *a.shape[1:]) for a in arrays)


def one_length(*arrays: Array) -> list[Array]:
    """The arrays with as many points each."""
    count = max(a.shape[0] for a in arrays)
    return [np.broadcast_to(a, (count, *a.shape[1:])) for a in arrays]
