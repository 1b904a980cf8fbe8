"""How a graph may be written: nodes in any order, tensors that list only some of their numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from genbab.check.failures import Unusable
from genbab.check.model.program import Numbers


@dataclass(frozen=True)
class ReadParts:
    """Which outputs a model has, all of its own if none is named, and what shapes inputs have, by name."""

    outputs: tuple[str, ...] = ()
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, outputs: Sequence[str], shapes: Sequence[str]) -> ReadParts:
        """What words say: names of outputs, and shapes like x=1,16,4."""
        found = {}
        for text in shapes:
            name, _, numbers = text.rpartition("=")
            parts = numbers.split(",")
            if not name or name in found or not all(p.isdecimal() and int(p) for p in parts):
                raise Unusable(f"{text!r} is no shape of another input, like x=1,16,4")
            found[name] = tuple(map(int, parts))
        if len(set(outputs)) < len(outputs):
            raise Unusable("an output is named twice")
        return cls(tuple(outputs), found)

    @property
    def words(self) -> list[str]:
        """The words that say the same."""
        shapes = [
            f"--shape={name}={','.join(map(str, shape))}" for name, shape in sorted(self.shapes.items())
        ]
        return [*(f"--output={name}" for name in self.outputs), *shapes]

    def kept(self, graph: Any) -> list[int]:
        """The numbers of the nodes, which are in order, that its outputs need."""
        known = {o.name for o in graph.output}
        if missing := [name for name in self.outputs if name not in known]:
            raise Unusable(f"the model has no output {missing[0]!r}")
        needed, found = set(self.outputs), []
        for i in reversed(range(len(graph.node))):
            if needed.intersection(graph.node[i].output):
                needed.update(graph.node[i].input)
                found.append(i)
        return found[::-1]

    def shape_of(self, name: str, axes: Sequence[int]) -> tuple[int, ...]:
        """The shape of an input whose axes are these, 0 where they are open."""
        given = self.shapes.get(name)
        if given is None:
            return tuple(n or 1 for n in axes)
        if axes and (
            len(axes) != len(given) or any(n not in (0, m) for n, m in zip(axes, given, strict=True))
        ):
            raise Unusable(f"the input {name!r} cannot have the shape {list(given)}")
        return given


WHOLE = ReadParts()
"""All outputs, and open axes that are 1."""


def in_order(nodes: Sequence[Any]) -> list[int]:
    """The numbers of the nodes, each after those whose results it reads."""
    maker: dict[str, int] = {}
    for i, node in enumerate(nodes):
        for name in node.output:
            if name and maker.setdefault(name, i) != i:
                raise Unusable(f"two nodes compute the tensor {name!r}")
    order: list[int] = []
    state = [0] * len(nodes)  # 1: what it reads is being put in order, 2: done
    for first in range(len(nodes)):
        path = [first]
        while path:
            i = path[-1]
            if state[i]:
                path.pop()
                if state[i] == 1:
                    state[i] = 2
                    order.append(i)
                continue
            state[i] = 1
            sources = {maker[name] for name in nodes[i].input if name in maker}
            if any(state[j] == 1 for j in sources):
                raise Unusable(f"the tensors of {nodes[i].output[0]!r} are computed from themselves")
            path += sorted((j for j in sources if not state[j]), reverse=True)
    return order


def left_of(most: int, name: str, shape: Sequence[int]) -> int:
    """How many numbers of `most` are left for other tensors; `Unusable` where there are not so many."""
    size: int = prod(shape)
    if min(shape, default=0) < 0 or size > most:
        raise Unusable(f"the sparse tensor {name!r} has the shape {list(shape)}")
    return most - size


def dense(name: str, values: Numbers, at: Numbers, shape: tuple[int, ...]) -> Numbers:
    """All numbers of a sparse tensor, of which those that are not listed are 0."""
    whole = np.zeros(shape, values.dtype)
    if at.ndim == 1 and at.dtype == np.int64 and ((at >= 0) & (at < whole.size)).all():
        at = np.stack(np.unravel_index(at, shape), axis=-1) if shape else at[:, None][:, :0]
    right = at.dtype == np.int64 and values.ndim == 1 and at.shape == (len(values), len(shape))
    if not right or not ((at >= 0) & (at < np.array(shape, np.int64))).all():
        raise Unusable(f"the sparse tensor {name!r} is damaged")
    if len(np.unique(at, axis=0)) < len(at):
        raise Unusable(f"the sparse tensor {name!r} has an entry twice")
    whole[tuple(at.T)] = values
    return whole
