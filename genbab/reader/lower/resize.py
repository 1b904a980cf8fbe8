"""`Resize` and `Upsample`: nearest neighbour moves numbers, linear interpolation is one small matrix per
axis.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from genbab.network import Compose, Diagonal, Index
from genbab.reader.builder import Builder
from genbab.reader.lower.table import lowering
from genbab.reader.values import Array, Op, Refused, Value, Var, constant, given, integers, needed

Floats = np.dtype[np.float32]


@lowering("Resize", "Upsample")
def _resize(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    x = needed(inputs, 0)
    scales, sizes = _targets(op, inputs, x.shape)
    mode = op.text("mode", "nearest")
    if mode not in ("nearest", "linear") or op.integer("antialias", 0) or op.integer("exclude_outside", 0):
        raise Refused(f"interpolation '{mode}' with these options")
    if op.text("coordinate_transformation_mode", "") == "tf_crop_and_resize":
        raise Refused("coordinates 'tf_crop_and_resize'")
    for axis, (size, factor) in enumerate(zip(sizes, scales, strict=True)):
        if size == x.shape[axis] and factor == 1.0:
            continue
        places = _places(op, x.shape[axis], size, factor)
        x = _nearest(b, op, x, axis, (places, factor)) if mode == "nearest" else _linear(b, x, axis, places)
    return x


def _targets(op: Op, inputs: list[Value | None], shape: tuple[int, ...]) -> tuple[list[float], list[int]]:
    """(scale, size of the output) per axis."""
    rank = len(shape)
    position = 1 if op.kind == "Upsample" or op.opset < 11 else 2
    factors = op.attributes.get("scales") if op.opset < 9 else constant(given(inputs, position), "its scales")
    axes = op.integers("axes") or list(range(rank))
    scales = [1.0] * rank
    if factors is not None and len(factors):
        for axis, factor in zip(axes, factors, strict=True):
            scales[axis] = float(np.float32(factor))
        return scales, [
            int(np.floor(np.float32(n) * np.float32(s))) for n, s in zip(shape, scales, strict=True)
        ]
    if op.text("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise Refused("sizes that keep the aspect ratio")
    sizes = list(shape)
    for axis, size in zip(axes, integers(given(inputs, 3), "its sizes") or [], strict=True):
        sizes[axis] = size
        scales[axis] = float(np.float32(size) / np.float32(shape[axis]))
    return scales, sizes


def _places(op: Op, old: int, new: int, factor: float) -> Array:
    """Per output entry of one axis, where it lies on the input's axis, in float32 as onnxruntime has it."""
    default = "asymmetric" if op.kind == "Upsample" or op.opset < 11 else "half_pixel"
    mode = op.text("coordinate_transformation_mode", default)
    x, s = np.arange(new, dtype=np.float32), np.float32(factor)
    half = np.float32(0.5)
    if mode == "half_pixel" or (mode == "pytorch_half_pixel" and new > 1):
        return np.asarray((x + half) / s - half)
    if mode == "pytorch_half_pixel":
        return np.zeros(new, np.float32)
    if mode == "asymmetric":
        return np.asarray(x / s)
    if mode == "align_corners":
        return (
            np.zeros(new, np.float32)
            if new == 1
            else np.asarray(x * np.float32(old - 1) / np.float32(new - 1))
        )
    if mode == "tf_half_pixel_for_nn":
        return np.asarray((x + half) / s)
    if mode == "half_pixel_symmetric":
        kept = np.float32(new) / (s * np.float32(old))
        offset = np.float32(old / 2) * (np.float32(1) - kept)
        return np.asarray(offset + (x + half) / s - half)
    raise Refused(f"coordinates '{mode}'")


NEAREST: dict[str, Callable[[Array], Array]] = {
    "round_prefer_floor": lambda p: np.ceil(p - np.float32(0.5)),
    "round_prefer_ceil": lambda p: np.floor(p + np.float32(0.5)),
    "floor": np.floor,
    "ceil": np.ceil,
}


def _nearest(b: Builder, op: Op, x: Value, axis: int, at: tuple[Array, float]) -> Value:
    places, factor = at
    if op.kind == "Upsample" or op.opset < 11:
        mode = "ceil" if factor < 1.0 else "floor"
    else:
        mode = op.text("nearest_mode", "round_prefer_floor")
    if mode not in NEAREST:
        raise Refused(f"nearest mode '{mode}'")
    pick = np.clip(NEAREST[mode](places), 0, x.shape[axis] - 1).astype(np.int64)
    return b.gather(x, np.take(np.arange(x.size).reshape(x.shape), pick, axis=axis))


def _linear(b: Builder, x: Value, axis: int, places: Array) -> Value:
    """(1 - t)·x[low] + t·x[low + 1], clamped at the ends."""
    if not isinstance(x, Var):
        raise Refused("interpolation of a constant")
    at = np.clip(places.astype(np.float64), 0, x.shape[axis] - 1)
    low = np.floor(at).astype(np.int64)
    high = np.minimum(low + 1, x.shape[axis] - 1)
    entries = np.arange(x.size).reshape(x.shape)
    shape = tuple(len(places) if i == axis else n for i, n in enumerate(x.shape))
    along = [-1 if i == axis else 1 for i in range(len(shape))]
    terms = []
    for pick, weight in ((low, 1.0 - (at - low)), (high, at - low)):
        index = torch.from_numpy(np.ascontiguousarray(np.take(entries, pick, axis=axis).reshape(-1)))
        factors = np.broadcast_to(weight.reshape(along), shape).reshape(-1)
        terms.append((x.node, Compose((Index(index, x.size), Diagonal(torch.from_numpy(np.array(factors)))))))
    return b.affine(shape, terms)
