"""Values as data: a tree that JSON can hold, and the tensors that it names by number.

Only values of the types that a `Coder` is told of come back, so reading a file runs nothing that it says.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import torch
from torch import Tensor


class CodingError(Exception):
    """What was read is not what a `Coder` writes."""


@dataclass(eq=False)
class Coder:
    """Writes numbers, texts, lists, tuples, dictionaries, tensors, and values of some classes as data.

    classes: dataclasses, named tuples and enumerations, known by their names; given: fields of dataclasses,
    by name, that are left out and taken from here when read.
    """

    classes: Sequence[type]
    given: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._known = {kind.__name__: kind for kind in self.classes}

    def write(self, value: Any, tensors: list[Tensor]) -> Any:
        """The tree of a value, whose tensors are appended to the list."""
        if value is None or isinstance(value, bool | int | str) and not isinstance(value, Enum):
            return value
        if isinstance(value, float):
            return value if math.isfinite(value) else {"number": str(value)}
        if isinstance(value, Tensor):
            tensors.append(value.detach())
            return {"tensor": len(tensors) - 1}
        if type(value).__name__ in self._known and type(value) is self._known[type(value).__name__]:
            return self._write_known(value, tensors)
        if isinstance(value, Mapping):
            return {"map": [[self.write(v, tensors) for v in pair] for pair in value.items()]}
        if isinstance(value, tuple):
            return {"tuple": [self.write(v, tensors) for v in value]}
        if isinstance(value, list):
            return [self.write(v, tensors) for v in value]
        raise TypeError(f"no way is known to write {type(value).__name__} as data")

    def _write_known(self, value: Any, tensors: list[Tensor]) -> Any:
        name = type(value).__name__
        if isinstance(value, Enum):
            return {"one": name, "of": value.value}
        if isinstance(value, tuple):
            return {"value": name, "fields": {"": [self.write(v, tensors) for v in value]}}
        names = [f.name for f in dataclasses.fields(value) if f.init and f.name not in self.given]
        return {"value": name, "fields": {n: self.write(getattr(value, n), tensors) for n in names}}

    def read(self, tree: Any, tensors: Sequence[Tensor]) -> Any:
        """The value of a tree; raises `CodingError` for what `write` never makes."""
        try:
            return self._read(tree, tensors)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise CodingError(f"{type(error).__name__}: {error}") from error

    def _read(self, tree: Any, tensors: Sequence[Tensor]) -> Any:
        if isinstance(tree, list):
            return [self._read(t, tensors) for t in tree]
        if not isinstance(tree, dict):
            return tree
        if "tensor" in tree:
            return tensors[tree["tensor"]]
        if "number" in tree:
            return float(tree["number"])
        if "map" in tree:
            return {self._read(k, tensors): self._read(v, tensors) for k, v in tree["map"]}
        if "tuple" in tree:
            return tuple(self._read(t, tensors) for t in tree["tuple"])
        if "one" in tree:
            return self._known[tree["one"]](tree["of"])
        kind, fields = self._known[tree["value"]], tree["fields"]
        if "" in fields:
            return kind(*(self._read(t, tensors) for t in fields[""]))
        found = {n: self._read(t, tensors) for n, t in fields.items()}
        mine = {f.name for f in dataclasses.fields(kind)}
        return kind(**found, **{n: v for n, v in self.given.items() if n in mine})


def numbers(tensor: Tensor) -> Any:
    """A tensor as an array of numpy's, in the host's memory."""
    return tensor.cpu().contiguous().numpy()


def tensor_of(array: Any, device: torch.device) -> Tensor:
    """An array as a tensor on the device."""
    return torch.from_numpy(array).to(device)
