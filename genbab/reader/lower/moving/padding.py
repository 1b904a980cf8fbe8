"""`Pad` and nearest-neighbour `Resize`: moving operators with modes of their own."""

from __future__ import annotations

from typing import Any

import numpy as np

from genbab.reader.lower.table import moves
from genbab.reader.tensors.values import Array, Op, Refused, positive_axis, room

PAD_MODES = {"reflect": "reflect", "edge": "edge", "wrap": "wrap"}


@moves("Pad", data=(0, 2))
def _pad(op: Op, a: list[Any]) -> Array:
    rank = a[0].ndim
    pads = op.integers("pads") if op.opset < 11 else [int(n) for n in a[1].ravel()]
    axes = [int(n) for n in a[3].ravel()] if len(a) > 3 and a[3] is not None else list(range(rank))
    if pads is None or len(pads) != 2 * len(axes):
        raise ValueError(f"{len(pads or [])} pads for {len(axes)} axes")
    width = [(0, 0)] * rank
    for i, axis in enumerate(axes):
        width[positive_axis(axis, rank)] = (pads[i], pads[i + len(axes)])
    cut = tuple(slice(max(-lo, 0), n - max(-hi, 0)) for (lo, hi), n in zip(width, a[0].shape, strict=True))
    grow = [(max(lo, 0), max(hi, 0)) for lo, hi in width]
    room([n + lo + hi for n, (lo, hi) in zip(a[0][cut].shape, grow, strict=True)])
    mode = op.text("mode", "constant")
    if mode != "constant":
        if mode not in PAD_MODES:
            raise Refused(f"padding mode '{mode}'")
        return np.pad(a[0][cut], grow, mode=PAD_MODES[mode])  # type: ignore[call-overload,no-any-return]
    return np.pad(a[0][cut], grow, constant_values=_fill(op, a))


def _fill(op: Op, a: list[Any]) -> Any:
    """What is padded with: a number that names input 2, or 0."""
    if op.opset < 11:
        if op.number("value", 0.0) != 0.0:
            raise Refused("padding with a constant other than 0 in an opset below 11")
        return 0
    return a[2].item() if len(a) > 2 and a[2] is not None and a[2].size else 0
