"""`DFT` and `STFT`: linear maps, whose cosines and sines are known to within their rounding."""

from __future__ import annotations

import numpy as np

from genbab.reader.lower.algebra.linear import matmul_near
from genbab.reader.lower.table import lowering
from genbab.reader.tensors.arithmetic import scale
from genbab.reader.tensors.builder import Builder
from genbab.reader.tensors.exact import over
from genbab.reader.tensors.values import (
    Op,
    Refused,
    Value,
    Var,
    constant,
    given,
    known_integers,
    needed,
    positive_axis,
    room,
)

OFF = 2.0**-46
"""More than cosines and sines of angles up to 2π + 1, rounded themselves, are off by in float64."""


@lowering("DFT", how="affine")
def _transform(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    """Along one axis of (..., 1) or (..., 2): real and imaginary part."""
    x = needed(inputs, 0)
    if not isinstance(x, Var):
        raise Refused("a transform of a constant")
    rank = len(x.shape)
    at = known_integers(given(inputs, 2), "its axis")[0] if given(inputs, 2) is not None else -2
    axis = positive_axis(op.integer("axis", 1) if op.opset < 20 else at, rank)
    inverse, half = bool(op.integer("inverse", 0)), bool(op.integer("onesided", 0))
    length = 2 * (x.shape[axis] - 1) if inverse and half else x.shape[axis]
    if given(inputs, 1) is not None:
        length = known_integers(given(inputs, 1), "its length")[0]
    places = np.moveaxis(np.arange(x.size).reshape(x.shape), axis, -2)
    lead, parts = places.shape[:-2], x.shape[-1]
    if length < 1:
        raise ValueError(f"a transform of length {length}")
    read = min(length // 2 + 1 if inverse and half else length, x.shape[axis])
    rows: Value = b.gather(x, places[..., :read, :].reshape(-1, read * parts))
    if inverse and half:
        return _real_inverse(b, b.variable(rows), (length, read, parts), (lead, axis))
    made = _spectrum(b, b.variable(rows), length, length // 2 + 1 if half else length, parts, inverse)
    whole = np.arange(made.size).reshape(*lead, -1, 2)
    return b.gather(made, np.moveaxis(whole, -2, axis))


def _real_inverse(
    b: Builder, rows: Var, sizes: tuple[int, int, int], order: tuple[tuple[int, ...], int]
) -> Value:
    """The real numbers that half of a spectrum is the transform of: its other half is the conjugate."""
    (length, read, parts), (lead, axis) = sizes, order
    alone = (np.arange(read) == 0) | (2 * np.arange(read) == length)
    weighted = b.variable(scale(b, rows, np.repeat(np.where(alone, 1.0, 2.0), parts)))
    made = _spectrum(b, weighted, length, length, parts, inverse=True)
    whole = np.arange(made.size).reshape(*lead, -1, 2)[..., :1]
    return b.gather(made, np.moveaxis(whole, -2, axis))


@lowering("STFT", how="affine")
def _short_time(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    """(B, frames, bins, 2) of signals (B, L, 1 or 2): transforms of frames, each times the window."""
    x, step = needed(inputs, 0), known_integers(given(inputs, 1), "its step")[0]
    window = constant(given(inputs, 2), "its window")
    if not isinstance(x, Var):
        raise Refused("a transform of a constant")
    length = x.shape[1] if window is None else window.size
    if given(inputs, 3) is not None:
        length = known_integers(given(inputs, 3), "the length of its frames")[0]
    if not 0 < length <= x.shape[1] or step < 1 or (window is not None and window.size != length):
        raise ValueError(f"frames of {length} of a signal of {x.shape[1]}, {step} apart")
    parts = x.shape[2] if len(x.shape) > 2 else 1
    number = (x.shape[1] - length) // step + 1
    room((x.shape[0], number, length, parts))
    places = np.arange(x.size).reshape(x.shape[0], x.shape[1], parts)
    frames = places[:, np.arange(number)[:, None] * step + np.arange(length)]
    cut: Value = b.gather(x, frames.reshape(-1, length, parts))
    if window is not None:
        cut = scale(b, cut, window.reshape(-1, 1).astype(np.float64))
    bins = length // 2 + 1 if op.integer("onesided", 1) else length
    flat = b.variable(cut).reshaped((x.shape[0] * number, length * parts))
    made = _spectrum(b, flat, length, bins, parts)
    return made.reshaped((x.shape[0], number, bins, 2))


def _spectrum(b: Builder, rows: Var, length: int, bins: int, parts: int, inverse: bool = False) -> Var:
    """(R, bins · 2): the transform of R rows of real numbers, or of pairs.

    All is turned by a radian and back, so that what is 0 only because sines cancel is as uncertain as what
    programs make of it.
    """
    read = rows.shape[1] // parts
    room((read * parts, bins * 2), "the table of its cosines")
    turn = np.arange(read)[:, None] * np.arange(bins)[None, :] % length
    angle = (1.0 if inverse else -1.0) * 2 * np.pi * (turn / length) + 1.0
    real = np.stack([np.cos(angle), np.sin(angle)], -1)  # what a real number becomes
    table = np.stack([real, np.stack([-np.sin(angle), np.cos(angle)], -1)], 1)[:, :parts]
    value = table.reshape(read * parts, bins * 2)
    ball = value, np.full(value.shape, OFF)
    made = matmul_near(b, rows, over(ball, (np.array(float(length)), np.zeros(()))) if inverse else ball)
    back = np.array([[np.cos(1.0), -np.sin(1.0)], [np.sin(1.0), np.cos(1.0)]])
    pairs = made.reshaped((rows.shape[0] * bins, 2))
    return matmul_near(b, pairs, (back, np.full(back.shape, OFF))).reshaped(made.shape)
