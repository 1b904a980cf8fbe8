"""Where the outputs of `Resize` lie on the axes of its input."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from genbab.reader.tensors.values import Array, Inexact, Op, Refused, constant, given


def still(op: Op, shape: tuple[int, ...], to: tuple[list[Fraction], list[int]]) -> list[bool]:
    """Per axis, whether onnxruntime leaves it as it is.

    Where the scale is 1; where only the size stays, with antialias=1 or if all sizes do.
    """
    same = bool(op.integer("antialias", 0)) or to[1] == list(shape)
    return [size == old and (factor == 1 or same) for factor, size, old in zip(*to, shape, strict=True)]


def region(
    op: Op, inputs: list[Any], shape: tuple[int, ...], to: tuple[list[Fraction], list[int], list[bool]]
) -> list[tuple[np.float32, np.float32]] | None:
    """Per axis, the part of the input that 'tf_crop_and_resize' takes; None in other modes.

    Where onnxruntime and ONNX's text differ, it is refused: onnxruntime does not crop what keeps its size,
    and does not scale by the size of the part.
    """
    if op.text("coordinate_transformation_mode", "") != "tf_crop_and_resize":
        return None
    axes = op.integers("axes") or list(range(len(shape)))
    roi: Any = constant(given(inputs, 1), "its region")
    if isinstance(roi, Inexact):
        raise Refused("a region that is not known exactly")
    if roi is None or roi.size != 2 * len(axes):
        raise Refused("coordinates 'tf_crop_and_resize' without a region of two numbers per axis")
    parts = [(np.float32(0), np.float32(1))] * len(shape)
    ends = roi.reshape(2, -1).astype(np.float32)
    for axis, low, high in zip(axes, ends[0], ends[1], strict=True):
        parts[axis] = low, high
    by_scales = given(inputs, 3) is None
    for factor, size, stays, old, (low, high) in zip(*to, shape, parts, strict=True):
        if not (np.isfinite(low) and np.isfinite(high)):
            raise Refused("a region that is not finite")
        part = Fraction(float(high)) - Fraction(float(low))
        if stays and (low != 0 or high != 1):
            raise Refused("a region along an axis that keeps its size: onnxruntime does not crop it")
        if by_scales and math.floor(old * part * factor) != size:
            raise Refused("scales with a region that changes the size: give the sizes instead")
    return parts


def places(op: Op, old: int, new: int, factor: Fraction) -> tuple[Array, list[Fraction]]:
    """Per output entry of one axis, where it lies on the input's axis.

    In float32 as onnxruntime has it, and without rounding.
    """
    default = "asymmetric" if op.kind == "Upsample" or op.opset < 11 else "half_pixel"
    mode = op.text("coordinate_transformation_mode", default)
    if new == 1 and mode in ("pytorch_half_pixel", "align_corners"):
        return np.zeros(1, np.float32), [Fraction(0)]
    at = _coordinates(mode, old, new, np.arange(new, dtype=np.float32), np.float32(factor), np.float32)
    return np.asarray(at), [_coordinates(mode, old, new, Fraction(i), factor, Fraction) for i in range(new)]


def cropped(part: tuple[np.float32, np.float32], old: int, new: int) -> tuple[Array, list[Fraction]]:
    """The same where the output's ends are those of a part of the input's axis."""
    low, high = part
    exact = Fraction(float(low)), Fraction(float(high))
    last, steps = np.float32(old - 1), np.float32(new - 1)
    if new == 1:
        at = np.array([0.5 * float(low + high) * float(last)]).astype(np.float32)
        return at, [(exact[0] + exact[1]) / 2 * (old - 1)]
    at = low * last + (np.arange(new, dtype=np.float32) * (high - low) * last) / steps
    span = (exact[1] - exact[0]) * (old - 1)
    return at, [exact[0] * (old - 1) + i * span / (new - 1) for i in range(new)]


def _coordinates(mode: str, old: int, new: int, x: Any, s: Any, number: Any) -> Any:
    """Where output entry x lies on an input axis that is scaled by s, in the arithmetic of `number`."""
    half, one = number(1) / number(2), number(1)
    if mode in ("half_pixel", "pytorch_half_pixel"):
        return (x + half) / s - half
    if mode == "asymmetric":
        return x / s
    if mode == "align_corners":
        return x * number(old - 1) / number(new - 1)
    if mode == "tf_half_pixel_for_nn":
        return (x + half) / s
    if mode == "half_pixel_symmetric":
        kept = number(new) / (s * number(old))
        return number(old) * half * (one - kept) + (x + half) / s - half
    raise Refused(f"coordinates '{mode}'")
