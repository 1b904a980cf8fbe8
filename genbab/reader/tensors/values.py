"""What flows along the edges while a model is lowered: numpy arrays for constants, a `Var` for the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import NodeProto, helper

from genbab.reader.tensors import elements

Array = npt.NDArray[Any]

MAX_NUMBERS = 1 << 24
"""So many numbers a tensor that is computed may hold (128 MiB in float64); all together 8 times as many."""


@dataclass(frozen=True, eq=False)
class Var:
    """A tensor that depends on the inputs.

    Node `node` of the network, whose flat value has this row-major shape. element: its ONNX type; truth
    values are carried as 0 and 1. exact: a narrower type that is known to hold every one of its numbers, 0
    if none is.
    """

    node: int
    shape: tuple[int, ...]
    element: int = elements.FLOAT
    exact: int = 0

    @property
    def boolean(self) -> bool:
        """Whether it holds truth values."""
        return self.element == elements.BOOL

    @property
    def whole(self) -> bool:
        """Whether its type is one of integers."""
        return elements.is_integer(self.element)

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return count(self.shape)

    def reshaped(self, shape: Sequence[int]) -> Var:
        """The same numbers in the same order under another shape."""
        return replace(self, shape=tuple(int(n) for n in shape))


Value = Var | Array


@dataclass(frozen=True, eq=False)
class Inexact:
    """A constant of real numbers that its type does not hold.

    Entry by entry within `error` of `value` (both float64). `computed`: what a runtime makes of it, in the
    type that the graph gives it.
    """

    value: Array
    error: Array
    computed: Array

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of its value."""
        return tuple(self.value.shape)

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return int(self.value.size)


@dataclass(frozen=True, eq=False)
class Masked:
    """A tensor whose entries where `hidden` (of its shape) is true are minus infinity.

    `value` is 0 there or anything else. fill: what the entries are instead: NaN, which must not be used.
    """

    value: Var
    hidden: Array
    fill: float = -np.inf

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of its value."""
        return self.value.shape

    @property
    def size(self) -> int:
        """How many numbers it holds, hidden ones too."""
        return self.value.size


@dataclass(frozen=True)
class Unread:
    """An output without a rule of a node that has others; refused, with the reason, where it is read."""

    reason: str


class TensorTooLarge(Exception):  # becomes a ModelError with the node
    """A tensor, or all tensors together, would hold more numbers than are accepted."""


def room(shape: Sequence[int], what: str = "its output") -> None:
    """Raises `TensorTooLarge` before a tensor of more than `MAX_NUMBERS` numbers is made."""
    if count(shape) > MAX_NUMBERS:
        raise TensorTooLarge(
            f"{what} would have the shape {[int(n) for n in shape]}: "
            f"at most {MAX_NUMBERS:,} numbers are accepted"
        )


class Refused(Exception):
    """An operator, as used at one node, has no sound rule; the text is the reason."""


@dataclass(frozen=True, eq=False)
class Op:
    """One ONNX node: its operator, its attributes as Python values, the opset that they are of."""

    node: NodeProto
    opset: int

    @property
    def kind(self) -> str:
        """The operator's name."""
        return self.node.op_type

    @property
    def label(self) -> str:
        """The node's name, or that of its first output."""
        return self.node.name or (self.node.output[0] if self.node.output else self.node.op_type)

    @cached_property
    def attributes(self) -> dict[str, Any]:
        """The attributes that are written out, by name."""
        values = {a.name: helper.get_attribute_value(a) for a in self.node.attribute}
        return {k: v.decode() if isinstance(v, bytes) else v for k, v in values.items()}

    def integer(self, name: str, default: int) -> int:
        """The attribute as an integer."""
        return int(self.attributes.get(name, default))

    def number(self, name: str, default: float) -> float:
        """The attribute; ONNX's defaults are float32 numbers, like the attributes that are written out."""
        return float(self.attributes.get(name, np.float32(default)))

    def text(self, name: str, default: str) -> str:
        """The attribute as text."""
        return str(self.attributes.get(name, default))

    def integers(self, name: str) -> list[int] | None:
        """The attribute as a list of integers; None where it is left out."""
        value = self.attributes.get(name)
        return None if value is None else [int(v) for v in value]


def element(value: Value | Inexact) -> int:
    """The ONNX type of a tensor."""
    if isinstance(value, Inexact):
        return elements.of_dtype(value.computed.dtype)
    return value.element if isinstance(value, Var) else elements.of_dtype(value.dtype)


def count(shape: Sequence[int]) -> int:
    """How many numbers a tensor of this shape holds."""
    size = 1
    for n in shape:
        size *= int(n)
    return size


def given(inputs: Sequence[Value | None], position: int) -> Value | None:
    """The input at this position, None where it is left out."""
    return inputs[position] if position < len(inputs) else None


def needed(inputs: Sequence[Value | None], position: int) -> Value:
    """The input at this position; a model without it is malformed."""
    value = given(inputs, position)
    if value is None:
        raise ValueError(f"input {position} is missing")
    return value


def constant(value: Value | None, what: str) -> Array | None:
    """The value as an array; refused when it depends on the network's input."""
    if isinstance(value, Var):
        raise Refused(f"{what} depends on the network's input")
    return value


def integers(value: Value | None, what: str) -> list[int] | None:
    """The value as a list of Python integers, None where it is left out."""
    array = constant(value, what)
    return None if array is None else [int(v) for v in array.ravel()]


def known_integers(value: Value | None, what: str) -> list[int]:
    """The value as a list of Python integers."""
    found = integers(value, what)
    if found is None:
        raise ValueError(f"{what} is missing")
    return found


def scalar(value: Value | None, what: str, default: float) -> float:
    """The value as one number."""
    array = constant(value, what)
    if array is None or array.size == 0:
        return default
    if array.size != 1:
        raise Refused(f"{what} is not a single number")
    return float(array.ravel()[0])


def uniform(array: Array) -> float | None:
    """The number that every entry equals, if there is one."""
    if array.size == 0 or not bool((array == array.flat[0]).all()):
        return None
    return float(array.flat[0])


def positive_axis(axis: int, rank: int) -> int:
    """The axis counted from the front."""
    if not -rank <= axis < max(rank, 1):
        raise ValueError(f"axis {axis} does not exist in a tensor of rank {rank}")
    return axis + rank if axis < 0 else axis
