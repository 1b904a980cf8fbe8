"""`Resize` and `Upsample`: nearest neighbour moves numbers, linear and cubic interpolation are weighted
sums of a few entries along one axis after the other.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from genbab.network import Compose, Diagonal, Index, LinearMap
from genbab.reader.builder import Builder
from genbab.reader.lower.table import lowering
from genbab.reader.values import Array, Op, Refused, Value, Var, constant, given, integers, needed, room

Floats = np.dtype[np.float32]


CUBIC = -0.75
"""The default coefficient of cubic interpolation."""


@lowering("Resize", "Upsample", how="affine")
def _resize(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    x = needed(inputs, 0)
    scales, sizes = _targets(op, inputs, x.shape)
    room(sizes)
    mode = op.text("mode", "nearest")
    if mode not in ("nearest", "linear", "bilinear", "cubic") or op.integer("antialias", 0):
        raise Refused(f"interpolation '{mode}' with these options")
    if op.text("coordinate_transformation_mode", "") == "tf_crop_and_resize":
        raise Refused("coordinates 'tf_crop_and_resize'")
    for axis, (size, factor) in enumerate(zip(sizes, scales, strict=True)):
        if size == x.shape[axis] and factor == 1.0:
            continue
        places = _places(op, x.shape[axis], size, factor)
        if mode == "nearest":
            x = _nearest(b, op, x, axis, (places, factor))
        else:
            picks, weights = _taps(op, places, x.shape[axis])
            x = weighted_picks(b, x, axis, picks, weights)
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
    wanted = dict(zip(axes, integers(given(inputs, 3), "its sizes") or [], strict=True))
    ratios = {axis: float(np.float32(n) / np.float32(shape[axis])) for axis, n in wanted.items()}
    policy = op.text("keep_aspect_ratio_policy", "stretch")
    sizes = list(shape)
    for axis, size in wanted.items():
        if policy == "stretch":
            sizes[axis], scales[axis] = size, ratios[axis]
        else:
            scales[axis] = min(ratios.values()) if policy == "not_larger" else max(ratios.values())
            sizes[axis] = int(np.floor(scales[axis] * shape[axis] + 0.5))
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


def _taps(op: Op, places: Array, size: int) -> tuple[Array, Array]:
    """(entries, weights), each (outputs, taps): what each output is the weighted sum of."""
    at = places.astype(np.float64)
    if op.text("mode", "") != "cubic":
        at = np.clip(at, 0, size - 1)
        low = np.floor(at).astype(np.int64)
        picks, weights = np.stack([low, low + 1], 1), np.stack([1.0 - (at - low), at - low], 1)
    else:
        low = np.floor(at).astype(np.int64)
        picks = low[:, None] + np.arange(-1, 3)[None, :]
        weights = cubic_weights(at - low, op.number("cubic_coeff_a", CUBIC))
    if op.integer("exclude_outside", 0):
        weights = np.where((picks < 0) | (picks >= size), 0.0, weights)
        weights = weights / weights.sum(axis=1, keepdims=True)
    return np.clip(picks, 0, size - 1), weights


def cubic_weights(part: Array, a: float = CUBIC) -> Array:
    """(outputs, 4): weights of the entries at -1, 0, 1, 2 for a place `part` of the way from 0 to 1 (Keys,
    1981).
    """
    near, far = np.stack([part, 1.0 - part], 1), np.stack([1.0 + part, 2.0 - part], 1)
    inner = ((a + 2) * near - (a + 3)) * near**2 + 1
    outer = ((a * far - 5 * a) * far + 8 * a) * far - 4 * a
    return np.stack([outer[:, 0], inner[:, 0], inner[:, 1], outer[:, 1]], 1)


def weighted_picks(b: Builder, x: Value, axis: int, picks: Array, weights: Array) -> Value:
    """Output i along the axis is the sum over k of weights[i, k] times entry picks[i, k]."""
    if not isinstance(x, Var):
        raise Refused("interpolation of a constant")
    entries = np.arange(x.size).reshape(x.shape)
    shape = tuple(len(picks) if i == axis else n for i, n in enumerate(x.shape))
    along = [-1 if i == axis else 1 for i in range(len(shape))]
    terms: list[tuple[int, LinearMap]] = []
    for pick, weight in zip(picks.T, weights.T, strict=True):
        index = torch.from_numpy(np.ascontiguousarray(np.take(entries, pick, axis=axis).reshape(-1)))
        factors = np.array(np.broadcast_to(weight.reshape(along), shape)).reshape(-1)
        terms.append((x.node, Compose((Index(index, x.size), Diagonal(torch.from_numpy(factors))))))
    return b.affine(shape, terms)
