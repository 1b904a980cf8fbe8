"""A node of the file with its inputs, as the rules for operators take it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from genbab.check.failures import Unusable
from genbab.check.model.program import Fixed, Program, Tensor, Wire


@dataclass(frozen=True)
class Node:
    """An operator, its attributes, and its inputs, None where one is left out."""

    program: Program
    op: str
    name: str
    attributes: dict[str, Any]
    inputs: Sequence[Tensor | None]
    outputs: int
    opset: int

    def fail(self, why: str) -> Unusable:
        """The error that says which node has no rule, and why."""
        return Unusable(f"no rule for {self.op} at {self.name!r}: {why}")

    def get(self, name: str, default: Any) -> Any:
        """An attribute."""
        return self.attributes.get(name, default)

    def real(self, name: str, default: float) -> float:
        """An attribute that is a number; like it, its default is of float32."""
        return float(self.get(name, np.float32(default)))

    def tensor(self, index: int = 0) -> Tensor:
        """An input that must be there."""
        found = self.optional(index)
        if found is None:
            raise self.fail(f"input {index} is missing")
        return found

    def optional(self, index: int) -> Tensor | None:
        """An input, if it is there."""
        return self.inputs[index] if index < len(self.inputs) else None

    def fixed(self, index: int, default: float | None = None) -> Fixed:
        """An input that must be a constant."""
        found = self.optional(index)
        if found is None and default is not None:
            value = np.asarray(default, dtype=np.float64)
            return Fixed(value, value)
        if not isinstance(found, Fixed):
            raise self.fail(f"input {index} must be a constant")
        return found

    def wire(self, index: int = 0) -> Wire:
        """An input that varies."""
        found = self.tensor(index)
        if not isinstance(found, Wire):
            raise self.fail(f"input {index} is a constant where another input varies")
        return found

    def integers(self, index: int, name: str) -> list[int] | None:
        """Integers of an input, or of the attribute that older versions have in its place."""
        found = self.optional(index)
        if found is None:
            values = self.get(name, None)
            return None if values is None else [int(v) for v in np.atleast_1d(values)]
        if not isinstance(found, Fixed) or found.is_float:
            raise self.fail(f"input {index} must be constant integers")
        return [int(v) for v in np.atleast_1d(found.low)]

    def number(self, index: int, name: str, default: float) -> float:
        """An exact number of an input or an attribute."""
        found = self.optional(index)
        if found is None:
            return self.real(name, default)
        if not isinstance(found, Fixed) or found.low.size != 1 or not (found.low == found.high).all():
            raise self.fail(f"input {index} must be one exact number")
        return float(found.low.reshape(()))

    def axis(self, rank: int, default: int) -> int:
        """The attribute `axis`, counted from the front."""
        found = int(self.get("axis", default))
        if not -rank <= found < rank:
            raise self.fail(f"axis {found} of a tensor with {rank} axes")
        return found % rank


class Charging(Protocol):
    """Charges the results of operators as they are read."""

    def begin(self, graph: Any) -> None:
        """Looks at a graph before it is read."""

    def __call__(
        self, node: Node, names: tuple[Sequence[str], Sequence[str]], first: int, results: Sequence[Tensor]
    ) -> None:
        """Charges results, the steps from `first` on; names: of the tensors that are read and made."""


Rule = Callable[[Node], Sequence[Tensor]]
