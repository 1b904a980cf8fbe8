"""`GridSample`: every output is a weighted sum of pixels, a few of them on a constant grid."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import torch

from genbab.network import Adjoint, Compose, Diagonal, Index, LinearMap
from genbab.network.uncertainty import Uncertainty
from genbab.reader.lower.moving.resize import cubic_weights
from genbab.reader.lower.table import lowering
from genbab.reader.tensors.arithmetic import apply, clip, combine, multiply, subtract, sum_groups
from genbab.reader.tensors.builder import Builder, index_map
from genbab.reader.tensors.values import (
    Array,
    Inexact,
    Op,
    Refused,
    Value,
    Var,
    constant,
    count,
    needed,
)

PAIRS = 1 << 18
"""The most pairs of a pixel and a place where the places depend on the input."""

MODES = {"bilinear": "linear", "linear": "linear", "nearest": "nearest", "bicubic": "cubic", "cubic": "cubic"}


@lowering("GridSample", how="affine; at places that vary max(0, 1 - |place - pixel|) per axis, and products")
def _grid_sample(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    """x (N, C, *image) at grid (N, *out, rank), whose last axis counts the image's axes from the last."""
    if len(inputs) > 1 and isinstance(inputs[1], Var):
        return _at_varying(b, op, needed(inputs, 0), inputs[1])
    x, (grid, off) = needed(inputs, 0), _grid(inputs)
    mode = MODES.get(op.text("mode", "linear"))
    if not isinstance(x, Var) or mode is None:
        raise Refused(f"sampling of a constant, or with mode '{op.text('mode', 'linear')}'")
    image, out = x.shape[2:], grid.shape[1:-1]
    taps = [_taps(op, mode, grid[..., -1 - axis].astype(np.float64), n) for axis, n in enumerate(image)]
    terms: list[tuple[int, LinearMap]] = []
    shape = (*x.shape[:2], *out)
    channels = np.arange(count(x.shape[:2])).reshape(*x.shape[:2], 1) * count(image)
    for corner in product(*(range(picks.shape[-1]) for picks, _ in taps)):
        place = np.zeros((x.shape[0], *out), dtype=np.int64)
        weight = np.ones((x.shape[0], *out))
        inside = np.ones((x.shape[0], *out), dtype=bool)
        for (picks, weights), k, n in zip(taps, corner, image, strict=True):
            place = place * n + picks[..., k]
            inside &= picks[..., k] >= 0
            weight = weight * weights[..., k]
        flat = np.where(inside, place, -1).reshape(x.shape[0], 1, -1)
        index = np.where(flat < 0, -1, flat + channels).reshape(-1)
        factors = np.broadcast_to(weight.reshape(x.shape[0], 1, -1), (*x.shape[:2], count(out))).reshape(-1)
        scaled = Compose((index_map(index, x.size), Diagonal(torch.from_numpy(factors.copy()))))
        terms.append((x.node, scaled))
    reach = float(np.abs(grid).max(initial=1.0))
    return b.affine(shape, terms, None, _uncertainty(x, shape, mode, (reach, off)))


def _at_varying(b: Builder, op: Op, x: Value | Inexact, grid: Var) -> Value:
    """Bilinear interpolation at places that depend on the input, one axis of the image after the other.

    The weight of a pixel is max(0, 1 - distance) along each axis, which is 0 for all pixels where the place
    is a pixel or more outside, as padding by zeros has it.
    """
    mode, padding = op.text("mode", "linear"), op.text("padding_mode", "zeros")
    if MODES.get(mode) != "linear" or padding not in ("zeros", "border"):
        raise Refused(f"places that depend on the network's input, with mode '{mode}', padding '{padding}'")
    if isinstance(x, Inexact):
        x = b.variable(x)
    (images, channels, *image), points = x.shape, count(grid.shape[1:-1])
    if x.size * points > PAIRS:
        raise Refused(f"more than {PAIRS:,} pairs of a pixel and a place that depends on the network's input")
    for axis in reversed(range(len(image))):
        weights = _weights(b, op, grid, (axis, len(image), image[axis]))
        rest, last = count(image[:axis]), x.size // max(images * channels * count(image[: axis + 1]), 1)
        shape = (images, channels, rest, image[axis], last)
        laid = x.reshaped(shape) if isinstance(x, Var) else x.reshape(shape)
        made = multiply(b, laid, weights)
        assert isinstance(made, Var)
        sums = np.arange(images * channels * rest * points).reshape(images, channels, rest, 1, points)
        groups = np.broadcast_to(sums, made.shape)
        x = sum_groups(b, made, groups, (images, channels, rest, points))
    assert isinstance(x, Var)
    return x.reshaped((images, channels, *grid.shape[1:-1]))


def _weights(b: Builder, op: Op, grid: Var, along: tuple[int, int, int]) -> Value:
    """(images, 1, 1, pixels, places): weights along this axis, of so many, with so many pixels."""
    axis, rank, size = along
    entries = np.arange(grid.size).reshape(grid.shape[0], 1, 1, 1, -1, rank)[..., rank - 1 - axis]
    at = b.gather(grid, entries)
    if op.integer("align_corners", 0):
        place = combine(b, [(at, (size - 1) / 2), (np.array((size - 1) / 2), 1.0)])
    else:
        place = combine(b, [(at, size / 2), (np.array((size - 1) / 2), 1.0)])
    if op.text("padding_mode", "zeros") == "border":
        place = clip(b, place, 0.0, size - 1.0)
    apart = apply(b, "abs", subtract(b, place, np.arange(float(size)).reshape(size, 1)))
    return apply(b, "relu", subtract(b, np.ones(()), apart))


def _grid(inputs: Sequence[Value | Inexact | None]) -> tuple[Array, float]:
    """The grid, and how far its numbers may be from the real ones."""
    grid = inputs[1] if len(inputs) > 1 else None
    if isinstance(grid, Inexact):
        return grid.value, float(grid.error.max(initial=0.0))
    found = constant(grid, "its grid")
    if found is None:
        raise ValueError("its grid is missing")
    return found, 0.0


def _uncertainty(x: Var, shape: tuple[int, ...], mode: str, known: tuple[float, float]) -> Uncertainty:
    """What rounded places do to interpolated pixels.

    More than float64's roundings of places up to a coordinate, and the distance that these are known to,
    times the slopes of weights as functions of the place (below 8), for every pixel of the channel.
    """
    reach, off = known
    if mode == "nearest":
        if off:
            raise Refused("the nearest pixel at places that are not known exactly")
        return Uncertainty()
    channels, pixels, out = count(x.shape[:2]), count(x.shape[2:]), count(shape[2:])
    error = (max(x.shape[2:]) + 4.0) * (reach * 2.0**-42 + 8.0 * len(x.shape) * off)
    chain = (
        Adjoint(Index(torch.arange(channels).repeat_interleave(pixels), channels)),
        Index(torch.arange(channels).repeat_interleave(out), channels),
        Diagonal(torch.full((channels * out,), error, dtype=torch.float64)),
    )
    return Uncertainty(0, None, ((x.node, Compose(chain)),))


def _taps(op: Op, mode: str, at: Array, size: int) -> tuple[Array, Array]:
    """(pixels along one axis, their weights), each (*at, taps); -1 for a pixel that counts as 0.

    at: coordinates from -1 to 1.
    """
    corners = bool(op.integer("align_corners", 0))
    place = (at + 1) / 2 * (size - 1) if corners else ((at + 1) * size - 1) / 2
    padding = op.text("padding_mode", "zeros")
    if mode != "cubic":  # cubic pads the pixels that it reads instead
        place = _folded(place, padding, size, corners)
    if mode == "nearest":
        picks, weights = np.rint(place)[..., None], np.ones((*place.shape, 1))
    else:
        low = np.floor(place)
        if mode == "linear":
            picks, weights = np.stack([low, low + 1], -1), np.stack([1 - (place - low), place - low], -1)
        else:
            picks = low[..., None] + np.arange(-1, 3)
            weights = cubic_weights((place - low).reshape(-1)).reshape(picks.shape)
    if mode == "cubic":
        picks = np.rint(_folded(picks, padding, size, corners))
    outside = (picks < 0) | (picks >= size)
    return np.where(outside, -1, picks).astype(np.int64), weights


def _folded(place: Array, padding: str, size: int, corners: bool) -> Array:
    """Coordinates brought into the image by its padding mode."""
    if padding == "zeros":
        return place
    if padding == "border":
        return np.clip(place, 0, size - 1)
    if padding != "reflection":
        raise Refused(f"padding mode '{padding}'")
    low, high = (0.0, size - 1.0) if corners else (-0.5, size - 0.5)
    span = high - low
    if span == 0:
        return np.zeros_like(place)
    away = np.abs(place - low) % (2 * span)
    return np.clip(low + np.where(away > span, 2 * span - away, away), 0, size - 1)
