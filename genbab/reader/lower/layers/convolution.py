"""Convolutions and transposed convolutions with constant kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from genbab.network import Adjoint, Conv
from genbab.reader.lower.layers.windows import pads, steps, windows
from genbab.reader.lower.table import lowering
from genbab.reader.tensors.builder import Builder
from genbab.reader.tensors.values import Array, Op, Refused, Value, Var, constant, given, needed


def _parts(x: Value, weight: Value, offset: Value | None) -> tuple[Var, Array, Array | None]:
    """(image, kernel, bias) with the kernel in float64."""
    kernel = constant(weight, "its kernel")
    bias = constant(offset, "its bias")
    assert kernel is not None
    if not isinstance(x, Var):
        raise Refused("a convolution of a constant")
    if not 3 <= kernel.ndim <= 5:
        raise Refused(f"convolution over {kernel.ndim - 2} axes")
    if len(x.shape) != kernel.ndim:
        raise ValueError(f"a kernel of shape {kernel.shape} on a tensor of shape {x.shape}")
    return x, kernel.astype(np.float64), bias


@lowering("Conv", how="affine")
def _conv(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    return convolve(b, op, needed(inputs, 0), needed(inputs, 1), given(inputs, 2))


def convolve(b: Builder, op: Op, image: Value, weight: Value, offset: Value | None) -> Value:
    """The convolution of an image with a constant kernel and bias."""
    x, kernel, bias = _parts(image, weight, offset)
    group = op.integer("group", 1)
    if x.shape[1] != kernel.shape[1] * group:
        raise ValueError(
            f"a kernel of shape {kernel.shape} in {group} group(s) on a tensor of shape {x.shape}"
        )
    w = windows(op, x.shape[2:], tuple(kernel.shape[2:]))
    pad = w.before
    if not w.symmetric or min(pad) < 0:
        x, pad = _padded(b, x, w.before, w.after), (0,) * len(pad)
    images = x.shape[0]
    repeated = torch.from_numpy(np.concatenate([kernel] * images))
    shape = (images, kernel.shape[0], *w.number)
    sizes = (images * x.shape[1], *x.shape[2:]), (images * kernel.shape[0], *w.number)
    made = Conv(repeated, *sizes, w.strides, pad, w.dilations, group * images)
    return b.affine(shape, [(x.node, made)], _per_channel(bias, len(shape)))


@lowering("ConvTranspose", how="affine")
def _conv_transpose(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    x, kernel, bias = _parts(needed(inputs, 0), needed(inputs, 1), given(inputs, 2))
    group, rank = op.integer("group", 1), kernel.ndim - 2
    strides, dilations = steps(op, "strides", rank), steps(op, "dilations", rank)
    reach = tuple(d * (k - 1) + 1 for d, k in zip(dilations, kernel.shape[2:], strict=True))
    extra = tuple(op.integers("output_padding") or [0] * rank)
    full = tuple((n - 1) * s + r for n, s, r in zip(x.shape[2:], strides, reach, strict=True))
    before, after = _transposed_pads(op, x.shape[2:], full, extra)
    images = x.shape[0]
    channels = kernel.shape[1] * group
    sizes = (images * channels, *full), (images * x.shape[1], *x.shape[2:])
    weight = torch.from_numpy(np.concatenate([kernel] * images))
    same = before == after and not any(extra) and min(before) >= 0
    if same:
        final = tuple(n - 2 * p for n, p in zip(full, before, strict=True))
        conv = Conv(weight, (images * channels, *final), sizes[1], strides, before, dilations, group * images)
        return b.affine(
            (images, channels, *final), [(x.node, Adjoint(conv))], _per_channel(bias, kernel.ndim)
        )
    conv = Conv(weight, *sizes, strides, (0,) * rank, dilations, group * images)
    whole = b.affine((images, channels, *full), [(x.node, Adjoint(conv))])
    trimmed = _padded(
        b, whole, tuple(-p for p in before), tuple(e - p for e, p in zip(extra, after, strict=True))
    )
    return (
        trimmed
        if bias is None
        else b.affine(trimmed.shape, [b.spread(trimmed, trimmed.shape)], _per_channel(bias, kernel.ndim))
    )


def _transposed_pads(
    op: Op, size: tuple[int, ...], full: tuple[int, ...], extra: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What is cut off the full result before and after each axis (after: a negative number adds zeros)."""
    rank = len(size)
    wanted = op.integers("output_shape")
    mode = op.text("auto_pad", "NOTSET")
    if wanted is None and mode in ("NOTSET", "VALID"):
        return pads(op, size, size, (1,) * rank)
    strides = op.integers("strides") or [1] * rank
    target = wanted[-rank:] if wanted is not None else [n * s for n, s in zip(size, strides, strict=True)]
    total = [f + e - t for f, e, t in zip(full, extra, target, strict=True)]
    small, large = tuple(max(t, 0) // 2 for t in total), tuple(max(t, 0) - max(t, 0) // 2 for t in total)
    before, after = (small, large) if mode == "SAME_UPPER" else (large, small)
    return before, tuple(a + min(t, 0) for a, t in zip(after, total, strict=True))


def _padded(b: Builder, x: Var, before: tuple[int, ...], after: tuple[int, ...]) -> Var:
    """Zeros added to (or, where negative, entries cut off) the spatial axes."""
    places: Any = np.arange(x.size).reshape(x.shape)
    for axis, (p, q) in enumerate(zip(before, after, strict=True), start=2):
        width = [(0, 0)] * places.ndim
        width[axis] = (max(p, 0), max(q, 0))
        places = np.pad(places, width, constant_values=-1)
        places = np.take(places, np.arange(max(-p, 0), places.shape[axis] - max(-q, 0)), axis=axis)
    padded = b.gather(x, places)
    assert isinstance(padded, Var)
    return padded


def _per_channel(bias: Array | None, rank: int) -> Array | None:
    return None if bias is None else bias.reshape(1, -1, *[1] * (rank - 2))
