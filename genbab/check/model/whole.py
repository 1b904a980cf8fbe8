"""Inputs of integers and truth values: which they are, what may read them, what is left of boxes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from genbab.check.failures import Unusable
from genbab.check.intervals import Array, Mask

LARGEST = 2**24  # integers up to here are numbers of float32
BOOL = 9
NARROW = {2: (0, 255), 3: (-128, 127), 4: (0, 65535), 5: (-32768, 32767), BOOL: (0, 1)}
WIDE = {6: (-LARGEST, LARGEST), 7: (-LARGEST, LARGEST), 12: (0, LARGEST), 13: (0, LARGEST)}
LIMITS = {**NARROW, **WIDE}
MOVED = {"Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Identity", "Slice", "Gather"}
TRUTHS = {"Not", "And", "Or", "Xor"}


@dataclass(frozen=True)
class Whole:
    """Which of the D inputs are whole numbers, between which: all of their type, unless it is `wide`."""

    mask: Mask
    low: Array
    high: Array
    wide: Mask

    def cut(self, low: Array, high: Array) -> tuple[Array, Array]:
        """What is left of boxes (..., D) for points whose entries here are whole numbers of their types."""
        inner = np.maximum(np.ceil(low), self.low), np.minimum(np.floor(high), self.high)
        return np.where(self.mask, inner[0], low), np.where(self.mask, inner[1], high)

    def between(self, entry: int, point: float) -> float:
        """Where to halve an interval of an input in the place of a point: between two whole numbers."""
        return float(np.floor(point) + 0.5) if self.mask[entry] else point

    def holds(self, low: Array, high: Array) -> bool:
        """Whether a box keeps to numbers for which there are rules: of wide types not all are."""
        outside = (low < self.low) | (high > self.high)
        return not bool((outside & self.wide).any())


def whole_inputs(inputs: Sequence[Any], sizes: Sequence[int]) -> Whole | None:
    """The inputs of a graph that are whole numbers; None where all are floats."""
    kinds = np.repeat([i.type.tensor_type.elem_type for i in inputs], sizes)
    mask = np.isin(kinds, list(LIMITS))
    if not mask.any():
        return None
    low, high = (
        np.array([float(LIMITS[k][end]) if k in LIMITS else far for k in kinds.tolist()])
        for end, far in ((0, -np.inf), (1, np.inf))
    )
    return Whole(mask, low, high, np.isin(kinds, list(WIDE)))


def check_readers(graph: Any, inputs: Sequence[Any]) -> None:
    """`Unusable` where an input of integers is read by anything but what moves or casts it: sums may wrap.

    Truth values may also be joined, and say what `Where` takes.
    """
    kinds = {i.name: i.type.tensor_type.elem_type for i in inputs if i.type.tensor_type.elem_type in LIMITS}
    for node in graph.node:
        for place, name in enumerate(node.input):
            if name not in kinds:
                continue
            truth = kinds[name] == BOOL
            moved = node.op_type in MOVED and not place
            if moved:
                kinds[node.output[0]] = kinds[name]
            elif node.op_type != "Cast" and not (
                truth and (node.op_type in TRUTHS or (node.op_type == "Where" and not place))
            ):
                raise Unusable(f"no rule for {node.op_type} at {node.name!r}: it reads integers {name!r}")
    if wrong := [o.name for o in graph.output if o.name in kinds]:
        raise Unusable(f"the output {wrong[0]!r} is of integers")
