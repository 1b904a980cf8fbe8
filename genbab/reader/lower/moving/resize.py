"""`Resize` and `Upsample`.

Nearest neighbour moves numbers, linear and cubic interpolation are weighted sums of a few entries along one
axis after the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import torch

from genbab.network import Compose, Diagonal, Index, LinearMap
from genbab.network.uncertainty import Uncertainty
from genbab.reader.lower.moving.antialias import Filter, stretched
from genbab.reader.lower.moving.coordinates import cropped, places, region, still
from genbab.reader.lower.table import lowering
from genbab.reader.tensors.arithmetic import add
from genbab.reader.tensors.builder import Builder, flat
from genbab.reader.tensors.elements import DIGITS, named
from genbab.reader.tensors.values import (
    Array,
    Inexact,
    Op,
    Refused,
    Value,
    Var,
    constant,
    element,
    given,
    integers,
    needed,
    room,
)

Floats = np.dtype[np.float32]


CUBIC = -0.75
"""The default coefficient of cubic interpolation."""


@lowering("Resize", "Upsample", how="affine")
def _resize(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    x = needed(inputs, 0)
    scales, sizes, loose = _targets(op, inputs, x.shape)
    room(sizes)
    mode = op.text("mode", "nearest")
    if mode not in ("nearest", "linear", "bilinear", "cubic"):
        raise Refused(f"interpolation '{mode}'")
    if mode != "nearest" and element(x) not in DIGITS:
        raise Refused(f"interpolation of {named(element(x))}")
    stays = still(op, x.shape, (scales, sizes))
    crop = region(op, inputs, x.shape, (scales, sizes, stays))
    outside = np.zeros((1,) * len(sizes), dtype=bool)
    for axis, (size, factor) in enumerate(zip(sizes, scales, strict=True)):
        if stays[axis]:
            continue
        old, along = x.shape[axis], [-1 if i == axis else 1 for i in range(len(sizes))]
        if crop:
            at, exact = cropped(crop[axis], old, size)
            outside = outside | ((at < 0) | (at > old - 1)).reshape(along)
            at = np.clip(at, 0, old - 1)  # what lies outside is replaced below
            exact = [min(max(place, Fraction(0)), Fraction(old - 1)) for place in exact]
        else:
            at, exact = places(op, old, size, factor)
        x = _along(b, op, x, axis, (at, exact, factor, loose[axis]))
    if not outside.any():
        return x
    kept = b.gather(x, np.where(outside, -1, np.arange(x.size).reshape(sizes)))
    fill = np.where(np.broadcast_to(outside, sizes), op.number("extrapolation_value", 0.0), 0.0)
    made = add(b, kept, fill)
    return replace(made, element=element(x)) if isinstance(made, Var) else made.astype(fill.dtype)


def _along(
    b: Builder, op: Op, x: Value, axis: int, at: tuple[Array, list[Fraction], Fraction, float]
) -> Value:
    """x interpolated along one axis; at: places, those without rounding, the scale and how far it is off."""
    (near, exact, factor, loose), old = at, x.shape[axis]
    mode = op.text("mode", "nearest")
    apart = np.array([float(abs(Fraction(float(p)) - e)) for p, e in zip(near, exact, strict=True)])
    apart = apart * (1 + 2.0**-40) + 4.0 * (old + 1) * loose  # more than places move with the scale
    if (apart > 0.5).any():
        raise Refused("scales that are not known well enough")
    if mode == "nearest":
        if op.integer("antialias", 0):
            raise Refused("antialias=1 with mode 'nearest'")
        return _nearest(b, op, x, axis, (near, factor))
    if op.integer("antialias", 0):
        if loose:
            raise Refused("antialias=1 with scales that are not known exactly")
        kept = bool(op.integer("exclude_outside", 0))
        by = Filter(mode, factor, kept, op.number("cubic_coeff_a", CUBIC))
        picks, weights, error = stretched((near, exact), old, by)
        return weighted_picks(b, x, axis, picks, (weights, error))
    picks, weights = _taps(op, near, old)
    return weighted_picks(b, x, axis, picks, (weights, _error(op, apart)))


def _error(op: Op, apart: Array) -> Array:
    """How far weights may be from those of places that lie so far from the ones taken, (outputs,).

    As functions of the place they are continuous, with slopes up to 1 (linear) or less than 3 + 4|a| (cubic).
    """
    if op.text("mode", "") != "cubic":
        return np.where(apart > 0, apart + 2.0**-52, 0.0)
    steep = 3.0 + 4.0 * abs(op.number("cubic_coeff_a", CUBIC))
    return steep * (apart + 1e-14) * (64.0 if op.integer("exclude_outside", 0) else 1.0)


def _targets(
    op: Op, inputs: list[Any], shape: tuple[int, ...]
) -> tuple[list[Fraction], list[int], list[float]]:
    """(scale, size of the output, relative distance of the scale from the real one) per axis.

    The scales are the numbers that a runtime has, for they say how large the output is.
    """
    rank = len(shape)
    axes, loose = op.integers("axes") or list(range(rank)), [0.0] * rank
    position = 1 if op.kind == "Upsample" or op.opset < 11 else 2
    factors: Any = op.attributes.get("scales") if op.opset < 9 else given(inputs, position)
    apart = np.zeros(len(axes))
    if isinstance(factors, Inexact):
        near = factors.computed.astype(np.float64)
        apart = 2.0 * (factors.error + np.abs(near - factors.value)) / np.abs(near)
        factors = factors.computed
    elif op.opset >= 9:
        factors = constant(factors, "its scales")
    scales = [Fraction(1)] * rank
    if factors is not None and len(factors):
        for axis, factor, off in zip(axes, factors, apart, strict=True):
            scales[axis], loose[axis] = Fraction(float(np.float32(factor))), float(off)
        sizes = [int(np.floor(np.float32(n) * np.float32(s))) for n, s in zip(shape, scales, strict=True)]
        return scales, sizes, loose
    wanted = dict(zip(axes, integers(given(inputs, 3), "its sizes") or [], strict=True))
    ratios = {axis: Fraction(n, shape[axis]) for axis, n in wanted.items()}
    policy = op.text("keep_aspect_ratio_policy", "stretch")
    sizes = list(shape)
    for axis, size in wanted.items():
        if policy == "stretch":
            sizes[axis], scales[axis] = size, ratios[axis]
        else:
            scales[axis] = min(ratios.values()) if policy == "not_larger" else max(ratios.values())
            sizes[axis] = math.floor(scales[axis] * shape[axis] + Fraction(1, 2))
    return scales, sizes, loose


NEAREST: dict[str, Callable[[Array], Array]] = {
    "round_prefer_floor": lambda p: np.ceil(p - np.float32(0.5)),
    "round_prefer_ceil": lambda p: np.floor(p + np.float32(0.5)),
    "floor": np.floor,
    "ceil": np.ceil,
}


def _nearest(b: Builder, op: Op, x: Value, axis: int, at: tuple[Array, Fraction]) -> Value:
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
    """(outputs, 4): weights of the entries at -1, 0, 1, 2 for a place `part` of the way from 0 to 1.

    Keys, 1981.
    """
    near, far = np.stack([part, 1.0 - part], 1), np.stack([1.0 + part, 2.0 - part], 1)
    inner = ((a + 2) * near - (a + 3)) * near**2 + 1
    outer = ((a * far - 5 * a) * far + 8 * a) * far - 4 * a
    return np.stack([outer[:, 0], inner[:, 0], inner[:, 1], outer[:, 1]], 1)


def weighted_picks(b: Builder, x: Value, axis: int, picks: Array, weights: tuple[Array, Array]) -> Value:
    """Output i along the axis is the sum over k of weights[0][i, k] times entry picks[i, k].

    Weights of these entries and of their neighbours may be off by weights[1][i].
    """
    if not isinstance(x, Var):
        raise Refused("interpolation of a constant")
    entries = np.arange(x.size).reshape(x.shape)
    shape = tuple(len(picks) if i == axis else n for i, n in enumerate(x.shape))
    along = [-1 if i == axis else 1 for i in range(len(shape))]

    def term(pick: Array, weight: Array) -> tuple[int, LinearMap]:
        index = torch.from_numpy(np.ascontiguousarray(np.take(entries, pick, axis=axis).reshape(-1)))
        return x.node, Compose((Index(index, x.size), Diagonal(flat(weight.reshape(along), shape))))

    terms = [term(pick, weight) for pick, weight in zip(picks.T, weights[0].T, strict=True)]
    uncertain = []
    if weights[1].any():
        near = np.concatenate([picks[:, :1] - 1, picks, picks[:, -1:] + 1], axis=1)
        uncertain = [term(pick, weights[1]) for pick in np.clip(near, 0, x.shape[axis] - 1).T]
    return b.affine(shape, terms, None, Uncertainty(0, None, tuple(uncertain)))
