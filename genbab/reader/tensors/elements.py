"""ONNX's element types: which numbers they hold."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto, helper

BOOL, FLOAT, DOUBLE = int(TensorProto.BOOL), int(TensorProto.FLOAT), int(TensorProto.DOUBLE)
FLOAT16, BFLOAT16 = int(TensorProto.FLOAT16), int(TensorProto.BFLOAT16)
UINT8, INT32, INT64 = int(TensorProto.UINT8), int(TensorProto.INT32), int(TensorProto.INT64)

INT4, INT8, INT16 = int(TensorProto.INT4), int(TensorProto.INT8), int(TensorProto.INT16)
SIGNED = {INT4: 4, INT8: 8, INT16: 16, INT32: 32, INT64: 64}
UNSIGNED = {
    UINT8: 8,
    int(TensorProto.UINT16): 16,
    int(TensorProto.UINT32): 32,
    int(TensorProto.UINT64): 64,
    int(TensorProto.UINT4): 4,
}
"""Bits of the types of integers."""

BYTES = tuple(code for code, bits in {**SIGNED, **UNSIGNED}.items() if bits >= 8)
"""The types of integers that take whole bytes."""

DIGITS = {FLOAT: 24, DOUBLE: 53, FLOAT16: 11, BFLOAT16: 8}
"""Binary digits of the types of numbers that are not whole."""

SHORT = frozenset({FLOAT16, BFLOAT16})
"""Types of numbers shorter than float32: a program may keep theirs in a wider one."""

EXACT = 2**52
"""Integers up to here, and those and a half, are numbers of float64."""

TRUNCATED = 2**40
"""Numbers up to here are truncated to types of 64 bits: some of them may be added up within `EXACT`."""


def named(element: int) -> str:
    """The type's name, as ONNX writes it, in small letters."""
    known = element in TensorProto.DataType.values()
    return str(TensorProto.DataType.Name(element)).lower() if known else f"type {element}"


def limits(element: int) -> tuple[int, int] | None:
    """The least and the largest number of an integer type; None for other types."""
    if element in SIGNED:
        half = 1 << (SIGNED[element] - 1)
        return -half, half - 1
    return (0, (1 << UNSIGNED[element]) - 1) if element in UNSIGNED else None


def is_integer(element: int) -> bool:
    """Whether the type is one of integers; truth values are none."""
    return element in SIGNED or element in UNSIGNED


def of_dtype(dtype: Any) -> int:
    """The element type of a numpy dtype."""
    return int(helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))


def holds(outer: int, inner: int) -> bool:
    """Whether every number of the type `inner` is one of the type `outer`."""
    if outer == inner or inner == BOOL:
        return True
    small = limits(inner)
    if small is not None:
        return holds_whole(outer, float(small[0]), float(small[1]))
    return outer == DOUBLE and inner in DIGITS or outer == FLOAT and inner in DIGITS and inner != DOUBLE


def holds_whole(element: int, low: float, high: float) -> bool:
    """Whether every integer from low to high is a number of the type."""
    large = limits(element)
    if large is not None:
        return large[0] <= low and high <= large[1]
    return element in DIGITS and max(abs(low), abs(high)) <= 2.0 ** DIGITS[element]
