"""When a loop stops whose condition depends on the network's input: once a state hardly changes in a turn."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from onnx import GraphProto, NodeProto

from genbab.reader.convert.fold import literal
from genbab.reader.tensors.values import Array, Op, Refused

ROOM = 1 + 2.0**-40
"""For the roundings of tolerances."""


class Stop(NamedTuple):
    """The loop stops only where no entry of this state changed by more than `tolerance` in its last turn."""

    state: int
    tolerance: float


def stopping(graph: GraphProto, constant: Callable[[str], object], most: int) -> Stop | None:
    """What is known where the condition of a loop's body is false; None for nothing.

    constant: the value of a tensor around the loop, if it has one; most: numbers of a state.
    """
    condition = _Condition(graph, constant, most)
    found = condition.where(graph.output[0].name, False)
    return found if found is not None and condition.follows(found.state) else None


def _read(graph: GraphProto) -> set[str]:
    """The names of all tensors that nodes of a graph read, those of graphs inside of it included."""
    names = {name for node in graph.node for name in node.input}
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                names |= _read(inner) | {output.name for output in inner.output}
    return names


@dataclass(frozen=True, eq=False)
class _Condition:
    """Reads the condition of a body backwards, from its output to what it compares."""

    graph: GraphProto
    constant: Callable[[str], object]
    numbers: int

    @cached_property
    def maker(self) -> dict[str, NodeProto]:
        """The node of each tensor that the body makes."""
        return {name: node for node in self.graph.node for name in node.output}

    def follows(self, state: int) -> bool:
        """Whether what a turn leaves follows from this state alone, in every turn in the same way.

        The number of the turn and other states may then not be read: turns could go on otherwise later, or
        this state be where it was while others are not.
        """
        turn, _, *before = (given.name for given in self.graph.input)
        after = [self._root(output.name) for output in self.graph.output[1:]]
        moving = {name for k, name in enumerate(before) if k != state and after[k] != name}
        return not (_read(self.graph) | set(after)) & {turn, *moving}

    def where(self, name: str, value: bool) -> Stop | None:
        """What holds where this truth value is so."""
        node = self.maker.get(name)
        if node is None:
            return None
        kind, inputs = node.op_type, list(node.input)
        if kind in ("Identity", "Cast", "Squeeze", "Reshape"):
            return self.where(inputs[0], value)
        if kind == "Not":
            return self.where(inputs[0], not value)
        if kind in ("Greater", "GreaterOrEqual", "Less", "LessOrEqual"):
            greater = kind.startswith("Greater") == value
            limit, size = (inputs[1], inputs[0]) if not greater else (inputs[0], inputs[1])
            most = self._number(limit)
            return None if most is None else self._below(size, most)
        return None

    def _number(self, name: str) -> float | None:
        """The constant of one number, at least 0, that a tensor is."""
        node = self.maker.get(name)
        inside = {t.name: t for t in self.graph.initializer}
        if node is not None:
            try:
                found: object = literal(Op(node, 0)) if node.op_type == "Constant" else None
            except Refused:
                found = None
        else:
            found = _array(inside[name]) if name in inside else self.constant(name)
        if not isinstance(found, np.ndarray) or found.size != 1 or found.dtype.kind != "f":
            return None
        number = float(found.reshape(-1)[0])
        return number if math.isfinite(number) and number >= 0 else None

    def _below(self, name: str, most: float) -> Stop | None:
        """What holds where every entry of a tensor, none of which is below 0, is at most so much."""
        node = self.maker.get(name)
        if node is None:
            return None
        kind, source = node.op_type, node.input[0]
        if kind in ("Abs", "ReduceL1", "ReduceL2"):
            return self._small(source, most)
        if kind == "ReduceSumSquare" or self._squares(node):
            return self._small(source, math.sqrt(most))
        if kind == "Sqrt":
            return self._below(source, most * most)
        if kind == "ReduceMean":
            return self._below(source, most * self.numbers)
        passed = ("ReduceMax", "ReduceSum", "Identity", "Squeeze", "Reshape", "Flatten")
        return self._below(source, most) if kind in passed else None

    def _squares(self, node: NodeProto) -> bool:
        if node.op_type == "Pow":
            return self._number(node.input[1]) == 2.0
        return node.op_type == "Mul" and node.input[0] == node.input[1]

    def _small(self, name: str, most: float) -> Stop | None:
        """What holds where every entry of a tensor has at most this size: if it is the change of a state."""
        node = self.maker.get(name)
        if node is None or node.op_type != "Sub":
            return None
        pair = {self._root(part) for part in node.input}
        states = zip(self.graph.input[2:], self.graph.output[1:], strict=False)
        for k, (before, after) in enumerate(states):
            if pair == {before.name, self._root(after.name)} and len(pair) == 2:
                return Stop(k, most * ROOM)
        return None

    def _root(self, name: str) -> str:
        """The tensor that this one is a copy of."""
        node = self.maker.get(name)
        return self._root(node.input[0]) if node is not None and node.op_type == "Identity" else name


def _array(tensor: object) -> Array:
    from onnx import numpy_helper

    return numpy_helper.to_array(tensor)  # type: ignore[arg-type]
