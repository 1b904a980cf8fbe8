"""Sequences of tensors, as tuples, with constant positions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from genbab.reader.tensors.arrange import arrange
from genbab.reader.tensors.builder import Builder
from genbab.reader.tensors.values import Array, Masked, Op, Refused, Value, Var, positive_axis

Tensor = Value | Masked


def _construct(b: Builder, op: Op, inputs: Sequence[Any]) -> Any:
    return tuple(inputs)


def _empty(b: Builder, op: Op, inputs: Sequence[Any]) -> Any:
    return ()


def _length(b: Builder, op: Op, inputs: Sequence[Any]) -> Any:
    return np.array(len(inputs[0]), np.int64)


def _position(value: Any, length: int) -> int:
    if not isinstance(value, np.ndarray):
        raise Refused("its position depends on the network's input")
    at = int(value.reshape(-1)[0])
    return at + length if at < 0 else at


def _at(b: Builder, op: Op, inputs: Sequence[Any]) -> Any:
    return inputs[0][_position(inputs[1], len(inputs[0]))]


def _insert(b: Builder, op: Op, inputs: Sequence[Any]) -> Any:
    held = inputs[0]
    at = _position(inputs[2], len(held)) if len(inputs) > 2 and inputs[2] is not None else len(held)
    return (*held[:at], inputs[1], *held[at:])


def _erase(b: Builder, op: Op, inputs: Sequence[Any]) -> Any:
    held = inputs[0]
    at = _position(inputs[1], len(held)) if len(inputs) > 1 and inputs[1] is not None else len(held) - 1
    return (*held[:at], *held[at + 1 :])


def _concat(b: Builder, op: Op, inputs: Sequence[Any]) -> Any:
    axis, new = op.integer("axis", 0), bool(op.integer("new_axis", 0))

    def joined(parts: list[Any]) -> list[Any]:
        return [np.stack(parts, axis) if new else np.concatenate(parts, axis)]

    return arrange(b, inputs[0], joined)[0]


def _split(b: Builder, op: Op, inputs: Sequence[Any]) -> Any:
    x = inputs[0]
    axis = positive_axis(op.integer("axis", 0), len(x.shape))
    length, parts = x.shape[axis], inputs[1] if len(inputs) > 1 else None
    if isinstance(parts, Var | Masked):
        raise Refused("the sizes of its parts depend on the network's input")
    if parts is None or parts.ndim == 0:
        size = 1 if parts is None else int(parts)
        cuts = list(range(size, length, size))
    else:
        cuts = [int(n) for n in np.cumsum(parts.ravel())[:-1]]
    squeeze = parts is None and not op.integer("keepdims", 1)

    def cut(given: list[Array]) -> list[Array]:
        pieces = np.split(given[0], cuts, axis)
        return [np.squeeze(p, axis) for p in pieces] if squeeze else list(pieces)

    return tuple(arrange(b, [x], cut))


def _optional(b: Builder, op: Op, inputs: Sequence[Any]) -> Any:
    """An optional tensor or sequence is what it holds, or nothing."""
    return inputs[0] if inputs else None


def _has_element(b: Builder, op: Op, inputs: Sequence[Any]) -> Any:
    return np.array(bool(inputs) and inputs[0] is not None)


def _element(b: Builder, op: Op, inputs: Sequence[Any]) -> Any:
    if inputs[0] is None:
        raise Refused("an optional input that holds nothing")
    return inputs[0]


SEQUENCES: dict[str, Callable[[Builder, Op, Sequence[Any]], Any]] = {
    "SequenceConstruct": _construct,
    "SequenceEmpty": _empty,
    "SequenceLength": _length,
    "SequenceAt": _at,
    "SequenceInsert": _insert,
    "SequenceErase": _erase,
    "ConcatFromSequence": _concat,
    "SplitToSequence": _split,
    "Optional": _optional,
    "OptionalHasElement": _has_element,
    "OptionalGetElement": _element,
}
"""Operators that make or read sequences; they give one value, a tensor or a tuple of tensors."""
